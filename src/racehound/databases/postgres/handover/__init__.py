"""The hand-over formats of PostgreSQL: scripts for psql, a spec for isolationtester, a Python script."""

from __future__ import annotations

from racehound.data.finding import Finding
from racehound.data.reduction import HandOver
from racehound.data.scene import Scene
from racehound.databases.postgres.handover import isolation, psql
from racehound.databases.postgres.handover.check import check_of
from racehound.databases.postgres.handover.script import script

_HOW = {
    "session-1.sql": "`psql -f setup.sql`, then a psql for each session (`psql -f session-1.sql`), which says when it waits.",
    "race.py": "`python race.py 'dbname=scratch'` does it all; it needs psycopg 3.",
    "race.spec": "`isolationtester 'dbname=scratch' < race.spec`, with PostgreSQL's own isolationtester.",
}


def hand_over(scene: Scene, finding: Finding, title: str) -> HandOver:
    """The scene in all formats that can express it. `title`: that of the finding, with the release that shows it."""
    check = check_of(finding.title)
    files = psql.scripts(scene, check)
    files["race.py"] = script(scene, "race.py", title, check)
    if isolation.can_hold(scene):
        files["race.spec"] = isolation.spec(scene, title, check)
    return HandOver(files, [how for name, how in _HOW.items() if name in files], check)
