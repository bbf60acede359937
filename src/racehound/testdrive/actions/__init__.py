"""The actions of the language: what arguments each takes, and which function does its work.

`_CORE` has the actions that name no database. A database's package adds its own by `register`, when databases are discovered;
scripts may then use them whatever their target is.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from racehound.errors import UserError
from racehound.testdrive import values

if TYPE_CHECKING:
    from racehound.testdrive.state import Call, Handler, State


@dataclass(frozen=True)
class Spec:
    """What arguments an action takes, and which function does its work. An action that has no function is not supported."""

    module: str = ""
    """Module whose mapping `ACTIONS` holds the function under the action's name. It is imported when the action first runs."""
    required: tuple[str, ...] = ()
    """Arguments that must be given."""
    optional: frozenset[str] = frozenset()
    """Arguments that may be given."""
    takes_input: bool = False
    takes_any_argument: bool = False
    """Whether arguments with other names are allowed."""
    ends_skipping: bool = False
    """Whether it runs even in the part of a script that `skip-if` skips."""
    handler: Handler | None = None
    """The function itself, instead of `module`."""


def spec_of(module: str, required: str = "", optional: str = "", *, input: bool = False, free: bool = False) -> Spec:  # noqa: A002
    """A `Spec` written in one line: argument names are separated by spaces."""
    return Spec(module, tuple(required.split()), frozenset(optional.split()), input, free)


def _own(module: str, required: str = "", optional: str = "", *, input: bool = False, free: bool = False) -> Spec:  # noqa: A002
    return spec_of(f"{__name__}.{module}", required, optional, input=input, free=free)


def _duration_or_default(text: str) -> float | None:
    return None if text.lower() == "default" else values.duration(text)


ARGUMENT_TYPES: Mapping[str, Callable[[str], object]] = MappingProxyType(
    {
        "active": values.boolean,
        "background": values.boolean,
        "count": values.integer,
        "duration": _duration_or_default,
        "force": values.boolean,
        "match": values.regex,
        "key-pattern": values.regex,
        "max-tries": values.integer,
        "num-attempts": values.integer,
        "repeat": values.integer,
        "sort-messages": values.boolean,
        "sort-rows": values.boolean,
        "split-lines": values.boolean,
        "status": values.integer,
        "trailing-newline": values.boolean,
    }
)
"""How the value of an argument is read, where every action that knows the name reads it alike; raises ValueError."""

_KAFKA_INGEST = (
    "schema key-format key-schema key-terminator repeat start-iteration partition timestamp headers omit-key omit-value "
    "confluent-wire-format references key-references set-schema-id-var set-key-schema-id-var descriptor-file message "
    "schema-id-subject schema-message-id key-descriptor-file key-message key-schema-id-subject key-schema-message-id"
)
_KAFKA_VERIFY = "format key-format value-format sink topic key headers sort-messages partial-search debug-print-only"
_SINK_TOPIC = "sink topic await-value-schema await-key-schema topic-config partition-count replication-factor"

