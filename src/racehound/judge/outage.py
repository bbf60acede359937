"""Outages: why the server, or the connections to it, were lost, decided from what was seen of it.

The order of the evidence: what the server's parent knows, the server's log, what sessions were told, since when the server runs.
"""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Iterable, Mapping, Sequence

from racehound.data.history import SILENT, STOPPED, Disturbed, Event, Fault, Statement, Verdict
from racehound.databases.dialect import Dialect, Farewell
from racehound.databases.target import Condition, ServerStart, Traces
from racehound.judge.injected_faults import InjectedFaults
from racehound.session import ServerError

_OWN_FAULT = frozenset(
    (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP, signal.SIGSYS)
)
"""Signals that a process gets for what it does itself (signal(7)). Others come from outside."""
CRASHED = "a server process crashed: the server ended all sessions and started its processes again"


@dataclasses.dataclass(frozen=True)
class Seen:
    """What was seen of a server of which a connection was lost."""

    before: ServerStart | None
    """Since when it ran before; None if it did not tell."""
    after: ServerStart | None
    """Since when it runs now; None if it does not tell or does not answer."""
    told: Sequence[ServerError]
    """The last messages of the lost connections."""
    traces: Traces
    back: bool
    """Whether it answers a new session now."""
    silent: bool = False
    """Whether new sessions got no answer for a time, in contrast to a refusal."""
    lost: bool = True
    """Whether a connection was lost."""
    condition: Condition = "unknown"
    """What its processes did while it did not answer."""


@dataclasses.dataclass(frozen=True)
class Decision:
    """The verdict about an outage, the reason in one sentence, and what was seen, a line each."""

    verdict: Verdict
    why: str
    evidence: tuple[str, ...] = ()


def lost_from_outside(events: Iterable[Event], faults: InjectedFaults | None = None) -> list[Statement]:
    """The statements whose connection was lost, except where a perturbation or the watchdog has ended it."""
    recorded = list(events)
    lost = [event for event in recorded if isinstance(event, Statement) and event.status == "lost"]
    if not lost:
        return []
    known = faults or InjectedFaults(recorded)
    noted = [event.text for event in recorded if isinstance(event, Fault) and not isinstance(event, Disturbed)]
    return [s for s in lost if not known.cover(s) and not any(f"(pid {s.pid})" in text for text in noted)]


def decide(seen: Seen, dialect: Dialect) -> Decision:
    """The verdict about an outage."""
    found = (
        _by_parent(seen) or _by_log(seen, dialect) or _by_exit_code(seen) or _by_words(seen, dialect) or _by_start(seen, dialect)
    )
    return dataclasses.replace(found, evidence=(*found.evidence, *_facts(seen)))


def _by_parent(seen: Seen) -> Decision | None:
    number = seen.traces.signal
    if not number:
        return None
    name = _name(number)
    if number in _OWN_FAULT:
        return Decision("server crashed", f"the server itself was ended by {name}")
    return Decision("ended from outside", f"the server itself was ended by {name}{_for_memory(seen.traces)}")


def _by_log(seen: Seen, dialect: Dialect) -> Decision | None:
    """The first line that reports an end is about the cause; later ones may be about consequences."""
    for line in seen.traces.log or ():
        if outside := dialect.ended_from_outside(line):
            return Decision("ended from outside", f"{outside}{_for_memory(seen.traces)}", (f"log: {line}",))
        if death := dialect.death_in(line):
            return Decision("server crashed", death, (f"log: {line}",))
    return None


def _by_exit_code(seen: Seen) -> Decision | None:
    code = seen.traces.exit_code
    if code is None:
        return None
    if code == 0:
        return Decision("ended from outside", "the server was shut down in order")
    return Decision("server crashed", f"the server itself ended with exit code {code}")


def _by_words(seen: Seen, dialect: Dialect) -> Decision | None:
    by_kind: dict[Farewell, str] = {kind: error.message for error in reversed(seen.told) if (kind := dialect.farewell(error))}
    if "signal" in by_kind:
        return Decision("ended from outside", by_kind["signal"])
    return _by_processes(seen, told="crash" in by_kind) or _by_message(seen, by_kind)


def _by_processes(seen: Seen, *, told: bool) -> Decision | None:
    """Whether a process crashed: the server `told` a session so, or it started all processes again and itself ran on."""
    processes_only = seen.before and seen.after and seen.before.server == seen.after.server and seen.before != seen.after
    if not (processes_only or told):
        return None
    evidence = ["all processes were started again, and the server itself was not"] if processes_only else []
    if seen.traces.log is None:
        evidence.append("the log cannot be read: a process that was ended by SIGKILL from outside would look the same")
    if seen.traces.memory_ran_out:
        return Decision("ended from outside", "a server process was killed: memory ran out", tuple(evidence))
    return Decision("server crashed", CRASHED, tuple(evidence))


def _by_message(seen: Seen, by_kind: Mapping[Farewell, str]) -> Decision | None:
    """What the server told a session about its end."""
    if "internal" in by_kind:
        return Decision("server crashed", f"the server ended a session because of an internal error: {by_kind['internal']}")
    for kind in ("command", "other"):
        if kind in by_kind:
            return Decision("ended from outside", f"the server ended a session: {by_kind[kind]}")
    if "orphaned" in by_kind:
        what = "was started again" if seen.back else "did not come back"
        return Decision("undecided", f"the server itself ended and {what}, and the cause cannot be read")
    return None


def _by_start(seen: Seen, dialect: Dialect) -> Decision:
    """Since when the server runs: where it was not started again, only connections were lost, or it did not answer."""
    if not seen.back:
        return _gone(seen, dialect)
    if seen.before is None or seen.after is None:
        return Decision("undecided", "the server answers again, but it does not tell since when it runs")
    if seen.before != seen.after:
        return Decision("undecided", "the server was started again, and the cause cannot be read")
    if seen.condition == "stopped" or seen.silent:
        return Decision("unresponsive", STOPPED if seen.condition == "stopped" else SILENT)
    if seen.lost and not seen.after.processes:
        return Decision("undecided", "connections were lost, and the server ran on: whether a process crashed is not known")
    what = "connections were lost" if seen.lost else "the server could not be reached for a time"
    return Decision("network", f"{what}, and the server and all its processes ran on")


def _gone(seen: Seen, dialect: Dialect) -> Decision:
    if seen.condition == "stopped":
        return Decision("unresponsive", "a signal has stopped the server's processes")
    if seen.silent:
        return Decision("unresponsive", "the server, or the network on the way to it, does not answer any more")
    if dialect.tells_every_session:
        return Decision(
            "network", "the server cannot be reached any more, and no session was told of its end",
            ("only a server of which all processes are killed at the same time would look the same",),
        )  # fmt: skip
    return Decision("undecided", "the server cannot be reached any more, and the cause cannot be read")


def _facts(seen: Seen) -> tuple[str, ...]:
    """What else a person may want to know, a line each."""
    told = dict.fromkeys(error.message for error in seen.told if error.message)
    starts = []
    if seen.before and seen.after and seen.before != seen.after:
        starts.append(f"the server runs since {seen.after.server}, its processes since {seen.after.processes or 'then'}")
        starts.append(f"before, these were {seen.before.server} and {seen.before.processes or 'then'}")
    memory = [seen.traces.memory] if seen.traces.memory else []
    return (*(f"told: {message}" for message in list(told)[:3]), *starts, *memory)


def _for_memory(traces: Traces) -> str:
    return ": memory ran out" if traces.memory_ran_out else ""


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
