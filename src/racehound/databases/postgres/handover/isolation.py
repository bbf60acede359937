"""A scene as a spec for isolationtester (PostgreSQL's `src/test/isolation`, whose README describes the format)."""

from __future__ import annotations

from racehound.data.scene import Scene
from racehound.report.handover.plain import setup_of


def can_hold(scene: Scene) -> bool:
    """Whether the format can express the scene: a block ends at the first closing brace, even inside a string."""
    return not any("}" in line.sql for line in scene.lines)


def spec(scene: Scene, title: str, check: str) -> str:
    """A spec with one permutation: the turns in their order. The check is the last step, in a separate session."""
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
        parts += ["session check", f"step no_reference_is_broken {{ {check}; }}", ""]
        order.append("no_reference_is_broken")
    return "\n".join([*parts, f"permutation {' '.join(order)}", ""])


def _indented(sql: str) -> str:
    return "\n    ".join(sql.splitlines())
