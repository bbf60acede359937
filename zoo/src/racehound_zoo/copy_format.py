"""The text format of COPY, and quoted identifiers, for the embedded PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_ESCAPED = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def copy_text(rows: Iterable[Sequence[str | None]]) -> bytes:
    """The rows in the format that COPY … FROM STDIN reads."""
    lines = ("\t".join("\\N" if value is None else value.translate(_ESCAPED) for value in row) for row in rows)
    return "".join(f"{line}\n" for line in lines).encode()


def quoted(name: str) -> str:
    """The name as a quoted identifier."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
