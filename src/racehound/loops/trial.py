"""A trial: one repetition of a program, run and judged. What `run` does many times, `replay` and reduction do again."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Protocol

import msgspec

from racehound.data.finding import Finding
from racehound.data.history import Disturbed, Event, LogLine, RepetitionEnded, Statement
from racehound.data.object_names import names_in
from racehound.data.program import Program
from racehound.databases import registry
from racehound.databases.target import Reset, Target
from racehound.errors import TargetError
from racehound.judge import AT_REST, ORACLES
from racehound.judge.crash import BACKGROUND
from racehound.judge.errors import ErrorClass, judgement_of
from racehound.judge.oracle import Observed, Oracle, RestOracle
from racehound.run.runner import Runner


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What became of one repetition."""

    events: list[Event]
    findings: list[Finding]
    statements: int
    drawers: Counter[ErrorClass]


class SessionHost(Protocol):
    """Whoever leads the sessions, in a storm or in lock-step."""

    @property
    def target(self) -> Target: ...

    def pids(self) -> set[int]:
        """Server processes of all its sessions."""


class Judge:
    """All oracles of a target."""

    def __init__(self, runner: SessionHost) -> None:
        self._runner = runner
        database = registry.database(runner.target.dialect.name)
        known = {**ORACLES, **database.own_oracles()}
        self._at_rest = [known[name]() for name in database.oracles if name in AT_REST]
        self._afterwards = [known[name]() for name in database.oracles if name not in AT_REST]

    def begin(self) -> None:
        """Let the oracles look at a clean working database."""
        for oracle in (*self._at_rest, *self._afterwards):
            oracle.begin(self._runner.target)

    def suspects(self, program: Program, number: int, events: list[Event], pool: Executor) -> bool:
        """Whether `at_rest` may find anything, as far as one look of each oracle tells, without patience.

        The first oracle looks in this thread, the others in the pool.
        """
        observed = self._observed(program, number, events)
        if not self._at_rest:
            return False
        first, *others = self._at_rest
        looks = [pool.submit(_suspects, oracle, observed) for oracle in others]
        suspicious = [_suspects(first, observed), *(look.result() for look in looks)]
        return any(suspicious)

    def at_rest(self, program: Program, number: int, events: list[Event], *, whole_plan: bool) -> tuple[list[Finding], str]:
        """Judge the state of the target; `whole_plan` adds the checks that are too slow for every repetition.

        Also returned is why it could not be judged to the end, if so: a broken catalog may crash the server under an oracle.
        """
        observed = self._observed(program, number, events)
        # They only look, and each on sessions of its own: at the same time, since the sessions leave the cores to them.
        with ThreadPoolExecutor(max(1, len(self._at_rest))) as pool:
            looks = [pool.submit(oracle.judge, observed) for oracle in self._at_rest]
        judges: list[Callable[[], list[Finding]]] = [look.result for look in looks]
        if whole_plan:
            judges += [functools.partial(oracle.judge_plan, observed) for oracle in self._at_rest]
        found: list[Finding] = []
        for judge in judges:
            try:
                found += judge()
            except TargetError as error:
                return found, str(error)
        return found, ""

    def afterwards(
        self, program: Program, number: int, events: list[Event], excused: frozenset[tuple[str, int, str]] = frozenset()
    ) -> tuple[list[Finding], Counter[ErrorClass]]:
        """Judge what was observed, from setup to teardown; also how many statements lie in each drawer.

        `excused`: see `Observed`.
        """
        observed = dataclasses.replace(self._observed(program, number, events), excused=excused)
        found = [finding for oracle in self._afterwards for finding in oracle.judge(observed)]
        return found, judgement_of(observed).drawers

    def _observed(self, program: Program, number: int, events: list[Event]) -> Observed:
        return Observed(program, number, events, self._runner.target, frozenset(self._runner.pids()))


def _suspects(oracle: Oracle, observed: Observed) -> bool:
    try:
        return not isinstance(oracle, RestOracle) or oracle.suspects(observed)
    except TargetError:
        return True  # it could not look: whoever judges in earnest tells why


