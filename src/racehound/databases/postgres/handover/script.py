"""A kit as one Python script that needs psycopg but not racehound."""

from __future__ import annotations

import json
from collections.abc import Iterable

from racehound.databases.postgres.handover.kit import Kit
from racehound.databases.postgres.handover.sign import HANG_S

FILE = "race.py"

_SCRIPT = '''"""{title}

Run: python {name} "dbname=race" (an empty database that is not needed for anything else). It needs psycopg 3.
The exit code is 1 when the defect shows, 0 when it does not, and 125 when the script cannot tell: no connection, or a setup that
fails. `git bisect run` takes these as bad, good, and skip.
"""

import queue
import re
import sys
import threading
import time

try:
    import psycopg
except ImportError:
    print("cannot tell: this needs psycopg 3 (pip install 'psycopg[binary]')")
    sys.exit(125)

NOT_SHOWN, SHOWN, CANNOT_TELL = 0, 1, 125
SETUP = {setup}
# What each session sets first.
SETTINGS = {settings}
# A session's number and its statement, in the order of the turns.
TURNS = {turns}
# The query and the rows that it must return; no query where an error or the end of a session is the sign.
CHECK = {check}
EXPECTED = {expected}
# SQLSTATE and message of the error.
ERROR = {error}
# "hang" or "crash", where that is the sign.
ENDING = {ending}
CLEANUP = {cleanup}
HANG_S = {hang_s}
SLOW_S = 5.0


class Session(threading.Thread):
    """Runs one statement at a time; the next one waits for its end."""

    def __init__(self, number, conninfo):
        super().__init__(daemon=True)
        self.number, self.connection = number, psycopg.connect(conninfo, autocommit=True)
        self.pid = self.connection.info.backend_pid
        for sql in SETTINGS.get(number, ()):
            self.connection.execute(sql)
        self.statements, self.results = queue.Queue(), []
        self.start()

    def run(self):
        while (statement := self.statements.get()) is not None:
            turn, sql, done = statement
            try:
                result = self.connection.execute(sql).statusmessage
            except psycopg.Error as error:
                said = error.diag.message_primary or " ".join(str(error).split())
                result = f"{{error.sqlstate or 'connection lost:'}} {{said}}"
            self.results.append(result)
            print(f"turn {{turn}}, session {{self.number}}: {{sql}}\\n    {{result}}", flush=True)
            done.set()


def connect(conninfo):
    """A connection, also where the server is just recovering from a crash."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return psycopg.connect(conninfo, autocommit=True)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def take_turns(conninfo, sessions):
    """Let one statement after the other go. A blocked one goes on when the others allow it. Return whether all ended."""
    waits = "SELECT cardinality(pg_blocking_pids(%s)) > 0"
    all_done = []
    with connect(conninfo) as onlooker:
        for turn, (number, sql) in enumerate(TURNS, 1):
            done, seen, slow = threading.Event(), 0, time.monotonic() + SLOW_S
            all_done.append(done)
            sessions[number].statements.put((turn, sql, done))
            # A moment is no proof: autovacuum may hold a lock and leave it.
            while not done.wait(0.02) and seen < 3 and time.monotonic() < slow and not onlooker.closed:
                try:
                    seen += onlooker.execute(waits, [sessions[number].pid]).fetchone()[0]
                except psycopg.OperationalError:
                    break
            if not done.is_set():
                print(f"turn {{turn}}, session {{number}}: blocked", flush=True)
    deadline = time.monotonic() + HANG_S
    return all([done.wait(max(0.0, deadline - time.monotonic())) for done in all_done])


def rows_of(conninfo):
    """The rows of the check as text."""
    with connect(conninfo) as connection:
        result = connection.execute(CHECK).pgresult
        return sorted(
            tuple(text(result.get_value(row, column), result.ftype(column)) for column in range(result.nfields))
            for row in range(result.ntuples)
        )


def text(value, kind):
    if value is None:
        return "<null>"
    return {{"t": "true", "f": "false"}}[value.decode()] if kind == 16 else value.decode()


def judge(conninfo):
    # What an earlier run has left broken does not count.
    before = rows_of(conninfo) if CHECK and not EXPECTED else []
    sessions = {{number: Session(number, conninfo) for number in dict.fromkeys(number for number, _ in TURNS)}}
    finished = take_turns(conninfo, sessions)
    results = [result for session in sessions.values() for result in session.results]
    with connect(conninfo) as connection:
        # Close the sessions, and what they still do.
        connection.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", [[s.pid for s in sessions.values()]])
    if ENDING == "hang":
        return not finished
    if ENDING == "crash":
        return any(result.startswith("connection lost") for result in results)
    if not finished:
        raise RuntimeError(f"a statement did not end within {{HANG_S:g}} s")
    if ERROR:
        return any(re.match(f"{{ERROR[0]}} {{ERROR[1]}}", result) for result in results)
    rows = [row for row in rows_of(conninfo) if row not in before]
    print(*(f"the check returns: {{' | '.join(row)}}" for row in rows), sep="\\n")
    return rows != sorted(EXPECTED)


def clean_up(conninfo):
    for sql in CLEANUP:
        try:
            with connect(conninfo) as connection:
                connection.execute("SET statement_timeout = '30s'")
                connection.execute(sql)
        except psycopg.Error as error:
            if not sql.startswith("ROLLBACK PREPARED"):
                print(f"clean-up: {{sql}}: {{error}}")


def main():
    conninfo = sys.argv[1] if len(sys.argv) > 1 else ""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        print(connection.execute("SELECT version()").fetchone()[0])
        for sql in SETTINGS.get(0, []) + SETUP:
            try:
                connection.execute(sql)
            except psycopg.Error as error:
                print(f"cannot tell: the setup failed: {{sql}}: {{error}}")
                print("If an earlier run was cut off, cleanup.sql removes what it left.")
                return CANNOT_TELL
    try:
        shown = judge(conninfo)
    finally:
        clean_up(conninfo)
    print("shown" if shown else "not shown")
    return SHOWN if shown else NOT_SHOWN


if __name__ == "__main__":
    try:
        code = main()
    except Exception as error:
        print(f"cannot tell: {{error}}")
        code = CANNOT_TELL
    sys.exit(code)
'''


def script(kit: Kit) -> str:
    """The text of the script."""
    sign = kit.sign
    return _SCRIPT.format(
        title=kit.title.replace("\\", "\\\\").replace('"""', "'''"),
        name=FILE,
        setup=_listed(kit.setup),
        settings=repr({number: list(settings) for number, settings in kit.settings.items()}),
        turns=_listed((line.session, line.sql) for line in kit.scene.turns),
        check=json.dumps(sign.query),
        expected=_listed(sign.expected),
        error=repr((sign.sqlstate, sign.error)) if sign.error else "None",
        ending=json.dumps(sign.ending),
        cleanup=_listed(kit.removal.statements),
        hang_s=HANG_S,
    )


def _listed(items: Iterable[object]) -> str:
    text = "".join(f"\n    {item!r}," for item in items)
    return f"[{text}\n]" if text else "[]"
