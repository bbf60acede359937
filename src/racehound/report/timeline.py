"""A timeline: the statements of each session as bars over time, in the form that the page draws. Times are microseconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from racehound.data.finding import Finding
from racehound.data.history import Blocked, Disturbed, Event, Fault, Mismatch, Overdue, Passed, Statement
from racehound.data.program import Program
from racehound.report.error_classes import STATEMENT_OUTCOMES, StatementOutcome
from racehound.report.recorded import Repetition, kinds_of
from racehound.report.server_log import Span

BYSTANDER, CULPRIT, FAILED = 0, 1, 2
"""How a statement is related to the finding: as far as is known not at all; one of its statements; the one that showed it."""


class Bar(msgspec.Struct, frozen=True, array_like=True):
    """One statement. `…_text`: an index into the texts."""

    session: int
    start_us: float
    duration_us: float
    outcome: int
    """An index into `STATEMENT_OUTCOMES`."""
    role: int
    sql_text: int
    answer_text: int
    """What the server answered."""
    step_text: int
    """Object, phase, manipulation and try, in words."""
    kind_text: int
    pid: int
    repetition: int
    blocked_us: float = -1
    """In lock-step: how long after its start it was recognised as waiting; -1: never."""


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """Something that happened to one session or (session -1) to all of them."""

    at_us: float
    session: int
    text: str


class Timeline(msgspec.Struct):
    """Bars and marks, with the texts that they refer to. `span` holds the beginning, and what the server logged meanwhile."""

    title: str
    sessions: list[str]
    texts: list[str]
    bars: list[Bar]
    marks: list[Mark]
    span: Span
    window: tuple[float, float] | None = None
    """From when to when the statements of the finding ran against each other."""
    repetitions: list[tuple[int, float]] = []
    """Number and beginning of each repetition, if the timeline shows more than one."""


class _Texts:
    """Texts without repeats, numbered in the order in which they were first seen."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def all(self) -> list[str]:
        return list(self._numbers)


def timeline(
    title: str, repetitions: Sequence[tuple[Repetition, list[tuple[Statement, StatementOutcome]]]], finding: Finding | None = None
) -> Timeline:
    """The timeline of some repetitions of one program, each with the outcomes of its statements, in order."""
    roles = _roles(finding) if finding else {}
    start_ns, end_ns = _extent([repetition for repetition, _ in repetitions])
    program = repetitions[0][0].program
    sessions = _sessions(program, (statement for _, outcomes in repetitions for statement, _ in outcomes))
    texts = _Texts()
    bars, marks = [], []
    for repetition, outcomes in repetitions:
        draw = _Drawing(program, repetition.events, sessions, texts, start_ns)
        bars += [draw.bar(statement, outcome, roles.get(_key(statement), BYSTANDER)) for statement, outcome in outcomes]
        marks += draw.marks()
    bars.sort(key=lambda bar: bar.start_us)
    beginnings = [(r.number, (r.started.start_ns - start_ns) / 1e3) for r, _ in repetitions if r.started]
    return Timeline(
        title, list(sessions), texts.all(), bars, marks, Span(start_ns, end_ns), _window(bars),
        beginnings if len(beginnings) > 1 else [],
    )  # fmt: skip


def _key(statement: Statement) -> tuple[str, int]:
    return statement.session, statement.start_ns


def _roles(finding: Finding) -> dict[tuple[str, int], int]:
    return {_key(statement): FAILED if _shows(statement, finding) else CULPRIT for statement in finding.statements}


def _shows(statement: Statement, finding: Finding) -> bool:
    """Whether the failure of this statement is what was found."""
    in_title = bool(statement.message) and statement.message in finding.title
    return statement.status != "ok" and (in_title or f"statement: {statement.sql}" in finding.detail)


def _extent(repetitions: Iterable[Repetition]) -> tuple[int, int]:
    statements = [event for repetition in repetitions for event in repetition.events if isinstance(event, Statement)]
    if not statements:
        return 0, 0
    return min(s.start_ns for s in statements), max(s.end_ns for s in statements)


def _sessions(program: Program, statements: Iterable[Statement]) -> dict[str, int]:
    """Numbers of the lanes: the session that sets up first, then those of the program, then any others."""
    present = dict.fromkeys(statement.session for statement in statements)
    known = [session.name for session in program.sessions if session.name in present]
    first = [name for name in present if name == "main" and name not in known]
    names = dict.fromkeys([*first, *known, *present])
    return {name: number for number, name in enumerate(names)}


