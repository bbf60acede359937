"""The marks of the kinds' operations say the same as the texts of their statements."""

from __future__ import annotations

from racehound.databases.postgres.dialect import POSTGRES
from racehound.databases.postgres.kinds import KINDS
from racehound.databases.postgres.kinds.table import Table
from racehound.testdrive.parser import parse_fragment
from racehound.testdrive.script import Sql

OWN_FUNCTIONS = {"Function.verify", "Function.call", "Aggregate.verify", "Language.verify"}
"""They call the function that they are about. Its kind knows that it changes nothing; its text does not tell."""
UNKNOWN = {"Language.do_anonymous"}
"""A block of code."""
DRAWING = {"Sequence.verify"}
"""It compares numbers that it draws, which is all that can be verified of a sequence."""


def test_an_operation_that_is_marked_as_a_read_changes_nothing() -> None:
    base = Table("o_base")
    changing = {
        f"{kind.__name__}.{name}"
        for kind in KINDS
        for name, mark in kind.all_operations().items()
        if mark == "read"
        for command in parse_fragment(kind(name="o_0", refers_to=base).operate(name)).commands
        if isinstance(command, Sql) and POSTGRES.effect(command.text).sort == "change"
    }
    assert changing == OWN_FUNCTIONS | UNKNOWN | DRAWING
