"""A meeting, held: two operations in all modes, whoever comes first, each time over a fresh state, judged by all oracles."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from racehound.data.finding import Finding, Severity, normalise
from racehound.data.history import Event
from racehound.data.matrix import MODES, Mode, Outcome, rank
from racehound.data.program import Program
from racehound.data.schedule import Listed, Order, Schedule, Together
from racehound.errors import TargetError, UserError
from racehound.loops.matrix.journal import Met, Note
from racehound.loops.performer import Excused, Performer, Played
from racehound.run.lockstep import Move
from racehound.run.session_script import SessionScript, Turn
from racehound.run.stage import Scripts, Stage
from racehound.scenarios.pairs import Pair, Side, turns
from racehound.testdrive.parser import parse_fragment
from racehound.testdrive.printer import print_command
from racehound.testdrive.script import Sql

Keep = Callable[[Finding, Program, list[Event]], None]
"""What is done with a finding, its program and the events that show it."""

_BY_SEVERITY: dict[Severity, Outcome] = {
    "crash": "crash",
    "corruption": "corrupt",
    "wrong result": "wrong",
    "hang": "hang",
    "internal error": "internal",
    "leak": "leak",
    "unexplained error": "unexplained",
    "known weakness": "known weakness",
}
_UNDOUBTED: tuple[Outcome, ...] = ("crash", "corrupt", "hang")
"""Never right, not even without a race."""
_TRIES = 2
"""A server that breaks down in between, or an object that cannot be made, is given a second try, in a new database."""


class Host:
    """Holds meetings on a stage, one after the other."""

    def __init__(self, stage: Stage, keep: Keep) -> None:
        self._stage = stage
        self._keep = keep
        self._performer = Performer(stage)

    def close(self) -> None:
        self._performer.close()
        self._stage.close()

    def hold(self, pair: Pair, allowed: Callable[[str], bool]) -> Met:
        """All trials of a pair. `allowed`: the dialect's rule for what may stand in a transaction."""
        started = time.monotonic()
        encounter = _Encounter(pair, self._stage, self._performer, self._keep)
        notes: list[Note] = []
        trouble = ""
        for y_first, mode in modes(pair, allowed):
            try:
                notes.append(encounter.trial(mode, y_first=y_first))
            except (TargetError, UserError) as error:
                trouble = str(error).split("\n", 1)[0]
                self._stage.recorder.take()  # what was done so far is no other trial's doing
                if isinstance(error, UserError):
                    break  # what cannot be prepared for one mode cannot be for another
        texts = [tuple(c.text for c in side.commands()) for side in encounter.sides]
        setup = tuple(text for step in pair.setup() for text in _texts(step.fragment))
        seconds = round(time.monotonic() - started, 4)
        return Met(*pair.key, setup, texts[0], texts[1], tuple(notes), seconds, trouble)


def modes(pair: Pair, allowed: Callable[[str], bool]) -> Iterator[tuple[bool, Mode]]:
    """Who comes first and in which mode. Of an operation with itself both orders are the same."""
    for y_first in (False, True)[: 1 if pair.x.operation == pair.y.operation and pair.relationship in ("same", "common") else 2]:
        first = pair.y if y_first else pair.x
        for mode in MODES:
            if mode == "together" or first.may_be_transaction(allowed):
                yield y_first, mode


class _Encounter:
    """One pair on the stage."""

    def __init__(self, pair: Pair, stage: Stage, performer: Performer, keep: Keep) -> None:
        self.sides: tuple[Side, Side] = (pair.x, pair.y)
        self._pair = pair
        self._stage = stage
        self._performer = performer
        self._keep = keep
        self._alone: dict[bool, frozenset[str]] = {}

    def trial(self, mode: Mode, *, y_first: bool) -> Note:
        played, program = self._play(mode, _order(mode, self._counts(y_first=y_first)), y_first=y_first)
        outcome, signature = outcome_of(played, "yx" if y_first else "xy")
        if rank(outcome) <= rank("known weakness") and outcome not in _UNDOUBTED:
            outcome, signature = self._doubted(outcome, signature, y_first=y_first)
        if rank(outcome) < rank("known weakness"):
            for finding in played.findings:
                self._keep(finding, program, played.events)
        return Note(y_first, mode, outcome, signature, played.schedule)

    def _doubted(self, outcome: Outcome, signature: str, *, y_first: bool) -> tuple[Outcome, str]:
        """What also comes without any race, one operation after the other, is none of the race's doing."""
        if signature in self._serial(y_first=y_first):
            return "expected", f"one after the other, too: {signature}"
        return outcome, signature

    def _serial(self, *, y_first: bool) -> frozenset[str]:
        """Signatures of what shows when one session begins after the other has ended."""
        if y_first not in self._alone:
            found: set[str] = set()
            first, second = self._counts(y_first=y_first)
            for schedule in ((1,) * first + (2,) * second, (2,) * second + (1,) * first):
                played, _ = self._play("together", Listed(schedule), y_first=y_first)
                found |= {finding.signature for finding in played.findings}
            self._alone[y_first] = frozenset(found)
        return self._alone[y_first]

    def _play(self, mode: Mode, order: Order, *, y_first: bool) -> tuple[Played, Program]:
        sides = self.sides[::-1] if y_first else self.sides
        program = self._pair.program(y_first=y_first)
        sessions = []
        for number, side in enumerate(sides, 1):
            commands = turns(mode if number == 1 else "together", side.commands())
            script = tuple(Turn(each, object=side.target_object.name, phase=side.operation.phase) for each in commands)
            sessions.append(SessionScript(f"session {number}", script))
        self._stage.turn_to(Scripts(tuple(sessions), prepare=self._pair.setup(), verify=self._pair.verify()))
        for attempt in range(1, _TRIES + 1):
            try:
                return self._performer.perform(program, (), order, _wanted), program
            except (TargetError, UserError):
                self._stage.recorder.take()
                if attempt == _TRIES:
                    raise
        raise AssertionError("unreachable")

    def _counts(self, *, y_first: bool) -> tuple[int, int]:
        counts = [len(side.commands()) for side in self.sides]
        return (counts[1], counts[0]) if y_first else (counts[0], counts[1])


def _order(mode: Mode, counts: tuple[int, int]) -> Order:
    """The second operation comes when the first has done all but end its transaction."""
    first, second = counts
    return Together() if mode == "together" else Listed((1,) * (first + 1) + (2,) * second + (1,))


def _wanted(_events: list[Event], moves: list[Move], _schedule: Schedule) -> Excused:
    """The errors that the operations ask for themselves."""
    return frozenset(
        (str(m.session), m.turn, m.outcome.error.sqlstate) for m in moves if m.wanted and m.outcome and m.outcome.error
    )


def outcome_of(played: Played, names: str) -> tuple[Outcome, str]:
    """The worst that was found, and its signature; `names`: a letter for each session."""
    found = [(_BY_SEVERITY[finding.severity], finding.signature) for finding in played.findings]
    if found:
        return min(found, key=lambda each: (rank(each[0]), each[1]))
    errors = [
        f"{names[move.session - 1]}: {move.outcome.error.sqlstate} {normalise(move.outcome.error.message)}"
        for move in played.moves
        if move.outcome and move.outcome.error and not move.wanted
    ]
    if errors:
        return "expected", "; ".join(dict.fromkeys(errors))
    return ("blocked", "") if any(move.behind for move in played.moves) else ("fine", "")


def _texts(fragment: str) -> list[str]:
    return [c.text if isinstance(c, Sql) else print_command(c).strip() for c in parse_fragment(fragment).commands]
