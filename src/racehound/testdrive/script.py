"""The syntax tree of a script: plain frozen data.

Positions, file names and source text take no part in equality, so that two scripts that say the same are equal.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Sigil = Literal[">", "!", "?"]
Operator = Literal["=", "<", "<=", ">", ">="]
ErrorMatch = Literal["contains", "exact", "regex", "timeout"]
Row: TypeAlias = tuple[str, ...]

VARIABLE_MARK = "${"


@dataclass(frozen=True)
class Position:
    """A place in a file; line and column count from 1, columns in characters."""

    line: int
    column: int


NOWHERE = Position(1, 1)


@dataclass(frozen=True)
class VersionTest:
    """The target's version number, on the left, compared with `number`, on the right."""

    operator: Operator
    number: int

    def admits(self, version: int) -> bool:
        """Whether a target of this version number passes the test."""
        match self.operator:
            case "=":
                return version == self.number
            case "<":
                return version < self.number
            case "<=":
                return version <= self.number
            case ">":
                return version > self.number
            case ">=":
                return version >= self.number


@dataclass(frozen=True)
class VersionBound:
    """One or two tests that must all pass for a command to run: `[version>=2600203]`, `[2600203<=version<2600300]`."""

    tests: tuple[VersionTest, ...]

    def admits(self, version: int) -> bool:
        """Whether the command runs against a target of this version number."""
        return all(test.admits(version) for test in self.tests)


@dataclass(frozen=True)
class ExpectedRows:
    """The rows that `>` expects, in any order, and the column names where the script gives them."""

    rows: tuple[Row, ...] = ()
    columns: Row | None = None


@dataclass(frozen=True)
class ExpectedHash:
    """`N values hashing to MD5`: the number of rows and the MD5 of their sorted text."""

    count: int
    md5: str
    columns: Row | None = None


@dataclass(frozen=True)
class ExpectedText:
    """The block that `?` expects as the only cell; it ends with one newline unless it is empty."""

    text: str


@dataclass(frozen=True)
class ExpectedError:
    """The error that `!` expects. `detail` and `hint` must be contained in the server's; None allows any."""

    match: ErrorMatch
    text: str = ""
    detail: str | None = None
    hint: str | None = None


ExpectedResult: TypeAlias = ExpectedRows | ExpectedHash | ExpectedText
Expected: TypeAlias = ExpectedResult | ExpectedError


@dataclass(frozen=True)
class Sql:
    """One statement and its expected outcome."""

    text: str
    expect: Expected = ExpectedRows()
    version: VersionBound | None = None
    position: Position = field(default=NOWHERE, compare=False)

    @property
    def sigil(self) -> Sigil:
        """The character that begins the command."""
        match self.expect:
            case ExpectedError():
                return "!"
            case ExpectedText():
                return "?"
            case _:
                return ">"

    @functools.cached_property
    def has_variables(self) -> bool:
        """Whether it contains variables. The answer is cached, since every execution asks for it."""
        return any(VARIABLE_MARK in text for text in (self.text, *_texts_of(self.expect)))


@dataclass(frozen=True)
class Argument:
    """`key=value` of an action, with braces and inner quotes, without outer quotes."""

    key: str
    value: str = ""
    position: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class Action:
    """A `$` command. Its input lines are without the backslash that protects a sigil."""

    name: str
    arguments: tuple[Argument, ...] = ()
    input: tuple[str, ...] = ()
    version: VersionBound | None = None
    position: Position = field(default=NOWHERE, compare=False)
    input_position: Position | None = field(default=None, compare=False)


Command: TypeAlias = Action | Sql


@dataclass(frozen=True)
class Script:
    """A parsed file or fragment. `source` is its text, from which errors show a line; it may be empty."""

    commands: tuple[Command, ...]
    file: str = field(default="<text>", compare=False)
    source: str = field(default="", compare=False, repr=False)

    @functools.cached_property
    def actions(self) -> tuple[Action, ...]:
        """The `$` commands, in order."""
        return tuple(command for command in self.commands if isinstance(command, Action))

    @functools.cached_property
    def has_version_bounds(self) -> bool:
        """Whether the target's version must be known to run it."""
        return any(command.version is not None for command in self.commands)


def _texts_of(expect: Expected) -> tuple[str, ...]:
    match expect:
        case ExpectedRows(rows=rows, columns=columns):
            return tuple(cell for row in (*rows, columns or ()) for cell in row)
        case ExpectedHash(columns=columns):
            return columns or ()
        case ExpectedText(text=text):
            return (text,)
        case ExpectedError(text=text, detail=detail, hint=hint):
            return (text, detail or "", hint or "")
