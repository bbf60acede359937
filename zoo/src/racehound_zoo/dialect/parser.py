"""The parser's entry: it finds out which statement the tokens are.

The other modules of this package parse the statement itself.
"""

from __future__ import annotations

import functools

from racehound_zoo.dialect import altering, creating, queries, roles, session_statements
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
    "SHOW": queries.show,
    "EXPLAIN": queries.explain,
    "SUBSCRIBE": queries.subscribe,
    "TAIL": queries.subscribe,
    "COPY": queries.copy,
    "INSERT": queries.insert,
    "UPDATE": queries.mutate,
    "DELETE": queries.mutate,
    "BEGIN": session_statements.begin,
    "START": session_statements.begin,
    "COMMIT": session_statements.end,
    "END": session_statements.end,
    "ROLLBACK": session_statements.end,
    "ABORT": session_statements.end,
    "SET": session_statements.set_variable,
    "RESET": session_statements.reset,
    "DECLARE": lambda reader: session_statements.declare(reader, parse_one),
    "FETCH": session_statements.fetch,
    "CLOSE": session_statements.close,
    "PREPARE": lambda reader: session_statements.prepare(reader, parse_one),
    "EXECUTE": session_statements.execute,
    "DEALLOCATE": session_statements.deallocate,
    "DISCARD": session_statements.discard,
}


@functools.lru_cache(maxsize=4096)
def parse(text: str, release: Release = RECORDED) -> tuple[tuple[Statement, str], ...]:
    """The statements of a text, each with its own text. SqlError 42601 for the first syntax error."""
    return tuple(
        (parse_one(Reader(text, tokens, release)), text[tokens[0].start : tokens[-1].end])
        for tokens in statements(tokenize(text))
    )


def parse_one(reader: Reader) -> Statement:
    """Parse one statement and require that nothing follows it."""
    if reader.at("SELECT", "WITH", "VALUES", "TABLE") or reader.at_operator("("):
        return queries.select(reader)
    begin = _BEGINNINGS.get(reader.token.value.upper()) if reader.token.kind == "word" else None
    if begin is None:
        reader.expected("a keyword at the beginning of a statement")
    statement = begin(reader)
    reader.finish()
    return statement
