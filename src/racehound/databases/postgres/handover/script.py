"""A scene as one Python script that needs psycopg and nothing of racehound."""

from __future__ import annotations

import json

from racehound.data.scene import Scene
from racehound.report.handover.plain import setup_of

_SCRIPT = '''"""{title}

Run: python {name} "dbname=scratch" (a database that may be thrown away). Needs psycopg 3.
Exit code 1 when it shows, 0 when not.
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
    """Does one statement at a time; the next one waits until it is done."""

    def __init__(self, number, conninfo):
        super().__init__(daemon=True)
        self.number, self.connection = number, psycopg.connect(conninfo, autocommit=True)
        self.asked, self.told = queue.Queue(), []
        self.start()

    def run(self):
        while (asked := self.asked.get()) is not None:
            turn, sql, done = asked
            try:
                said = self.connection.execute(sql).statusmessage
            except psycopg.Error as error:
                said = f"{{error.sqlstate or 'connection lost'}} {{error}}"
            self.told.append(said)
            print(f"turn {{turn}}, session {{self.number}}: {{sql}}\\n    {{said}}", flush=True)
            done.set()


def main():
    conninfo = sys.argv[1] if len(sys.argv) > 1 else ""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        print(connection.execute("SELECT version()").fetchone()[0])
        for sql in SETUP:
            connection.execute(sql)
    sessions = {{number: Session(number, conninfo) for number in dict.fromkeys(number for number, _ in TURNS)}}
    everything = []
    for turn, (number, sql) in enumerate(TURNS, 1):
        done = threading.Event()
        everything.append(done)
        sessions[number].asked.put((turn, sql, done))
        if not done.wait(BLOCKED_AFTER_S):
            print(f"turn {{turn}}, session {{number}}: blocked", flush=True)
    finished = all(done.wait(10.0) for done in everything)
    told = [said for session in sessions.values() for said in session.told]
    shown = not finished or any(said.startswith(("XX", "connection lost")) for said in told)
    if CHECK:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            rows = connection.execute(CHECK).fetchall()
        shown = bool(rows)
        print(*(f"refers to what is not there: {{row}}" for row in rows), sep="\\n")
    print("shown" if shown else "not shown")
    return int(shown)


sys.exit(main())
'''


def script(scene: Scene, name: str, title: str, check: str) -> str:
    """The script's text; `name`: of its file."""
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
