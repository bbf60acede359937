"""A bug report in Markdown."""

from __future__ import annotations

from racehound.data.finding import Finding
from racehound.data.reduction import HandOver, Reduction
from racehound.data.scene import Scene
from racehound.report.handover.plain import setup_of

_EXPECTED = {
    "corruption": "Every reference between rows of the system catalogs leads to a row that is there.",
    "crash": "No process of the server ends but by request.",
    "hang": "Each statement ends, or waits for a lock that somebody will release.",
    "wrong result": "The rows that the statements which succeeded have left.",
    "internal error": "A statement succeeds, or fails with an error that tells its author what others have done.",
    "known weakness": "A statement succeeds, or fails with an error that tells its author what others have done.",
    "unexplained error": "A statement fails only for a reason that its author, or somebody who ran at the same time, has given.",
    "leak": "What is dropped leaves nothing behind.",
}


def report(scene: Scene, finding: Finding, reduction: Reduction, forms: HandOver) -> str:
    """The bug report of a reduced finding."""
    check = forms.check
    setup = "".join(f"{sql};\n" for sql in setup_of(scene))
    return "\n".join([
        f"# {finding.title}", "",
        f"{reduction.database} {reduction.release}. Taken statement by statement, it showed:", "",
        *(f"- {release}: {replayed.reproduced} times of {replayed.tried}" for release, replayed in reduction.releases.items()),
        "",
        *(["## Before", "", "```sql", f"{setup}```", ""] if setup else []),
        "## Turns", "", *_table(scene), "",
        "## Observed", "", f"{finding.title} ({finding.severity})", *(f"- {line}" for line in finding.detail), "",
        *(["```sql", f"{check};", "```", "", "returns rows.", ""] if check else []),
        "## Expected", "", _EXPECTED[finding.severity], "",
        "## Again", "", *(f"- {how}" for how in forms.how), "",
    ])  # fmt: skip


def _table(scene: Scene) -> list[str]:
    sessions = scene.sessions
    rows = [f"| turn | {' | '.join(f'session {number}' for number in sessions)} |", f"| --- |{' --- |' * len(sessions)}"]
    for turn, line in enumerate(scene.turns, 1):
        sql = " ".join(line.sql.split()).replace("|", "\\|")
        rows.append(f"| {turn} | {' | '.join(f'`{sql}`' if line.session == number else '' for number in sessions)} |")
    return rows
