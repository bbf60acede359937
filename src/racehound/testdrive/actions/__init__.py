"""The actions of the language: what each may be given, and the module of its family, imported when it first runs."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from racehound.testdrive import values
from racehound.testdrive.errors import ActionError

if TYPE_CHECKING:
    from racehound.testdrive.state import Call, Context, Handler, State


@dataclass(frozen=True)
class Spec:
    """What an action may be given, and who does its work.

    `module` is the module of this package whose `ACTIONS` hold its handler. Without one the action needs `service`: its
    handler comes from the context, or it fails saying that the service is not configured; without a service either, it is
    not supported at all. `is_free`: other argument names are the author's own. `ends_skipping`: it runs even while skipped.
    """

    module: str = ""
    service: str = ""
    required: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    takes_input: bool = False
    is_free: bool = False
    ends_skipping: bool = False


def _own(module: str, required: str = "", optional: str = "", *, input: bool = False, free: bool = False) -> Spec:  # noqa: A002
    return Spec(module, "", tuple(required.split()), frozenset(optional.split()), input, free)


def _of(service: str, required: str = "", optional: str = "", *, input: bool = False, free: bool = False) -> Spec:  # noqa: A002
    return Spec("", service, tuple(required.split()), frozenset(optional.split()), input, free)


def _duration_or_default(text: str) -> float | None:
    return None if text == "default" else values.duration(text)


ARGUMENT_TYPES: Mapping[str, Callable[[str], object]] = MappingProxyType(
    {
        "active": values.boolean,
        "background": values.boolean,
        "count": values.integer,
        "duration": _duration_or_default,
        "force": values.boolean,
        "match": values.regex,
        "max-tries": values.integer,
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

SPECS: Mapping[str, Spec] = MappingProxyType(
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
        "skip-end": Spec("skipping", ends_skipping=True),
        "sleep-is-probably-flaky-i-have-justified-my-need-with-a-comment": _own("pausing", "duration"),
        "random-sleep": _own("pausing", "duration"),
        "nop": _own("pausing"),
        "postgres-connect": _own("postgres", "name url"),
        "postgres-execute": _own("postgres", "connection", "background", input=True),
        "postgres-verify-slot": _own("postgres", "connection slot", "active"),
        "http-request": _own("http", "method url", "content-type accept-additional-status-codes", input=True),
        "file-append": _own("files", "path", "container header compression repeat trailing-newline", input=True),
        "file-delete": _own("files", "path"),
        "psql-execute": _own("psql", "command", input=True),
        "check-consistency": _own("consistency"),
        "skip-consistency-checks": _own("consistency", "reason"),
        "check-shard-tombstone": _of("the target's internal HTTP port", "shard-id"),
        "mysql-connect": _of("MySQL", "name url", "password"),
        "mysql-execute": _of("MySQL", "name", input=True),
        "sql-server-connect": _of("SQL Server", "name", input=True),
        "sql-server-execute": _of("SQL Server", "name", "split-lines", input=True),
        "sql-server-set-from-sql": _of("SQL Server", "name var", input=True),
        "duckdb-execute": _of("DuckDB", "name", "sort-rows", input=True),
        "duckdb-query": _of("DuckDB", "name", "sort-rows", input=True),
        "kafka-create-topic": _of("Kafka", "topic", "partitions replication-factor compression compaction"),
        "kafka-add-partitions": _of("Kafka", "topic", "total-partitions"),
        "kafka-delete-records": _of("Kafka", "topic partition offset"),
        "kafka-delete-topic-flaky": _of("Kafka", "topic"),
        "kafka-wait-topic": _of("Kafka", "topic"),
        "kafka-ingest": _of("Kafka", "topic format", _KAFKA_INGEST, input=True),
        "kafka-verify-data": _of("Kafka", "", _KAFKA_VERIFY, input=True),
        "kafka-verify-topic": _of("Kafka", "", _SINK_TOPIC),
        "kafka-verify-commit": _of("Kafka", "consumer-group-id topic partition", input=True),
        "schema-registry-publish": _of("the schema registry", "subject schema-type", "references", input=True),
        "schema-registry-verify": _of("the schema registry", "subject schema-type", "compatibility-level", input=True),
        "schema-registry-wait": _of("the schema registry", "", "topic subject"),
        "protobuf-compile-descriptors": _of("protoc", "inputs output", "set-var"),
        "webhook-append": _of("the target's HTTP port", "name", "database schema status", input=True, free=True),
        "s3-file-upload": _of("S3", "bucket", "key key-prefix key-suffix count repeat compression", input=True),
        "s3-verify-data": _of("S3", "bucket key", "sort-rows", input=True),
        "s3-verify-keys": _of("S3", "bucket prefix-path key-pattern", "num-attempts"),
        "s3-set-presigned-url": _of("S3", "bucket key var-name"),
        "s3-upload-parquet-types": _of("S3", "bucket key"),
        "fivetran-destination": _of("", "", free=True, input=True),
        "persist-force-compaction": _of("", "", free=True, input=True),
    }
)
"""Every action of the language, by name."""


def handler(name: str, context: Context) -> Handler:
    """The function that does the work of an action: the context's own where it has one."""
    return context.handlers.get(name) or _known_handler(name)


@functools.cache
def _known_handler(name: str) -> Handler:
    spec = SPECS[name]
    if not spec.module:
        return _unavailable
    module = importlib.import_module(f"{__name__}.{spec.module}")
    return cast("Handler", module.ACTIONS[name])


def _unavailable(call: Call, _: State) -> None:
    service = SPECS[call.name].service
    raise ActionError(f"{call.name} needs {service}, which is not configured" if service else f"{call.name} is not supported")
