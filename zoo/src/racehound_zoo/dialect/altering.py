"""The parser for DROP, ALTER, COMMENT and VALIDATE."""

from __future__ import annotations

from typing import cast

from racehound_zoo.dialect import roles
from racehound_zoo.dialect.creating import attributes, column
from racehound_zoo.dialect.parts import Name, ObjectKind, Options
from racehound_zoo.dialect.reader import Reader
from racehound_zoo.dialect.statements import (
    AddColumn,
    AlterRole,
    AlterSecret,
    AlterSink,
    AlterSource,
    AlterSystem,
    ApplyReplacement,
    Comment,
    Drop,
    DropOwned,
    Rename,
    SetCluster,
    SetOptions,
    SetOwner,
    Statement,
    Swap,
    ValidateConnection,
)

_KINDS: tuple[tuple[tuple[str, ...], ObjectKind], ...] = (
    (("CLUSTER", "REPLICA"), "cluster replica"),
    (("CLUSTER",), "cluster"),
    (("CONNECTION",), "connection"),
    (("DATABASE",), "database"),
    (("INDEX",), "index"),
    (("MATERIALIZED", "VIEW"), "materialized view"),
    (("ROLE",), "role"),
    (("USER",), "role"),
    (("SCHEMA",), "schema"),
    (("SECRET",), "secret"),
    (("SINK",), "sink"),
    (("SOURCE",), "source"),
    (("TABLE",), "table"),
    (("TYPE",), "type"),
    (("VIEW",), "view"),
)
_CHOICES = {
    "table": ("SET", "RENAME", "OWNER", "RESET", "ADD"),
    "source": ("ADD", "DROP", "SET", "RESET", "RENAME", "OWNER", "REFRESH"),
    "connection": ("SET", "RESET", "DROP", "RENAME", "OWNER", "ROTATE"),
    "secret": ("AS", "RENAME", "OWNER"),
    "type": ("OWNER",),
    "database": ("OWNER",),
    "schema": ("SWAP", "RENAME", "OWNER"),
    "cluster": ("OWNER", "RENAME", "RESET", "SET", "SWAP"),
    "cluster replica": ("RENAME", "OWNER"),
}
_USUAL = ("SET", "RENAME", "OWNER", "RESET")


def kind_of(reader: Reader) -> ObjectKind | None:
    """Read a kind of object and return it; None if the next words do not name a kind."""
    return next((kind for words, kind in _KINDS if reader.accept(*words)), None)


def drop(reader: Reader) -> Statement:
    reader.expect("DROP")
    if reader.accept("OWNED"):
        reader.expect("BY")
        who = reader.separated(reader.identifier)
        return DropOwned(who, _behaviour(reader) == "CASCADE")
    kind = kind_of(reader)
    if kind is None:
        reader.expected("object type after DROP")
    quiet = reader.if_exists()
    names = reader.separated(reader.name)
    behaviour = _behaviour(reader)
    return Drop(kind, names, quiet, "CASCADE" if behaviour == "CASCADE" else "RESTRICT" if behaviour else "")


def _behaviour(reader: Reader) -> str:
    return reader.next().value.upper() if reader.at("CASCADE", "RESTRICT") else ""


def alter(reader: Reader) -> Statement:
    reader.expect("ALTER")
    if reader.accept("SYSTEM"):
        return _system(reader)
    if reader.accept("DEFAULT", "PRIVILEGES"):
        return roles.default_privileges(reader)
    kind = kind_of(reader)
    if kind is None:
        reader.expected("object type after ALTER")
    if kind == "role":
        return _role(reader)
    quiet, name = reader.if_exists(), reader.name()
    return _action(reader, kind, name, quiet=quiet)


