"""Finds the relations that a query reads, without parsing the whole query.

PostgreSQL parses the query. This module recognises only the FROM clauses, in subqueries, joins and common table expressions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from racehound_zoo.dialect.lexer import Token

_AFTER_FROM = frozenset(
    {
        "WHERE",
        "GROUP",
        "HAVING",
        "ORDER",
        "LIMIT",
        "OFFSET",
        "FETCH",
        "UNION",
        "EXCEPT",
        "INTERSECT",
        "WINDOW",
        "FOR",
        "RETURNING",
        "SET",
        "OPTIONS",
        "UP",
        "WITH",
        "ENVELOPE",
        "WITHIN",
    }
)
_NO_ALIAS = _AFTER_FROM | frozenset({"JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL", "ON", "USING", "AS"})
_BEFORE_RELATION = frozenset({"LATERAL", "ONLY"})
_BEGINS_QUERY = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "SHOW"})


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """The name of a relation in the text of a query. `start` and `end` are offsets into the text."""

    start: int
    end: int
    parts: tuple[str, ...]
    aliased: bool
    """Whether the query gives the relation an alias. If not, columns are qualified with the relation's own name."""

    @property
    def name(self) -> str:
        return ".".join(self.parts)


@dataclasses.dataclass(slots=True)
class _Level:
    """The state of the search between one pair of parentheses."""

    selecting: bool = False
    in_from: bool = False
    expects_relation: bool = False
    naming_expressions: bool = False


class _Finder:
    def __init__(self, tokens: Sequence[Token], offset: int) -> None:
        self._tokens = tokens
        self._offset = offset
        self._levels = [_Level()]
        self._expressions: set[str] = set()
        self.found: list[Reference] = []

    def run(self) -> None:
        position = 0
        while self._tokens[position].kind != "end":
            position = self._step(position)

    def _step(self, position: int) -> int:
        token, level = self._tokens[position], self._levels[-1]
        if token.is_operator("("):
            self._open(position)
        elif token.is_operator(")"):
            if len(self._levels) > 1:
                self._levels.pop()
        elif level.expects_relation and token.is_name and not token.is_word(*_BEFORE_RELATION):
            return self._relation(position)
        elif token.is_operator(","):
            level.expects_relation = level.in_from
        elif token.is_name:
            self._word(position)
        return position + 1

    def _open(self, position: int) -> None:
        level = self._levels[-1]
        inner = _Level()
        if level.expects_relation:
            level.expects_relation = False
            if not self._tokens[position + 1].is_word(*_BEGINS_QUERY) and not self._tokens[position + 1].is_operator("("):
                inner = _Level(selecting=True, in_from=True, expects_relation=True)
        self._levels.append(inner)

    def _word(self, position: int) -> None:
        token, level = self._tokens[position], self._levels[-1]
        if level.naming_expressions and self._names_expression(position):
            self._expressions.add(token.value)
        elif token.is_word("SELECT", "DELETE", "UPDATE"):
            level.selecting, level.in_from, level.naming_expressions = True, False, False
        elif token.is_word("WITH") and not level.selecting:
            level.naming_expressions = True
        elif token.is_word("FROM") and level.selecting and not self._is_distinct_from(position):
            level.in_from = level.expects_relation = True
        elif (token.is_word("JOIN") and level.in_from) or (token.is_word("TABLE") and not level.selecting):
            level.expects_relation = True
        elif token.is_word(*_AFTER_FROM):
            level.in_from = level.expects_relation = False

    def _names_expression(self, position: int) -> bool:
        """Whether the tokens are `name AS (` or `name (columns) AS (`."""
        after = position + 1
        if self._tokens[after].is_operator("("):
            while not self._tokens[after].is_operator(")") and self._tokens[after].kind != "end":
                after += 1
            after += 1
        return after + 1 < len(self._tokens) and self._tokens[after].is_word("AS") and self._tokens[after + 1].is_operator("(")

    def _is_distinct_from(self, position: int) -> bool:
        before = self._tokens[max(0, position - 2) : position]
        return len(before) == 2 and before[1].is_word("DISTINCT") and before[0].is_word("IS", "NOT")

    def _relation(self, position: int) -> int:
        level = self._levels[-1]
        level.expects_relation = False
        parts, last = [self._tokens[position].value], position
        while self._tokens[last + 1].is_operator(".") and self._tokens[last + 2].is_name:
            last += 2
            parts.append(self._tokens[last].value)
        is_function = self._tokens[last + 1].is_operator("(")
        is_expression = len(parts) == 1 and parts[0] in self._expressions
        if not is_function and not is_expression:
            start, end = self._tokens[position].start - self._offset, self._tokens[last].end - self._offset
            self.found.append(Reference(start, end, tuple(parts), self._aliased(last + 1)))
        return last + 1

    def _aliased(self, position: int) -> bool:
        token = self._tokens[position]
        if token.is_word("AS"):
            return not self._tokens[position + 1].is_word("OF")
        return token.is_name and not token.is_word(*_NO_ALIAS)


def references(tokens: Sequence[Token], offset: int) -> tuple[Reference, ...]:
    """The relations that a query names, in the order of the text.

    `tokens` ends with a token of kind "end". `offset` is the position of the query in the text that the tokens come from.
    """
    finder = _Finder(tokens, offset)
    finder.run()
    return tuple(finder.found)
