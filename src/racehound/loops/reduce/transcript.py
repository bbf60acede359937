"""The transcript of one repetition: its statements, grouped into transactions, with the variables that the program has."""

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
"""Name of the session that runs setup, verification and teardown."""
_VARIABLE = re.compile(r"\$\{[^}]+\}")


@dataclasses.dataclass(frozen=True)
class Recorded:
    """A statement that was run. `sql` is its text in the program, with variables."""

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
class Transaction:
    """The statements from BEGIN to the end of the transaction, or a single statement outside BEGIN."""

    statements: tuple[Recorded, ...]

    @property
    def session(self) -> str:
        return self.statements[0].session

    @property
    def inner(self) -> tuple[Recorded, ...]:
        """Its statements without BEGIN and the end."""
        return tuple(recorded for recorded in self.statements if not (recorded.begins or recorded.ends))

    @property
    def end(self) -> str:
        """The statement that ended it; COMMIT where it is a single statement or was still open."""
        return self.statements[-1].sql if self.statements[-1].ends else "COMMIT"

    @property
    def committed(self) -> bool:
        """Whether the server says that it was committed."""
        last = self.statements[-1].statement
        return last.status == "ok" and (not self.statements[0].begins or last.tag == "COMMIT")

    @property
    def start_ns(self) -> int:
        return self.statements[0].statement.start_ns

    @property
    def end_ns(self) -> int:
        return self.statements[-1].statement.end_ns


def transcript(program: Program, events: Iterable[Event], until_ns: int | None = None) -> list[Recorded]:
    """The statements of a repetition, by start, without the teardown and without a check that a user has given.

    `until_ns`: only those that began before.
    """
    texts = _Texts(program)
    statements = [event for event in events if isinstance(event, Statement)]
    left_out = ("destroy", "verify") if program.check else ("destroy",)
    kept = [
        s
        for s in statements
        if (s.start_ns <= until_ns if until_ns is not None else not (s.session == DIRECTOR and s.phase in left_out))
    ]
    once = [recorded for step in program.once for recorded in _ran_before(step)]
    return [*once, *(Recorded(statement, texts.of(statement)) for statement in sorted(kept, key=lambda s: s.start_ns))]


def transactions(statements: Sequence[Recorded]) -> list[Transaction]:
    """The transactions of a transcript, by their end. One that is still open when the transcript ends is among them."""
    done: list[Transaction] = []
    open_ones: dict[str, list[Recorded]] = {}
    for recorded in statements:
        if recorded.begins:
            open_ones[recorded.session] = [recorded]
        elif recorded.session not in open_ones:
            done.append(Transaction((recorded,)))
        else:
            open_ones[recorded.session].append(recorded)
            if recorded.ends:
                done.append(Transaction(tuple(open_ones.pop(recorded.session))))
    done += [Transaction(tuple(left)) for left in open_ones.values()]
    return sorted(done, key=lambda transaction: transaction.end_ns)


def _ran_before(step: Step) -> list[Recorded]:
    """The statements of a step that ran before the first repetition: the history of this one does not have them."""
    statement = functools.partial(
        Statement, repetition=0, session=DIRECTOR, object=step.object, phase=step.phase, step=0, attempt=1,
        start_ns=0, end_ns=0, status="ok",
    )  # fmt: skip
    return [Recorded(statement(sql=sql), sql) for sql in _statements(step.fragment)]


def _statements(fragment: str) -> list[str]:
    return [command.text for command in parse_fragment(fragment).commands if isinstance(command, Sql)]


class _Texts:
    """Finds the text of a recorded statement in its program."""

    def __init__(self, program: Program) -> None:
        self._by_session = {session.name: _texts(session.steps) for session in program.sessions}
        self._by_session[DIRECTOR] = _texts((*program.once, *program.setup, *program.verify, *program.teardown))

    def of(self, statement: Statement) -> str:
        """The program's text, where that has variables; else the recorded one."""
        for text in self._by_session.get(statement.session, ()):
            if _as_pattern(text).fullmatch(statement.sql):
                return text
        return statement.sql


def _texts(steps: Iterable[Step]) -> list[str]:
    """The statements that have variables: only these differ from what was recorded."""
    found = [text for step in steps for fragment in (step.fragment, step.clear) for text in _statements(fragment)]
    return [text for text in dict.fromkeys(found) if VARIABLE_MARK in text]


@functools.lru_cache(maxsize=4096)
def _as_pattern(text: str) -> re.Pattern[str]:
    return re.compile("(?s:.*?)".join(map(re.escape, _VARIABLE.split(text))))


def check_of(program: Program, mismatches: Iterable[Mismatch], title: str) -> str:
    """The fragment whose rows were wrong, if the finding of that title is about one of the mismatches. Empty where it is not."""
    wrong = next((m.sql for m in mismatches if " ".join(m.sql.split()) in title), None)
    commands = [c for step in program.steps() for c in parse_fragment(step.fragment).commands if isinstance(c, Sql)]
    found = (c for c in commands if wrong is not None and _as_pattern(c.text).fullmatch(wrong))
    return next((print_command(command) for command in found), "")
