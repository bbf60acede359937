"""Kafka: a source of upserts and a sink."""

from __future__ import annotations

import dataclasses
import json
from typing import ClassVar, Literal

from racehound.databases.materialize.kinds.base import CLUSTER, CONSTANT, MaterializeKind
from racehound.databases.materialize.kinds.shared_operations import Named
from racehound.databases.materialize.kinds.text import Statements, action, expect, expect_none, retried, run, set_variable
from racehound.kinds.kind import Fragment, Manipulations, changes

REGISTRY = "csr_conn"
RECORDS = "${racehound.upsert-records}"
INGEST_LIMIT_S = 300
_ROW = {
    "type": "record",
    "name": "row",
    "fields": [{"name": "a", "type": "long"}, {"name": "data", "type": "string"}, {"name": "b", "type": "string"}],
}
_KEY_SCHEMA = {
    "type": "record",
    "name": "Key",
    "fields": [{"name": "b", "type": "string"}, {"name": "a", "type": "long"}],
}
_SCHEMA = {
    "type": "record",
    "name": "envelope",
    "fields": [{"name": "before", "type": [_ROW, "null"]}, {"name": "after", "type": ["row", "null"]}],
}
_ITERATION = "${kafka-ingest.iteration}"


def connecting(kafka: str = "kafka_conn") -> Statements:
    """The statements that make the two connections, unless somebody has made them."""
    registry = f"CREATE CONNECTION IF NOT EXISTS {REGISTRY} TO CONFLUENT SCHEMA REGISTRY"
    return (
        f"{registry} (URL '${{testdrive.schema-registry-url}}')",
        f"CREATE CONNECTION IF NOT EXISTS {kafka} TO KAFKA (BROKER '${{testdrive.kafka-addr}}', SECURITY PROTOCOL PLAINTEXT)",
    )


@dataclasses.dataclass(frozen=True)
class UpsertSource(MaterializeKind):
    """A topic of a million records as a table, each key with its last value. Verified: all are there once."""

    requires: ClassVar[frozenset[str]] = frozenset({"kafka", "schema-registry"})
    noun: ClassVar[str] = "TABLE"
    weight: ClassVar[int] = 6

    @property
    def relation(self) -> str:
        return self.ident

    @property
    def topic(self) -> str:
        """The topic on the broker: the language gives every run its own."""
        return f"testdrive-{self.name}-${{testdrive.seed}}"

    @property
    def source(self) -> str:
        """The source that its table is made from."""
        return f"{self.name}_source"

    @property
    def source_cluster(self) -> str:
        """Where the source works."""
        return CLUSTER

    @property
    def connecting_source(self) -> Statements:
        """The statements that make the source anew."""
        topic = f"(TOPIC '{self.topic}')"
        return (
            f"DROP SOURCE IF EXISTS {self.source} CASCADE",
            f"CREATE SOURCE {self.source} IN CLUSTER {self.source_cluster} FROM KAFKA CONNECTION kafka_conn {topic}",
        )

    def prepare(self) -> Fragment:
        return (
            action(f"kafka-create-topic topic={self.name} partitions=1")
            + self._ingesting()
            + run(*connecting(), *self.connecting_source)
        )

    def _ingesting(self) -> Fragment:
        def row(data: str) -> str:
            return f'{{"row": {{"a": {_ITERATION}, "data": "{data}", "b": "bdata"}}}}'

        key = f'{{"b": "bdata", "a": {_ITERATION}}}'
        value = f'{{"before": {row("fish")}, "after": {row("fish2")}}}'
        schemas = f"key-schema=${{{self.name}-key}} schema=${{{self.name}-value}}"
        return (
            action(f"set {self.name}-key", json.dumps(_KEY_SCHEMA))
            + action(f"set {self.name}-value", json.dumps(_SCHEMA))
            + action(f"set-sql-timeout duration={INGEST_LIMIT_S}s force=true")
            + action(f"kafka-ingest topic={self.name} format=avro key-format=avro {schemas} repeat={RECORDS}", f"{key} {value}")
            + action("set-sql-timeout duration=default")
        )

    def table_of_source(self, name: str) -> str:
        """The statement that makes a table of the source."""
        encoding = f"FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION {REGISTRY} ENVELOPE DEBEZIUM"
        return f'CREATE TABLE {name} FROM SOURCE {self.source} (REFERENCE "{self.topic}") {encoding}'

    def create_statements(self) -> Statements:
        return (self.table_of_source(self.ident),)

    def verify(self) -> Fragment:
        return self.verify_table(self.ident)

    def verify_table(self, name: str) -> Fragment:
        """Whether a table of the source has every record once."""
        counts = f"count(*) - {RECORDS}, count(DISTINCT a) - count(*), min(a), max(a) + 1 - count(*)"
        query = f"SELECT {counts}, min(data), max(data), min(b), max(b) FROM {name}"
        return retried(expect(query, "0 0 0 0 fish2 fish2 bdata bdata"), seconds="${racehound.upsert-patience}")


