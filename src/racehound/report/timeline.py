"""A timeline: statements of some sessions as bars over time, in the shape that the page draws. Times in microseconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from racehound.data.finding import Finding
from racehound.data.history import Blocked, Disturbed, Event, Fault, Mismatch, Overdue, Passed, Statement
from racehound.data.program import Program
from racehound.report.drawers import BECAME, Became
from racehound.report.recorded import Repetition, kinds_of
from racehound.report.server_log import Span

BYSTANDER, CULPRIT, FAILED = 0, 1, 2
"""What a statement has to do with the finding: nothing known; it is among the culprits; it is the one that showed the defect."""


class Bar(msgspec.Struct, frozen=True, array_like=True):
    """One statement. `…_text`: an index into the texts."""

    session: int
    start_us: float
    duration_us: float
    drawer: int
    role: int
    sql_text: int
    became_text: int
    step_text: int
    """Object, phase, manipulation and try, for people."""
    kind_text: int
    pid: int
    repetition: int
    blocked_us: float = -1
    """Of lock-step: when it was recognised as waiting, after its start; -1: never."""


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """A moment at which something was noticed or done, on one session's lane or (session -1) on all."""

    at_us: float
    session: int
    text: str


class Timeline(msgspec.Struct):
    """`span` holds where it begins and what the server logged meanwhile."""

    title: str
    sessions: list[str]
    texts: list[str]
    bars: list[Bar]
    marks: list[Mark]
    span: Span
    window: tuple[float, float] | None = None
    """Where the finding's culprits ran against each other."""
    repetitions: list[tuple[int, float]] = []
    """Numbers and beginnings, where the timeline shows more than one."""


class _Texts:
    """Each text once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def all(self) -> list[str]:
        return list(self._numbers)


def timeline(
    title: str, repetitions: Sequence[tuple[Repetition, list[tuple[Statement, Became]]]], finding: Finding | None = None
) -> Timeline:
    """The timeline of some repetitions of one program, each with its statements by drawer, in order."""
    roles = _roles(finding) if finding else {}
    start_ns, end_ns = _extent([repetition for repetition, _ in repetitions])
    program = repetitions[0][0].program
    sessions = _sessions(program, [pair for _, pairs in repetitions for pair in pairs])
    texts = _Texts()
    bars, marks = [], []
    for repetition, pairs in repetitions:
        draw = _Drawing(program, repetition.events, sessions, texts, start_ns)
        bars += [draw.bar(statement, became, roles.get(_key(statement), BYSTANDER)) for statement, became in pairs]
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
    """Whether it is this statement's failure that was found."""
    told = statement.message and statement.message in finding.title
    return statement.status != "ok" and bool(told or f"statement: {statement.sql}" in finding.detail)


def _extent(repetitions: Iterable[Repetition]) -> tuple[int, int]:
    statements = [event for repetition in repetitions for event in repetition.events if isinstance(event, Statement)]
    if not statements:
        return 0, 0
    return min(s.start_ns for s in statements), max(s.end_ns for s in statements)


def _sessions(program: Program, pairs: Iterable[tuple[Statement, Became]]) -> dict[str, int]:
    """Numbers of the lanes: whoever sets up first, then the program's sessions, then anyone else."""
    there = dict.fromkeys(statement.session for statement, _ in pairs)
    known = [session.name for session in program.sessions if session.name in there]
    first = [name for name in there if name == "main" and name not in known]
    names = dict.fromkeys([*first, *known, *there])
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

    def bar(self, statement: Statement, became: Became, role: int) -> Bar:
        number = self._texts.number
        blocked_ns = self._blocked.get((statement.session, statement.sql), 0)
        waited = statement.start_ns <= blocked_ns <= statement.end_ns
        return Bar(
            self._sessions[statement.session],
            self._us(statement.start_ns),
            (statement.end_ns - statement.start_ns) / 1e3,
            BECAME.index(became),
            role,
            number(statement.sql),
            number(_outcome(statement)),
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


def _outcome(statement: Statement) -> str:
    if statement.status == "ok":
        return statement.tag or "ok"
    parts = {
        "detail": statement.detail, "hint": statement.hint, "context": statement.context,
        "constraint": statement.constraint, "relation": statement.relation, "source": statement.source,
    }  # fmt: skip
    first = f"{statement.sqlstate} {statement.message}".strip() or statement.status
    return "\n".join([first, *(f"{name}: {text}" for name, text in parts.items() if text)])


def _window(bars: Sequence[Bar]) -> tuple[float, float] | None:
    """From what the failed statements overlap with; without one, from the first to the last culprit that was racing."""
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
