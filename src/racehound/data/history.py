"""History: all events of a run, one for each statement, appended while the run goes on.

Each event is one line of JSON written by one `write(2)` to a file opened for appending, so that a kill -9 of racehound at any
instant loses at most the event being written. Times are nanoseconds of the monotonic clock; run.json ties them to the calendar.
"""

from __future__ import annotations

import gzip
import os
import shutil
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from racehound.data.older_files import decode
from racehound.data.program import Disturbance, Phase, Program


class _Event(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag=str.lower, gc=False):
    pass


class Statement(_Event, frozen=True):
    """One statement: which session sent it for which step, when, and its outcome."""

    repetition: int
    session: str
    object: str
    phase: Phase
    step: int
    """Number of the step within its session, from 0."""
    attempt: int
    sql: str
    start_ns: int
    end_ns: int
    status: Literal["ok", "error", "lost"]
    tag: str = ""
    count: int | None = None
    sqlstate: str = ""
    message: str = ""
    detail: str = ""
    hint: str = ""
    context: str = ""
    constraint: str = ""
    relation: str = ""
    """`schema.table` that the server named in its error."""
    source: str = ""
    pid: int = 0


class Mismatch(_Event, frozen=True):
    """A statement succeeded with rows that differ from those that must be there."""

    repetition: int
    session: str
    object: str
    phase: Phase
    sql: str
    difference: str
    start_ns: int
    end_ns: int


class Overdue(_Event, frozen=True):
    """A statement ran beyond its limit. It says who waited for whom at that moment."""

    repetition: int
    session: str
    sql: str
    start_ns: int
    limit_s: float
    waits: tuple[str, ...]
    """One line per session that waits or is waited for."""
    verdict: Literal["deadlock", "held", "running", "unknown", "undecided"]
    """deadlock: a cycle of waits; held: by a session that is not the program's; running: waits for no lock;
    unknown: the server does not tell who waits for whom, and nothing that racehound knows of holds it up."""


class Blocked(_Event, frozen=True):
    """In lock-step, a statement was found to wait for other sessions."""

    repetition: int
    session: str
    sql: str
    at_ns: int
    behind: tuple[str, ...] = ()
    """The sessions that it waits for, as far as they are known."""


class Passed(_Event, frozen=True):
    """In lock-step, a session's turn passed to the next session, since its last statement was still blocked."""

    repetition: int
    session: str
    at_ns: int


class LogLine(_Event, frozen=True):
    """A line of the server's log that may tell of a defect."""

    repetition: int
    text: str


SERVER_GONE = "service {} crashed: "
"""How the line begins that racehound itself adds to the log of a server, named in the braces, that does not come back after a
perturbation has ended it. Signatures of findings hold these words."""


class PlanStarted(_Event, frozen=True):
    program: Program


class RepetitionStarted(_Event, frozen=True):
    repetition: int
    start_ns: int
    offsets_us: tuple[tuple[str, int, int], ...] = ()
    """What the pacer drew: session, step, microseconds after the rendezvous."""
    schedule: tuple[int, ...] = ()
    """In lock-step: the order in which the sessions, numbered from 1, are to take turns; empty where it is drawn on the way."""
    disturbances: tuple[Disturbance, ...] = ()
    """What the program's perturbations drew."""


class RepetitionEnded(_Event, frozen=True):
    repetition: int
    end_ns: int
    expected: int = 0
    unexplained: int = 0
    internal: int = 0
    lost: int = 0
    findings: tuple[str, ...] = ()
    """Ids of the findings of this repetition."""
    schedule: tuple[int, ...] = ()
    """In lock-step: the order in which the sessions took their turns; as a schedule it gives the same interleaving again."""


ErrorClass = Literal["expected", "unexplained", "internal", "lost"]
"""What a failed statement means; `judge/classification.py` says how that is decided."""


class Judged(_Event, frozen=True):
    """The classes of a repetition's failed statements. Statements are written before they are judged, so their classes follow."""

    repetition: int
    classes: tuple[tuple[int, ErrorClass], ...]
    """The number of each failed statement, and its class. Numbers count the statements of this repetition from 0, in the order of
    the file, since the last RepetitionEnded."""


