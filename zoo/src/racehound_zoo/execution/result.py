"""What a statement gives back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from racehound_zoo.backend import Field, Row

_TEXT_OID = 25


@dataclasses.dataclass
class Result:
    """`rows` None: a command without rows. A stream may give None between rows: send what there is, and go on.

    `tag` is the command tag; with a `#` in it the number of rows goes there.
    """

    tag: str
    fields: Sequence[Field] = ()
    rows: Iterable[Row | None] | None = None
    is_copy: bool = False
    format: int = 0
    """Of all columns: 0 text, 1 binary."""


def text_fields(*names: str) -> tuple[Field, ...]:
    """Columns of text."""
    return tuple(Field(name, _TEXT_OID) for name in names)


def encoded(values: Iterable[object]) -> list[bytes | None]:
    """A row of text: NULL for None, t and f for truth, {…} for lists."""
    return [_encoded(value) for value in values]


def _encoded(value: object) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, list | tuple):
        return ("{" + ",".join(str(each) for each in value) + "}").encode()
    return str(value).encode()
