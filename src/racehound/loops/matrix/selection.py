"""Which pairs of operations are tried, over which objects, and in what order: those that conflict over most objects come first.

Two operations conflict over an object that both touch and one of them changes. Of the ways in which their objects can be related,
the one is tried in which the operations conflict over most objects. A pair that never conflicts is left out.
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


@dataclasses.dataclass(frozen=True)
class PairSelection:
    """The pairs to try, and how many are left out."""

    pairs: tuple[Pair, ...]
    left_out: tuple[LeftOut, ...]


def select(catalogue: Catalogue, operations: Sequence[Operation], footprints: Mapping[str, Footprint]) -> PairSelection:
    """One pair for every two operations, an operation with itself among them; both orders in time are part of the pair."""
    parts = {name: _Parts.of(footprint) for name, footprint in footprints.items()}
    found: list[tuple[int, Pair]] = []
    left: Counter[str] = Counter()
    for at, x in enumerate(operations):
        for y in operations[at:]:
            shares = [(shared(parts[x.name], parts[y.name], each), each) for each in catalogue.relationships(x, y)]
            # max takes the first of several best ones, which is the closest relationship.
            best = max(shares, key=lambda share: share[0], default=None)
            if best is None or not best[0]:
                left[NO_COMMON_START if best is None else NOTHING_SHARED] += 1
            else:
                found.append((best[0], catalogue.pair(x, y, best[1])))
    # Pairs of the same kinds follow each other: the server then has the plans of the oracles' queries in its caches.
    found.sort(key=lambda entry: (-entry[0], *_kinds(entry[1])))
    return PairSelection(
        tuple(pair for _, pair in found), tuple(LeftOut(reason, count) for reason, count in sorted(left.items()))
    )


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
    """Over how many objects two operations conflict, at the least, going by what each touches when it runs alone."""
    if relationship == "same":
        return _conflicts(x.whole, y.whole)
    if relationship == "common":
        return _conflicts(x.base, y.base)
    below, above = (x, y) if relationship == "y over x" else (y, x)
    # The upper operation was measured over the plain table, which the lower object now replaces.
    writes = min(len(below.own.writes), len(above.base.writes | above.base.reads))
    return writes + min(len(below.own.reads), len(above.base.writes))


def _conflicts(x: Footprint, y: Footprint) -> int:
    return len(x.writes & (y.writes | y.reads) | x.reads & y.writes)


def different(operations: Sequence[Operation], footprints: Mapping[str, Footprint]) -> list[Operation]:
    """The operations without those that touch the same as an earlier one. Of each kind one create and the destroy are kept.

    Operations of different kinds, such as two COMMENT ON, touch the same if they write the same catalogs, apart from the catalog
    of the kind itself, and change the same of the table below. Rows that all databases share are locked less than others. So if
    operations write such rows, the catalog of the kind itself must be the same, too.
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
    """What must be equal for two manipulations to touch the same: the catalogs that each writes for its object and below."""
    own, base = _catalogs(footprint.of(_OBJECT).writes), _catalogs(footprint.of(BASE).writes)
    rows = own - {"heap"}
    shared = _catalogs(footprint.of(_OBJECT).shared)
    return rows if len(rows) > 1 or shared else len(rows), "heap" in own, shared, base, footprint.transactional


def _catalogs(touched: frozenset[str]) -> frozenset[str]:
    return frozenset(each.partition(" ")[0] for each in touched)
