"""Rewrites a script so that it expects what the server answered. Only expectations that differ change."""

from __future__ import annotations

import collections
import dataclasses
import difflib
import re
from collections.abc import Callable, Iterator, Sequence

from racehound.testdrive.errors import ScriptError
from racehound.testdrive.judgement import actual_columns, actual_rows, actual_text, judge
from racehound.testdrive.lexer import COMMENT, CONTINUATION, PROTECTION, Line, split_lines
from racehound.testdrive.parser import parse
from racehound.testdrive.printer import is_guarded
from racehound.testdrive.rows import format_cell, format_row, md5_of, split_cells
from racehound.testdrive.script import VARIABLE_MARK, ExpectedError, ExpectedHash, ExpectedRows, ExpectedText, Row, Script, Sql
from racehound.testdrive.state import UnexpectedResult
from racehound.testdrive.variables import UnknownVariableError, substitute_result

_HASH = re.compile(r"([0-9]+)( values hashing to )(\S+)")

Substitute = Callable[[str], str]


@dataclasses.dataclass
class _Edits:
    """Changes of the lines of a file, by line number from 1."""

    replaced: dict[int, str] = dataclasses.field(default_factory=dict)
    deleted: set[int] = dataclasses.field(default_factory=set)
    added: dict[int, list[str]] = dataclasses.field(default_factory=dict)
    """New lines below this one."""

    def update(self, other: _Edits) -> None:
        self.replaced |= other.replaced
        self.deleted |= other.deleted
        self.added |= other.added


class Rewriter:
    """Collects the unexpected results of one script, as its `Context.amend`, and writes the script that expects them."""

    def __init__(self, script: Script) -> None:
        self._source = script.source
        self._lines = split_lines(script.source)
        self._edits = _Edits()
        self.rewritten: list[int] = []
        """Lines of the commands whose expectations have been rewritten, from 1."""

    def __call__(self, mismatch: UnexpectedResult) -> bool:
        """Expect this result from now on. False where the language cannot write it, e.g. a cell that contains `${`."""
        place = _Place.of(mismatch.command, self._lines)
        edits = _edits_of(mismatch, place)
        if edits is None or not self._holds(mismatch, place, edits):
            return False
        self._edits.update(edits)
        self.rewritten.append(mismatch.command.position.line)
        return True

    @property
    def text(self) -> str:
        """The text of the rewritten script."""
        return _edited(self._source, self._edits)

    def _holds(self, mismatch: UnexpectedResult, place: _Place, edits: _Edits) -> bool:
        """Whether the rewritten command, parsed again, expects the result that was given."""
        last = place.below[-1].position().line if place.below else place.end
        text = _edited(self._source, edits, place.start, last)
        try:
            (command,) = parse(text).commands
            assert isinstance(command, Sql)
            assert not isinstance(command.expect, ExpectedError)
            expect = substitute_result(command.expect, mismatch.substitute)
        except (ScriptError, UnknownVariableError):
            return False
        return command.text == mismatch.command.text and judge(expect, mismatch.outcome, mismatch.rewrite) is None


@dataclasses.dataclass(frozen=True)
class _Place:
    """The lines of one command: from `start` to `end` what it asks, and `below` what it expects, up to the next command."""

    start: int
    end: int
    below: tuple[Line, ...]

    @classmethod
    def of(cls, command: Sql, lines: Sequence[Line]) -> _Place:
        at = next(at for at, line in enumerate(lines) if line.position().line == command.position.line)
        end = at + 1
        while end < len(lines) and lines[end].sigil in {"", COMMENT}:
            end += 1
        return cls(command.position.line, lines[at].pieces[-1].line, tuple(lines[at + 1 : end]))

    @property
    def text_lines(self) -> list[Line]:
        """The lines that are not comments."""
        return [line for line in self.below if not line.sigil]

    @property
    def result_lines(self) -> list[Line]:
        """The lines that are neither comments nor blank."""
        return [line for line in self.text_lines if not line.is_blank]


