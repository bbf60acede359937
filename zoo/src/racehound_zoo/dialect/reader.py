"""A position in the tokens of a statement, with methods to read what comes next. All modules of the parser use it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

from racehound_zoo.dialect.lexer import Token
from racehound_zoo.dialect.names import references
from racehound_zoo.dialect.parts import Name, Options, Query, Value
from racehound_zoo.errors import syntax
from racehound_zoo.release import RECORDED, Release

T = TypeVar("T")
_USERS = ("CURRENT_USER", "CURRENT_ROLE", "SESSION_USER")


class Reader:
    """Reads the tokens of one statement. `text` is the text that the tokens come from; `release` selects the dialect."""

    def __init__(self, text: str, tokens: Sequence[Token], release: Release = RECORDED) -> None:
        self.release = release
        self.text = text
        self.tokens = tokens
        self.position = 0

    # Look-ahead

    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    def ahead(self, distance: int = 1) -> Token:
        return self.tokens[min(self.position + distance, len(self.tokens) - 1)]

    def at(self, *words: str) -> bool:
        """Whether the next token is one of these words."""
        return self.token.is_word(*words)

    def at_operator(self, *operators: str) -> bool:
        return self.token.is_operator(*operators)

    @property
    def at_end(self) -> bool:
        return self.token.kind == "end"

    # Reading

    def next(self) -> Token:
        token = self.token
        if token.kind != "end":
            self.position += 1
        return token

    def accept(self, *words: str) -> bool:
        """Read these words if they come next, in this order. Returns whether they did."""
        if all(self.ahead(distance).is_word(word) for distance, word in enumerate(words)):
            self.position += len(words)
            return True
        return False

    def accept_operator(self, operator: str) -> bool:
        if self.at_operator(operator):
            self.position += 1
            return True
        return False

    def one_of(self, *words: str) -> str:
        """Read one of these words. SqlError that lists all of them if another token comes."""
        if self.at(*words):
            return self.next().value.upper()
        return self.expected("one of " + " or ".join(words) if len(words) > 1 else words[0])

    def expect(self, *words: str) -> None:
        for word in words:
            if not self.accept(word):
                self.expected(word)

    def expect_operator(self, operator: str) -> None:
        if not self.accept_operator(operator):
            names = {"(": "left parenthesis", ")": "right parenthesis", ",": "comma", "=": "equals sign"}
            self.expected(names.get(operator, f'operator "{operator}"'))

    def expected(self, what: str) -> NoReturn:
        raise syntax(f"Expected {what}, found {self.token.found()}")

    def finish(self) -> None:
        """Require that the statement ends here."""
        if not self.at_end:
            self.expected("end of statement")

    def identifier(self) -> str:
        if not self.token.is_name:
            self.expected("identifier")
        return self.next().value

    def name(self) -> Name:
        parts = [self.identifier()]
        while self.accept_operator("."):
            parts.append(self.identifier())
        return tuple(parts)

    def string(self) -> str:
        if self.token.kind != "string":
            self.expected("literal string")
        return self.next().value

    def separated(self, read: Callable[[], T]) -> tuple[T, ...]:
        """One or more elements, separated by commas."""
        found = [read()]
        while self.accept_operator(","):
            found.append(read())
        return tuple(found)

    def parenthesized(self, read: Callable[[], T]) -> tuple[T, ...]:
        self.expect_operator("(")
        found = self.separated(read)
        self.expect_operator(")")
        return found

    def if_exists(self) -> bool:
        return self.accept("IF", "EXISTS")

    def if_not_exists(self) -> bool:
        return self.accept("IF", "NOT", "EXISTS")

    def in_cluster(self) -> str | None:
        return self.identifier() if self.accept("IN", "CLUSTER") else None

    # Text that is kept as it was written

    def until(self, stop: Callable[[], bool]) -> tuple[Token, ...]:
        """The tokens up to where `stop` returns true outside parentheses, or up to the end."""
        start, depth = self.position, 0
        while not self.at_end and (depth > 0 or not stop()):
            depth += self.at_operator("(", "[") - self.at_operator(")", "]")
            if depth < 0:
                break
            self.position += 1
        return tuple(self.tokens[start : self.position])

    def source(self, tokens: Sequence[Token]) -> str:
        return self.text[tokens[0].start : tokens[-1].end] if tokens else ""

    def query(self, stop: Callable[[], bool] = lambda: False) -> Query:
        """A query that ends where `stop` returns true, or at the end."""
        return as_query(self, self.until(stop))

    # Options

    def options(self, *known: str) -> Options:
        """`(NAME [=] value, …)`, or nothing. With `known`, the first word of each name must be one of these."""
        if not self.accept_operator("("):
            return ()
        if self.accept_operator(")"):
            return ()
        found = self.separated(lambda: self.option(*known))
        self.expect_operator(")")
        return found

    def option(self, *known: str) -> tuple[str, Value]:
        if known and not self.at(*known):
            self.expected("one of " + " or ".join(known))
        words = [self.identifier().upper()]
        while self.token.kind == "word" and not self.at("SECRET", "TRUE", "FALSE") and self._continues_name():
            words.append(self.next().value.upper())
        self.accept_operator("=")
        return " ".join(words), self.value()

    def _continues_name(self) -> bool:
        """Whether the next word belongs to the option's name, as in `REPLICATION FACTOR 1`, and is not its value, as in `SIZE
        medium`.
        """
        following = self.ahead()
        return not (following.is_operator(",", ")", ".") or following.kind == "end")

    def value(self) -> Value:
        if self.at_operator(",", ")") or self.at_end:
            return Value("none", "true")
        if self.at_operator("(", "["):
            return self._sequence()
        if self.accept("SECRET"):
            name = self.name()
            return Value("secret", ".".join(name), name)
        if self.token.kind in {"string", "number"}:
            token = self.next()
            return Value("string" if token.kind == "string" else "number", token.value)
        if self.token.is_name:
            name = self.name()
            return Value("word", ".".join(name), name)
        return self.expected("option value")

    def _sequence(self) -> Value:
        closing = ")" if self.next().value == "(" else "]"
        items = () if self.at_operator(closing) else self.separated(self._sequence_item)
        self.expect_operator(closing)
        return Value("sequence", "", items=items)

    def _sequence_item(self) -> Value:
        """An element of a list. Words that follow its value, such as the tunnel of a broker, are kept as text."""
        tokens = self.until(lambda: self.at_operator(","))
        kinds = {"string": "string", "number": "number"}
        kind = kinds.get(tokens[0].kind, "word") if tokens else "none"
        return Value("string" if kind == "string" else "word", tokens[0].value if tokens else "", (self.source(tokens),))

    def with_options(self) -> Options:
        return self.options() if self.accept("WITH") else ()


def as_query(reader: Reader, tokens: Sequence[Token]) -> Query:
    """A query of these tokens. SqlError if there are none."""
    if not tokens:
        reader.expected("query")
    end = Token("end", "", tokens[-1].end, tokens[-1].end)
    closed = [*tokens, end]
    wildcard = any(
        token.is_operator("*") and (before.is_word("SELECT", "ALL", "DISTINCT") or before.is_operator(",", "."))
        for before, token in itertools.pairwise(tokens)
    )
    calls = frozenset(
        token.value for token, after in zip(tokens, closed[1:], strict=False) if token.is_name and after.is_operator("(")
    )
    users = tuple(
        (token.start - tokens[0].start, token.end - tokens[0].start)
        for before, token in itertools.pairwise([end, *tokens])
        if token.is_word(*_USERS) and not before.is_operator(".")
    )
    if users:
        calls |= {"current_user"}
    return Query(reader.source(tokens), references(closed, tokens[0].start), wildcard, calls, users)
