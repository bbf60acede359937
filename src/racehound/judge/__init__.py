"""Oracles: each judges a history, or the target's state at rest, and returns findings. None changes what it judges."""

from __future__ import annotations

from collections.abc import Callable

from racehound.judge.contents import judge_contents
from racehound.judge.crash import judge_crashes
from racehound.judge.errors import judge_errors
from racehound.judge.hang import judge_hangs
from racehound.judge.names import NamesJudge
from racehound.judge.oracle import HistoryOracle, Oracle

ORACLES: dict[str, Callable[[], Oracle]] = {
    "crash": lambda: HistoryOracle(judge_crashes),
    "hang": lambda: HistoryOracle(judge_hangs),
    "contents": lambda: HistoryOracle(judge_contents),
    "errors": lambda: HistoryOracle(judge_errors),
    "names": NamesJudge,
}
"""By the name that a target's dialect uses."""

AT_REST = ("catalog", "leaks", "health", "names")
"""Oracles that look at the target's state while what the sessions left is still there, before the program's last steps."""