class _Drawing:
    """Turns the events of one repetition into bars and marks."""

    def __init__(self, program: Program, events: list[Event], sessions: dict[str, int], texts: _Texts, start_ns: int) -> None:
        self._events = events
        self._sessions = sessions
        self._texts = texts
        self._start_ns = start_ns
        self._kinds = kinds_of(program)
        self._manipulations = {(a.name, at): s.manipulation for a in program.sessions for at, s in enumerate(a.steps)}
        self._blocked = {(event.session, event.sql): event.at_ns for event in events if isinstance(event, Blocked)}

    def bar(self, statement: Statement, outcome: StatementOutcome, role: int) -> Bar:
        number = self._texts.number
        blocked_ns = self._blocked.get((statement.session, statement.sql), 0)
        waited = statement.start_ns <= blocked_ns <= statement.end_ns
        return Bar(
            self._sessions[statement.session],
            self._us(statement.start_ns),
            (statement.end_ns - statement.start_ns) / 1e3,
            STATEMENT_OUTCOMES.index(outcome),
            role,
            number(statement.sql),
            number(_answer(statement)),
            number(self._step(statement)),
            number(self._kinds.get(statement.object, statement.object)),
            statement.pid,
            statement.repetition,
            (blocked_ns - statement.start_ns) / 1e3 if waited else -1,
        )

    def marks(self) -> list[Mark]:
        return [mark for event in self._events if (mark := self._mark(event))]

    def _mark(self, event: Event) -> Mark | None:
        match event:
            case Overdue():
                text = "\n".join([f"overdue after {event.limit_s:g} s ({event.verdict}): {event.sql}", *event.waits])
                return Mark(self._us(event.start_ns) + event.limit_s * 1e6, self._sessions.get(event.session, -1), text)
            case Mismatch():
                text = f"other rows than must hold\n{event.sql}\n{event.difference}"
                return Mark(self._us(event.end_ns), self._sessions.get(event.session, -1), text)
            case Passed():
                return Mark(self._us(event.at_ns), self._sessions.get(event.session, -1), "its turn passed: still blocked")
            case Disturbed():
                during = f"\nwhile it ran {event.sql}" if event.sql else ""
                return Mark(self._us(event.at_ns), self._sessions.get(event.session, -1), f"{event.text}{during}")
            case Fault():
                return Mark(self._us(event.at_ns), -1, event.text)
        return None

    def _us(self, at_ns: int) -> float:
        return (at_ns - self._start_ns) / 1e3

    def _step(self, statement: Statement) -> str:
        words = [statement.object, statement.phase]
        if statement.phase == "manipulate":
            words.append(self._manipulations.get((statement.session, statement.step), ""))
        return " · ".join(filter(None, words)) + (f" · try {statement.attempt}" if statement.attempt > 1 else "")


def _answer(statement: Statement) -> str:
    if statement.status == "ok":
        return statement.tag or "ok"
    parts = {
        "detail": statement.detail, "hint": statement.hint, "context": statement.context,
        "constraint": statement.constraint, "relation": statement.relation, "source": statement.source,
    }  # fmt: skip
    first = f"{statement.sqlstate} {statement.message}".strip() or statement.status
    return "\n".join([first, *(f"{name}: {text}" for name, text in parts.items() if text)])


def _window(bars: Sequence[Bar]) -> tuple[float, float] | None:
    """The time of the finding's statements that overlap with the failed one; without one, of all that are not of the setup."""
    failed = [bar for bar in bars if bar.role == FAILED]
    if failed:
        start, end = failed[0].start_us, failed[0].start_us + failed[0].duration_us
        beside = [b for b in bars if b.role and b.start_us <= end and b.start_us + b.duration_us >= start]
        return min(b.start_us for b in beside), max(b.start_us + b.duration_us for b in beside)
    culprits = [bar for bar in bars if bar.role == CULPRIT]
    racing = [bar for bar in culprits if bar.session > 0] or culprits
    if not racing:
        return None
    return min(b.start_us for b in racing), max(b.start_us + b.duration_us for b in racing)
