"""A scripted double of a database: its sessions answer from a script, and everything that is asked of its target is recorded.

It is for tests of what the core does with answers. It stores nothing and executes nothing: a statement succeeds unless the script
says otherwise. It has no threads and never sleeps.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from racehound.data.finding import Finding, Severity
from racehound.data.history import Statement
from racehound.databases.database import CORE_ORACLES, Choice, Database
from racehound.databases.dialect import Dialect, Farewell
from racehound.databases.registry import Opened
from racehound.databases.stepping import Stepping
from racehound.databases.target import Clone, Condition, ServerStart, Target, Traces, Wait
from racehound.errors import TargetError, UnreachableError
from racehound.judge.oracle import Oracle, RestOracle, TargetAtRest
from racehound.kinds.kind import Kind
from racehound.services.service import Endpoint
from racehound.session import Outcome, Rows, ServerError
from tests.unit.programs import KINDS, Box

Answer: TypeAlias = Outcome | Callable[[str], Outcome]
"""An outcome, or a function of the statement's text that returns it."""

LOST = Outcome("lost", error=ServerError("08006", "server closed the connection unexpectedly"))
CRASHED = Outcome("lost", error=ServerError("57P02", "another server process crashed"))
ENDED = Outcome("lost", error=ServerError("57P01", "an administrator ended it"))
"""The connection was lost: without a word, or with the server's last words."""


def done(tag: str) -> Outcome:
    """The statement succeeded, with this command tag."""
    return Outcome("ok", tag)


def rows(*cells: str) -> Outcome:
    """The statement returned one text column with these cells."""
    return Outcome("ok", f"SELECT {len(cells)}", len(cells), rows=Rows(("c",), (25,), [(cell,) for cell in cells]))


def refused(sqlstate: str, message: str = "") -> Outcome:
    """The server refused the statement."""
    return Outcome("error", error=ServerError(sqlstate, message or f"error {sqlstate}"))


# The dialect

INTERNAL, MISSING, CONFLICT, SYNTAX = "XX000", "42P01", "40001", "42601"
"""SQLSTATEs: of an internal error, of something that does not exist, of a conflict that may not come again, of no race at all."""
DEATH, KILLED, BACKGROUND = "PANIC: ", "KILLED: ", "BACKGROUND ERROR: "
"""How the lines of its log begin that tell of the death of a process, of one that somebody killed, and of an internal error of a
background process."""
FAREWELLS: Mapping[str, Farewell] = {"57P01": "command", "57P02": "crash", "57P03": "orphaned"}


def _is(*sqlstates: str) -> Callable[[Statement | ServerError], bool]:
    return lambda error: error.sqlstate in sqlstates


def _behind(prefix: str) -> Callable[[str], str]:
    return lambda line: line.removeprefix(prefix) if line.startswith(prefix) else ""


SCRIPTED = Dialect(
    name="scripted",
    title="Scripted",
    allows_transaction=lambda fragment: "VACUUM" not in fragment,
    is_internal=_is(INTERNAL),
    is_race_outcome=_is(MISSING, CONFLICT),
    is_transient=_is(CONFLICT),
    is_missing=_is(MISSING),
    is_shared=lambda sql: "CLUSTER" in sql,
    no_retry=lambda sql: "it ends the world" if "APOCALYPSE" in sql else "",
    death_in=_behind(DEATH),
    ended_from_outside=_behind(KILLED),
    farewell=lambda error: FAREWELLS.get(error.sqlstate, ""),
    tells_every_session=True,
    internal_error_in=_behind(BACKGROUND),
)


# The target


@dataclasses.dataclass
class _Rule:
    """What the sessions of that name (all, where it is empty) get for statements that match a pattern."""

    pattern: re.Pattern[str]
    session: str
    answers: list[Answer]


@dataclasses.dataclass(frozen=True)
class _Block:
    """Statements that match a pattern wait until the session of another name ends its transaction."""

    pattern: re.Pattern[str]
    behind: str


