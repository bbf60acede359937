"""Shorter statements, made by leaving out tokens. Only a server can tell which of them are SQL and show the finding."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from racehound.testdrive.statements import placed_tokens

_ATOM = re.compile(r"\w*(?:\$\{[^}]*\}\w*)+|\d+(?:\.\d+)?")
"""Names with variables in them, and numbers: they are left out as a whole."""
_OPEN, _CLOSE = "(", ")"
_SPANS = (8, 4, 3, 2, 1)
"""Tokens that are left out together, where they are no group and no item of a list."""


class _Token:
    """A token and the white space before it."""

    def __init__(self, word: str, text: str) -> None:
        self.word = word
        self.text = text


def shortened(sql: str, shows: Callable[[str], bool]) -> str:
    """The statement without everything that can be left out, one thing after the other. `shows` decides."""
    skip = 0
    while (found := next(((n, c) for n, c in _numbered(sql, skip) if shows(c)), None)) is not None:
        skip, sql = found
    return sql


def _numbered(sql: str, skip: int) -> Iterator[tuple[int, str]]:
    """Candidates from number `skip` on, then those before: the next one that works is likely to follow the last one that did."""
    candidates = list(shorter(sql))
    yield from [*enumerate(candidates)][skip:]
    yield from [*enumerate(candidates)][:skip]


def shorter(sql: str) -> Iterator[str]:
    """Texts with something left out: parentheses and what is in them, items of lists, runs of tokens; the largest first.

    The first word stays, and parentheses stay in pairs.
    """
    tokens = _tokens(sql)
    for start, end in dict.fromkeys([*_groups(tokens), *_items(tokens), *_runs(tokens)]):
        if start > 0 and _balanced(tokens[start:end]):
            yield _text([*tokens[:start], *tokens[end:]])


def _tokens(sql: str) -> list[_Token]:
    atoms = [match.span() for match in _ATOM.finditer(sql)]
    found, behind = [], 0
    for word, start, end in placed_tokens(sql):
        if start < behind:
            continue  # inside an atom
        last = next((last for first, last in atoms if first <= start < last), end)
        found.append(_Token(word, sql[behind:last]))
        behind = last
    return found


def _text(tokens: list[_Token]) -> str:
    text = ""
    for token in tokens:
        text += token.text.lstrip() if text.endswith(_OPEN) or token.word in (_CLOSE, ",") else token.text
    return text.strip()


def _balanced(tokens: list[_Token]) -> bool:
    depth = 0
    for token in tokens:
        depth += (token.word == _OPEN) - (token.word == _CLOSE)
        if depth < 0:
            return False
    return depth == 0


def _groups(tokens: list[_Token]) -> Iterator[tuple[int, int]]:
    """Each pair of parentheses with what is in it, longest first."""
    opened: list[int] = []
    found = []
    for at, token in enumerate(tokens):
        if token.word == _OPEN:
            opened.append(at)
        elif token.word == _CLOSE and opened:
            found.append((opened.pop(), at + 1))
    return iter(sorted(found, key=lambda span: span[0] - span[1]))


def _items(tokens: list[_Token]) -> Iterator[tuple[int, int]]:
    """Items of lists, each with one of its commas."""
    for at, token in enumerate(tokens):
        if token.word == ",":
            yield at, _edge(tokens, at, 1)
            yield _edge(tokens, at, -1) + 1, at + 1


def _edge(tokens: list[_Token], at: int, step: int) -> int:
    """Where an item ends that begins beside the comma: at the next comma or parenthesis of the same depth."""
    inner, outer = (_OPEN, _CLOSE) if step > 0 else (_CLOSE, _OPEN)
    depth = 0
    at += step
    while 0 <= at < len(tokens):
        word = tokens[at].word
        if depth == 0 and word in (outer, ","):
            return at
        depth += (word == inner) - (word == outer)
        at += step
    return at


def _runs(tokens: list[_Token]) -> Iterator[tuple[int, int]]:
    for length in _SPANS:
        yield from ((start, start + length) for start in range(1, len(tokens) - length + 1))
