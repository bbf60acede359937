"""An exploration as text: how often each outcome came, and the first schedule that shows it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from racehound.data.finding import SERIAL_ORDERS, Finding
from racehound.report.columns import columns
from racehound.session import Outcome

WIDTH = 46
"""Characters of a statement that are shown. The run directory has the whole statement."""
GROUPS_LIMIT = 30
"""Outcomes that are shown with a schedule."""


class ShownTurn(msgspec.Struct, frozen=True):
    """One turn of a schedule."""

    session: int
    sql: str
    outcome: Outcome | None
    passed: tuple[int, ...] = ()
    behind: tuple[int, ...] = ()
    released_by: int | None = None
    unlike: str = ""


class ShownGroup(msgspec.Struct, frozen=True):
    """Schedules with the same outcome for the same reasons."""

    name: str
    reasons: tuple[str, ...]
    count: int
    schedule: str
    turns: tuple[ShownTurn, ...]
    """The first schedule that showed it."""


def exploration_text(facts: str, groups: Sequence[ShownGroup], sessions: Sequence[str], command: str) -> str:
    """`facts`: one line. `sessions`: names of the scripts. `command`: runs one schedule again when `--replay` is added."""
    rows = [(group.name, str(group.count), _short("; ".join(group.reasons), 2 * WIDTH), group.schedule) for group in groups]
    lines = ["", "=== Exploration", facts, "", columns(("outcome", "schedules", "why", "first"), rows)]
    for group in groups[:GROUPS_LIMIT]:
        lines += ["", *_group(group, sessions, command)]
    if len(groups) > GROUPS_LIMIT:
        lines += ["", f"… and {len(groups) - GROUPS_LIMIT} other outcomes"]
    return "\n".join(lines)


def schedule_text(turns: Sequence[ShownTurn], sessions: Sequence[str]) -> str:
    """A statement per line, in the column of its session, with its outcome."""
    header = ("", *(f"{number}: {name}" for number, name in enumerate(sessions, 1)), "outcome")
    rows = [
        (str(number), *(_short(turn.sql, WIDTH) if turn.session == session else "" for session in range(1, len(sessions) + 1)),
         outcome_text(turn))
        for number, turn in enumerate(turns, 1)
    ]  # fmt: skip
    return columns(header, rows)


def outcome_text(turn: ShownTurn) -> str:
    """E.g. `blocked by 1 → released by line 4 → ok`."""
    words = []
    if turn.passed:
        words.append(f"(turn of {_list(turn.passed)} passed)")
    steps = []
    if turn.behind:
        blockers = _list(turn.behind) if min(turn.behind) > 0 else "a prepared transaction" if 0 in turn.behind else ""
        steps.append(f"blocked by {blockers}" if blockers else "blocked")
    if turn.released_by is not None:
        steps.append(f"released by line {turn.released_by + 1}")
    steps.append(_answer(turn))
    return " ".join([" → ".join(steps), *words])


def _answer(turn: ShownTurn) -> str:
    outcome = turn.outcome
    if outcome is None:
        return "no answer"
    if outcome.error is not None:
        return " ".join(filter(None, (outcome.status, outcome.error.sqlstate, _short(outcome.error.message, 2 * WIDTH))))
    if turn.unlike:
        return f"ok, but {turn.unlike}"
    # COMMIT of a failed transaction is answered by ROLLBACK.
    rolled_back = outcome.tag == "ROLLBACK" and not turn.sql.upper().startswith(("ROLLBACK", "ABORT"))
    return "ok (rolled back)" if rolled_back else "ok"


def exploration_finding(finding: Finding) -> list[str]:
    """A finding in a few lines: what was found, what follows from it, when it was first met, and whether it needs a race."""
    met = f"first met {finding.first_met}; " if finding.first_met else ""
    return [
        f"*** {finding.severity}, met {finding.count} times: {finding.title}",
        *(f"    {line}" for line in finding.detail),
        *(f"    and then: {line}" for line in finding.consequences),
        f"    {met}{SERIAL_ORDERS[finding.serial_orders]}",
    ]


def _group(group: ShownGroup, sessions: Sequence[str], command: str) -> list[str]:
    times = "1 schedule" if group.count == 1 else f"{group.count} schedules"
    lines = [f"--- {group.name}, {times}" + (f": {'; '.join(group.reasons)}" if group.reasons else "")]
    lines += [f"    {line}".rstrip() for line in schedule_text(group.turns, sessions).splitlines()]
    return [*lines, f"    again: {command} --replay '{group.schedule}'"]


def _list(sessions: tuple[int, ...]) -> str:
    return ", ".join(str(session) for session in sessions if session > 0)


def _short(text: str, width: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"