class ScriptedTarget(Target):
    """See the module. The fields without an underscore are set and read by tests."""

    owned = True

    def __init__(self, dialect: Dialect = SCRIPTED, run_id: str = "rh00c0ffee") -> None:
        self.dialect = dialect
        self.run_id = run_id
        self.reconnect_s = 0.3
        self.is_alive = True
        self.since: ServerStart | None = None
        """Since when it runs, as it tells; None if it does not tell."""
        self.gives_no_answer = False
        """Whether it gives no answer when it is asked that, in contrast to a refusal."""
        self.seen = Traces()
        """What can be read of its end."""
        self.doing: Condition = "unknown"
        self.can_reset = True
        """What `reset`, and `drop_leftovers` of lock-step, return."""
        self.slow_drops: threading.Event | None = None
        """What `drop_leftovers` of lock-step waits for; None for nothing."""
        self.log: list[str] = []
        """Lines that the server has logged since they were last asked for."""
        self.cannot_clone = ""
        """Why the working database cannot be cloned; empty where it can."""
        self.waiting: list[Wait] | None = None
        self.there: Mapping[str, frozenset[str]] | None = None
        self.readable: Callable[[str], bool] = lambda _sql: True
        """Whether a text is a statement by its grammar."""
        self.asked: list[str] = []
        """What was asked of the target, in order: `rebuild`, `reset`, `drop leftovers`, `open o_0`, `terminate 3` and so on."""
        self.sent: list[tuple[str, str]] = []
        """All statements, in the order in which they were sent, each with the name of its session."""
        self.sessions: list[ScriptedSession] = []
        """Those that are open in the present working database."""
        self._clean_at = 0
        self._rules: list[_Rule] = []
        self._blocks: list[_Block] = []
        self._lock = threading.Lock()
        self._pids = itertools.count(101)
        self._silent, self._writer = os.pipe()
        self._observer: ScriptedSession | None = None

    # The script

    def answer(self, pattern: str, *answers: Answer, session: str = "") -> None:
        """Statements that match the whole pattern get these answers, in this order, and then the last one again and again.

        Of several rules that fit a statement, the one that was added last is used.
        """
        self._rules.insert(0, _Rule(re.compile(pattern), session, list(answers)))

    def block(self, pattern: str, behind: str) -> None:
        """In lock-step, statements that match the whole pattern wait while the session of that name is in a transaction."""
        self._blocks.append(_Block(re.compile(pattern), behind))

    def outcome(self, session: str, sql: str) -> Outcome:
        """What the script says of a statement."""
        with self._lock:
            fitting = (r for r in self._rules if r.session in ("", session) and r.pattern.fullmatch(sql))
            rule = next(fitting, None)
            if rule is None:
                return done(" ".join(word for word in sql.split()[:2] if word.isupper()))
            answer = rule.answers.pop(0) if len(rule.answers) > 1 else rule.answers[0]
        return answer if isinstance(answer, Outcome) else answer(sql)

    def blocker(self, session: ScriptedSession, sql: str) -> ScriptedSession | None:
        """The session that a statement waits for."""
        behind = {block.behind for block in self._blocks if block.pattern.fullmatch(sql)}
        return next((s for s in self.sessions if s is not session and s.name in behind and s.in_transaction), None)

    @property
    def present(self) -> list[tuple[str, str]]:
        """As `sent`, since the working database was last made new or clean."""
        return self.sent[self._clean_at :]

    def cleaned(self, how: str) -> None:
        """The working database has just been made new or clean."""
        self.asked.append(how)
        self._clean_at = len(self.sent)

    @property
    def silent(self) -> int:
        """A file descriptor on which there is never anything to read."""
        return self._silent

    def count(self, what: str) -> int:
        """How often this was asked of the target."""
        return self.asked.count(what)

    def texts(self, session: str) -> list[str]:
        """All statements of the sessions of that name."""
        return [sql for name, sql in self.sent if name == session]

    # The protocol

    @property
    def release(self) -> str:
        return "1.0"

    def start(self) -> None:
        self.asked.append("start")

    def stop(self) -> None:
        os.close(self._silent)
        os.close(self._writer)

    def rebuild(self) -> None:
        self.cleaned("rebuild")
        for session in self.sessions:
            session.stale = True
        self.sessions.clear()
        self._observer = None

    def restart(self) -> None:
        self.asked.append("restart")

    def reset(self) -> bool:
        self.cleaned("reset")
        return self.can_reset

    def open(self, session: str, via: Endpoint | None = None) -> ScriptedSession:  # noqa: ARG002 there are no proxies
        assert "rebuild" in self.asked, "there is no working database yet"
        self.asked.append(f"open {session}")
        opened = ScriptedSession(self, session, next(self._pids))
        self.sessions.append(opened)
        return opened

    @property
    def observer(self) -> ScriptedSession:
        if self._observer is None:
            self._observer = ScriptedSession(self, "observer", next(self._pids))
        return self._observer

    def alive(self) -> bool:
        self.asked.append("alive")
        return self.is_alive

    def started(self) -> ServerStart | None:
        if self.since is not None and not self.is_alive:
            raise UnreachableError("no connection", silent=self.gives_no_answer)
        return self.since

    def traces(self) -> Traces:
        return self.seen

    def condition(self) -> Condition:
        return self.doing

    def variables(self) -> Mapping[str, str]:
        return {"racehound.run": self.run_id}

    def waits(self) -> list[Wait] | None:
        return self.waiting

    def terminate(self, pid: int) -> None:
        self.asked.append(f"terminate {pid}")

    def new_log_lines(self) -> list[str]:
        lines, self.log = self.log, []
        return lines

    def stepping(self) -> ScriptedStepping:
        return ScriptedStepping(self)

    def names(self) -> Mapping[str, frozenset[str]] | None:
        return self.there

    @property
    def no_clone(self) -> str:
        return self.cannot_clone

    @contextlib.contextmanager
    def clone(self) -> Iterator[Clone]:
        assert not self.sessions, f"{self.sessions[0].name} is still connected"
        self.asked.append("clone")
        yield Clone(lambda name: ScriptedSession(self, f"clone of {name}", next(self._pids)), self.variables(), "clone")
        self.asked.append("drop clone")


