"""Which operations meet, over which objects, and in what order: those that share most catalog rows come first.

Two operations conflict over an object that both touch and one of them changes. Of the ways in which their objects can stand to
each other, the one is tried in which they conflict over most. A pair that never does is left out: neither can notice the other.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

from racehound.data.footprint import Footprint
from racehound.data.matrix import LeftOut, Operation, Relationship
from racehound.data.object_names import BASE
from racehound.scenarios.pairs import Catalogue, Pair

NOTHING_SHARED = "they share nothing that either of them changes"
NO_COMMON_START = "there is no state in which both can begin"
_OBJECT = "o_0"
_SHARED_DEPENDENCIES = "pg_shdepend"
"""All databases share it, but it is about what one of them has, too."""


@dataclasses.dataclass(frozen=True)
class Order:
    """The pairs to try, and how many are left out."""

    pairs: tuple[Pair, ...]
    left_out: tuple[LeftOut, ...]


def order(catalogue: Catalogue, operations: Sequence[Operation], footprints: Mapping[str, Footprint]) -> Order:
    """One pair for every two operations, an operation with itself among them; both orders in time are part of the pair."""
    parts = {name: _Parts.of(footprint) for name, footprint in footprints.items()}
    found: list[tuple[int, Pair]] = []
    left: Counter[str] = Counter()
    for at, x in enumerate(operations):
        for y in operations[at:]:
            shares = [(shared(parts[x.name], parts[y.name], each), each) for each in catalogue.relationships(x, y)]
            # The first of the best: relationships are listed by how close they are.
            best = max(shares, key=lambda share: share[0], default=None)
            if best is None or not best[0]:
                left[NO_COMMON_START if best is None else NOTHING_SHARED] += 1
            else:
                found.append((best[0], catalogue.pair(x, y, best[1])))
    # Of those that share as much, the same kinds one after the other: the oracles then have their plans ready.
    found.sort(key=lambda entry: (-entry[0], *_kinds(entry[1])))
    return Order(tuple(pair for _, pair in found), tuple(LeftOut(reason, count) for reason, count in sorted(left.items())))


def _kinds(pair: Pair) -> tuple[str, str]:
    return pair.x.operation.kind, pair.y.operation.kind


@dataclasses.dataclass(frozen=True)
class _Parts:
    """A footprint, taken apart."""

    whole: Footprint
    own: Footprint
    base: Footprint

    @classmethod
    def of(cls, footprint: Footprint) -> _Parts:
        return cls(footprint, footprint.of(_OBJECT), footprint.of(BASE))


def shared(x: _Parts, y: _Parts, relationship: Relationship) -> int:
    """Over how many objects the two conflict, at the least, as far as what they touch alone tells."""
    if relationship == "same":
        return _conflicts(x.whole, y.whole)
    if relationship == "common":
        return _conflicts(x.base, y.base)
    below, above = (x, y) if relationship == "y over x" else (y, x)
    # The lower object takes the place of the table that the upper one was measured over.
    writes = min(len(below.own.writes), len(above.base.writes | above.base.reads))
    return writes + min(len(below.own.reads), len(above.base.writes))


def _conflicts(x: Footprint, y: Footprint) -> int:
    return len(x.writes & (y.writes | y.reads) | x.reads & y.writes)


def different(operations: Sequence[Operation], footprints: Mapping[str, Footprint]) -> list[Operation]:
    """Every kind's create and destroy, and the manipulations that do to their object what no earlier one does to its own.

    COMMENT ON, RENAME, OWNER TO of one kind and of another are alike as far as they write the same catalogs, the one of the kind
    itself aside, and change the same of what they stand on. What all databases share is locked less than what one of them has:
    there no kind stands for another, and the rows must be in the same catalogs. Creates with other attributes are left out, too.
    """
    seen: set[object] = set()
    kept = []
    for each in operations:
        sort = _sort(footprints[each.name]) if each.phase == "manipulate" else (each.kind, each.phase)
        if sort not in seen:
            seen.add(sort)
            kept.append(each)
    return kept


def _sort(footprint: Footprint) -> object:
    """Which catalogs it writes, for its object and below; `own` is the only one of its object."""
    own, base = _catalogs(footprint.of(_OBJECT).writes), _catalogs(footprint.of(BASE).writes)
    rows = own - {"heap"}
    shared = _catalogs(footprint.of(_OBJECT).shared) - {_SHARED_DEPENDENCIES}
    return rows if len(rows) > 1 or shared else len(rows), "heap" in own, shared, base, footprint.transactional


def _catalogs(touched: frozenset[str]) -> frozenset[str]:
    return frozenset(each.partition(" ")[0] for each in touched)
