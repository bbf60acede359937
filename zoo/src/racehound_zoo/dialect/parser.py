"""Tokens to statements: which statement it is. The rooms beside this one read the rest of it."""

from __future__ import annotations

import functools

from racehound_zoo.dialect import altering, creating, looking, roles, speaking
from racehound_zoo.dialect.lexer import statements, tokenize
from racehound_zoo.dialect.reader import Reader
from racehound_zoo.dialect.statements import Statement
from racehound_zoo.release import RECORDED, Release

_BEGINNINGS = {
    "CREATE": creating.create,
    "DROP": altering.drop,
    "ALTER": altering.alter,
    "COMMENT": altering.comment,
    "VALIDATE": altering.validate,
    "REASSIGN": roles.reassign,
    "GRANT": roles.grant,
    "REVOKE": roles.revoke,
    "SHOW": looking.show,
    "EXPLAIN": looking.explain,
    "SUBSCRIBE": looking.subscribe,
    "TAIL": looking.subscribe,
    "COPY": looking.copy,
    "INSERT": looking.insert,
    "UPDATE": looking.mutate,
    "DELETE": looking.mutate,
    "BEGIN": speaking.begin,
    "START": speaking.begin,
    "COMMIT": speaking.end,
    "END": speaking.end,
    "ROLLBACK": speaking.end,
    "ABORT": speaking.end,
    "SET": speaking.set_variable,
    "RESET": speaking.reset,
    "DECLARE": lambda reader: speaking.declare(reader, parse_one),
    "FETCH": speaking.fetch,
    "CLOSE": speaking.close,
    "PREPARE": lambda reader: speaking.prepare(reader, parse_one),
    "EXECUTE": speaking.execute,
    "DEALLOCATE": speaking.deallocate,
    "DISCARD": speaking.discard,
}


@functools.lru_cache(maxsize=4096)
def parse(text: str, release: Release = RECORDED) -> tuple[tuple[Statement, str], ...]:
    """The statements of a text, each with its own. SqlError 42601 for the first that is none."""
    return tuple(
        (parse_one(Reader(text, tokens, release)), text[tokens[0].start : tokens[-1].end])
        for tokens in statements(tokenize(text))
    )


def parse_one(reader: Reader) -> Statement:
    """One statement, to its end."""
    if reader.at("SELECT", "WITH", "VALUES", "TABLE") or reader.at_operator("("):
        return looking.select(reader)
    begin = _BEGINNINGS.get(reader.token.value.upper()) if reader.token.kind == "word" else None
    if begin is None:
        reader.expected("a keyword at the beginning of a statement")
    statement = begin(reader)
    reader.finish()
    return statement