_CORE: Mapping[str, Spec] = MappingProxyType(
    {
        "set": _own("settings", input=True, free=True),
        "set-arg-default": _own("settings", free=True),
        "set-from-sql": _own("settings", "var", input=True),
        "set-from-file": _own("settings", free=True),
        "set-regex": _own("settings", "match", "replacement"),
        "unset-regex": _own("settings"),
        "set-sql-timeout": _own("settings", "duration", "force"),
        "set-max-tries": _own("settings", "max-tries"),
        "skip-if": _own("skipping", input=True),
        "skip-end": Spec(f"{__name__}.skipping", ends_skipping=True),
        "sleep-is-probably-flaky-i-have-justified-my-need-with-a-comment": _own("pausing", "duration"),
        "random-sleep": _own("pausing", "duration"),
        "nop": _own("pausing", input=True, free=True),
        "http-request": _own("http", "method url", "content-type accept-additional-status-codes", input=True),
        "file-append": _own("files", "path", "container header compression repeat trailing-newline", input=True),
        "file-delete": _own("files", "path", "container"),
        "mysql-connect": _own("mysql", "name url", "password"),
        "mysql-execute": _own("mysql", "name", input=True),
        "sql-server-connect": _own(
            "sql_server", "name", "retry-initial-backoff retry-clamp-backoff retry-max-duration", input=True
        ),
        "sql-server-execute": _own("sql_server", "name", "split-lines", input=True),
        "sql-server-set-from-sql": _own("sql_server", "name var", input=True),
        "duckdb-connect": _own("duckdb", "name"),
        "duckdb-execute": _own("duckdb", "name", input=True),
        "duckdb-query": _own("duckdb", "name", "sort-rows", input=True),
        "kafka-create-topic": _own("kafka_topics", "topic", "partitions replication-factor compression compaction"),
        "kafka-add-partitions": _own("kafka_topics", "topic total-partitions"),
        "kafka-delete-records": _own("kafka_topics", "topic partition offset"),
        "kafka-delete-topic-flaky": _own("kafka_topics", "topic"),
        "kafka-wait-topic": _own("kafka_topics", "topic"),
        "kafka-ingest": _own("kafka_ingest", "topic format", _KAFKA_INGEST, input=True),
        "kafka-verify-data": _own("kafka_verify", "", _KAFKA_VERIFY, input=True),
        "kafka-verify-topic": _own("kafka_topics", "", _SINK_TOPIC),
        "kafka-verify-commit": _own("kafka_topics", "consumer-group-id topic partition", input=True),
        "schema-registry-publish": _own("schema_registry", "subject schema-type", "references", input=True),
        "schema-registry-verify": _own("schema_registry", "subject schema-type", "compatibility-level", input=True),
        "schema-registry-wait": _own("schema_registry", "", "topic subject"),
        "protobuf-compile-descriptors": _own("protobuf", "inputs output", "set-var"),
        "s3-file-upload": _own(
            "s3", "bucket", "key key-prefix key-suffix count header repeat compression trailing-newline", input=True
        ),
        "s3-file-upload-path": _own("s3", "bucket key path", "compression"),
        "s3-verify-data": _own("s3", "bucket key", "sort-rows", input=True),
        "s3-verify-keys": _own("s3", "bucket prefix-path key-pattern", "num-attempts"),
        "s3-set-presigned-url": _own("s3", "bucket key var-name"),
        "s3-upload-parquet-types": _own("s3", "bucket key", "compression"),
        "s3-upload-parquet-unsorted-map": spec_of("", "bucket key", free=True),
        "glue-create-schema": spec_of("", "name", free=True, input=True),
        "glue-verify-compatibility": spec_of("", "name compatibility", free=True),
        "fivetran-destination": spec_of("", free=True, input=True),
    }
)

_registered: dict[str, Spec] = {}


def register(specs: Mapping[str, Spec]) -> None:
    """Add actions, by name. Registering the same `Spec` again changes nothing.

    Raises UserError where an action of that name exists already with another `Spec`; then none of `specs` is added.
    """
    for name, added in specs.items():
        if (find(name) or added) != added:
            raise UserError(f"the testdrive action {name} is registered twice")
    _registered.update(specs)


def find(name: str) -> Spec | None:
    """The spec of an action; None where there is no action of that name."""
    return _CORE.get(name) or _registered.get(name)


def spec(name: str) -> Spec:
    """The spec of an action. KeyError where there is no action of that name."""
    found = find(name)
    if found is None:
        raise KeyError(name)
    return found


def handler(name: str) -> Handler:
    """The function that does the work of an action. KeyError where there is no action of that name."""
    found = spec(name)
    if found.handler is not None:
        return found.handler
    if not found.module:
        return _unavailable
    return cast("Handler", importlib.import_module(found.module).ACTIONS[name])


def _unavailable(call: Call, _: State) -> None:
    from racehound.testdrive.errors import ActionError

    raise ActionError(f"{call.name} is not supported")
