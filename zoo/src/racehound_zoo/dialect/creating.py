"""The parser for CREATE."""

from __future__ import annotations

from racehound_zoo.dialect import external
from racehound_zoo.dialect.parts import ColumnDefinition, Name, Options, TypeName, option
from racehound_zoo.dialect.reader import Reader
from racehound_zoo.dialect.statements import (
    CreateCluster,
    CreateConnection,
    CreateDatabase,
    CreateIndex,
    CreateMaterializedView,
    CreateReplica,
    CreateRole,
    CreateSchema,
    CreateSecret,
    CreateSource,
    CreateTable,
    CreateTableFromSource,
    CreateType,
    CreateView,
    Refresh,
    Statement,
)
from racehound_zoo.errors import syntax

_CREATABLE = (
    "DATABASE, SCHEMA, ROLE, TYPE, INDEX, SINK, SOURCE, [TEMPORARY] TABLE, SECRET, [OR REPLACE] [TEMPORARY] VIEW, "
    "or [OR REPLACE] MATERIALIZED VIEW after CREATE"
)
_CLUSTER_OPTIONS = ("AVAILABILITY", "DISK", "INTROSPECTION", "MANAGED", "REPLICAS", "REPLICATION", "SIZE", "SCHEDULE", "WORKLOAD")
_MULTIWORD_TYPES: dict[Name, Name] = {
    ("double", "precision"): ("double precision",),
    ("character", "varying"): ("varchar",),
}
_ZONES = ("with", "time", "zone"), ("without", "time", "zone")


def create(reader: Reader) -> Statement:
    reader.expect("CREATE")
    replace = reader.accept("OR", "REPLACE")
    temporary = reader.accept("TEMPORARY") or reader.accept("TEMP")
    if reader.accept("VIEW"):
        return _view(reader, or_replace=replace, temporary=temporary)
    if reader.accept("MATERIALIZED", "VIEW"):
        return _materialized_view(reader, or_replace=replace)
    if reader.release.is_recent and reader.accept("REPLACEMENT", "MATERIALIZED", "VIEW"):
        return _materialized_view(reader, is_replacement=True)
    if reader.accept("TABLE"):
        return _table(reader, temporary=temporary)
    for words, read in _OTHERS:
        if reader.accept(*words):
            return read(reader)
    return reader.expected(_CREATABLE)


def _view(reader: Reader, *, or_replace: bool, temporary: bool) -> Statement:
    quiet, name = reader.if_not_exists(), reader.name()
    columns = _column_names(reader)
    reader.expect("AS")
    return CreateView(name, quiet, reader.query(), columns, or_replace, temporary)


def _materialized_view(reader: Reader, *, or_replace: bool = False, is_replacement: bool = False) -> Statement:
    quiet, name = reader.if_not_exists(), reader.name()
    replaces = None
    if is_replacement:
        reader.expect("FOR")
        replaces = reader.name()
    columns = _column_names(reader)
    cluster = reader.in_cluster()
    replica = reader.identifier() if cluster and reader.release.is_recent and reader.accept("REPLICA") else None
    refreshes = _refreshes(reader) if reader.accept("WITH") else ()
    reader.expect("AS")
    return CreateMaterializedView(name, quiet, reader.query(), columns, or_replace, cluster, refreshes, replica, replaces)


def _column_names(reader: Reader) -> tuple[str, ...]:
    return reader.parenthesized(reader.identifier) if reader.at_operator("(") else ()


def _refreshes(reader: Reader) -> tuple[Refresh, ...]:
    return tuple(found for found in reader.parenthesized(lambda: _refresh(reader)) if found is not None)


def _refresh(reader: Reader) -> Refresh | None:
    """One REFRESH option; None if the next option is not about refreshing."""
    if not reader.accept("REFRESH"):
        reader.option()
        return None
    reader.accept_operator("=")
    if reader.accept("ON", "COMMIT"):
        return Refresh("ON COMMIT")
    if reader.accept("EVERY"):
        interval = reader.string()
        aligned = reader.source(reader.until(lambda: reader.at_operator(","))) if reader.accept("ALIGNED", "TO") else None
        return Refresh("EVERY", interval, aligned)
    reader.expect("AT")
    if reader.accept("CREATION"):
        return Refresh("AT CREATION")
    return Refresh("AT", reader.source(reader.until(lambda: reader.at_operator(","))))


