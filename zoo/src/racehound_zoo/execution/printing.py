"""Prints statements for error messages."""

from __future__ import annotations

from racehound_zoo.datatypes import builtin
from racehound_zoo.dialect.parts import TypeName, Value, spell
from racehound_zoo.dialect.statements import CreateTable, SetOptions


def printed(statement: object, text: str) -> str:
    """The statement as the server prints it, where that is known to differ from the user's text; otherwise the user's text."""
    if isinstance(statement, CreateTable):
        columns = ", ".join(f"{column.name} {_type(column.type)}" for column in statement.columns)
        return f"CREATE TABLE {spell(statement.name)} ({columns})"
    if isinstance(statement, SetOptions) and statement.options:
        options = ", ".join(f"{name} = {_value(value)}" for name, value in statement.options)
        return f"ALTER {statement.kind.upper()} {spell(statement.name)} SET ({options})"
    return " ".join(text.split())


def _type(written: TypeName) -> str:
    known = builtin(written.name[-1])
    return (known.canonical if known is not None else spell(written.name)) + written.suffix


def _value(value: Value) -> str:
    return f"'{value.text}'" if value.kind == "string" else value.text