def _action(reader: Reader, kind: ObjectKind, name: Name, *, quiet: bool) -> Statement:
    if kind == "materialized view" and reader.release.is_recent and reader.accept("APPLY", "REPLACEMENT"):
        return ApplyReplacement(kind, name, quiet, reader.name())
    verb = reader.one_of(*_CHOICES.get(kind, _USUAL))
    if verb == "RENAME":
        reader.expect("TO")
        return Rename(kind, name, quiet, reader.identifier())
    if verb == "OWNER":
        reader.expect("TO")
        return SetOwner(kind, name, quiet, reader.identifier())
    if verb == "SWAP":
        reader.expect("WITH")
        return Swap(kind, name, quiet, reader.identifier())
    if verb in {"SET", "RESET"}:
        return _set(reader, verb, kind, name, quiet=quiet)
    return _special(reader, verb, kind, name, quiet=quiet)


def _set(reader: Reader, verb: str, kind: ObjectKind, name: Name, *, quiet: bool) -> Statement:
    if verb == "SET" and reader.accept("CLUSTER"):
        return SetCluster(kind, name, quiet, reader.identifier())
    if verb == "SET" and kind == "sink" and reader.accept("FROM"):
        return AlterSink(kind, name, quiet, reader.name())
    if not reader.at_operator("("):
        reader.expect_operator("(")
    if verb == "RESET":
        names = reader.parenthesized(lambda: reader.option()[0])
        return SetOptions(kind, name, quiet, reset=names)
    known = ("TIMESTAMP", "RETAIN") if kind == "source" else ("RETAIN",) if kind not in {"cluster", "connection", "sink"} else ()
    options = reader.options(*known)
    return SetOptions(kind, name, quiet, options, with_options=_with(reader))


def _with(reader: Reader) -> Options:
    return reader.with_options()


def _special(reader: Reader, verb: str, kind: ObjectKind, name: Name, *, quiet: bool) -> Statement:
    if kind == "secret":
        return AlterSecret(kind, name, quiet, reader.source(reader.until(lambda: False)))
    if kind == "table":
        reader.expect("COLUMN")
        exists = reader.if_not_exists()
        return AddColumn(kind, name, quiet, column(reader), exists)
    if kind == "connection":
        if verb == "ROTATE":
            reader.expect("KEYS")
            return SetOptions(kind, name, quiet, rotate_keys=True)
        names = reader.parenthesized(lambda: reader.option()[0])
        return SetOptions(kind, name, quiet, reset=names, with_options=_with(reader))
    if verb == "REFRESH":
        reader.expect("REFERENCES")
        return AlterSource(kind, name, quiet, "REFRESH REFERENCES")
    reader.one_of("SUBSOURCE", "TABLE")
    reader.until(lambda: False)
    return AlterSource(kind, name, quiet, "ADD SUBSOURCE" if verb == "ADD" else "DROP SUBSOURCE")


def _system(reader: Reader) -> Statement:
    if reader.one_of("SET", "RESET") == "RESET":
        return AlterSystem(None) if reader.accept("ALL") else AlterSystem(reader.identifier())
    name = reader.identifier()
    if not reader.accept("TO"):
        reader.expect_operator("=")
    value = variable_value(reader)
    return AlterSystem(name, value if value is not None else "")


def variable_value(reader: Reader) -> str | None:
    """The value that a variable is set to; None for DEFAULT."""
    if reader.accept("DEFAULT"):
        return None
    parts = []
    while not reader.at_end:
        token = reader.next()
        if not token.is_operator(","):
            parts.append(token.value)
    return ", ".join(parts)


def _role(reader: Reader) -> Statement:
    name = reader.identifier()
    if reader.accept("SET"):
        variable = reader.identifier()
        if not reader.accept("TO"):
            reader.expect_operator("=")
        return AlterRole(name, (), variable, variable_value(reader))
    if reader.accept("RESET"):
        return AlterRole(name, (), reader.identifier(), None)
    reader.accept("WITH")
    return AlterRole(name, attributes(reader))


def comment(reader: Reader) -> Statement:
    reader.expect("COMMENT", "ON")
    kind = "column" if reader.accept("COLUMN") else kind_of(reader)
    if kind is None:
        reader.expected("object type after COMMENT ON")
    name = reader.name()
    reader.expect("IS")
    text = None if reader.accept("NULL") else reader.string()
    return Comment(cast("ObjectKind", kind), name, text)


def validate(reader: Reader) -> Statement:
    reader.expect("VALIDATE", "CONNECTION")
    return ValidateConnection(reader.name())
