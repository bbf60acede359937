"""The parser for SELECT, SHOW, EXPLAIN, SUBSCRIBE, COPY, INSERT, UPDATE and DELETE."""

from __future__ import annotations

from racehound_zoo.dialect.altering import kind_of
from racehound_zoo.dialect.lexer import tokenize
from racehound_zoo.dialect.parts import Name, Query, option
from racehound_zoo.dialect.reader import Reader, as_query
from racehound_zoo.dialect.statements import (
    CopyOut,
    CopyToS3,
    Explain,
    Insert,
    Mutate,
    Select,
    Show,
    ShowCreate,
    ShowVariable,
    Statement,
    Subscribe,
)
from racehound_zoo.errors import syntax

_LISTS = (
    ("TABLES",), ("SOURCES",), ("SINKS",), ("VIEWS",), ("MATERIALIZED", "VIEWS"), ("INDEXES",), ("CLUSTERS",),
    ("CLUSTER", "REPLICAS"), ("CONNECTIONS",), ("SECRETS",), ("ROLES",), ("SCHEMAS",), ("DATABASES",), ("OBJECTS",), ("TYPES",),
    ("SUBSOURCES",), ("COLUMNS",), ("PRIVILEGES",), ("DEFAULT", "PRIVILEGES"), ("ROLE", "MEMBERSHIP"), ("NETWORK", "POLICIES"),
    ("ALL",),
)  # fmt: skip
_EXPLAINED = {
    "RAW PLAN": "Raw Plan", "DECORRELATED PLAN": "Decorrelated Plan", "LOCALLY OPTIMIZED PLAN": "Locally Optimized Plan",
    "OPTIMIZED PLAN": "Optimized Plan", "PHYSICAL PLAN": "Physical Plan", "TIMESTAMP": "Timestamp",
}  # fmt: skip


def select(reader: Reader) -> Select:
    query = reader.query(lambda: reader.at("AS") and reader.ahead().is_word("OF"))
    as_of, at_least = _as_of(reader)
    reader.finish()
    return Select(query, as_of, at_least)


def _as_of(reader: Reader) -> tuple[str | None, bool]:
    if not reader.accept("AS", "OF"):
        return None, False
    at_least = reader.accept("AT", "LEAST")
    return reader.source(reader.until(lambda: reader.at("UP"))), at_least


def show(reader: Reader) -> Statement:
    reader.expect("SHOW")
    if reader.at("CREATE"):
        return _show_create(reader)
    for words in _LISTS:
        if reader.accept(*words):
            return _list(reader, " ".join(words))
    named = [reader.identifier()]
    while reader.token.is_name:
        named.append(reader.identifier())
    return ShowVariable(_variable(named))


def _variable(words: list[str]) -> str:
    if [word.lower() for word in words] == ["transaction", "isolation", "level"]:
        return "transaction_isolation"
    return " ".join(words) if words != ["time", "zone"] else "timezone"


def _show_create(reader: Reader) -> Statement:
    reader.expect("CREATE")
    kind = kind_of(reader)
    if kind is None:
        reader.expected("object type after SHOW CREATE")
    return ShowCreate(kind, reader.name())


def _list(reader: Reader, what: str) -> Statement:
    within: Name | None = None
    on: Name | None = None
    cluster = like = condition = role = None
    while not reader.at_end:
        if reader.accept("FROM"):
            within = reader.name()
        elif reader.accept("ON"):
            on = reader.name()
        elif reader.accept("IN", "CLUSTER"):
            cluster = reader.identifier()
        elif reader.accept("LIKE"):
            like = reader.string()
        elif reader.accept("WHERE"):
            condition = reader.source(reader.until(lambda: False))
        elif reader.accept("FOR"):
            role = reader.identifier()
        elif reader.accept("IN"):
            within = reader.name()
        else:
            reader.expected("end of statement")
    return Show(what, within, on, cluster, like, condition, role)