def _edits_of(mismatch: UnexpectedResult, place: _Place) -> _Edits | None:
    match mismatch.command.expect:
        case ExpectedRows(columns=columns):
            return _new_rows(mismatch, place, columns)
        case ExpectedHash(columns=columns):
            return _new_hash(mismatch, place, columns)
        case ExpectedText():
            return _new_text(mismatch, place)
        case _:
            return None


# Rows


def _new_rows(mismatch: UnexpectedResult, place: _Place, columns: Row | None) -> _Edits:
    edits, lines = _new_header(mismatch, place.result_lines, columns)
    actual = actual_rows(mismatch.outcome, mismatch.rewrite)
    stale, fresh = _changes(lines, actual, mismatch.substitute)
    for line, row in _pairs(stale, fresh, mismatch.substitute):
        edits.replaced[line.position().line] = _edited_row(line.text, row, mismatch.substitute)
        stale.remove(line)
        fresh.remove(row)
    edits.deleted |= {line.position().line for line in stale}
    if fresh:
        last = max((line.position().line for line in place.result_lines), default=place.end)
        edits.added[last] = [_protected(_row_line(row, alone=len(actual) == 1)) for row in fresh]
    return _keep_apart(edits, place)


def _new_header(mismatch: UnexpectedResult, lines: list[Line], columns: Row | None) -> tuple[_Edits, list[Line]]:
    """The line with the names of the columns, edited if they differ, and the lines below the rule. Without columns both go."""
    edits = _Edits()
    if columns is None:
        return edits, lines
    header, rule, *rest = lines
    names = actual_columns(mismatch.outcome)
    if not names:
        edits.deleted = {header.position().line, rule.position().line}
    elif names != tuple(map(mismatch.substitute, columns)):
        edits.replaced[header.position().line] = _edited_row(header.text, names, mismatch.substitute)
    return edits, rest


def _changes(lines: list[Line], actual: list[Row], substitute: Substitute) -> tuple[list[Line], list[Row]]:
    """The lines that fit no row of the result, and the rows that no line expects, both in order."""
    wanted, expected = collections.Counter(actual), collections.Counter[Row]()
    stale, fresh = [], []
    for line in lines:
        row = _row_of(line, substitute)
        if expected[row] < wanted[row]:
            expected[row] += 1
        else:
            stale.append(line)
    for row in actual:
        if expected[row]:
            expected[row] -= 1
        else:
            fresh.append(row)
    return stale, fresh


def _row_of(line: Line, substitute: Substitute) -> Row:
    return tuple(substitute(cell.text) for cell in split_cells(line.text.removeprefix(PROTECTION)))


def _pairs(stale: list[Line], fresh: list[Row], substitute: Substitute) -> list[tuple[Line, Row]]:
    """Which line becomes which row. A line with variables gets a row with the same values; the other lines follow in order."""
    pairs, lines, rows = [], list(stale), list(fresh)
    for line in stale:
        kept = [_variables_kept(line, row, substitute) for row in rows] if VARIABLE_MARK in line.text else []
        if any(kept):
            pairs.append((line, rows.pop(kept.index(max(kept)))))
            lines.remove(line)
    return pairs + list(zip(lines, rows, strict=False))


def _variables_kept(line: Line, row: Row, substitute: Substitute) -> int:
    cells = split_cells(line.text.removeprefix(PROTECTION))
    if len(cells) != len(row):
        return 0
    return sum(VARIABLE_MARK in cell.text and substitute(cell.text) == value for cell, value in zip(cells, row, strict=True))


def _edited_row(text: str, row: Row, substitute: Substitute) -> str:
    """The line with the differing cells replaced. Other cells and the space between them do not change."""
    body = text.removeprefix(PROTECTION)
    cells = split_cells(body)
    if len(cells) != len(row):
        return _protected(format_row(row))
    for cell, value in reversed(list(zip(cells, row, strict=True))):
        if substitute(cell.text) != value:
            rest = body[cell.end :]
            gap = " " if rest and not rest[0].isspace() else ""
            body = body[: cell.start] + format_cell(value) + gap + rest
    # A backslash stays unless the character that it protects has changed.
    stays = text.startswith(PROTECTION) and text[1:2] == body[:1]
    return PROTECTION + body if stays else _protected(body)