class ScriptedSession:
    """A session of a storm or of lock-step: it has the methods of both."""

    def __init__(self, target: ScriptedTarget, name: str, pid: int) -> None:
        self.name = name
        self.pid = pid
        self.stale = False
        """Whether its working database was rebuilt."""
        self.in_transaction = False
        self._target = target
        self._lost = False
        self._cancelled = False
        self._pending: str | None = None

    def send(self, sql: str) -> None:
        assert not self.stale, f"{self.name} is of a working database that there is no more: {sql}"
        assert self._pending is None, f"{self.name} has a statement without an answer"
        self._target.sent.append((self.name, sql))
        self._pending, self._cancelled = sql, False

    @property
    def fileno(self) -> int:
        """-1, as of a connection that is gone, makes the core call `take` at once."""
        return self._target.silent if self.blocker is not None and not self._cancelled else -1

    @property
    def blocker(self) -> ScriptedSession | None:
        """The session that its statement waits for."""
        return None if self._pending is None else self._target.blocker(self, self._pending)

    def take(self) -> Outcome | None:
        if self._pending is None or (self.blocker is not None and not self._cancelled):
            return None
        sql, self._pending = self._pending, None
        if self._lost:
            return LOST
        outcome = refused("57014", "canceled") if self._cancelled else self._target.outcome(self.name, sql)
        self._lost = outcome.status == "lost"
        if sql == "BEGIN" and outcome.ok:
            self.in_transaction = True
        elif sql in ("COMMIT", "ROLLBACK") or self._lost:
            self.in_transaction = False
        return outcome

    def finish(self) -> Outcome:
        outcome = self.take()
        assert outcome is not None, "only in lock-step can a statement wait for another one"
        return outcome

    def execute(self, sql: str) -> Outcome:
        self.send(sql)
        return self.finish()

    def cancel(self) -> None:
        self._cancelled = True

    def reset(self) -> Outcome:
        self.in_transaction = False
        return LOST if self._lost else done("ROLLBACK")

    def close(self) -> None:
        if self in self._target.sessions:
            self._target.sessions.remove(self)


class ScriptedStepping(Stepping):
    """Lock-step of a scripted target."""

    def __init__(self, target: ScriptedTarget) -> None:
        self._target = target

    @property
    def pid(self) -> int:
        return 100

    def open(self, session: str) -> ScriptedSession:
        return self._target.open(session)

    def drop_leftovers(self) -> bool:
        if self._target.slow_drops is not None:
            self._target.slow_drops.wait()
        self._target.cleaned("drop leftovers")
        return self._target.can_reset

    def close(self) -> None:
        """It opened nothing."""

    def blockers(self, pids: Collection[int]) -> Mapping[int, tuple[int, ...]]:
        found = ((session.pid, session.blocker) for session in self._target.sessions if session.pid in pids)
        return {pid: (blocker.pid,) for pid, blocker in found if blocker is not None}

    def can_read(self, sql: str) -> bool:
        return self._target.readable(sql)

    def begin_fast_checks(self) -> None:
        self._target.asked.append("begin fast checks")

    def end_fast_checks(self) -> None:
        self._target.asked.append("end fast checks")


# Oracles at rest, and the database


class ScriptedOracle(RestOracle):
    """Finds what a test tells it to find in the state at rest, and records about which repetitions it was asked."""

    def __init__(self) -> None:
        self.begun = 0
        """How many working databases it was shown."""
        self.asked: list[int] = []
        self.finds: Severity | None = None
        self.cannot = ""
        """Why it cannot judge; empty where it can."""
        self.suspicious = True

    def begin(self, target: Target) -> None:  # noqa: ARG002
        self.begun += 1

    def suspects(self, rest: TargetAtRest) -> bool:  # noqa: ARG002
        return self.suspicious

    def judge(self, rest: TargetAtRest) -> list[Finding]:
        self.asked.append(rest.history.number)
        if self.cannot:
            raise TargetError(self.cannot)
        return [rest.history.finding("at rest", self.finds, "why", "why")] if self.finds else []


class ScriptedDatabase(Database):
    """The database of scripted targets. Its kinds are those of `programs`."""

    summary = "a double for tests"
    can_step = True
    oracles = (*CORE_ORACLES, "at rest")

    def __init__(self, dialect: Dialect = SCRIPTED) -> None:
        self.dialect = dialect
        self.oracle = ScriptedOracle()

    def opened(self, choice: Choice, run_id: str, directory: Path, log_path: Path) -> Iterator[Target]:  # type: ignore[override]
        raise NotImplementedError("tests make the target themselves")

    def kinds(self) -> Sequence[type[Kind]]:
        return KINDS

    def plain_table(self, name: str) -> Kind:
        return Box(name)

    def own_oracles(self) -> Mapping[str, Callable[[], Oracle]]:
        return {"at rest": lambda: self.oracle}


def opened(target: ScriptedTarget, scratch: Path) -> Opened:
    """A target as loops are given it."""
    return Opened(ScriptedDatabase(target.dialect), target, scratch)
