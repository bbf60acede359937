"""From `Script` back to text: `parse(print_script(script)) == script`. Comments, blank lines and layout are not kept."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

from racehound.testdrive.lexer import CLOSING, COMMANDS, COMMENT, CONTINUATION, PROTECTION
from racehound.testdrive.rows import format_cell, format_row
from racehound.testdrive.script import (
    Action,
    Argument,
    Command,
    Expected,
    ExpectedError,
    ExpectedHash,
    ExpectedRows,
    ExpectedText,
    Operator,
    Row,
    Script,
    Sql,
    VersionBound,
)

_GUARDED = tuple(COMMANDS + COMMENT + PROTECTION)
_TAKEN_FOR_HASH = re.compile(r"[0-9]+ values hashing to \S+\s*")
_MIRRORED: dict[Operator, str] = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def print_script(script: Script) -> str:
    """The script as text, with its secrets: it is meant to be run.

    Raises ValueError for what the language cannot write, which no parsed script holds: rows without columns, and arguments
    with a line break, with a quote outside braces, or with quotes and braces that do not balance.
    """
    return "".join(map(print_command, script.commands))


def print_command(command: Command) -> str:
    """One command with its input or expectation, each line ended."""
    lines = _action(command) if isinstance(command, Action) else _sql(command)
    return "".join(f"{line}\n" for line in lines)


def _action(action: Action) -> Iterator[str]:
    words = (action.name, *map(_argument, action.arguments))
    yield f"${_bound(action.version)} {' '.join(words)}"
    yield from _protect(action.input)


def _argument(argument: Argument) -> str:
    if "\n" in argument.value:
        raise ValueError(f"the argument {argument.key} holds a line break, which a script cannot write")
    text = f"{argument.key}={argument.value}" if argument.value else argument.key
    if not text:
        return '""'
    return _quote_spaces(text) if _is_balanced(text) else _quote_all(text)


def _is_balanced(text: str) -> bool:
    """Whether all braces and brackets are balanced, so that the text needs no quotes."""
    open_ones: list[str] = []
    for char in text:
        if char in CLOSING:
            open_ones.append(CLOSING[char])
        elif char in CLOSING.values() and (not open_ones or open_ones.pop() != char):
            return False
    return not open_ones


def _quote_spaces(text: str) -> str:
    """The text with quotes around white space outside braces and brackets."""
    depth, quoted, written = 0, False, ""
    for char in text:
        depth += (char in CLOSING) - (char in CLOSING.values())
        if char == '"' and not depth:
            raise ValueError(f"a quote outside braces cannot be written in an argument: {text}")
        spaced = char.isspace() and not depth
        written += f'"{char}' if spaced != quoted else char
        quoted = spaced
    return written + '"' * quoted


def _quote_all(text: str) -> str:
    if '"' in text:
        raise ValueError(f"quotes together with braces that do not balance cannot be written in an argument: {text}")
    return f'"{text}"'


def _bound(version: VersionBound | None) -> str:
    if version is None:
        return ""
    *low, high = version.tests
    left = "".join(f"{test.number}{_MIRRORED[test.operator]}" for test in low)
    return f"[{left}version{high.operator}{high.number}]"


def _sql(command: Sql) -> Iterator[str]:
    text = command.text.replace("\n", "\n" + CONTINUATION)
    yield f"{command.sigil}{_bound(command.version)} {text}"
    yield from _expected(command.expect)


def _expected(expect: Expected) -> Iterable[str]:
    match expect:
        case ExpectedRows(rows=rows, columns=columns):
            return itertools.chain(_header(columns), _protect(_rows(rows)))
        case ExpectedHash(count=count, md5=md5, columns=columns):
            return itertools.chain(_header(columns), [f"{count} values hashing to {md5}"])
        case ExpectedText(text=text):
            return _protect(text.removesuffix("\n").split("\n") if text else [], blank_lines=True)
        case ExpectedError():
            return _error(expect)


def _header(columns: Row | None) -> Iterator[str]:
    if columns is not None:
        yield from _protect([_row(columns)])
        yield "---"


def _rows(rows: tuple[Row, ...]) -> list[str]:
    lines = [_row(row) for row in rows]
    if len(lines) == 1 and _TAKEN_FOR_HASH.fullmatch(lines[0]):
        first, *others = rows[0]
        lines = [" ".join([f'"{first}"', *map(format_cell, others)])]
    return lines


def _row(row: Row) -> str:
    if not row:
        raise ValueError("a row without columns cannot be written in a script")
    return format_row(row)


def _error(expect: ExpectedError) -> Iterator[str]:
    yield expect.match if expect.match == "timeout" else f"{expect.match}:{expect.text}"
    if expect.detail is not None:
        yield f"detail:{expect.detail}"
    if expect.hint is not None:
        yield f"hint:{expect.hint}"


def _protect(lines: Iterable[str], *, blank_lines: bool = False) -> Iterator[str]:
    """Put a backslash before lines that would be read as a command, a continuation or an insignificant blank line."""
    for number, line in enumerate(lines):
        continues = number == 0 and line.startswith(CONTINUATION)
        skipped = not blank_lines and not line.strip()
        yield PROTECTION + line if is_guarded(line) or continues or skipped else line


def is_guarded(line: str) -> bool:
    """Whether a line with this beginning needs the backslash at any place."""
    return line.startswith(_GUARDED)
