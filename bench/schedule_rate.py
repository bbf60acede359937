"""Schedules per second in lock-step, with and without judging the state after every one, against PostgreSQL's isolationtester.

All interleavings of two sessions, again and again, on one embedded server, taking turns; with judging also on two servers at the
same time, as `racehound explore` does it by default. isolationtester judges nothing: its
output is compared with what was recorded before. It is part of the wheel; where it is missing or does not run, that is said. It
gets the orders in which the turns were taken: it would wait for minutes where the turn of a blocked session does not pass.

Run: `python bench/schedule_rate.py [--seconds 5] [--rounds 3]`.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import workload
from racehound.data.finding import Baseline, Store
from racehound.data.history import Recorder
from racehound.data.schedule import Listed, Schedule, interleavings
from racehound.databases.postgres.target import PostgresTarget
from racehound.databases.registry import Opened
from racehound.loops.explore import Explorer, SerialOrders
from racehound.run.lockstep_program import program_of_scripts
from racehound.run.lockstep_runner import LockstepRunner
from racehound.run.session_script import Scripts, SessionScript, Turn, lengths, parse_sql
from racehound.run.strategies import ExploreOptions
from racehound.services.embedded import installation
from racehound.testdrive.script import Sql

PROGRAMS = {
    "column in a transaction | index and comment": (
        "CREATE TABLE t (a int, b text)",
        ("BEGIN; ALTER TABLE t ADD COLUMN c int; COMMIT", "CREATE INDEX i ON t (a); COMMENT ON TABLE t IS 'x'"),
        "DROP TABLE t",
    ),
    "function in a schema | drop of the schema": (
        "CREATE SCHEMA s",
        ("BEGIN; CREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; COMMIT", "DROP SCHEMA s; SELECT 1"),
        "DROP SCHEMA IF EXISTS s CASCADE",
    ),
    "two transactions that lock in turn": (
        "CREATE TABLE t (a int); CREATE TABLE u (a int)",
        ("BEGIN; ALTER TABLE t ADD b int; ALTER TABLE u ADD b int; COMMIT", "ALTER TABLE u ADD c int; ALTER TABLE t ADD c int"),
        "DROP TABLE t, u",
    ),
}


def scripts(name: str) -> Scripts:
    setup, sessions, _ = PROGRAMS[name]
    read = [parse_sql(text, f"{number}.sql") for number, text in enumerate(sessions, 1)]
    turns = [tuple(Turn(c, anything_goes=True) for c in script.commands if isinstance(c, Sql)) for script in read]
    parsed = tuple(SessionScript(script.file, each) for script, each in zip(read, turns, strict=True))
    return Scripts(parsed, parse_sql(setup, "setup.sql"))


def judged(place: Opened, name: str, seconds: float) -> float:
    """As `racehound explore` does it: all oracles after every schedule."""
    options = ExploreOptions(seed=1, schedules=1, strategy=None, depth=3, statement_limit_s=10.0)
    what, store, numbers = scripts(name), Store(place.scratch / "findings", Baseline()), itertools.count(1)
    with (
        recording(place) as recorder,
        contextlib.closing(Explorer(what, options, place, recorder, store, SerialOrders(what), time.monotonic())) as explorer,
    ):
        return _rate(what, seconds, lambda order: explorer.run(next(numbers), (), order))


def shared(places: Sequence[Opened], name: str, seconds: float) -> float:
    """On several servers at the same time."""
    with ThreadPoolExecutor(len(places)) as pool:
        return sum(pool.map(lambda place: judged(place, name, seconds), places))


def unjudged(place: Opened, name: str, seconds: float, taken: dict[Schedule, None]) -> float:
    """The same schedules and the same drops, and nobody looks. `taken` is filled with the orders of turns."""
    program = program_of_scripts(scripts(name), 1)
    with recording(place) as recorder, contextlib.closing(LockstepRunner(place.target, recorder, place.scratch, 10.0)) as runner:
        runner.prepare(damaged=True)

        def perform(order: Listed) -> None:
            runner.stepping.begin_fast_checks()
            runner.stepping.drop_leftovers()
            repetition = runner.schedule(program, (), order)
            repetition.run(1)
            taken[repetition.schedule] = None
            recorder.take()

        return _rate(scripts(name), seconds, perform)


def isolationtester(place: Opened, name: str, seconds: float, taken: dict[Schedule, None]) -> float | None:
    """PostgreSQL's own tester over all orders; None where it is not to be had."""
    program = installation.wheel().bin.parent / "lib/pgxs/src/test/isolation/isolationtester"
    target = place.target
    assert isinstance(target, PostgresTarget)
    if not program.exists():
        return None
    target.rebuild()
    start, runs = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        command = [str(program), target.location.conninfo(target.database)]
        ended = subprocess.run(command, input=_spec(name, taken), capture_output=True, text=True, check=False)
        if ended.returncode:
            print(f"isolationtester: {ended.stderr.strip()}")
            return None
        runs += 1
    return runs * len(taken) / (time.monotonic() - start)


def _spec(name: str, taken: dict[Schedule, None]) -> str:
    setup, sessions, teardown = PROGRAMS[name]
    lines = [f"setup {{ {setup}; }}", f"teardown {{ {teardown}; }}"]
    for number, text in enumerate(sessions, 1):
        steps = [f"step s{number}_{at} {{ {sql.strip()}; }}" for at, sql in enumerate(text.split(";"))]
        lines += [f"session s{number}", *steps]
    for schedule in taken:
        steps = [f"s{session}_{schedule[:at].count(session)}" for at, session in enumerate(schedule)]
        lines.append(f"permutation {' '.join(steps)}")
    return "\n".join(lines) + "\n"


def _rate(what: Scripts, seconds: float, perform: Callable[[Listed], object]) -> float:
    """Schedules per second; the first one, for which the database is made, does not count."""
    perform(next(_orders(what)))
    start, count = time.monotonic(), 0
    for order in _orders(what):
        perform(order)
        count += 1
        if time.monotonic() - start > seconds:
            break
    return count / (time.monotonic() - start)


def _orders(what: Scripts) -> Iterator[Listed]:
    return (Listed(schedule) for _ in itertools.count() for schedule in interleavings(lengths(what.sessions)))


@contextlib.contextmanager
def recording(place: Opened) -> Iterator[Recorder]:
    """A history, removed afterwards."""
    recorder = Recorder(place.scratch / f"history-{time.monotonic_ns()}.jsonl")
    yield recorder
    recorder.close()
    recorder.path.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with workload.server() as place, workload.server() as second:
        for name in PROGRAMS:
            print(f"--- {name}")
            taken: dict[Schedule, None] = {}
            figures: dict[str, list[float]] = {"judged": [], "shared": [], "unjudged": [], "isolationtester": []}
            for _ in range(arguments.rounds):
                figures["judged"].append(judged(place, name, arguments.seconds))
                figures["shared"].append(shared([place, second], name, arguments.seconds))
                figures["unjudged"].append(unjudged(place, name, arguments.seconds, taken))
                peer = isolationtester(place, name, arguments.seconds, taken)
                figures["isolationtester"] += [] if peer is None else [peer]
            workload.print_ratio(figures["judged"], figures["unjudged"], "schedules/s", ("all oracles", "no oracle"))
            workload.print_ratio(figures["shared"], figures["judged"], "schedules/s", ("two servers", "one server"))
            if figures["isolationtester"]:
                names = ("all oracles, two servers", "isolationtester, which judges nothing")
                workload.print_ratio(figures["shared"], figures["isolationtester"], "schedules/s", names)
            else:
                print("isolationtester is not to be had here")


if __name__ == "__main__":
    main()
