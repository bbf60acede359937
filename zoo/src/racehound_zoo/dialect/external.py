"""The parser for what CREATE SOURCE and CREATE SINK say about external systems: connection, format and envelope."""

from __future__ import annotations

from typing import Literal

from racehound_zoo.dialect.parts import Format, Name, Options
from racehound_zoo.dialect.reader import Reader
from racehound_zoo.dialect.statements import CreateSink, CreateSource, External, LoadGenerator, Statement, Webhook

_GENERATORS = ("CLOCK", "COUNTER", "MARKETING", "AUCTION", "TPCH", "DATUMS", "KEY")


def source(reader: Reader) -> Statement:
    quiet, name = reader.if_not_exists(), reader.name()
    cluster = reader.in_cluster()
    reader.expect("FROM")
    if reader.at("WEBHOOK"):
        return CreateSource(name, quiet, webhook(reader), cluster)
    connector = _load_generator(reader) if reader.accept("LOAD", "GENERATOR") else _external(reader)
    key_format, value_format, include, envelope = encoding(reader)
    tables = _tables(reader)
    progress = reader.name() if reader.accept("EXPOSE", "PROGRESS", "AS") else None
    return CreateSource(
        name, quiet, connector, cluster, False, value_format, key_format, envelope, include, tables, progress,
        reader.with_options(),
    )  # fmt: skip


def webhook(reader: Reader) -> Webhook:
    begin = reader.position
    reader.expect("WEBHOOK", "BODY", "FORMAT")
    body = reader.one_of("TEXT", "JSON", "BYTES")
    if body == "JSON" and reader.accept("ARRAY"):
        body = "JSON ARRAY"
    include = ""
    while reader.accept("INCLUDE"):
        include += reader.source(reader.until(lambda: reader.at("INCLUDE", "CHECK")))
    check = None
    if reader.accept("CHECK"):
        reader.expect_operator("(")
        if reader.accept("WITH"):
            reader.options()
        check = reader.query()
        reader.expect_operator(")")
    return Webhook(body, include, check, reader.source(reader.tokens[begin : reader.position]))


def _load_generator(reader: Reader) -> LoadGenerator:
    generator = reader.one_of(*_GENERATORS)
    if generator == "KEY":
        reader.expect("VALUE")
        generator = "KEY VALUE"
    return LoadGenerator(generator, reader.options())


def _external(reader: Reader) -> External:
    system = reader.one_of("KAFKA", "POSTGRES", "MYSQL", "SQL", "LOAD")
    if system == "SQL":
        reader.expect("SERVER")
    elif system == "LOAD":
        reader.expect("GENERATOR")
    reader.expect("CONNECTION")
    systems: dict[str, Literal["KAFKA", "POSTGRES", "MYSQL", "SQL SERVER"]] = {
        "KAFKA": "KAFKA", "POSTGRES": "POSTGRES", "MYSQL": "MYSQL", "SQL": "SQL SERVER",
    }  # fmt: skip
    return External(systems[system], reader.name(), reader.options())


def encoding(reader: Reader) -> tuple[Format | None, Format | None, str, str | None]:
    """KEY FORMAT … VALUE FORMAT … or FORMAT …, then INCLUDE … and ENVELOPE …."""
    key_format = value_format = None
    if reader.accept("KEY", "FORMAT"):
        key_format = _format(reader)
        reader.expect("VALUE", "FORMAT")
        value_format = _format(reader)
    elif reader.accept("FORMAT"):
        value_format = _format(reader)
    include = ""
    if reader.accept("INCLUDE"):
        include = reader.source(reader.until(lambda: reader.at("ENVELOPE", "FOR", "EXPOSE", "WITH")))
    envelope = _envelope(reader) if reader.accept("ENVELOPE") else None
    return key_format, value_format, include, envelope


def _format(reader: Reader) -> Format:
    """A format. Its text ends where the next clause begins."""
    begin = reader.position
    name = reader.identifier().upper()
    registry = None
    if reader.accept("USING", "CONFLUENT", "SCHEMA", "REGISTRY", "CONNECTION"):
        registry = reader.name()
    reader.until(lambda: reader.at("ENVELOPE", "INCLUDE", "VALUE", "FOR", "EXPOSE", "WITH", "KEY"))
    return Format(name, registry, reader.source(reader.tokens[begin : reader.position]))


def _envelope(reader: Reader) -> str:
    name = reader.identifier().upper()
    return name + (
        f" {reader.source(reader.until(lambda: reader.at('FOR', 'EXPOSE', 'WITH')))}" if reader.at_operator("(") else ""
    )


def _tables(reader: Reader) -> Literal["ALL"] | tuple[tuple[Name, Name | None], ...] | None:
    if reader.accept("FOR", "ALL", "TABLES"):
        return "ALL"
    if reader.accept("FOR", "TABLES"):
        return reader.parenthesized(lambda: _table(reader))
    if reader.accept("FOR", "SCHEMAS"):
        reader.parenthesized(reader.name)
        return "ALL"
    return None


def _table(reader: Reader) -> tuple[Name, Name | None]:
    outer = reader.name()
    return outer, reader.name() if reader.accept("AS") or reader.accept("INTO") else None


def sink(reader: Reader) -> Statement:
    quiet, name = reader.if_not_exists(), reader.name()
    cluster = reader.in_cluster()
    reader.expect("FROM")
    relation = reader.name()
    reader.expect("INTO")
    if reader.one_of("KAFKA", "ICEBERG") == "ICEBERG":
        return _iceberg(reader, name, relation, cluster, quiet=quiet)
    reader.expect("CONNECTION")
    connection, options = reader.name(), reader.options()
    key = _key(reader)
    _headers(reader)
    key_format, value_format, _, envelope = encoding(reader)
    return CreateSink(
        name, quiet, relation, connection, "KAFKA", None, options, cluster, key, value_format, key_format, envelope,
        reader.with_options(),
    )  # fmt: skip


def _iceberg(reader: Reader, name: Name, relation: Name, cluster: str | None, *, quiet: bool) -> Statement:
    reader.expect("CATALOG", "CONNECTION")
    catalog = reader.name()
    options: Options = reader.options()
    reader.expect("USING", "AWS", "CONNECTION")
    connection = reader.name()
    key = _key(reader)
    reader.expect("MODE")
    mode = reader.one_of("APPEND", "UPSERT")
    return CreateSink(
        name, quiet, relation, connection, "ICEBERG", catalog, options, cluster, key, None, None, mode, reader.with_options()
    )


def _key(reader: Reader) -> tuple[str, ...]:
    if not (reader.at("KEY") and reader.ahead().is_operator("(")):
        return ()
    reader.next()
    key = reader.parenthesized(reader.identifier)
    reader.accept("NOT", "ENFORCED")
    return key


def _headers(reader: Reader) -> None:
    if reader.accept("HEADERS"):
        reader.identifier()
