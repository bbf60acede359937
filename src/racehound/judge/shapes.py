"""The shape of a statement: its keywords, without names and values."""

from __future__ import annotations

import functools
import re

from racehound.data.finding import normalise
from racehound.databases.effects import Effect

_CONNECTIVES = {"IF", "NOT", "EXISTS", "ONLY"}


@functools.lru_cache(maxsize=5_000)
def shape(sql: str) -> str:
    """The leading keywords of a statement, without names: `ALTER TABLE ADD COLUMN`."""
    words = [word for word in re.sub(r"'[^']*'|\$\{[^}]*\}", " ", sql).split() if word.isupper() and word.isalpha()]
    return " ".join(word for word in words if word not in _CONNECTIVES)[:60] or " ".join(sql.split()[:2])


def shape_with_calls(sql: str, effect: Effect) -> str:
    """The shape; for a query that changes something through functions, these: `SELECT lo_unlink`."""
    if not effect.functions:
        return shape(sql)
    return " ".join((sql.split(None, 1)[0].upper(), *dict.fromkeys(map(normalise, effect.functions))))[:60]
