"""One repetition of a program, from a clean working database to the judgement of all oracles.

There are two ways to run the sessions of a program: in a storm (`run.storm_runner`) and in lock-step (`run.lockstep_runner`).
Each is a `SessionHost`. What happens before and after is the same for both, and is here.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from racehound.data.finding import Finding, Severity
from racehound.data.history import (
    Disturbed,
    ErrorClass,
    Event,
    LogLine,
    Outage,
    Recorder,
    RepetitionEnded,
    Retried,
    SerialOutcome,
    Statement,
    judged,
)
from racehound.data.program import Program
from racehound.data.schedule import Schedule
from racehound.databases.database import Database
from racehound.databases.target import Target
from racehound.errors import RacehoundError, ServerGoneError, TargetError, UnreachableError, UserError
from racehound.judge import oracles
from racehound.judge.classification import KnownErrors
from racehound.judge.crash import judge_crashes
from racehound.judge.judge import Judge, distinct, without_consequences
from racehound.judge.oracle import ObservedHistory, TargetAtRest
from racehound.loops.at_rest import AtRest
from racehound.loops.outages import OnOutage, examine
from racehound.loops.retry import Retry
from racehound.loops.serial_orders import serial_outcome
from racehound.session import Session

_TRIES = 3
"""How often a repetition is run that outages spoil. A statement that always ends its session must not be tried for ever."""
_PAUSE_S = 0.2
"""Before a working database is asked for again."""


class SessionHost(Protocol):
    """Runs the sessions of one program; all that it does is recorded. Its methods raise TargetError when it cannot go on."""

    @property
    def target(self) -> Target: ...

    @property
    def recorder(self) -> Recorder: ...

    @property
    def program(self) -> Program: ...

    @property
    def damaging(self) -> Collection[Severity]:
        """Severities of findings after which the working database is not used again."""

    @property
    def schedule(self) -> Schedule:
        """In lock-step, the turns as they were taken; else empty."""

    @property
    def statement_limit_s(self) -> float:
        """Seconds after which a statement counts as hanging."""

    @property
    def lost(self) -> bool:
        """Whether a session that is still in use has lost its connection."""

    @property
    def silent_s(self) -> float:
        """For how many seconds the server has not answered new sessions; 0 where that is not unusual."""

    def prepare(self, *, damaged: bool) -> bool:
        """Make the working database ready for a repetition; True when it is a new one.

        damaged: the one there is, if any, cannot be used again.
        """

    def run(self, number: int) -> None:
        """Run the repetition of that number until all sessions have finished."""

    def worth_judging(self, look: Callable[[], bool]) -> bool:
        """Whether the state at rest is to be judged. `look` says whether a quick look of each oracle shows anything."""

    def resting_session(self, name: str) -> Session:
        """At rest, the session of that name, whose statements are not recorded; a new one if its connection was lost."""

    def disconnect(self) -> None:
        """At rest, close all sessions, so that the working database can be cloned."""

    def reconnect(self) -> None:
        """Called after `disconnect`: the sessions can be used again, and are new ones."""

    def finish(self, number: int, *, sound: bool) -> None:
        """Run what still belongs to the repetition when the state at rest has been judged. sound: nothing was wrong with it."""

    def leave(self, number: int, *, damaged: bool) -> None:
        """Clean up when the repetition has been judged. damaged: the working database will not be used again."""

    def wanted_errors(self) -> KnownErrors:
        """Errors that the program asks for itself."""

    def pids(self) -> set[int]:
        """Server processes of all its sessions."""

    def note(self, text: str) -> None:
        """Record something that racehound did or noticed."""


@dataclasses.dataclass(frozen=True)
class JudgedRepetition:
    """What became of one repetition."""

    number: int
    schedule: Schedule
    """In lock-step, the turns as they were taken; else empty."""
    events: list[Event]
    findings: list[Finding]
    classes: Counter[ErrorClass]
    """How many failed statements are in each class."""
    spoiled: bool = False
    """Whether an outage kept it from being run or judged to its end."""

    @property
    def statements(self) -> int:
        """How many statements were run."""
        return sum(isinstance(event, Statement) for event in self.events)


_SERIAL_TRIES = 3
"""How many repetitions of a program are tried in serial orders for the same statement, as long as these decide nothing."""


def no_known_errors(_events: Sequence[Event]) -> KnownErrors:
    """For programs of which nothing is known beforehand."""
    return frozenset()


class RepetitionRunner:
    """Runs and judges repetitions on one target, one after the other."""

    def __init__(self, judge: Judge, on_outage: OnOutage = lambda _outage: None, *, retry: bool = True) -> None:
        """retry: run statements that failed with internal or unexplained errors again at rest (`loops.at_rest`)."""
        self._judge = judge
        self._on_outage = on_outage
        self._last_outage: Outage | None = None
        self._spoiled_since: float | None = None
        """When the first of the last repetitions in a row was spoiled; None if the last one was not."""
        self._retry = retry
        self._damaged = True
        self._prepared = False
        self._serial: dict[tuple[str, str, str, tuple[str, str]], SerialOutcome] = {}
        """What became of statements with lasting errors in serial orders, by program, session, text and error."""
        self._serial_tries: Counter[tuple[str, str, str, tuple[str, str]]] = Counter()

    @classmethod
    def of(cls, database: Database, on_outage: OnOutage = lambda _outage: None, *, retry: bool = True) -> RepetitionRunner:
        """With all oracles of a database. `on_outage` is called when connections were lost and it was found out why."""
        return cls(Judge(oracles(database.oracles, database.own_oracles())), on_outage, retry=retry)

    def prepare(self, host: SessionHost) -> None:
        """Make the working database ready for the next repetition, and let the oracles look at it if it is a new one.

        An outage is waited for. ServerGoneError when the server does not come back, TargetError for other reasons.
        """
        deadline: float | None = None
        while True:
            self._require_server(host)
            try:
                self._prepare(host)
            except TargetError as error:
                self._damaged = True
                deadline = deadline or time.monotonic() + host.target.reconnect_s
                outage = self._examine(host, 0, [], error)
                if outage is None:
                    raise
                if time.monotonic() > deadline:
                    raise ServerGoneError(str(error)) from error
                time.sleep(_PAUSE_S)
            else:
                return

    def _prepare(self, host: SessionHost) -> None:
        target = host.target
        if host.prepare(damaged=self._damaged):
            self._damaged = True  # until the oracles have looked at it
            self._judge.begin(target)
            start = target.started()
            if target.last_start not in (None, start) and not target.owned:
                # Nobody had a statement in flight then. The next repetition is judged with it.
                self._examine(host, 0, [], UnreachableError("the server was started again"))
            target.last_start = start
        self._prepared = True

    def _require_server(self, host: SessionHost) -> None:
        """ServerGoneError where the server was lost and has not come back."""
        gone = self._last_outage
        if gone is not None and not gone.back and not host.target.owned:
            raise ServerGoneError(f"{gone.verdict}: {gone.why}")

    def _examine(self, host: SessionHost, number: int, events: Sequence[Event], error: RacehoundError | None) -> Outage | None:
        """What became of the server, if anything did (`outages.examine`)."""
        outage = examine(host, number, events, error)
        if outage is not None:
            self._tell(outage)
        return outage

    def _tell_all(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Outage):
                self._tell(event)

    def _tell(self, outage: Outage) -> None:
        """Report an outage, unless it is the same one that was reported last: several parts of a run may notice it."""
        last, self._last_outage = self._last_outage, outage
        if last is None or last.verdict != outage.verdict or outage.at_ns > last.at_ns + (last.away_s + 1) * 1e9:
            self._on_outage(outage)

    def run(
        self,
        host: SessionHost,
        number: int,
        *,
        whole_plan: bool = False,
        known_errors: Callable[[Sequence[Event]], KnownErrors] = no_known_errors,
    ) -> JudgedRepetition:
        """One repetition. TargetError when the target cannot go on, ServerGoneError when the server does not come back.

        Where connections are lost though no server process crashed, it is run again when the server is back.

        whole_plan: add the checks that are too slow for every repetition. known_errors: errors, besides those that the program
        asks for, that need no race to explain them; called with the events of the repetition.
        """
        tries = 0
        while True:
            if not self._prepared:
                self.prepare(host)
            self._prepared, self._damaged = False, True  # until the repetition has been judged
            try:
                repetition = self._run(host, number, whole_plan=whole_plan, known_errors=known_errors)
            except BaseException:
                host.recorder.take()  # what was recorded so far belongs to no other repetition
                raise
            if not repetition.spoiled or repetition.findings:
                self._spoiled_since = None
                return repetition
            tries += repetition.statements > 0
            if tries == _TRIES:
                return repetition
            self._wait_after_spoiled(host)

    def _wait_after_spoiled(self, host: SessionHost) -> None:
        """ServerGoneError when no repetition has come to its end for longer than the user allows."""
        self._spoiled_since = self._spoiled_since or time.monotonic()
        if time.monotonic() - self._spoiled_since > host.target.reconnect_s:
            assert self._last_outage is not None
            raise ServerGoneError(f"{self._last_outage.verdict}: {self._last_outage.why}")
        time.sleep(_PAUSE_S)

    def _run(
        self,
        host: SessionHost,
        number: int,
        *,
        whole_plan: bool,
        known_errors: Callable[[Sequence[Event]], KnownErrors],
    ) -> JudgedRepetition:
        error: RacehoundError | None = None
        try:
            host.run(number)
        except (TargetError, UserError) as raised:
            error = raised
        events: list[Event] = host.recorder.take()
        outage = self._examine(host, number, events, error)
        if outage is not None:
            return self._spoiled(host, number, events, outage)
        if error is not None:
            raise error
        objects = _named_by_number(host, events)

        def observed() -> ObservedHistory:
            events.extend(host.recorder.take())
            wanted = host.wanted_errors() | known_errors(events)
            return dataclasses.replace(_history(host, number, events), known_errors=wanted, objects=objects)

        at_rest, unjudged = self._judge_at_rest(host, number, events, whole_plan=whole_plan)
        again = AtRest(host, number)
        try:
            self._finish(host, observed, again, sound=not at_rest, unjudged=unjudged)
        except TargetError as raised:
            error = raised
        events += host.recorder.take()
        outage = self._examine(host, number, events, error or (TargetError(unjudged) if unjudged else None))
        if error is not None and outage is None:
            raise error
        for text in host.target.new_log_lines():
            host.recorder.append(LogLine(number, text))
        left = bool(again.lasting) and outage is None
        if left:
            host.leave(number, damaged=True)
            self._try_serially(host, observed(), again.lasting, at_rest)
        history = observed()
        self._tell_all(events)
        findings = without_consequences(distinct([*at_rest, *self._judge.history(history)]))
        counts = history.classification.counts
        self._damaged = is_damaged(host, events, findings, counts, unjudged=bool(unjudged or outage))
        self._damaged = self._damaged or left or again.changed
        if not left:
            host.leave(number, damaged=self._damaged)
        _record_judgement(host, number, history, findings)
        return JudgedRepetition(number, host.schedule, events + host.recorder.take(), findings, counts)

    def _finish(
        self, host: SessionHost, observed: Callable[[], ObservedHistory], again: AtRest, *, sound: bool, unjudged: str
    ) -> None:
        """Run failed statements again, and then what still belongs to the repetition. `observed`: its history so far."""
        history = observed()
        if self._retry and _has_failed(history.events):
            again.run(observed(), unjudged)
        if again.changed:
            host.note("the teardown was left out: a statement that was run again at rest had changed the working database")
            return
        before = len(history.events)
        host.finish(history.number, sound=sound and not again.lasting)
        history = observed()
        if self._retry and _has_failed(history.events[before:]):
            again.run(history, unjudged)

    def _try_serially(
        self, host: SessionHost, history: ObservedHistory, lasting: Sequence[tuple[Retry, Retried]], at_rest: Sequence[Finding]
    ) -> None:
        """Record what becomes of statements with lasting errors in serial orders. The working database is lost.

        After a corruption that an oracle at rest has found, the errors are its consequences, and nothing is tried. What is known
        of the same statement of the same program is not tried again.
        """
        if any(finding.severity == "corruption" for finding in at_rest):
            return
        for retry, event in lasting:
            key = _digest(host.program), retry.session, retry.sql, retry.error
            outcome = self._serial.get(key, "undecided")
            tried = self._serial_tries[key]
            if outcome == "undecided" and tried < _SERIAL_TRIES:
                self._serial_tries[key] += 1
                try:
                    outcome = serial_outcome(host.target, history, retry, host.statement_limit_s)
                except TargetError as error:
                    host.note(f"the serial orders of a statement with a lasting error could not be run: {error}")
                self._serial[key] = outcome
            host.recorder.append(msgspec.structs.replace(event, serial=outcome))
        host.target.new_log_lines()  # those of the serial orders belong to no repetition

    def _spoiled(self, host: SessionHost, number: int, events: list[Event], outage: Outage) -> JudgedRepetition:
        """The verdict about a repetition that lost its connections. Only whether the server crashed can be judged of it."""
        events += host.recorder.take()
        self._tell_all(events)
        history = dataclasses.replace(_history(host, number, events), known_errors=host.wanted_errors())
        findings = distinct(self._judge.history(history) if outage.verdict == "server crashed" else judge_crashes(history))
        _record_judgement(host, number, history, findings)
        counts = history.classification.counts
        return JudgedRepetition(number, host.schedule, events + host.recorder.take(), findings, counts, spoiled=True)

    def _judge_at_rest(
        self, host: SessionHost, number: int, events: list[Event], *, whole_plan: bool
    ) -> tuple[list[Finding], str]:
        """What is wrong with the state at rest, and why it could not be judged completely, or ""."""
        lost = any(isinstance(event, Statement) and event.status == "lost" for event in events)
        if lost and not host.target.alive():
            return [], "the server is gone"
        rest = TargetAtRest(_history(host, number, events), host.target, frozenset(host.pids()))
        worth_judging = host.worth_judging(lambda: whole_plan or self._judge.suspects(rest))
        if not worth_judging:
            return [], ""
        findings, unjudged = self._judge.at_rest(rest, whole_plan=whole_plan)
        if unjudged:
            host.note(f"the state at rest was not judged to the end: {unjudged}")
            host.target.alive()
        return findings, unjudged


def _has_failed(events: Sequence[Event]) -> bool:
    return any(isinstance(event, Statement) and event.status == "error" for event in events)


def _digest(program: Program) -> str:
    return hashlib.blake2b(msgspec.json.encode(program)).hexdigest()


def is_damaged(
    host: SessionHost, events: Sequence[Event], findings: Sequence[Finding], counts: Counter[ErrorClass], *, unjudged: bool
) -> bool:
    """Whether the working database cannot be used for the next repetition, which then gets a new one.

    That is so
    - after a finding of a severity that the host names: the server or its catalogs are broken, or something still hangs;
    - after a state at rest that could not be judged completely: it may be broken;
    - after a perturbation that ended the server or a service: files of unfinished relations and dead connections are left;
    - after a session in use has lost its connection;
    - after any failed statement of a program whose objects are not dropped between repetitions: some may be left.
    """
    return (
        unjudged
        or host.lost
        or any(finding.severity in host.damaging for finding in findings)
        or any(isinstance(event, Disturbed) and event.ends in ("server", "service") for event in events)
        or (not host.program.reset_each and bool(counts.total()))
    )


def _history(host: SessionHost, number: int, events: list[Event]) -> ObservedHistory:
    target = host.target
    return ObservedHistory(host.program, number, events, target.dialect, target.release, log_around=target.log_around)


def _named_by_number(host: SessionHost, events: Sequence[Event]) -> Mapping[int, str]:
    """What the objects are that internal errors name by their numbers, as far as they are still there."""
    dialect = host.target.dialect
    failed = (event for event in events if isinstance(event, Statement) and event.status == "error")
    messages = {statement.message for statement in failed if dialect.is_internal(statement)}
    numbers = {number for message in messages for number in dialect.numbers_in(message)}
    return host.target.objects(numbers) if numbers else {}


def _record_judgement(host: SessionHost, number: int, history: ObservedHistory, findings: Sequence[Finding]) -> None:
    """Write the classes of failed statements, and the end of the repetition."""
    failed, counts = history.classification.failed, history.classification.counts
    for repetition in sorted({number, *(statement.repetition for statement, _ in failed)}):
        host.recorder.append(judged(repetition, history.events, failed))
    host.recorder.append(
        RepetitionEnded(
            repetition=number,
            end_ns=time.monotonic_ns(),
            expected=counts["expected"],
            unexplained=counts["unexplained"],
            internal=counts["internal"],
            lost=counts["lost"],
            findings=tuple(finding.id for finding in findings),
            schedule=host.schedule,
        )
    )
