"""Just enough of SQL's lexical structure to count statements and to know what sort one is.

Quotes, comments, dollar quotes and the ends of statements are those that psql recognises: a
semicolon inside parentheses (CREATE RULE … DO (a; b)) or inside the BEGIN ATOMIC … END of a routine ends nothing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
      (?P<space> \s+ | --[^\n]* )
    | (?P<comment> /\* )
    | (?P<escaped> [eE]'(?:[^'\\]|\\.|'')*+(?:'|\Z|\\\Z) )
    | (?P<quoted> '(?:[^']|'')*+(?:'|\Z) | "(?:[^"]|"")*+(?:"|\Z) )
    | (?P<dollar> \$(?:[^\W\d]\w*)?\$ )
    | (?P<word> [^\W\d][\w$]* )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_ROUTINES = frozenset({"FUNCTION", "PROCEDURE"})
_NOT_A_PLAN = frozenset({"ANALYZE", "FILTER", "KEY", "TIMESTAMP", "VALUE"})


def tokens(sql: str) -> Iterator[str]:
    """Words in upper case, punctuation, and `'` for anything quoted; comments and white space left out."""
    return (word for word, _, _ in placed_tokens(sql))


def placed_tokens(sql: str) -> Iterator[tuple[str, int, int]]:
    """The same, each with the offsets of its first character and of the one behind its last."""
    at = 0
    while (match := _TOKEN.match(sql, at)) is not None:
        start, at = at, match.end()
        match match.lastgroup:
            case "space":
                continue
            case "comment":
                at = _end_of_comment(sql, at)
            case "dollar":
                closing = sql.find(match[0], at)
                at = closing + len(match[0]) if closing >= 0 else len(sql)
                yield "'", start, at
            case "escaped" | "quoted":
                yield "'", start, at
            case "word":
                yield match[0].upper(), start, at
            case _:
                yield match[0], start, at


def _end_of_comment(sql: str, at: int) -> int:
    depth = 1
    for edge in _COMMENT_EDGE.finditer(sql, at):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(sql)


class _Nesting:
    """How deep inside one statement the scanner is, in parentheses and in BEGIN ATOMIC blocks."""

    def __init__(self) -> None:
        self.head: list[str] = []
        self._parentheses = 0
        self._blocks = 0

    def enter(self, word: str) -> None:
        if len(self.head) < 4:
            self.head.append(word)
        if word in "()":
            self._parentheses = max(0, self._parentheses + (1 if word == "(" else -1))
        elif word == "END":
            self._blocks = max(0, self._blocks - 1)
        elif (word == "BEGIN" and self._is_routine()) or (word == "CASE" and self._blocks):
            self._blocks += 1

    def ends_at(self, word: str) -> bool:
        return word == ";" and not self._parentheses and not self._blocks

    def _is_routine(self) -> bool:
        return self.head[0] == "CREATE" and not _ROUTINES.isdisjoint(self.head)


@functools.lru_cache(maxsize=8192)
def count_statements(sql: str) -> int:
    """How many statements the text holds; an empty one between or after semicolons does not count."""
    count, nesting = 0, _Nesting()
    for token in tokens(sql):
        if nesting.ends_at(token):
            nesting = _Nesting()
            continue
        count += not nesting.head
        nesting.enter(token)
    return count


def split_statements(sql: str) -> Iterator[tuple[str, int]]:
    """The statements that the text holds, each without the semicolon behind it, and the offset at which it begins."""
    nesting, first, last = _Nesting(), 0, 0
    for token, start, end in placed_tokens(sql):
        if nesting.ends_at(token):
            if nesting.head:
                yield sql[first:last], first
            nesting = _Nesting()
            continue
        first = first if nesting.head else start
        last = end
        nesting.enter(token)
    if nesting.head:
        yield sql[first:last], first


@functools.lru_cache(maxsize=8192)
def is_retried(sql: str) -> bool:
    """Whether `>` tries such a statement again: not where a second try cannot mean the same as the first."""
    match tuple(tokens(sql)):
        case ("FETCH" | "DISCARD" | "SET" | "CREATE" | "DROP", *_):
            return False
        case ("EXPLAIN", *rest):
            return bool(rest) and rest[0] in _NOT_A_PLAN
        case ("ALTER", "INDEX" | "SINK", *_):
            return False
        case ("ALTER", *rest):
            return "RENAME" not in rest
        case _:
            return True


@functools.lru_cache(maxsize=8192)
def is_failure_retried(sql: str) -> bool:
    """Whether `!` tries such a statement again until the expected error appears."""
    match tuple(tokens(sql)):
        case ("COMMIT" | "ROLLBACK" | "FETCH", *_) | ("ALTER", "SINK", *_) | ("CREATE", "CONNECTION", *_):
            return False
        case _:
            return True
