"""A scene as a spec of isolationtester (PostgreSQL's `src/test/isolation`, its README says the form)."""

from __future__ import annotations

from racehound.data.scene import Scene
from racehound.report.handover.plain import setup_of


def can_hold(scene: Scene) -> bool:
    """A block ends with the first brace in it, whatever that stands in."""
    return not any("}" in line.sql for line in scene.lines)


def spec(scene: Scene, title: str, check: str) -> str:
    """One permutation: the turns in their order. The check is a step of a session of its own, at the end."""
    parts = [f"# {title}", ""]
    parts += [f"setup\n{{\n    {_indented(sql)};\n}}\n" for sql in setup_of(scene)]
    names = {}
    for session in scene.sessions:
        parts.append(f"session s{session}")
        for number, line in enumerate(scene.turns, 1):
            if line.session == session:
                names[number] = f"s{session}_{number}"
                parts.append(f"step {names[number]} {{ {_indented(line.sql)}; }}")
        parts.append("")
    order = [names[number] for number in sorted(names)]
    if check:
        parts += ["session check", f"step nothing_is_left_alone {{ {check}; }}", ""]
        order.append("nothing_is_left_alone")
    return "\n".join([*parts, f"permutation {' '.join(order)}", ""])


def _indented(sql: str) -> str:
    return "\n    ".join(sql.splitlines())
