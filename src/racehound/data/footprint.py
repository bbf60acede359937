"""Footprint: the catalog rows that an operation writes, reads and locks."""

from __future__ import annotations

import msgspec

from racehound.data.object_names import BASE, names_in


class Footprint(msgspec.Struct, frozen=True):
    """What one operation touches, as `CATALOG OBJECT`; locks and contents of relations as `heap OBJECT`.

    Measured with the operation's object `o_0` over the table `o_base`.
    """

    writes: frozenset[str]
    reads: frozenset[str]
    """What its rows refer to, and what it locks with others."""
    transactional: bool
    """Whether it may stand in a transaction."""
    shared: frozenset[str] = frozenset()
    """Those of the written rows that all databases share, as `CATALOG OBJECT`: where the row is, and to what it belongs."""

    def of(self, name: str) -> Footprint:
        """The part that concerns one of the two: what belongs to `o_0` on the table is `o_0`'s."""

        def mine(touched: str) -> bool:
            names = names_in(touched)
            return name in names and (name != BASE or len(names) == 1)

        writes, reads, shared = (frozenset(filter(mine, touched)) for touched in (self.writes, self.reads, self.shared))
        return Footprint(writes, reads, self.transactional, shared)
