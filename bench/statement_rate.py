"""Statements per second of racehound against pgbench, on the same server, with the same DDL mix, alternating.

The mix makes no errors, so that pgbench's clients survive; racehound records every statement and judges every repetition with
all oracles. Run: `python bench/statement_rate.py [--seconds 8] [--rounds 3] [--sessions 8 16]`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import time

import workload
from racehound.data.history import PlanStarted, Recorder
from racehound.data.program import Program, ProgramSession, Step
from racehound.databases.postgres.target import PostgresTarget
from racehound.databases.registry import Opened
from racehound.loops.repetition import RepetitionRunner
from racehound.run.storm_runner import StormRunner

MIX = (
    "CREATE TABLE t_{o} (a TEXT, b TEXT)",
    "CREATE INDEX i_{o} ON t_{o} (a)",
    "INSERT INTO t_{o} SELECT i, i FROM generate_series(1, 10) AS i",
    "CREATE VIEW v_{o} AS SELECT a, b FROM t_{o}",
    "ALTER TABLE t_{o} ADD COLUMN c TEXT",
    "COMMENT ON TABLE t_{o} IS 'a comment'",
    "CREATE FUNCTION f_{o}() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "UPDATE t_{o} SET b = b || 'x'",
    "ALTER TABLE t_{o} RENAME TO r_{o}",
    "ALTER TABLE r_{o} RENAME TO t_{o}",
    "DROP FUNCTION f_{o}()",
    "DROP TABLE t_{o} CASCADE",
)
LIVES = 100
"""Rounds of the mix that a session does in one repetition."""


def ours(place: Opened, sessions: int, seconds: float) -> float:
    """Statements per second through racehound, history and oracles on."""
    program = Program(
        seed=0, scenario="concurrent", title="the mix of the benchmark", refers_to={}, reset_each=True, once=(), setup=(),
        sessions=tuple(ProgramSession(f"o_{n}", _life(f"o_{n}")) for n in range(sessions)), verify=(), teardown=(),
    )  # fmt: skip
    recorder = Recorder(place.scratch / f"history-{sessions}-{time.monotonic_ns()}.jsonl")
    recorder.append(PlanStarted(program))
    runner = StormRunner(place.target, program, recorder, place.scratch, statement_limit_s=30)
    runs = RepetitionRunner.of(place.database)
    runs.prepare(runner)
    start, statements, number = time.monotonic(), 0, 0
    while time.monotonic() - start < seconds:
        number += 1
        repetition = runs.run(runner, number)
        if repetition.findings or repetition.classes:
            raise SystemExit(f"the mix must make no errors: {repetition.classes} {repetition.findings}")
        statements += repetition.statements
    elapsed = time.monotonic() - start
    runner.close()
    recorder.close()
    recorder.path.unlink()
    return statements / elapsed


def _life(name: str) -> tuple[Step, ...]:
    fragment = "".join(f"> {sql.format(o=name)}\n" for sql in MIX)
    return tuple(Step(name, "manipulate", fragment) for _ in range(LIVES))


def pgbench(place: Opened, sessions: int, seconds: float) -> float:
    """Statements per second through pgbench, each client on objects of its own."""
    target = place.target
    assert isinstance(target, PostgresTarget)
    target.rebuild()
    clients = target.location.clients()
    assert clients is not None
    script = place.scratch / "mix.sql"
    script.write_text("".join(f"{sql.format(o='o_:client_id')};\n" for sql in MIX))
    command = [
        clients / "pgbench",
        "--no-vacuum",
        "--client",
        str(sessions),
        "--jobs",
        "2",
        "--time",
        str(int(seconds)),
        "--file",
    ]
    ended = subprocess.run(
        [*map(str, command), str(script), target.location.conninfo(target.database)], capture_output=True, text=True, check=False
    )
    match = re.search(r"tps = ([\d.]+)", ended.stdout)
    if match is None or ended.returncode:
        raise SystemExit(f"pgbench: {ended.stdout}{ended.stderr}")
    return float(match[1]) * len(MIX)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sessions", type=int, nargs="+", default=[8, 16])
    arguments = parser.parse_args()
    with workload.server() as place:
        for sessions in arguments.sessions:
            pairs = [
                (ours(place, sessions, arguments.seconds), pgbench(place, sessions, arguments.seconds))
                for _ in range(arguments.rounds)
            ]
            names = (f"racehound, {sessions} sessions", f"pgbench, {sessions} clients")
            workload.print_ratio([a for a, _ in pairs], [b for _, b in pairs], "statements/s", names)


if __name__ == "__main__":
    main()