def _row_line(row: Row, *, alone: bool) -> str:
    """A row that stands alone must not be taken for the hash of many."""
    line = format_row(row)
    if alone and _HASH.fullmatch(line):
        return " ".join([f'"{row[0]}"', *map(format_cell, row[1:])])
    return line


def _protected(line: str) -> str:
    return PROTECTION + line if is_guarded(line) else line


def _keep_apart(edits: _Edits, place: _Place) -> _Edits:
    """Protect a line that begins with two spaces: directly below the SQL it would be read as a part of it."""
    first = next((line for line in place.below if line.position().line not in edits.deleted), None)
    if first is not None and not first.is_blank and not edits.added.get(place.end):
        number = first.position().line
        text = edits.replaced.get(number, first.text)
        if text.startswith(CONTINUATION):
            edits.replaced[number] = PROTECTION + text
    return edits


# Hashes


def _new_hash(mismatch: UnexpectedResult, place: _Place, columns: Row | None) -> _Edits:
    edits, (line,) = _new_header(mismatch, place.result_lines, columns)
    actual = actual_rows(mismatch.outcome, mismatch.rewrite)
    text = _HASH.sub(lambda found: f"{len(actual)}{found[2]}{md5_of(actual)}", line.text, count=1)
    if text != line.text:
        edits.replaced[line.position().line] = text
    return edits


# Blocks of text


def _new_text(mismatch: UnexpectedResult, place: _Place) -> _Edits:
    edits = _Edits()
    lines = place.text_lines
    while lines and lines[-1].is_blank:
        lines.pop()
    before = [mismatch.substitute(line.text.removeprefix(PROTECTION)) for line in lines]
    after = actual_text(mismatch.outcome, mismatch.rewrite).split("\n")[:-1]
    numbers = [line.position().line for line in lines]
    for operation, low, high, new_low, new_high in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if operation == "equal":
            continue
        new = after[new_low:new_high]
        edits.replaced |= dict(zip(numbers[low:high], map(_protected, new), strict=False))
        edits.deleted |= set(numbers[low + len(new) : high])
        if len(new) > high - low:
            above = numbers[high - 1] if high else place.end
            edits.added[above] = [_protected(line) for line in new[high - low :]]
    return _keep_block_apart(edits, place)


def _keep_block_apart(edits: _Edits, place: _Place) -> _Edits:
    added = edits.added.get(place.end)
    if added and added[0].startswith(CONTINUATION):
        added[0] = PROTECTION + added[0]
    return _keep_apart(edits, place)


# The file


def _edited(source: str, edits: _Edits, first: int = 1, last: int | None = None) -> str:
    """The edited text of the lines from one number to another, both included."""
    kept: list[tuple[str, str]] = []
    lines = list(_physical_lines(source))
    newline = (lines[0][1] if lines else "") or "\n"
    for number, (text, end) in enumerate(lines[: last or len(lines)], 1):
        if number < first:
            continue
        if number not in edits.deleted:
            kept.append((edits.replaced.get(number, text), end))
        added = edits.added.get(number, [])
        if added and not end and kept:
            kept[-1] = (kept[-1][0], kept[-1][1] or newline)
        kept += [(line, end or newline) for line in added[:-1]] + [(line, end) for line in added[-1:]]
    return "".join(text + end for text, end in kept)


def _physical_lines(source: str) -> Iterator[tuple[str, str]]:
    """Every line and its line break, which the last line may lack."""
    for line in source.split("\n")[:-1]:
        text = line.removesuffix("\r")
        yield text, line[len(text) :] + "\n"
    if last := source.rpartition("\n")[2]:
        yield last, ""