def _table(reader: Reader, *, temporary: bool) -> Statement:
    quiet, name = reader.if_not_exists(), reader.name()
    if reader.at("FROM") and reader.ahead().is_word("WEBHOOK"):
        reader.next()
        return CreateSource(name, quiet, external.webhook(reader), is_table=True)
    columns: tuple[ColumnDefinition, ...] = ()
    if reader.at_operator("("):
        columns = _columns(reader)
    if reader.accept("FROM"):
        return _table_from_source(reader, name, quiet=quiet)
    reader.with_options()
    return CreateTable(name, quiet, columns, temporary)


def _columns(reader: Reader) -> tuple[ColumnDefinition, ...]:
    if reader.ahead().is_operator(")"):
        reader.expect_operator("(")
        reader.expect_operator(")")
        return ()
    return reader.parenthesized(lambda: column(reader))


def column(reader: Reader) -> ColumnDefinition:
    name, kind = reader.identifier(), type_name(reader)
    nullable, default = True, None
    while not reader.at_operator(",", ")") and not reader.at_end:
        if reader.accept("NOT", "NULL"):
            nullable = False
        elif reader.accept("DEFAULT"):
            default = reader.source(reader.until(lambda: reader.at_operator(",") or reader.at("NOT", "NULL")))
        elif not reader.accept("NULL"):
            reader.expected("column option")
    return ColumnDefinition(name, kind, nullable, default)


def type_name(reader: Reader) -> TypeName:
    name: Name = reader.name()
    if reader.token.kind == "word" and (*name, reader.token.value) in _MULTIWORD_TYPES:
        name = _MULTIWORD_TYPES[*name, reader.next().value]
    suffix = ""
    if reader.at_operator("("):
        reader.next()
        suffix = f"({reader.source(reader.until(lambda: False))})"
        reader.expect_operator(")")
    for words in _ZONES:
        if reader.accept(*(word.upper() for word in words)):
            name = (f"{name[-1]}tz" if words[0] == "with" else name[-1],)
    while True:
        if reader.at_operator("[") and reader.ahead().is_operator("]"):
            reader.next()
            reader.next()
            suffix += "[]"
        elif reader.accept("LIST"):
            suffix += " list"
        else:
            return TypeName(name, suffix)


def _table_from_source(reader: Reader, name: Name, *, quiet: bool) -> Statement:
    reader.expect("SOURCE")
    source = reader.name()
    reference: Name = ()
    if reader.at_operator("("):
        given = option(reader.options(), "REFERENCE")
        reference = given.words if given is not None and given.words else () if given is None else (given.text,)
    key_format, value_format, include, envelope = external.encoding(reader)
    return CreateTableFromSource(
        name, quiet, source, reference, value_format, key_format, envelope, include, reader.with_options()
    )


def _index(reader: Reader) -> Statement:
    quiet = reader.if_not_exists()
    name = None if reader.at("ON", "IN") else reader.identifier()
    return _index_rest(reader, name, quiet=quiet)


def _default_index(reader: Reader) -> Statement:
    quiet = reader.if_not_exists()
    found = _index_rest(reader, None, quiet=quiet)
    return CreateIndex(None, found.on, None, found.cluster, quiet)


def _index_rest(reader: Reader, name: str | None, *, quiet: bool) -> CreateIndex:
    cluster = reader.in_cluster()
    reader.expect("ON")
    relation = reader.name()
    key = None
    if reader.accept_operator("("):
        key = reader.separated(lambda: reader.source(reader.until(lambda: reader.at_operator(","))))
        reader.expect_operator(")")
    reader.with_options()
    return CreateIndex(name, relation, key, cluster, quiet)


def _secret(reader: Reader) -> Statement:
    quiet, name = reader.if_not_exists(), reader.name()
    reader.expect("AS")
    return CreateSecret(name, quiet, reader.source(reader.until(lambda: False)))


def _schema(reader: Reader) -> Statement:
    quiet = reader.if_not_exists()
    return CreateSchema(reader.name(), quiet)


