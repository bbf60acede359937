"""The result of a statement."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from racehound_zoo.backend import Field, Row

_TEXT_OID = 25


@dataclasses.dataclass
class Result:
    """A result. `rows` is None for a statement without rows.

    An iterator over rows may yield None: the rows so far must be sent before the next one is awaited. `tag` is the command tag; a
    `#` in it stands for the number of rows.
    """

    tag: str
    fields: Sequence[Field] = ()
    rows: Iterable[Row | None] | None = None
    is_copy: bool = False
    format: int = 0
    """The format of all columns: 0 for text, 1 for binary."""


def text_fields(*names: str) -> tuple[Field, ...]:
    """Columns of type text."""
    return tuple(Field(name, _TEXT_OID) for name in names)


def encoded(values: Iterable[object]) -> list[bytes | None]:
    """A row in text format: NULL for None, t and f for booleans, {…} for lists."""
    return [_encoded(value) for value in values]


def _encoded(value: object) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, list | tuple):
        return ("{" + ",".join(str(each) for each in value) + "}").encode()
    return str(value).encode()