RetryVerdict = Literal["lasting", "passing", "not retried"]
"""lasting: the statement fails the same way when everybody rests. passing: it does not. not retried: that is not known."""
SerialOutcome = Literal["", "succeeds", "fails the same way", "undecided"]
"""What becomes of a statement in serial orders of the same statements. "" where none was run."""


class Retried(_Event, frozen=True):
    """A failed statement was run again when everybody rested. A later event about the same statements replaces an earlier one."""

    repetition: int
    statements: tuple[int, ...]
    """The numbers of the failed statements, counted as in `Judged`: those of one session with the same text and error."""
    verdict: RetryVerdict
    way: Literal["", "in a transaction", "on a clone", "last"] = ""
    """How it was run: in a transaction that was rolled back; on a clone of the working database; or, for what no clone has, in
    the working database, of which nothing was needed any more."""
    reason: str = ""
    """Why it was not run again, or what is to be known of the verdict."""
    sqlstate: str = ""
    """Of the error that it got at rest; empty where it succeeded."""
    message: str = ""
    only_its_session: bool = False
    """For a lasting error: a new session does not get it. Then only what the session has in its caches is wrong."""
    serial: SerialOutcome = ""
    """For a lasting error: whether the same statement succeeds in serial orders on a new working database."""
    start_ns: int = 0
    end_ns: int = 0


class Fault(_Event, frozen=True):
    """Something that racehound did to the target or noticed about it, such as a restart or a new working database."""

    repetition: int
    text: str
    at_ns: int


Ends = Literal["nothing", "statement", "session", "server", "service"]
"""What a perturbation ends. statement: the running one may fail with 57014. session: its connection is lost. server: all
connections are lost, and its processes end. service: one that the server needs cannot be reached for a while."""


class Disturbed(Fault, frozen=True):
    """A fault that a perturbation injected; `at_ns` is its beginning. Oracles report no findings for what it brings about."""

    perturbation: str = ""
    ends: Ends = "nothing"
    session: str = ""
    """The session that was to be disturbed."""
    pid: int = 0
    """Server process of the session."""
    sql: str = ""
    """The statement that the session was running; empty if there was none."""
    end_ns: int = 0


Verdict = Literal["server crashed", "ended from outside", "network", "unresponsive", "undecided"]
"""Why the server, or the connections to it, were lost.

server crashed: a server process ended by its own fault. ended from outside: somebody ended the server, a process of it or a
session, or memory or disk space ran out. network: connections were lost, and the server ran on. unresponsive: it did not answer,
and no connection was lost. undecided: it was started again, or is gone, and the cause cannot be read.
"""


STOPPED = "a signal had stopped the server's processes, and they went on later"
SILENT = "the server did not answer new sessions for a time, and then went on"
"""Why the verdict is unresponsive."""


class Outage(_Event, frozen=True):
    """The server, or connections to it, were lost, and racehound had not brought that about."""

    repetition: int
    verdict: Verdict
    why: str
    """What speaks for the verdict, in one sentence without times and names."""
    at_ns: int
    """When it was noticed first."""
    away_s: float = 0.0
    """Seconds until the server answered a new session, or racehound gave it up."""
    back: bool = True
    """Whether the run could go on."""
    evidence: tuple[str, ...] = ()
    """What was seen, a line each."""
    in_flight: tuple[str, ...] = ()
    """The statements that had no answer, each with its session."""


Event = (
    Statement
    | Mismatch
    | Overdue
    | Blocked
    | Passed
    | LogLine
    | PlanStarted
    | RepetitionStarted
    | Judged
    | Retried
    | RepetitionEnded
    | Fault
    | Disturbed
    | Outage
)