@dataclasses.dataclass(frozen=True)
class KafkaSink(Named):
    """A sink of the base into a topic. Verified: no other one has its topic, and what it is made from is there."""

    encoding: Literal["JSON", "AVRO"] = "JSON"

    requires: ClassVar[frozenset[str]] = frozenset({"kafka", "schema-registry"})
    can_be_referenced: ClassVar[bool] = False
    noun: ClassVar[str] = "SINK"
    short: ClassVar[str] = "sink"
    weight: ClassVar[int] = 24
    manipulations: ClassVar[Manipulations] = {
        "set_from": ("drop_other_view", "create_other_view", "set_from_other", "set_from_first", "drop_created_view"),
        "rename": ("drop_renamed", "rename", "rename_back"),
    }

    @property
    def count(self) -> str:
        """The variable that counts how often its creation was tried: each time writes into a topic of its own."""
        return f"arg.{self.name}-topics"

    @property
    def topic(self) -> str:
        return f"${{racehound.database}}-{self.name}-${{{self.count}}}"

    @property
    def upstream(self) -> str:
        """What is written: a materialized view of its own where the base is no relation, or no sink can be made from it."""
        if self.base.relation is None:
            return self.qualified(f"{self.name}_view")
        return self.base.relation if self.base.sinkable else self.qualified(f"{self.name}_mv")

    @property
    def view_statements(self) -> Statements:
        """The statement that makes the materialized view where there is one."""
        if self.base.relation is None:
            return (f"CREATE MATERIALIZED VIEW IF NOT EXISTS {self.upstream} {self.in_cluster}AS {CONSTANT}",)
        if not self.base.sinkable:
            return (f"CREATE MATERIALIZED VIEW IF NOT EXISTS {self.upstream} {self.in_cluster}AS {self.query}",)
        return ()

    def create_statements(self) -> Statements:
        registry = f" USING CONFLUENT SCHEMA REGISTRY CONNECTION {REGISTRY}" if self.encoding == "AVRO" else ""
        into = f"KAFKA CONNECTION {self.base.kafka} (TOPIC '{self.topic}')"
        created = f"CREATE SINK {self.ident} IN CLUSTER {self.base.cluster} FROM {self.upstream} INTO {into}"
        return *self.view_statements, *connecting(), f"{created} FORMAT {self.encoding}{registry} ENVELOPE DEBEZIUM"

    def create(self) -> Fragment:
        counting = action(f"set-arg-default {self.name}-topics=0") + set_variable(self.count, f"SELECT ${{{self.count}}} + 1")
        return counting + super().create()

    def clear(self) -> Fragment:
        """Only its last statement makes the sink."""
        return ""

    def owner_statements(self) -> Statements:
        return ()

    @property
    def _other(self) -> str:
        """Another materialized view of the same rows."""
        return self.qualified(f"{self.name}_tmp_mv")

    @changes
    def drop_other_view(self) -> Fragment:
        return run(f"DROP MATERIALIZED VIEW IF EXISTS {self._other}")

    @changes
    def create_other_view(self) -> Fragment:
        return run(f"CREATE MATERIALIZED VIEW {self._other} {self.in_cluster}AS SELECT * FROM {self.upstream}")

    @changes
    def set_from_other(self) -> Fragment:
        return run(f"ALTER SINK {self.ident} SET FROM {self._other}")

    @changes
    def set_from_first(self) -> Fragment:
        return run(f"ALTER SINK {self.ident} SET FROM {self.upstream}")

    @changes
    def drop_created_view(self) -> Fragment:
        return run(f"DROP MATERIALIZED VIEW {self._other}")

    def verify(self) -> Fragment:
        """Statements cannot read the topic: `databases/materialize/sinks.py` compares it when nothing runs."""
        known = "SELECT id FROM mz_catalog.mz_objects"
        return (
            self.verify_catalog()
            + expect_none("SELECT topic, count(*) FROM mz_catalog.mz_kafka_sinks GROUP BY topic HAVING count(*) > 1")
            + expect_none(
                "SELECT d.referenced_object_id FROM mz_internal.mz_object_dependencies AS d JOIN mz_catalog.mz_sinks AS s "
                f"ON s.id = d.object_id WHERE s.name = '{self.name}' AND d.referenced_object_id NOT IN ({known})"
            )
        )
