"""The messages of logical replication, byte by byte, and the changes of rows that they mean."""

from __future__ import annotations

import struct

import pytest

from racehound_zoo.sources.postgres.pgoutput import (
    UNCHANGED,
    BeginMessage,
    CommitMessage,
    RelationColumn,
    RelationMessage,
    RowMessage,
    TruncateMessage,
    decoded,
)  # fmt: skip
from racehound_zoo.sources.postgres.spelling import copied, identifier, literal, lsn_of, lsn_text


def _tuple(*values: str | None) -> bytes:
    parts = [struct.pack("!h", len(values))]
    for value in values:
        if value is None:
            parts.append(b"n")
        elif value == "UNCHANGED":
            parts.append(b"u")
        else:
            data = value.encode()
            parts.append(b"t" + struct.pack("!i", len(data)) + data)
    return b"".join(parts)


def test_the_bounds_of_a_transaction() -> None:
    assert decoded(b"B" + struct.pack("!qqI", 7, 0, 4711)) == BeginMessage(4711)
    assert decoded(b"C" + struct.pack("!BQQq", 0, 100, 140, 0)) == CommitMessage(100, 140)


def test_a_relation() -> None:
    data = b"R" + struct.pack("!I", 9) + b"public\0t\0f" + struct.pack("!h", 2)
    data += (
        struct.pack("!B", 1) + b"id\0" + struct.pack("!Ii", 23, -1) + struct.pack("!B", 0) + b"b\0" + struct.pack("!Ii", 1043, 14)
    )
    assert decoded(data) == RelationMessage(9, "public", "t", "f", (RelationColumn("id", 23, -1), RelationColumn("b", 1043, 14)))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"I\0\0\0\x09N" + _tuple("1", None), RowMessage(9, None, ("1", None))),
        (
            b"U\0\0\0\x09O" + _tuple("1", "ä") + b"N" + _tuple("2", "UNCHANGED"),
            RowMessage(9, ("1", "ä"), ("2", UNCHANGED), kind="U"),
        ),
        (b"U\0\0\0\x09N" + _tuple("2"), RowMessage(9, None, ("2",), kind="U")),
        (b"U\0\0\0\x09K" + _tuple("1") + b"N" + _tuple("2"), RowMessage(9, None, ("2",), partial=True, kind="U")),
        (b"D\0\0\0\x09O" + _tuple("1"), RowMessage(9, ("1",), None, kind="D")),
        (b"D\0\0\0\x09K" + _tuple("1"), RowMessage(9, None, None, partial=True, kind="D")),
        (b"T" + struct.pack("!iBII", 2, 0, 9, 10), TruncateMessage((9, 10))),
        (b"O" + struct.pack("!q", 1) + b"origin\0", None),
    ],
)  # fmt: skip
def test_changes(data: bytes, expected: object) -> None:
    assert decoded(data) == expected


def test_rows_of_a_copy() -> None:
    assert copied(b"a\\tb\t\\N\t\t\\\\N\\n\xc3\xa4\n") == ("a\tb", None, "", "\\N\nä")


def test_spelling() -> None:
    assert lsn_text(lsn_of("16/B374D848")) == "16/B374D848"
    assert literal("it's") == "'it''s'"
    assert identifier("s", 'a"b') == '"s"."a""b"'
