"""A scene as scripts for psql: one for the setup, and one for each session. They pause while other sessions have their turns."""

from __future__ import annotations

from racehound.data.scene import Scene
from racehound.report.handover.plain import blocks, setup_of

CHECK = "check.sql"


def scripts(scene: Scene, check: str) -> dict[str, str]:
    """File names and texts. Each session's script is run in a separate psql: `psql -f session-1.sql`."""
    found = {"setup.sql": "".join(f"{sql};\n" for sql in setup_of(scene))} if scene.setup else {}
    for session in scene.sessions:
        found[f"session-{session}.sql"] = _session(scene, session)
    if check:
        found[CHECK] = f"-- Must return no row.\n{check};\n"
    return found


def _session(scene: Scene, session: int) -> str:
    text = ["\\set VERBOSITY verbose"]
    for taker, turns in blocks(scene):
        if taker != session:
            continue
        first = turns[0][0]
        if first > 1:
            text.append(f"\\prompt 'Turn {first}: press Enter when all turns before have been taken, or are blocked. ' go")
        for number, line in turns:
            text += [f"\\echo turn {number}", f"{line.sql};"]
    return "\n".join([*text, ""])