def _database(reader: Reader) -> Statement:
    quiet = reader.if_not_exists()
    return CreateDatabase((reader.identifier(),), quiet)


def _role(reader: Reader) -> Statement:
    name = reader.identifier()
    reader.accept("WITH")
    return CreateRole((name,), False, attributes(reader))


def attributes(reader: Reader) -> tuple[str, ...]:
    """Role attributes such as INHERIT and LOGIN. The value of a password is not kept."""
    found = []
    while reader.token.kind == "word":
        found.append(reader.next().value.upper())
        if found[-1] == "PASSWORD":
            reader.value()
    return tuple(found)


def _type(reader: Reader) -> Statement:
    name = reader.name()
    reader.expect("AS")
    if reader.at_operator("("):
        return CreateType(name, False, "RECORD", _columns(reader))
    shape = reader.token.value.upper()
    if shape not in {"LIST", "MAP"}:
        reader.expect_operator("(")
    reader.next()
    fields = reader.parenthesized(lambda: _type_option(reader))
    return CreateType(name, False, "LIST" if shape == "LIST" else "MAP", fields)


def _type_option(reader: Reader) -> ColumnDefinition:
    which = reader.one_of("ELEMENT", "KEY", "VALUE")
    reader.expect("TYPE")
    reader.accept_operator("=")
    return ColumnDefinition(which.lower(), type_name(reader))


def _cluster(reader: Reader) -> Statement:
    if reader.accept("REPLICA"):
        name = reader.name()
        return CreateReplica(name, False, _bare_options(reader))
    if reader.at("IF"):
        reader.next()
        reader.expected(" or ".join(("one of AVAILABILITY", *_CLUSTER_OPTIONS[1:])))
    name = (reader.identifier(),)
    if reader.accept("REPLICAS"):
        replicas = () if _empty(reader) else reader.parenthesized(lambda: _replica(reader))
        return CreateCluster(name, False, (), replicas)
    return CreateCluster(name, False, _bare_options(reader))


def _empty(reader: Reader) -> bool:
    if reader.at_operator("(") and reader.ahead().is_operator(")"):
        reader.next()
        reader.next()
        return True
    return False


def _replica(reader: Reader) -> tuple[str, Options]:
    return reader.identifier(), reader.options()


def _bare_options(reader: Reader) -> Options:
    """Options with parentheses or, in the old syntax, without."""
    if reader.at_operator("("):
        return reader.options(*_CLUSTER_OPTIONS)
    return () if reader.at_end else reader.separated(lambda: reader.option(*_CLUSTER_OPTIONS))


def _source(reader: Reader) -> Statement:
    return external.source(reader)


def _connection(reader: Reader) -> Statement:
    quiet, name = reader.if_not_exists(), reader.name()
    reader.one_of("TO", "FOR")
    words = [reader.identifier().upper()]
    while (
        reader.token.kind == "word"
        and not reader.at_operator("(")
        and words[-1] in {"CONFLUENT", "SCHEMA", "SQL", "SSH", "AWS", "ICEBERG"}
    ):
        if words[-1] == "AWS" and not reader.at("PRIVATELINK"):
            break
        words.append(reader.next().value.upper())
    if reader.at_operator("("):
        options = reader.options()
    else:
        options = () if reader.at_end or reader.at("WITH") else reader.separated(reader.option)
    with_options = reader.with_options()
    kind = " ".join(words)
    if kind == "CONFLUENT SCHEMA REGISTRY":
        url = option(options, "URL")
        if url is not None and url.text.split("://", 1)[-1].partition("/")[2]:
            return CreateConnection(name, quiet, "INVALID URL", options, with_options)
    if not kind:
        raise syntax("Expected connection type, found EOF")
    return CreateConnection(name, quiet, kind, options, with_options)


_OTHERS = (
    (("DEFAULT", "INDEX"), _default_index),
    (("INDEX",), _index),
    (("SOURCE",), _source),
    (("SINK",), external.sink),
    (("CONNECTION",), _connection),
    (("SECRET",), _secret),
    (("SCHEMA",), _schema),
    (("DATABASE",), _database),
    (("ROLE",), _role),
    (("USER",), _role),
    (("TYPE",), _type),
    (("CLUSTER",), _cluster),
)
