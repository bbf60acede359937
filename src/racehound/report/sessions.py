"""The statements of a finding in the order in which they started, for a person with a window of an SQL client per session."""

from __future__ import annotations

from pathlib import Path

from racehound.data.finding import Finding, write_atomically
from racehound.data.history import Statement


def sessions_text(finding: Finding) -> str:
    """SQL with a comment before each statement: its session, when it ran, and the server's answer."""
    if not finding.statements:
        return "-- no statement of a session was under way\n"
    start_ns = finding.statements[0].start_ns
    met = f"seed {finding.seed}, repetition {finding.repetition}, {finding.database} {finding.release}"
    lines = [f"-- {finding.title}", f"-- {met}"]
    for number, statement in enumerate(finding.statements, 1):
        lines += ["", _comment(number, statement, start_ns), statement.sql.rstrip().rstrip(";") + ";"]
    return "\n".join(lines) + "\n"


def _comment(number: int, statement: Statement, start_ns: int) -> str:
    start, end = ((t - start_ns) / 1e6 for t in (statement.start_ns, statement.end_ns))
    answer = statement.tag or "ok" if statement.status == "ok" else f"{statement.sqlstate} {statement.message}".strip()
    return f"-- {number}. session {statement.session}, {start:.2f}…{end:.2f} ms: {' '.join(answer.split())}"


def write_sessions(directory: Path, finding: Finding) -> None:
    """Write `sessions.sql` beside the finding."""
    write_atomically(directory / "sessions.sql", sessions_text(finding).encode())
