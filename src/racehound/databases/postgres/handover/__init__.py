"""The hand-over formats of PostgreSQL: scripts for psql, a spec for isolationtester, a Python script."""

from __future__ import annotations

from racehound.data.finding import Finding
from racehound.data.reduction import HandOver
from racehound.data.scene import Scene
from racehound.databases.postgres.handover import isolation, psql, script
from racehound.databases.postgres.handover.kit import Kit, kit_of
from racehound.databases.postgres.handover.needs import DATABASE

PSQL = "psql"
UNKNOWN_SIGN = "no query and no error tells whether the finding shows, only racehound's own check does"
_EXPECTED = {
    "query": "The query returns no row, whatever the order of the statements.",
    "rows": "The query returns the rows that some order of the transactions, one after the other, leaves.",
    "error": "The statement succeeds, or fails with an error that tells what the other session has done.",
    "hang": "Each statement ends, or waits for a lock that somebody will release.",
    "crash": "No process of the server ends but by request.",
    "": "What racehound's check asks for holds.",
}


def hand_over(scene: Scene, finding: Finding, title: str) -> HandOver:
    """The scene in all formats that can express it. `title`: that of the finding, with the release that shows it."""
    return hand_over_kit(kit_of(scene, finding, title))


def hand_over_kit(kit: Kit) -> HandOver:
    """The files of a kit, and what its bug report says."""
    files = psql.scripts(kit)
    left_out = {}
    obstacle = "" if kit.sign.known else UNKNOWN_SIGN
    if obstacle:
        left_out[script.FILE] = obstacle
    else:
        files[script.FILE] = script.script(kit)
    obstacle = obstacle or isolation.obstacle(kit)
    if obstacle:
        left_out[isolation.FILE] = obstacle
    else:
        files[isolation.FILE] = isolation.spec(kit)
    sign = kit.sign
    rows = "rows" if sign.expected else "query"
    return HandOver(
        files=files,
        how=_how(kit, files),
        scene=kit.scene,
        check=sign.query,
        what=sign.what,
        follows=kit.follows,
        expected=_EXPECTED[sign.ending or ("error" if sign.error else rows if sign.query else "")],
        settings=[f"{name} = {value}" for name, value in kit.needs.server.items()],
        session_settings={number: tuple(settings) for number, settings in kit.settings.items()},
        needs=kit.needs.words,
        cleanup=kit.removal.statements,
        left_out=left_out,
    )


def _how(kit: Kit, files: dict[str, str]) -> list[str]:
    begin = f"`psql -f {psql.SETUP_FILE}`, then " if psql.SETUP_FILE in files else ""
    last = " and ".join(f"`psql -f {file}`" for file in (psql.CHECK_FILE, psql.CLEANUP_FILE) if file in files)
    sessions = " and ".join(f"`psql -f {psql.session_file(session)}`" for session in kit.scene.sessions)
    end = f"At the end {last}." if last else ""
    how = [
        f"`createdb {DATABASE}` and `export PGDATABASE={DATABASE}`: a database for nothing else.",
        f"{begin}{sessions} at the same time, each in a terminal of its own: they say when they wait. {end}",
    ]
    if script.FILE in files:
        how.append(
            f"`python {script.FILE} 'dbname={DATABASE}'` does all of this; it needs psycopg 3. "
            "Exit code 1: shown, 0: not shown, 125: it cannot tell."
        )
    if isolation.FILE in files:
        how.append(f"`isolationtester 'dbname={DATABASE}' < {isolation.FILE}`, with PostgreSQL's own isolationtester.")
    return [line.rstrip() for line in how]
