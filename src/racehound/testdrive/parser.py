"""From text to `Script`. Raises `ScriptError` and nothing else, whatever the text."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import NoReturn, cast

from racehound.testdrive.errors import Location, ScriptError
from racehound.testdrive.lexer import ACTION, COMMENT, PROTECTION, LexicalError, Line, Token, split_arguments, split_lines
from racehound.testdrive.rows import UnterminatedQuoteError, split_row, text_block
from racehound.testdrive.script import (
    Action,
    Argument,
    Command,
    ErrorMatch,
    Expected,
    ExpectedError,
    ExpectedHash,
    ExpectedRows,
    ExpectedText,
    Operator,
    Position,
    Row,
    Script,
    Sql,
    VersionBound,
    VersionTest,
)
from racehound.testdrive.statements import count_statements

_RULE = re.compile(r"-{3,}\s*")
_HASH = re.compile(r"([0-9]{1,18}) values hashing to (\S+)\s*")
_BOUND = re.compile(
    r"\s*(?:(?P<low>[0-9]{1,18})\s*(?P<left><=|>=|<|>|=)\s*)?version\s*(?:(?P<right><=|>=|<|>|=)\s*(?P<high>[0-9]{1,18})\s*)?"
)
_MIRRORED: dict[str, Operator] = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_KEY = re.compile(r"[a-z0-9-]*")
_FREE_KEY = re.compile(r"[A-Za-z0-9!#%&'*+.^_`|~-]*")
# The author chooses these names: they are variables or HTTP headers, tokens of RFC 9110 (section 5.6.2) without `$`.
_FREE_ACTIONS = frozenset({"set", "set-arg-default", "set-from-file", "webhook-append"})


def parse(text: str, file: str = "<text>") -> Script:
    """Read a script. `file` is used in messages. Raises `ScriptError` with the file, line and column of the first error."""
    return Script(tuple(_Parser(text, file).commands()), file, text)


@functools.lru_cache(maxsize=8192)
def parse_fragment(text: str) -> Script:
    """`parse` with a cache, for fragments that are run many times."""
    return parse(text, "<fragment>")


class _Parser:
    def __init__(self, source: str, file: str) -> None:
        self._source = source
        self._file = file
        self._lines = split_lines(source)
        self._at = 0

    def commands(self) -> Iterator[Command]:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if line.is_blank or line.sigil == COMMENT:
                continue
            if line.sigil == ACTION:
                yield self._action(line)
            elif line.sigil:
                yield self._sql(line)
            else:
                self._fail("unexpected text before the first command", line.position())

    def _fail(self, message: str, position: Position) -> NoReturn:
        raise ScriptError(message, Location(self._file, position, self._source))

    # The lines below a command

    def _next_line(self) -> tuple[Line, str] | None:
        """The next input or result line, and its text without the backslash that protects a sigil."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.sigil and line.sigil != COMMENT:
                return None
            self._at += 1
            if not line.is_blank and line.sigil != COMMENT:
                return line, line.text.removeprefix(PROTECTION)
        return None

    def _rest(self) -> list[tuple[Line, str]]:
        return list(iter(self._next_line, None))

    # Actions

    def _action(self, line: Line) -> Action:
        version, start = self._version(line)
        tokens = self._tokens(line, start)
        if not tokens:
            self._fail("an action needs a name", line.position())
        name, *arguments = tokens
        lines = self._rest()
        return Action(
            name.text,
            self._arguments(name.text, line, arguments),
            tuple(text for _, text in lines),
            version,
            line.position(),
            lines[0][0].position() if lines else None,
        )

    def _tokens(self, line: Line, start: int) -> list[Token]:
        try:
            return list(split_arguments(line.text, start))
        except LexicalError as error:
            self._fail(error.message, line.position(error.offset))

    def _arguments(self, action: str, line: Line, tokens: list[Token]) -> tuple[Argument, ...]:
        arguments: dict[str, Argument] = {}
        allowed = _FREE_KEY if action in _FREE_ACTIONS else _KEY
        for token in tokens:
            key, _, value = token.text.partition("=")
            position = line.position(token.offset)
            if not allowed.fullmatch(key):
                self._fail(f"invalid argument name {key!r}: only a-z, 0-9 and - are allowed", position)
            if key in arguments:
                self._fail(f"duplicate argument {key}", position)
            arguments[key] = Argument(key, value, position)
        return tuple(arguments.values())

    def _version(self, line: Line) -> tuple[VersionBound | None, int]:
        """The version bound after the sigil, if any, and the offset of the text after it."""
        if line.text[1:2] != "[":
            return None, 1
        end = line.text.find("]")
        if end < 0:
            self._fail("version bound has no closing bracket", line.position(1))
        found = _BOUND.fullmatch(line.text, 2, end)
        if found is None or not (found["left"] or found["right"]):
            self._fail("invalid version bound: write [version>=N] or [N<=version<N]", line.position(1))
        return VersionBound(tuple(_tests(found))), end + 1

    # SQL

    def _sql(self, line: Line) -> Sql:
        version, start = self._version(line)
        text = line.text[start:].strip()
        self._require_one_statement(line, text)
        expect: Expected
        match line.sigil:
            case ">":
                expect = self._expected_rows()
            case "?":
                expect = ExpectedText(self._block())
            case _:
                expect = self._expected_error(line)
        return Sql(text, expect, version, line.position())

    def _require_one_statement(self, line: Line, text: str) -> None:
        count = count_statements(text)
        if count > 1 or not text or (count == 0 and line.sigil != "!"):
            self._fail(f"a {line.sigil} takes one statement, not {count or 'none'}", line.position())

    def _expected_rows(self) -> ExpectedRows | ExpectedHash:
        lines = self._rest()
        columns = None
        if len(lines) > 1 and _RULE.fullmatch(lines[1][1]):
            columns = self._row(*lines[0])
            lines = lines[2:]
        if len(lines) == 1 and (found := _HASH.fullmatch(lines[0][1])):
            return ExpectedHash(int(found[1]), found[2].lower(), columns)
        return ExpectedRows(tuple(self._row(line, text) for line, text in lines), columns)

    def _row(self, line: Line, text: str) -> Row:
        try:
            return split_row(text)
        except UnterminatedQuoteError as error:
            self._fail("unterminated quote", line.position(error.offset + len(line.text) - len(text)))

    def _block(self) -> str:
        """Every line up to the next command. Blank lines count, except at the end."""
        kept: list[str] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.sigil and line.sigil != COMMENT:
                break
            if not line.sigil:
                kept.append(line.text.removeprefix(PROTECTION))
            self._at += 1
        return text_block(kept)

    def _expected_error(self, command: Line) -> ExpectedError:
        lines = self._rest()
        if not lines:
            self._fail("a ! needs an expected error: contains:, exact:, regex: or timeout", command.position())
        match, text = self._error_match(*lines.pop(0))
        detail, lines = _strip_prefix("detail:", lines)
        hint, lines = _strip_prefix("hint:", lines)
        if lines:
            self._fail("unexpected line below an expected error", lines[0][0].position())
        return ExpectedError(match, text, detail, hint)

    def _error_match(self, line: Line, text: str) -> tuple[ErrorMatch, str]:
        match, colon, rest = text.partition(":")
        if match in {"contains", "exact", "regex"} and colon:
            return cast("ErrorMatch", match), rest.strip()
        if text.strip() != "timeout":
            self._fail("an expected error begins with contains:, exact:, regex:, or is timeout", line.position())
        return "timeout", ""


def _tests(found: re.Match[str]) -> Iterator[VersionTest]:
    """The comparisons of a version bound, each written with the version on the left."""
    if found["left"]:
        yield VersionTest(_MIRRORED[found["left"]], int(found["low"]))
    if found["right"]:
        yield VersionTest(cast("Operator", found["right"]), int(found["high"]))


def _strip_prefix(prefix: str, lines: list[tuple[Line, str]]) -> tuple[str | None, list[tuple[Line, str]]]:
    if lines and lines[0][1].startswith(prefix):
        return lines[0][1].removeprefix(prefix).strip(), lines[1:]
    return None, lines
