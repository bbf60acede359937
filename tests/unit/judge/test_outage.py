"""Why the server, or the connections to it, were lost: each sort of evidence gives its verdict."""

from __future__ import annotations

import dataclasses
import signal
from typing import Any

import pytest

from racehound.data.finding import Finding
from racehound.data.history import Event, LogLine, Outage, Verdict
from racehound.databases.postgres.dialect import POSTGRES
from racehound.databases.target import ServerStart, Traces
from racehound.judge.crash import judge_crashes
from racehound.judge.oracle import ObservedHistory
from racehound.judge.outage import Seen, decide
from racehound.session import ServerError
from tests.unit.programs import program, statement

NOON = ServerStart("12:00", "12:00")
SILENCE = ServerError("08006", "server closed the connection unexpectedly")
SAME = Seen(NOON, NOON, (SILENCE,), Traces(log=()), back=True)
"""A connection was lost, and the server and its processes ran on."""
UNREADABLE = dataclasses.replace(SAME, traces=Traces())
OTHER_PROCESSES = ServerStart("12:00", "12:07")
OTHER_SERVER = ServerStart("12:07", "12:07")


def told(sqlstate: str, message: str) -> tuple[ServerError, ...]:
    return (SILENCE, ServerError(sqlstate, message))


def logged(message: str) -> Traces:
    return Traces(log=(f"2026-12-01 12:00:00.000 UTC\t7\tpostmaster\t\t00000\tLOG:  00000: {message}",))


CRASH = told("57P02", "terminating connection because of crash of another server process")
EXIT = told("08006", "FATAL: terminating connection due to unexpected postmaster exit server closed the connection unexpectedly")
COMMAND = told("08006", "FATAL: terminating connection due to administrator command server closed the connection unexpectedly")
QUIT = told("57P01", "terminating connection because of unexpected SIGQUIT signal")
IDLE = told("57P05", "FATAL: terminating connection due to idle-session timeout")
INTERNAL = told("XX000", "FATAL: cache lookup failed for database 7")
SEGV = logged("server process (PID 7) was terminated by signal 11")
ABRT = logged("client backend (PID 7) was terminated by signal 6: Aborted")
KILL = logged("server process (PID 7) was terminated by signal 9: Killed")
SHUTDOWN = logged("received fast shutdown request")
DISK_FULL = logged('PANIC:  53100: could not write to file "pg_wal/xlogtemp.7": No space left on device')


def gone(seen: Seen, **more: Any) -> Seen:
    """The server does not come back."""
    return dataclasses.replace(seen, after=None, back=False, **more)


def with_(seen: Seen, **more: Any) -> Seen:
    return dataclasses.replace(seen, **more)


@pytest.mark.parametrize(
    ("verdict", "seen"),
    [
        ("network", SAME),
        ("network", with_(SAME, lost=False)),
        ("unresponsive", with_(SAME, silent=True, lost=False)),
        ("unresponsive", with_(SAME, condition="stopped")),
        ("server crashed", with_(UNREADABLE, after=OTHER_PROCESSES)),
        ("server crashed", with_(UNREADABLE, told=CRASH)),
        ("server crashed", gone(UNREADABLE, told=CRASH)),
        ("server crashed", with_(SAME, after=OTHER_PROCESSES, traces=SEGV)),
        ("server crashed", with_(SAME, after=OTHER_SERVER, traces=ABRT)),
        ("server crashed", with_(SAME, told=INTERNAL)),
        ("server crashed", gone(SAME, traces=Traces(signal=signal.SIGSEGV))),
        ("server crashed", gone(SAME, traces=Traces(log=(), exit_code=1))),
        ("ended from outside", gone(SAME, traces=Traces(signal=signal.SIGKILL))),
        ("ended from outside", gone(SAME, traces=Traces(log=(), exit_code=0))),
        ("ended from outside", with_(SAME, told=CRASH, after=OTHER_PROCESSES, traces=KILL)),
        ("ended from outside", with_(SAME, told=CRASH, after=OTHER_PROCESSES, traces=Traces(memory_ran_out=True))),
        ("ended from outside", with_(SAME, told=(*QUIT, *CRASH), after=OTHER_PROCESSES)),
        ("ended from outside", with_(SAME, told=COMMAND)),
        ("ended from outside", with_(SAME, told=COMMAND, after=OTHER_SERVER, traces=SHUTDOWN)),
        ("ended from outside", with_(SAME, told=IDLE)),
        ("ended from outside", with_(SAME, told=CRASH, traces=DISK_FULL)),
        ("undecided", with_(UNREADABLE, after=OTHER_SERVER)),
        ("undecided", with_(UNREADABLE, told=EXIT, after=OTHER_SERVER)),
        ("undecided", gone(UNREADABLE, told=EXIT)),
        ("undecided", with_(SAME, before=None, after=None)),
        ("network", gone(UNREADABLE)),
        ("unresponsive", gone(UNREADABLE, silent=True)),
    ],
)
def test_evidence_gives_its_verdict(verdict: Verdict, seen: Seen) -> None:
    assert decide(seen, POSTGRES).verdict == verdict


def test_the_signal_and_the_lack_of_memory_are_named() -> None:
    killed = dataclasses.replace(SAME, traces=Traces(signal=signal.SIGKILL, memory="memory ran out: 1", memory_ran_out=True))
    decision = decide(killed, POSTGRES)
    assert decision.why == "the server itself was ended by SIGKILL: memory ran out"
    assert "memory ran out: 1" in decision.evidence
    by_log = dataclasses.replace(SAME, traces=logged("server process (PID 7) was terminated by signal 15: Terminated"))
    assert decide(by_log, POSTGRES).why == "a server process was ended by SIGTERM"


def test_a_crash_without_a_log_says_what_would_look_the_same() -> None:
    unreadable = decide(dataclasses.replace(UNREADABLE, told=CRASH, after=OTHER_PROCESSES), POSTGRES)
    assert any("SIGKILL from outside would look the same" in line for line in unreadable.evidence)
    readable = decide(dataclasses.replace(SAME, told=CRASH, after=OTHER_PROCESSES), POSTGRES)
    assert readable.why == unreadable.why, "the same crash is the same finding"
    assert not any("would look the same" in line for line in readable.evidence)


def test_a_server_that_says_no_farewells_and_is_gone_is_undecided() -> None:
    assert decide(gone(UNREADABLE), dataclasses.replace(POSTGRES, tells_every_session=False)).verdict == "undecided"


# What of it is a finding


def found(*events: Event) -> list[Finding]:
    return judge_crashes(ObservedHistory(program(o_0="o_base"), 1, list(events), POSTGRES, "18.6"))


def outage(verdict: Verdict) -> Outage:
    return Outage(1, verdict, "the reason", 5, evidence=("told: so",), in_flight=("o_0: ALTER TABLE o_0",))


@pytest.mark.parametrize("verdict", ["ended from outside", "network", "unresponsive", "undecided"])
def test_only_a_crash_is_a_finding(verdict: Verdict) -> None:
    assert found(outage(verdict)) == []


def test_a_crash_names_what_was_in_flight_and_is_told_once() -> None:
    altered = statement("o_0", "ALTER TABLE o_0", 1, 9)
    (crash,) = found(altered, outage("server crashed"))
    assert (crash.severity, crash.signature) == ("crash", "connection lost: the reason")
    assert crash.detail == ("told: so", "in flight: o_0: ALTER TABLE o_0")
    assert crash.statements == (altered,)
    (in_log,) = found(outage("server crashed"), LogLine(1, "LOG:  server process (PID 7) was terminated by signal 11"))
    assert in_log.signature == "server process was terminated by signal N"