def explain(reader: Reader) -> Statement:
    reader.expect("EXPLAIN")
    words = []
    while not reader.at("SELECT", "WITH", "VALUES", "TABLE", "FOR", "VIEW", "MATERIALIZED", "INDEX") and not reader.at_operator(
        "("
    ):
        if reader.at_end:
            reader.expected("one of SELECT or VIEW or MATERIALIZED VIEW or INDEX")
        words.append(reader.next().value.upper())
    if "WITH" in words:
        words = words[: words.index("WITH")]
    reader.accept("FOR")
    kind = kind_of(reader)
    if kind is not None:
        return Explain(" ".join(words), Select(_relation_query(reader)))
    what = next((name for name in _EXPLAINED if " ".join(words).startswith(name)), "")
    return Explain(what, select(reader), _EXPLAINED.get(what, "Physical Plan"))


def _relation_query(reader: Reader) -> Query:
    """The name of a relation, as the query that reads the whole relation."""
    begin = reader.position
    reader.name()
    text = f"SELECT * FROM {reader.source(reader.tokens[begin : reader.position])}"
    tokens = tokenize(text)
    return as_query(Reader(text, tokens), tokens[:-1])


def subscribe(reader: Reader) -> Subscribe:
    reader.next()
    reader.accept("TO")
    if reader.accept_operator("("):
        query = reader.query()
        reader.expect_operator(")")
    else:
        query = _relation_query(reader)
    options = reader.with_options()
    as_of, _ = _as_of(reader)
    up_to = None
    if reader.accept("UP", "TO"):
        up_to = reader.source(reader.until(lambda: reader.at("ENVELOPE", "WITHIN") or reader.at_operator(")")))
    options += reader.with_options()
    progress, snapshot = option(options, "PROGRESS"), option(options, "SNAPSHOT")
    return Subscribe(query, progress is not None and progress.truth, snapshot is None or snapshot.truth, as_of, up_to)


def copy(reader: Reader) -> Statement:
    reader.expect("COPY")
    inner = _copied(reader)
    reader.expect("TO")
    if reader.accept("STDOUT"):
        reader.with_options()
        return CopyOut(inner)
    uri = reader.source(reader.until(lambda: reader.at("WITH")))
    options = reader.with_options()
    connection = option(options, "AWS CONNECTION")
    if isinstance(inner, Subscribe):
        raise syntax("SUBSCRIBE in COPY TO is supported for STDOUT only")
    if connection is None:
        raise syntax("AWS CONNECTION is required for COPY ... TO <expr>")
    return CopyToS3(inner, uri, connection.words, options)


def _copied(reader: Reader) -> Select | Subscribe:
    """The source of a COPY: a query, a subscription or a relation."""
    if not reader.accept_operator("("):
        return Select(_relation_query(reader))
    inner = subscribe(reader) if reader.at("SUBSCRIBE") else Select(reader.query())
    reader.expect_operator(")")
    return inner


def insert(reader: Reader) -> Statement:
    reader.expect("INSERT", "INTO")
    table = reader.name()
    columns: tuple[str, ...] = ()
    if reader.at_operator("(") and not reader.ahead().is_word("SELECT", "VALUES", "WITH"):
        columns = reader.parenthesized(reader.identifier)
    constant = reader.at("VALUES", "DEFAULT")
    query = reader.query(lambda: reader.at("RETURNING"))
    returning = reader.source(reader.until(lambda: False)) if reader.accept("RETURNING") else None
    return Insert(table, columns, query, returning, constant or not query.references)


def mutate(reader: Reader) -> Statement:
    if reader.accept("UPDATE"):
        table, alias = _target(reader)
        return Mutate("UPDATE", table, alias, reader.query())
    reader.expect("DELETE", "FROM")
    table, alias = _target(reader)
    return Mutate("DELETE", table, alias, Query("", ()) if reader.at_end else reader.query())


def _target(reader: Reader) -> tuple[Name, str | None]:
    table = reader.name()
    if reader.accept("AS") or (reader.token.is_name and not reader.at("SET", "USING", "WHERE")):
        return table, reader.identifier()
    return table, None
