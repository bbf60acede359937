"""One pair of operations, tried several times: how often each trial has which outcome."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from racehound.data.matrix import Operation, Relationship
from racehound.databases import registry
from racehound.databases.database import Choice
from racehound.errors import UserError
from racehound.loops.matrix.pair_runner import pair_runner
from racehound.scenarios.pairs import Catalogue

Row = tuple[str, str, str, str, str]
"""Relationship, the operation that comes first, mode, outcome, signature."""


def try_again(choice: Choice, x: str, y: str, relationship: Relationship | None, times: int, limit_s: float) -> Counter[Row]:
    """How often each trial had each outcome. UserError for operations that do not exist, or cannot be related like that."""
    with tempfile.TemporaryDirectory() as directory, registry.opened(choice, Path(directory) / "server.log") as opened:
        catalogue = Catalogue(opened.kinds, opened.database.plain_table, opened.target.dialect.effect)
        known = {each.name: each for each in catalogue.operations()}
        first, second = (_find(known, name) for name in (x, y))
        possible = [each for each in catalogue.relationships(first, second) if relationship in (None, each)]
        if not possible:
            raise UserError(f"{x} and {y} cannot meet {f'as {relationship!r}' if relationship else 'at all'}")
        counts: Counter[Row] = Counter()
        with pair_runner(opened, limit_s, lambda *_: None) as runner:
            for _ in range(times):
                for each in possible:
                    result = runner.run(catalogue.pair(first, second, each))
                    if result.trouble and not result.trials:
                        counts[each, "", "", "", result.trouble] += 1
                    for trial in result.trials:
                        counts[each, y if trial.y_first else x, trial.mode, trial.outcome, trial.signature] += 1
        return counts


def _find(known: dict[str, Operation], name: str) -> Operation:
    if name not in known:
        raise UserError(f"no operation is called {name!r}; `racehound matrix operations` lists them")
    return known[name]