class Trial:
    """Runs and judges repetitions of one program."""

    def __init__(self, runner: Runner, program: Program, reset: Reset) -> None:
        self._runner = runner
        self._program = program
        self._reset = reset
        self._judge = Judge(runner)
        self._damaged = False

    def begin(self) -> None:
        """A clean place for the program."""
        self._runner.begin(self._program)
        self._judge.begin()

    def run(self, number: int, *, last: bool = False) -> Verdict:
        """One repetition; `last` adds the checks that are made once per plan. TargetError when the target cannot go on."""
        if number > 1:
            self._clean()
        events = self._runner.repetition(self._program, number)
        findings, unjudged = self._state(events, number, last=last)
        events += self._runner.finish(self._program, number)
        events += self._log_lines(number)
        found, drawers = self._judge.afterwards(self._program, number, events)
        findings = consequences(distinct([*findings, *found]))
        self._damaged = self._left_damage(findings, drawers) or bool(unjudged) or _left_ruins(events)
        self._runner.recorder.append(
            RepetitionEnded(
                repetition=number,
                end_ns=time.monotonic_ns(),
                expected=drawers["expected"],
                unexplained=drawers["unexplained"],
                internal=drawers["internal"],
                lost=drawers["lost"],
                findings=tuple(finding.id for finding in findings),
            )
        )
        events += self._runner.recorder.take()
        return Verdict(events, findings, sum(isinstance(e, Statement) for e in events), drawers)

    def _clean(self) -> None:
        if self._damaged:
            self.begin()
        elif self._program.reset_each or self._reset == "services":
            self._runner.reset(self._reset)

    def _left_damage(self, findings: list[Finding], drawers: Counter[ErrorClass]) -> bool:
        """Whether the next repetition needs a new database: this one is broken or, where nothing is reset, a step has failed."""
        broken = any(finding.severity in ("crash", "corruption", "hang") for finding in findings)
        return broken or (not self._program.reset_each and bool(drawers.total()))

    def _state(self, events: list[Event], number: int, *, last: bool) -> tuple[list[Finding], str]:
        """Findings at rest, and why not all could be judged. TargetError when the target does not come back."""
        lost = any(isinstance(event, Statement) and event.status == "lost" for event in events)
        if lost and not self._runner.target.alive():
            return [], "the server is gone"
        findings, unjudged = self._judge.at_rest(self._program, number, events, whole_plan=last)
        if unjudged:
            self._runner.note(f"the state at rest was not judged to the end: {unjudged}")
            self._runner.target.alive()
        return findings, unjudged

    def _log_lines(self, number: int) -> list[Event]:
        for text in self._runner.target.new_log_lines():
            self._runner.recorder.append(LogLine(number, text))
        return self._runner.recorder.take()


def _left_ruins(events: list[Event]) -> bool:
    """Whether a perturbation ended the server, or a service: files of unfinished relations are left, and dead connections."""
    return any(isinstance(event, Disturbed) and event.ends in ("server", "service") for event in events)


def distinct(findings: list[Finding]) -> list[Finding]:
    """One finding per defect: the first one, with the pairs of all."""
    by_id: dict[str, Finding] = {}
    for finding in findings:
        known = by_id.setdefault(finding.id, finding)
        if known is not finding and finding.pairs:
            by_id[finding.id] = msgspec.structs.replace(known, pairs=dict(Counter(known.pairs) + Counter(finding.pairs)))
    return list(by_id.values())


def consequences(findings: list[Finding]) -> list[Finding]:
    """In a repetition that broke the catalog, what follows from that is told with the corruption and is no finding of its own.

    Those are later errors, and other rows than must hold of an object that the corruption is about.
    """
    broken = [finding for finding in findings if finding.severity == "corruption"]
    if not broken:
        return findings
    about = frozenset[str]().union(*map(_named, broken))
    following = [
        f
        for f in findings
        if f.severity in ("internal error", "unexplained error")
        or f.signature.startswith(BACKGROUND)
        or (f.severity == "wrong result" and _named(f) & about)
    ]
    told = msgspec.structs.replace(broken[0], detail=(*broken[0].detail, *(f"and then: {f.title}" for f in following)))
    return [told if f is broken[0] else f for f in findings if f not in following]


def _named(finding: Finding) -> frozenset[str]:
    """The objects that a finding's words are about."""
    return names_in("\n".join((finding.title, *finding.detail)))
