"""Sets of global transaction ids, as MySQL prints them: `uuid:1-5:7,other:1-3`.

See https://dev.mysql.com/doc/refman/8.0/en/replication-gtids-concepts.html
"""

from __future__ import annotations

Range = tuple[int, int]
"""The first and the last number."""


class GtidSet:
    """The ranges of each server's transactions, sorted and not adjacent."""

    def __init__(self, text: str = "") -> None:
        self._ranges: dict[str, list[Range]] = {}
        for part in text.replace("\n", "").split(","):
            server, *ranges = part.strip().split(":")
            if server:
                self._ranges[server.lower()] = sorted(map(_range, ranges))

    def add(self, gtid: str) -> None:
        """Add a transaction."""
        server, _, number = gtid.lower().rpartition(":")
        ranges = [*self._ranges.get(server, []), (int(number), int(number))]
        joined: list[Range] = []
        for first, last in sorted(ranges):
            if joined and first <= joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], max(joined[-1][1], last))
            else:
                joined.append((first, last))
        self._ranges[server] = joined

    def has(self, gtid: str) -> bool:
        server, _, number = gtid.lower().rpartition(":")
        return any(first <= int(number) <= last for first, last in self._ranges.get(server, ()))

    def has_all_of(self, other: GtidSet) -> bool:
        return all(
            any(first <= low and high <= last for first, last in self._ranges.get(server, ()))
            for server, ranges in other._ranges.items()
            for low, high in ranges
        )

    def __str__(self) -> str:
        return ",".join(":".join([server, *map(_spelled, ranges)]) for server, ranges in self._ranges.items())


def _range(text: str) -> Range:
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def _spelled(bounds: Range) -> str:
    return str(bounds[0]) if bounds[0] == bounds[1] else f"{bounds[0]}-{bounds[1]}"
