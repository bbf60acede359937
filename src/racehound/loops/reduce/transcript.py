"""Transcript: what the sessions of one repetition said and in which transactions, in the words of the program, not of the run."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable, Sequence

from racehound.data.history import Event, Mismatch, Statement
from racehound.data.program import Program, Step
from racehound.judge.dependencies import ends_transaction
from racehound.testdrive.parser import parse_fragment
from racehound.testdrive.printer import print_command
from racehound.testdrive.script import VARIABLE_MARK, Sql

DIRECTOR = "main"
"""Session that does what surrounds the race."""
_VARIABLE = re.compile(r"\$\{[^}]+\}")


@dataclasses.dataclass(frozen=True)
class Spoken:
    """A statement as it was run, `sql` as the program has it: with variables."""

    statement: Statement
    sql: str

    @property
    def session(self) -> str:
        return self.statement.session

    @property
    def begins(self) -> bool:
        return self.sql == "BEGIN"

    @property
    def ends(self) -> bool:
        return ends_transaction(self.sql)


@dataclasses.dataclass(frozen=True)
class Unit:
    """What takes effect at once: a transaction from BEGIN to its end, or a statement outside of one."""

    said: tuple[Spoken, ...]

    @property
    def session(self) -> str:
        return self.said[0].session

    @property
    def inner(self) -> tuple[Spoken, ...]:
        """Without BEGIN and end."""
        return tuple(spoken for spoken in self.said if not (spoken.begins or spoken.ends))

    @property
    def end(self) -> str:
        """How the transaction ended; COMMIT outside of one."""
        return self.said[-1].sql if self.said[-1].ends else "COMMIT"

    @property
    def lasted(self) -> bool:
        """Whether it changed anything, as far as the server says."""
        last = self.said[-1].statement
        return last.status == "ok" and (not self.said[0].begins or last.tag == "COMMIT")

    @property
    def start_ns(self) -> int:
        return self.said[0].statement.start_ns

    @property
    def end_ns(self) -> int:
        return self.said[-1].statement.end_ns


def transcript(program: Program, events: Iterable[Event], until_ns: int | None = None) -> list[Spoken]:
    """What was said in a repetition, by start; nothing that began after `until_ns`, nor what cleans up."""
    words = _Words(program)
    statements = [event for event in events if isinstance(event, Statement)]
    kept = [s for s in statements if (s.start_ns <= until_ns if until_ns is not None else not _cleans_up(s))]
    said = [Spoken(statement, words.of(statement)) for statement in sorted(kept, key=lambda s: s.start_ns)]
    once = [spoken for step in program.once for spoken in _promised(step)]
    return [*once, *said]


def units(said: Sequence[Spoken]) -> list[Unit]:
    """The transactions of a transcript, by their end. One that was still open at the end has none."""
    done: list[Unit] = []
    open_ones: dict[str, list[Spoken]] = {}
    for spoken in said:
        if spoken.begins:
            open_ones[spoken.session] = [spoken]
        elif spoken.session not in open_ones:
            done.append(Unit((spoken,)))
        else:
            open_ones[spoken.session].append(spoken)
            if spoken.ends:
                done.append(Unit(tuple(open_ones.pop(spoken.session))))
    done += [Unit(tuple(left)) for left in open_ones.values()]
    return sorted(done, key=lambda unit: unit.end_ns)


def _cleans_up(statement: Statement) -> bool:
    return statement.session == DIRECTOR and statement.phase == "destroy"


def _promised(step: Step) -> list[Spoken]:
    """What was done before the first repetition, for which this one's history has no words."""
    statement = functools.partial(
        Statement, repetition=0, session=DIRECTOR, object=step.object, phase=step.phase, step=0, attempt=1,
        start_ns=0, end_ns=0, status="ok",
    )  # fmt: skip
    return [Spoken(statement(sql=sql), sql) for sql in _statements(step.fragment)]


def _statements(fragment: str) -> list[str]:
    return [command.text for command in parse_fragment(fragment).commands if isinstance(command, Sql)]


class _Words:
    """Finds a recorded statement in its program."""

    def __init__(self, program: Program) -> None:
        self._by_session = {session.name: _texts(session.steps) for session in program.sessions}
        self._by_session[DIRECTOR] = _texts((*program.once, *program.setup, *program.verify, *program.teardown))

    def of(self, statement: Statement) -> str:
        """The program's text where the run has put values for its variables."""
        for text in self._by_session.get(statement.session, ()):
            if _as_pattern(text).fullmatch(statement.sql):
                return text
        return statement.sql


def _texts(steps: Iterable[Step]) -> list[str]:
    """Only what has variables needs to be found again."""
    found = [text for step in steps for fragment in (step.fragment, step.clear) for text in _statements(fragment)]
    return [text for text in dict.fromkeys(found) if VARIABLE_MARK in text]


@functools.lru_cache(maxsize=4096)
def _as_pattern(text: str) -> re.Pattern[str]:
    return re.compile("(?s:.*?)".join(map(re.escape, _VARIABLE.split(text))))


def check_of(program: Program, mismatches: Iterable[Mismatch], title: str) -> str:
    """The fragment whose rows were others than must hold, as far as the finding of that title is about one; or nothing."""
    wrong = next((m.sql for m in mismatches if " ".join(m.sql.split()) in title), None)
    commands = [c for step in program.steps() for c in parse_fragment(step.fragment).commands if isinstance(c, Sql)]
    found = (c for c in commands if wrong is not None and _as_pattern(c.text).fullmatch(wrong))
    return next((print_command(command) for command in found), "")
