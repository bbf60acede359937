"""Rows as the storage's PostgreSQL takes them in bulk, and names as it spells them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_ESCAPED = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def copy_text(rows: Iterable[Sequence[str | None]]) -> bytes:
    """What COPY … FROM STDIN reads."""
    lines = ("\t".join("\\N" if value is None else value.translate(_ESCAPED) for value in row) for row in rows)
    return "".join(f"{line}\n" for line in lines).encode()


def quoted(name: str) -> str:
    """The identifier, whatever is in it."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