_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class Recorder:
    """Appends events to a file, and keeps those of the current repetition. Several threads may use it at the same time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._encoder = threading.local()
        self._lock = threading.Lock()
        self._current: list[Event] = []

    def append(self, event: Event) -> None:
        """Keep the event; OSError when the disk is full."""
        encoder = getattr(self._encoder, "json", None)
        if encoder is None:
            encoder = self._encoder.json = msgspec.json.Encoder()
        buffer = encoder.encode(event) + b"\n"
        with self._lock:  # the order of `take` is that of the file
            written = os.write(self._fd, buffer)
            if written != len(buffer):
                raise OSError(f"{self.path}: only {written} of {len(buffer)} bytes could be written")
            self._current.append(event)

    def take(self) -> list[Event]:
        """The events since the last call, in the order in which they were recorded."""
        with self._lock:
            taken, self._current = self._current, []
        return taken

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def compress(path: Path) -> Path:
    """Compress a finished history file to `.gz`, which duckdb and zcat can read. The plain file is removed afterwards."""
    packed = path.with_name(path.name + ".gz")
    partial = packed.with_name(packed.name + ".part")
    partial.touch(mode=0o600)
    with path.open("rb") as source, gzip.open(partial, "wb", compresslevel=1) as sink:
        shutil.copyfileobj(source, sink)
    partial.rename(packed)
    path.unlink()
    return packed


def read_history(path: Path) -> Iterator[Event]:
    """The events of a history file, plain or compressed. A last line that a kill has cut off is left out."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield decode(line, _decoder)


def judged(repetition: int, events: Iterable[Event], failed: Iterable[tuple[Statement, ErrorClass]]) -> Judged:
    """The classes of those failed statements that belong to a repetition. `events`: all since the last RepetitionEnded."""
    numbers = statement_numbers(repetition, events)
    return Judged(repetition, tuple((numbers[id(s)], error_class) for s, error_class in failed if id(s) in numbers))


def error_classes(events: Iterable[Event]) -> dict[int, ErrorClass]:
    """The classes of failed statements, by the identity of the statement, as far as the history holds them.

    `events`: those of one or more repetitions, from their beginning.
    """
    found: dict[int, ErrorClass] = {}
    statements: defaultdict[int, list[Statement]] = defaultdict(list)
    for event in events:
        if isinstance(event, Statement):
            statements[event.repetition].append(event)
        elif isinstance(event, Judged):
            found |= {id(statements[event.repetition][number]): error_class for number, error_class in event.classes}
        elif isinstance(event, RepetitionEnded):
            statements.clear()
    return found


def statement_numbers(repetition: int, events: Iterable[Event]) -> dict[int, int]:
    """The number of each statement of a repetition (see `Judged`), by its identity.

    `events`: all since the last RepetitionEnded.
    """
    statements = (event for event in events if isinstance(event, Statement) and event.repetition == repetition)
    return {id(statement): number for number, statement in enumerate(statements)}


def retries_of(repetition: int, events: Sequence[Event]) -> dict[int, Retried]:
    """The last retry of each failed statement of a repetition, by the identity of the statement. `events`: as above."""
    retried: dict[int, Retried] = {}
    for event in events:
        if isinstance(event, Retried) and event.repetition == repetition:
            retried |= dict.fromkeys(event.statements, event)
    numbers = statement_numbers(repetition, events) if retried else {}
    return {identity: retried[number] for identity, number in numbers.items() if number in retried}


class RetryCounts(msgspec.Struct):
    """How many failed statements were run again at rest, and what became of them."""

    retried: int = 0
    lasting: int = 0
    passing: int = 0
    not_retried: int = 0
    reasons: dict[str, int] = {}
    """Why statements were not run again, and how many for each reason."""

    def add(self, retried: Iterable[Retried]) -> None:
        """Count the retries of one repetition: one for each failed statement."""
        for each in retried:
            if each.verdict == "not retried":
                self.not_retried += 1
                self.reasons[each.reason] = self.reasons.get(each.reason, 0) + 1
                continue
            self.retried += 1
            self.lasting += each.verdict == "lasting"
            self.passing += each.verdict == "passing"

    def __str__(self) -> str:
        """In one line; empty where nothing failed."""
        if not self.retried + self.not_retried:
            return ""
        reasons = ", ".join(f"{count} × {reason}" for reason, count in sorted(self.reasons.items(), key=lambda item: -item[1]))
        left_out = f"; {self.not_retried} not run again ({reasons})" if self.not_retried else ""
        return f"failed statements run again at rest: {self.retried}, {self.lasting} lasting, {self.passing} passing{left_out}"


def in_flight(events: list[Event], start_ns: int, end_ns: int) -> list[Statement]:
    """The statements that ran at some moment between start and end, by start."""
    overlapping = [e for e in events if isinstance(e, Statement) and e.start_ns <= end_ns and e.end_ns >= start_ns]
    return sorted(overlapping, key=lambda event: event.start_ns)
