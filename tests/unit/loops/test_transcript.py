"""The transcript of a repetition: which transactions it has, and which of them were committed."""

from __future__ import annotations

import msgspec
import pytest

from racehound.data.history import Statement
from racehound.loops.reduce.transcript import transactions, transcript
from tests.unit.programs import program, statement


def ended(session: str, end: str, start: int, tag: str) -> Statement:
    return msgspec.structs.replace(statement(session, end, start, start + 1), tag=tag)


@pytest.mark.parametrize(("tag", "committed"), [("COMMIT", True), ("ROLLBACK", False)])
def test_a_transaction_was_committed_only_if_the_server_says_so(tag: str, committed: bool) -> None:
    said = [statement("o_0", "BEGIN", 0, 1), statement("o_0", "CREATE o_0", 2, 3), ended("o_0", "COMMIT", 4, tag)]
    (found,) = transactions(transcript(program(), said))
    assert found.committed is committed
    assert [recorded.sql for recorded in found.inner] == ["CREATE o_0"]


def test_transactions_come_in_the_order_of_their_ends_and_one_may_be_open_at_the_end() -> None:
    said = [
        statement("o_0", "BEGIN", 0, 1),
        statement("o_1", "DROP o_1", 2, 3),
        statement("o_0", "ALTER o_0", 4, 5),
        statement("o_1", "BEGIN", 6, 7),
        ended("o_0", "ROLLBACK", 8, "ROLLBACK"),
        statement("o_1", "DROP o_2", 9, 10),
    ]
    found = transactions(transcript(program(), said))
    assert [(each.session, each.end, each.committed) for each in found] == [
        ("o_1", "COMMIT", True),
        ("o_0", "ROLLBACK", False),
        ("o_1", "COMMIT", False),
    ]
