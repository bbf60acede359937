"""Judge: oracles. Each judges a history, or the target at rest, and returns findings. None changes what it judges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from racehound.errors import UserError
from racehound.judge.contents import judge_contents
from racehound.judge.crash import judge_crashes
from racehound.judge.errors import judge_errors
from racehound.judge.hang import judge_hangs
from racehound.judge.names import NamesOracle
from racehound.judge.oracle import HistoryOracle, Oracle

CORE: Mapping[str, Callable[[], Oracle]] = {
    "crash": lambda: HistoryOracle(judge_crashes),
    "hang": lambda: HistoryOracle(judge_hangs),
    "contents": lambda: HistoryOracle(judge_contents),
    "errors": lambda: HistoryOracle(judge_errors),
    "names": NamesOracle,
}
"""The oracles that every database may use, by name."""


def oracles(names: Iterable[str], own: Mapping[str, Callable[[], Oracle]]) -> list[Oracle]:
    """New oracles of these names. `own`: those that a database brings itself. UserError for a name that there is no oracle of."""
    known = {**CORE, **own}
    wanted = list(names)
    if unknown := [name for name in wanted if name not in known]:
        raise UserError(f"the database asks for the oracle {unknown[0]!r}; there are: {', '.join(known)}")
    return [known[name]() for name in wanted]
