"""A scene as one Python script that needs psycopg but not racehound."""

from __future__ import annotations

import json

from racehound.data.scene import Scene
from racehound.report.handover.plain import setup_of

_SCRIPT = '''"""{title}

Run: python {name} "dbname=scratch" (an empty database that is not needed for anything else). It needs psycopg 3.
The exit code is 1 when the defect shows, and 0 when it does not.
"""

import queue
import sys
import threading

import psycopg

SETUP = {setup}
TURNS = {turns}
CHECK = {check}
BLOCKED_AFTER_S = 1.0


class Session(threading.Thread):
    """Runs one statement at a time; the next one waits for its end."""

    def __init__(self, number, conninfo):
        super().__init__(daemon=True)
        self.number, self.connection = number, psycopg.connect(conninfo, autocommit=True)
        self.statements, self.results = queue.Queue(), []
        self.start()

    def run(self):
        while (statement := self.statements.get()) is not None:
            turn, sql, done = statement
            try:
                result = self.connection.execute(sql).statusmessage
            except psycopg.Error as error:
                result = f"{{error.sqlstate or 'connection lost'}} {{error}}"
            self.results.append(result)
            print(f"turn {{turn}}, session {{self.number}}: {{sql}}\\n    {{result}}", flush=True)
            done.set()


def main():
    conninfo = sys.argv[1] if len(sys.argv) > 1 else ""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        print(connection.execute("SELECT version()").fetchone()[0])
        for sql in SETUP:
            connection.execute(sql)
    sessions = {{number: Session(number, conninfo) for number in dict.fromkeys(number for number, _ in TURNS)}}
    all_done = []
    for turn, (number, sql) in enumerate(TURNS, 1):
        done = threading.Event()
        all_done.append(done)
        sessions[number].statements.put((turn, sql, done))
        if not done.wait(BLOCKED_AFTER_S):
            print(f"turn {{turn}}, session {{number}}: blocked", flush=True)
    finished = all(done.wait(10.0) for done in all_done)
    results = [result for session in sessions.values() for result in session.results]
    shown = not finished or any(result.startswith(("XX", "connection lost")) for result in results)
    if CHECK:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            rows = connection.execute(CHECK).fetchall()
        shown = bool(rows)
        print(*(f"broken reference: {{row}}" for row in rows), sep="\\n")
    print("shown" if shown else "not shown")
    return int(shown)


sys.exit(main())
'''


def script(scene: Scene, name: str, title: str, check: str) -> str:
    """The text of the script; `name`: the name of its file."""
    turns = [(line.session, line.sql) for line in scene.turns]
    return _SCRIPT.format(
        title=title.replace('"""', "'''").replace("\\", "\\\\"),
        name=name,
        setup=_listed(setup_of(scene)),
        turns=_listed(turns),
        check=json.dumps(check),
    )


def _listed(items: list[str] | list[tuple[int, str]]) -> str:
    return "[" + "".join(f"\n    {item!r}," for item in items) + ("\n]" if items else "]")
