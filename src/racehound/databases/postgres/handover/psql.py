"""A kit as scripts for psql: for the setup, each session, the check and the clean-up. Sessions pause while others have turns."""

from __future__ import annotations

import re
from collections.abc import Iterable

from racehound.data.scene import SETUP
from racehound.databases.postgres.handover.kit import Kit
from racehound.databases.postgres.handover.removal import MOVED
from racehound.databases.postgres.handover.sign import Sign
from racehound.report.handover.plain import blocks

SETUP_FILE = "setup.sql"
CHECK_FILE = "check.sql"
CLEANUP_FILE = "cleanup.sql"
_LASTING = re.compile(r"\b(?:TEMP|TEMPORARY|LISTEN|WITH\s+HOLD)\b|pg_temp|advisory_lock", re.IGNORECASE)
_STAYS = f"-- What no DROP can reach any more stays in a schema {MOVED}… until the database is dropped.\n"
END = "The end: "
PAUSE = "press Enter when all turns before have been taken, or are blocked. "


def session_file(session: int) -> str:
    """Name of the script of a session."""
    return f"session-{session}.sql"


def scripts(kit: Kit) -> dict[str, str]:
    """File names and texts. Each session's script is run in a separate psql: `psql -f session-1.sql`."""
    found = {}
    if kit.setup:
        found[SETUP_FILE] = "\\set ON_ERROR_STOP on\n" + _statements([*kit.settings.get(SETUP, ()), *kit.setup])
    for session in kit.scene.sessions:
        found[session_file(session)] = _session(kit, session)
    if kit.sign.query:
        found[CHECK_FILE] = _check(kit.sign)
    if kit.removal.statements:
        stays = _STAYS if any(MOVED in sql for sql in kit.removal.statements) else ""
        what = "-- Removes what the scripts have made, and what they have left broken.\n"
        found[CLEANUP_FILE] = what + stays + _statements(kit.removal.statements)
    return found


def _session(kit: Kit, session: int) -> str:
    text = ["\\set VERBOSITY verbose", *(f"{setting};" for setting in kit.settings.get(session, ()))]
    for taker, turns in blocks(kit.scene):
        if taker != session:
            continue
        first = turns[0][0]
        if first > 1:
            text.append(f"\\prompt 'Turn {first}: {PAUSE}' go")
        for number, line in turns:
            text += [f"\\echo turn {number}", f"{line.sql};"]
    if _keeps_something(kit, session):
        text.append(f"\\prompt '{END}{PAUSE}' go")
    return "\n".join([*text, ""])


def _keeps_something(kit: Kit, session: int) -> bool:
    """Whether the session must stay until all turns have been taken, since something lasts as long as it does."""
    if kit.scene.turns[-1].session == session:
        return False
    return kit.sign.ending == "hang" or any(_LASTING.search(line.sql) for line in kit.scene.of(session))


def _check(sign: Sign) -> str:
    if not sign.expected:
        return f"-- Must return no row.\n{sign.query};\n"
    rows = "".join(f"--   {' | '.join(row)}\n" for row in sign.expected)
    return f"-- Must return these rows, in any order:\n{rows}{sign.query};\n"


def _statements(statements: Iterable[str]) -> str:
    return "".join(f"{sql};\n" for sql in statements)
