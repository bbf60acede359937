"""One pair of operations, again and again: how often a cell shows what it shows."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from racehound.data.matrix import Operation, Relationship
from racehound.databases.database import Choice
from racehound.databases.registry import opened
from racehound.errors import UserError
from racehound.loops.matrix.crew import hosting
from racehound.scenarios.pairs import Catalogue

Told = tuple[str, str, str, str, str]
"""Relationship, the operation that comes first, mode, outcome, signature."""


def hold_again(choice: Choice, x: str, y: str, relationship: Relationship | None, times: int, limit_s: float) -> Counter[Told]:
    """How often each trial had each outcome. UserError for operations that there are not, or that cannot meet like that."""
    with tempfile.TemporaryDirectory() as directory, opened(choice, Path(directory) / "server.log") as place:
        catalogue = Catalogue(place.target.kinds(), place.database.plain_table)
        known = {each.name: each for each in catalogue.operations()}
        first, second = (_find(known, name) for name in (x, y))
        possible = [each for each in catalogue.relationships(first, second) if relationship in (None, each)]
        if not possible:
            raise UserError(f"{x} and {y} cannot meet {f'as {relationship!r}' if relationship else 'at all'}")
        counts: Counter[Told] = Counter()
        with hosting(place, limit_s, lambda *_: None) as host:
            for _ in range(times):
                for each in possible:
                    met = host.hold(catalogue.pair(first, second, each), place.target.dialect.allows_transaction)
                    if met.trouble and not met.notes:
                        counts[each, "", "", "", met.trouble] += 1
                    for note in met.notes:
                        counts[each, y if note.y_first else x, note.mode, note.outcome, note.signature] += 1
        return counts


def _find(known: dict[str, Operation], name: str) -> Operation:
    if name not in known:
        raise UserError(f"no operation is called {name!r}; `racehound matrix operations` lists them")
    return known[name]
