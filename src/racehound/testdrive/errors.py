"""Errors of scripts: `ScriptError` for a script that is written wrongly, `CommandFailed` for a command that fails."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from racehound.errors import RacehoundError, UserError
from racehound.session import Outcome
from racehound.testdrive.redaction import HIDDEN, holds_secret, redact
from racehound.testdrive.rows import diff_rows
from racehound.testdrive.script import Position, Row

_SIGILS = ("$", ">", "!", "?")


@dataclass(frozen=True)
class Location:
    """A place in a script: file name, position, and the script's text, from which the line is shown; it may be empty."""

    file: str
    position: Position
    source: str = field(default="", repr=False)


class ScriptError(UserError):
    """A script that cannot be run as it is written. Its text holds `file:line:column: message`, the source line and a caret."""

    def __init__(self, message: str, location: Location) -> None:
        super().__init__(message)
        self.message = message
        self.location = location

    @property
    def file(self) -> str:
        """The name that the script was parsed under."""
        return self.location.file

    @property
    def line(self) -> int:
        """Line in the file, from 1."""
        return self.location.position.line

    @property
    def column(self) -> int:
        """Column in the line, from 1, in characters."""
        return self.location.position.column

    def __str__(self) -> str:
        return locate(self.message, self.location)


class ActionError(RacehoundError):
    """An action has failed. The interpreter adds the place in the script and raises `CommandFailed`.

    `expected` and `actual` are rows where the action compares some.
    """

    def __init__(
        self,
        reason: str,
        outcome: Outcome | None = None,
        expected: tuple[Row, ...] | None = None,
        actual: tuple[Row, ...] | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.outcome = outcome
        self.expected = expected
        self.actual = actual


class CommandFailed(RacehoundError):  # noqa: N818 it is what a script reports, not an error of racehound
    """A command of a script did not do what it says.

    `sql` is the statement as it was sent, secrets hidden, "" for an action. `outcome` is what the server answered, None where
    no server was asked. `expected` and `actual` are rows as scripts write them, those of a statement sorted, else None.
    Rendering is left to `str`, since races fail thousands of times a second.
    """

    def __init__(
        self,
        reason: str,
        location: Location,
        *,
        sql: str = "",
        outcome: Outcome | None = None,
        expected: tuple[Row, ...] | None = None,
        actual: tuple[Row, ...] | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.location = location
        self.sql = sql
        self.outcome = outcome
        self.expected = expected
        self.actual = actual

    @property
    def position(self) -> Position:
        """The position at which the command begins."""
        return self.location.position

    @functools.cached_property
    def difference(self) -> str:
        """The lines in which the rows differ, `-` expected and `+` actual; empty where no rows were compared."""
        if self.expected is None or self.actual is None:
            return ""
        return diff_rows(self.expected, self.actual)

    def __str__(self) -> str:
        located = locate(self.reason, self.location)
        return f"{located}\n{self.difference}" if self.difference else located


def locate(message: str, location: Location) -> str:
    """The message with its place before it and the source line with a caret below it, secrets hidden."""
    position = location.position
    head = f"{location.file}:{position.line}:{position.column}: {redact(message)}"
    line = _source_line(location.source, position)
    if line is None:
        return head
    margin = " " * len(str(position.line))
    caret = " " * (position.column - 1) + "^"
    return f"{head}\n{margin} |\n{position.line} | {line}\n{margin} | {caret}"


def _source_line(source: str, position: Position) -> str | None:
    lines = source.split("\n")
    if not source or position.line > len(lines):
        return None
    line = lines[position.line - 1].rstrip("\r")
    if _within_secret(lines, position.line):
        return HIDDEN
    return redact(line).translate(_VISIBLE)


def _within_secret(lines: list[str], number: int) -> bool:
    """Whether a line, counted from 1, belongs to a command that carries a secret and is not its first line."""
    if lines[number - 1].startswith(_SIGILS):
        return False
    start = next((at for at in range(number - 1, 0, -1) if lines[at - 1].startswith(_SIGILS)), None)
    return start is not None and holds_secret("\n".join(lines[start - 1 : number]))


# A control character as wide as a column, so that the caret is below its character.
_VISIBLE = {**dict.fromkeys(range(32), " "), 127: " "}
