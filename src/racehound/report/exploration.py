"""An exploration as text: what came of the interleavings, and for each outcome the first schedule that shows it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from racehound.report.columns import columns
from racehound.session import Outcome

WIDTH = 46
"""Characters of a statement, or of a reason in the table; the run directory has all of them."""
KINDS_LIMIT = 30
"""Outcomes that are shown with a schedule."""


class Line(msgspec.Struct, frozen=True):
    """A turn of a schedule, as it is shown."""

    session: int
    sql: str
    outcome: Outcome | None
    passed: tuple[int, ...] = ()
    behind: tuple[int, ...] = ()
    released_by: int | None = None
    unlike: str = ""


class Kind(msgspec.Struct, frozen=True):
    """An outcome that some schedules share for the same reasons."""

    name: str
    reasons: tuple[str, ...]
    count: int
    schedule: str
    lines: tuple[Line, ...]
    """The first schedule that showed it."""


def exploration_text(facts: str, kinds: Sequence[Kind], sessions: Sequence[str], again: str) -> str:
    """`facts`: one line. `sessions`: names of the scripts. `again`: the command that a schedule is added to."""
    rows = [(kind.name, str(kind.count), _short("; ".join(kind.reasons), 2 * WIDTH), kind.schedule) for kind in kinds]
    lines = ["", "=== Exploration", facts, "", columns(("outcome", "schedules", "why", "first"), rows)]
    for kind in kinds[:KINDS_LIMIT]:
        lines += ["", *_kind(kind, sessions, again)]
    if len(kinds) > KINDS_LIMIT:
        lines += ["", f"… and {len(kinds) - KINDS_LIMIT} other outcomes"]
    return "\n".join(lines)


def schedule_text(lines: Sequence[Line], sessions: Sequence[str]) -> str:
    """A statement per line, in the column of its session, and what became of it."""
    header = ("", *(f"{number}: {name}" for number, name in enumerate(sessions, 1)), "outcome")
    rows = [
        (str(number), *(_short(line.sql, WIDTH) if line.session == session else "" for session in range(1, len(sessions) + 1)),
         outcome_text(line))
        for number, line in enumerate(lines, 1)
    ]  # fmt: skip
    return columns(header, rows)


def outcome_text(line: Line) -> str:
    """E.g. `blocked by 1 → released by line 4 → ok`."""
    words = []
    if line.passed:
        words.append(f"(turn of {_list(line.passed)} passed)")
    steps = []
    if line.behind:
        steps.append("blocked" + (f" by {_list(line.behind)}" if min(line.behind) > 0 else _nobody(line.behind)))
    if line.released_by is not None:
        steps.append(f"released by line {line.released_by + 1}")
    steps.append(_became(line))
    return " ".join([" → ".join(steps), *words])


def _became(line: Line) -> str:
    outcome = line.outcome
    if outcome is None:
        return "no answer"
    if outcome.error is not None:
        return " ".join(filter(None, (outcome.status, outcome.error.sqlstate, _short(outcome.error.message, 2 * WIDTH))))
    if line.unlike:
        return f"ok, but {line.unlike}"
    # COMMIT of a transaction that has failed.
    rolled_back = outcome.tag == "ROLLBACK" and not line.sql.upper().startswith(("ROLLBACK", "ABORT"))
    return "ok (rolled back)" if rolled_back else "ok"


def _kind(kind: Kind, sessions: Sequence[str], again: str) -> list[str]:
    times = "1 schedule" if kind.count == 1 else f"{kind.count} schedules"
    lines = [f"--- {kind.name}, {times}" + (f": {'; '.join(kind.reasons)}" if kind.reasons else "")]
    lines += [f"    {line}".rstrip() for line in schedule_text(kind.lines, sessions).splitlines()]
    return [*lines, f"    again: {again} --replay '{kind.schedule}'"]


def _nobody(behind: tuple[int, ...]) -> str:
    return " by a prepared transaction" if 0 in behind else ""


def _list(sessions: tuple[int, ...]) -> str:
    return ", ".join(str(session) for session in sessions if session > 0)


def _short(text: str, width: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"
