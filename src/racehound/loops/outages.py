"""Outages: finds out what became of a server when connections to it were lost, and waits until it answers again."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from racehound.data.history import Event, LogLine, Outage, Recorder, Statement
from racehound.databases.target import Condition, ServerStart, Target, Traces
from racehound.errors import RacehoundError, ServerGoneError, TargetError, UnreachableError
from racehound.judge.injected_faults import InjectedFaults
from racehound.judge.outage import Decision, Seen, decide, lost_from_outside
from racehound.judge.shapes import shape
from racehound.session import ServerError
from racehound.testdrive.errors import CommandFailed

Done = TypeVar("Done")
OnOutage = Callable[[Outage], object]
"""Is called with each outage."""
_LOOK_S = 0.1
_SETTLE_S = 1.0
"""A server goes on for a moment before it learns that one of its processes has died. After this time it has."""
_TRIES = 3
"""How often work is done again that lost the server."""
_IN_FLIGHT = 10
"""How many statements an outage names at most."""


class _Host(Protocol):
    """What an examination needs of a `SessionHost`."""

    @property
    def target(self) -> Target: ...

    @property
    def recorder(self) -> Recorder: ...

    @property
    def silent_s(self) -> float: ...


def examine(host: _Host, number: int, events: Sequence[Event], error: RacehoundError | None) -> Outage | None:
    """What became of the server in a repetition, given its events and the error that ended it, if one did; None if nothing did.

    Waits until the server answers again, at most for as long as the user allows. The outage is recorded, with the lines of the
    log that tell of it.
    """
    faults = InjectedFaults(events)
    lost = lost_from_outside(events, faults)
    if not lost and (error is None or not _is_of_connection(host.target, error)):
        return None
    outage = _Examination(host, number, lost, faults, error).outage()
    host.recorder.append(outage)
    return outage


def _is_of_connection(target: Target, error: RacehoundError) -> bool:
    """Whether racehound's own connections were lost, or the server was started again."""
    if isinstance(error, UnreachableError):
        return True
    if not isinstance(error, TargetError):
        return False
    try:
        return bool(target.farewells()) or target.started() != target.last_start
    except TargetError:
        return True


def patiently(target: Target, work: Callable[[], Done], on_outage: OnOutage) -> Done:
    """Do what needs the target outside of a repetition. If the server is lost meanwhile, wait for it and do the work again.

    ServerGoneError when it does not come back.
    """
    for _ in range(_TRIES):
        try:
            return work()
        except (TargetError, CommandFailed) as error:
            with contextlib.closing(Recorder(Path(os.devnull))) as recorder:
                reason = error if isinstance(error, TargetError) else TargetError(str(error))
                outage = examine(_Alone(target, recorder), 0, [], reason)
            if outage is None:
                raise
            on_outage(outage)
            if not outage.back:
                raise ServerGoneError(f"{outage.verdict}: {outage.why}") from error
    return work()


@dataclasses.dataclass(frozen=True)
class _Alone:
    """A target that no repetition uses now."""

    target: Target
    recorder: Recorder
    silent_s: float = 0.0


class _Examination:
    """Looks at a server of which a connection was lost."""

    def __init__(
        self, host: _Host, number: int, lost: Sequence[Statement], faults: InjectedFaults, error: RacehoundError | None
    ) -> None:
        self._target = host.target
        self._recorder = host.recorder
        self._number = number
        self._lost = lost
        self._faults = faults
        self._before = host.target.last_start
        self._silent = bool(host.silent_s) or (isinstance(error, UnreachableError) and error.silent)
        self._condition: Condition = "unknown"
        self._noticed_ns = min((statement.end_ns for statement in lost), default=time.monotonic_ns())
        self._deadline = time.monotonic() + target_patience_s(host)

    def outage(self) -> Outage:
        back, after = self._await_server()
        told = [ServerError(s.sqlstate, s.message) for s in self._lost] + self._target.farewells()
        if back and after is not None and after == self._before and not self._has_reason(told):
            back, after = self._settle(after)
            told += self._target.farewells()
        away_s = round((time.monotonic_ns() - self._noticed_ns) / 1e9, 1)
        decision = self._decide(back, after, told, self._traces())
        if back:
            self._target.last_start = after
        return Outage(
            self._number, decision.verdict, decision.why, self._noticed_ns, away_s, back or self._target.owned,
            decision.evidence, self._in_flight(),
        )  # fmt: skip

    def _decide(self, back: bool, after: ServerStart | None, told: Sequence[ServerError], traces: Traces) -> Decision:
        seen = Seen(
            self._before, after, told, traces, back, silent=self._silent, lost=bool(self._lost), condition=self._condition
        )
        return decide(seen, self._target.dialect)

    def _await_server(self) -> tuple[bool, ServerStart | None]:
        """Whether the server answers again in time, and since when it runs."""
        while True:
            if (condition := self._target.condition()) in ("stopped", "ended"):
                self._condition = condition
            if condition == "ended":
                return False, None  # it does not come back by itself, and racehound is the one to start it again
            try:
                after = self._target.started()
                if after is not None or self._target.alive():
                    return True, after
            except UnreachableError as error:
                self._silent = self._silent or error.silent
            except TargetError:
                pass  # it has just lost the session that asked
            if time.monotonic() > self._deadline:
                return False, None
            time.sleep(_LOOK_S)

    def _settle(self, known: ServerStart) -> tuple[bool, ServerStart | None]:
        """As `_await_server`, when the server has had time to notice the death of a process."""
        pids = {statement.pid for statement in self._lost}
        until = time.monotonic() + _SETTLE_S
        while time.monotonic() < until:
            time.sleep(_LOOK_S)
            back, after = self._await_server()
            if not back or after != known or self._has_reason(self._target.farewells()):
                return self._await_server()
            try:
                waits = self._target.waits()
            except TargetError:
                continue
            if pids and waits is not None and not pids & {wait.pid for wait in waits}:
                break  # their processes have left in order
        return self._await_server()

    def _has_reason(self, told: Sequence[ServerError]) -> bool:
        return any(self._target.dialect.farewell(error) for error in told)

    def _traces(self) -> Traces:
        """The traces, without those of processes that a perturbation killed. The lines of the log are recorded."""
        traces = self._target.traces()
        for line in traces.log or ():
            self._recorder.append(LogLine(self._number, line))
        if traces.log is None:
            return traces
        killed = self._target.dialect.killed_pid
        kept = tuple(line for line in traces.log if not ((pid := killed(line)) and self._faults.killed(pid)))
        return Traces(kept, traces.signal, traces.exit_code, traces.memory, traces.memory_ran_out)

    def _in_flight(self) -> tuple[str, ...]:
        """The lost statements, the ones that had begun first before others; those of idle sessions came after the loss."""
        first_ns = self._noticed_ns
        flying = [statement for statement in self._lost if statement.start_ns <= first_ns]
        return tuple(f"{s.session}: {s.sql if len(s.sql) < 200 else shape(s.sql)}" for s in flying[:_IN_FLIGHT])


def target_patience_s(host: _Host) -> float:
    """For how many more seconds the server is waited for."""
    return max(0.0, host.target.reconnect_s - host.silent_s)
