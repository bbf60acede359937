"""A kit as a spec for isolationtester (PostgreSQL's `src/test/isolation`, whose README describes the format)."""

from __future__ import annotations

from racehound.data.scene import SETUP
from racehound.databases.postgres.handover.kit import Kit

FILE = "race.spec"
CHECK_STEP = "must_return_no_row"
CHECK_ROWS_STEP = "must_return_the_rows_below"


def obstacle(kit: Kit) -> str:
    """Why no spec can be written; "" where one can. In a spec, a block ends at the first closing brace, even inside a string."""
    if kit.sign.ending == "crash":
        return "isolationtester ends when a connection is lost, and does not clean up then"
    if kit.sign.ending == "hang":
        return "isolationtester waits minutes for a statement that does not end"
    if any("}" in line.sql for line in kit.scene.lines):
        turn = next((str(turn) for turn, line in enumerate(kit.scene.turns, 1) if "}" in line.sql), "")
        return f"a spec cannot hold a closing brace, and {f'turn {turn}' if turn else 'the setup'} has one"
    if any("}" in sql for sql in (kit.sign.query, *kit.removal.statements)):
        return "a spec cannot hold a closing brace, and the check or the clean-up has one"
    return ""


def spec(kit: Kit) -> str:
    """A spec with one permutation: the turns in their order. The check is the last step, in a separate session.

    The sessions' blocks `teardown` run in their order and then that of the spec, each as one transaction: they hold the clean-up.
    """
    parts = [f"# {kit.title}", ""]
    parts += [_block("setup", sql) for sql in (*kit.settings.get(SETUP, ()), *kit.setup)]
    steps: dict[str, list[tuple[str, str]]] = {f"s{session}": [] for session in kit.scene.sessions}
    order = []
    for turn, line in enumerate(kit.scene.turns, 1):
        order.append(f"s{line.session}_{turn}")
        steps[f"s{line.session}"].append((order[-1], line.sql))
    if kit.sign.query:
        step = CHECK_ROWS_STEP if kit.sign.expected else CHECK_STEP
        steps["check"] = [(step, kit.sign.query)]
        order.append(step)
    *before, last = [";\n".join(group) for group in kit.removal.blocks] or [""]
    while len(before) > len(steps):
        name = f"cleanup_{len(steps)}"
        steps[name] = [(f"{name}_begins", "SELECT")]  # a session needs a step
        order.append(f"{name}_begins")
    if last:
        parts.append(_block("teardown", last))
    # The last blocks: a session whose turn did not end has no teardown then.
    teardowns = dict(zip(list(steps)[len(steps) - len(before) :], before, strict=True))
    numbers = {f"s{session}": session for session in kit.scene.sessions}
    for name, taken in steps.items():
        parts.append(f"session {name}")
        settings = kit.settings.get(numbers.get(name, -1), ())
        if settings:
            parts.append(_block("setup", "; ".join(settings)).rstrip())
        parts += [f"step {step} {{ {_indented(sql)}; }}" for step, sql in taken]
        if name in teardowns:
            parts.append(_block("teardown", teardowns[name]).rstrip())
        parts.append("")
    if kit.sign.expected:
        parts += [
            "# The last step must return these rows, in any order:",
            *(f"#   {' | '.join(row)}" for row in kit.sign.expected),
        ]
    return "\n".join([*parts, f"permutation {' '.join(order)}", ""])


def _block(word: str, sql: str) -> str:
    return f"{word}\n{{\n    {_indented(sql)};\n}}\n"


def _indented(sql: str) -> str:
    return "\n    ".join(sql.splitlines())
