"""Compares the topics of Kafka sinks with their relations.

A topic is read to its end. A row that a relation has n times must have been inserted n times more often than it was deleted. A
relation may change while its topic is read, since a load generator never stops. Then only the rows that the relation had at every
query must be in the topic.
"""

from __future__ import annotations

import dataclasses
import json
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from racehound.databases.materialize.health import Problem
from racehound.databases.materialize.session import MaterializeSession, literal, quoted
from racehound.errors import TargetError
from racehound.tls import trusted

LAG_S = 20.0
"""Seconds by which a sink may lag behind its relation at rest."""
_LOOK_S = 0.2
_READ_LIMIT_S = 30.0
_ROWS_MAX = 20_000
"""Relations with more rows are not compared: to read a topic with a million messages takes longer than a repetition."""
_PLAIN = frozenset({16, 20, 21, 23, 25, 1043})
"""OIDs of booleans, integers and texts, which read alike in SQL, JSON and Avro. Rows with other columns are only counted."""
_SHOWN = 5

_SINKS = """
SELECT k.name, t.topic, k.format, rd.name, rs.name, r.name
FROM mz_catalog.mz_sinks AS k JOIN mz_catalog.mz_kafka_sinks AS t ON t.id = k.id
JOIN mz_internal.mz_object_dependencies AS d ON d.object_id = k.id
JOIN mz_catalog.mz_relations AS r ON r.id = d.referenced_object_id
JOIN mz_catalog.mz_schemas AS rs ON rs.id = r.schema_id JOIN mz_catalog.mz_databases AS rd ON rd.id = rs.database_id
JOIN mz_catalog.mz_schemas AS ks ON ks.id = k.schema_id JOIN mz_catalog.mz_databases AS kd ON kd.id = ks.database_id
WHERE kd.name = {database} ORDER BY k.name
"""

Row = tuple[str | None, ...]
RowCounts = Counter[Row]
Decode = Callable[[bytes], Any]


@dataclasses.dataclass(frozen=True)
class Sink:
    """A Kafka sink and its relation."""

    name: str
    topic: str
    format: str
    relation: str
    """The quoted name for SQL, with database and schema."""


@dataclasses.dataclass(frozen=True)
class Relation:
    """The rows of a relation at one moment."""

    columns: tuple[str, ...]
    is_plain: bool
    rows: RowCounts


class RowBounds:
    """Bounds for the rows of a relation, over all queries of it.

    They are needed because a sink that lags never has the newest rows of a growing relation.
    """

    def __init__(self) -> None:
        self._least: RowCounts | None = None
        self._most: RowCounts = Counter()

    def bounds(self, before: RowCounts, after: RowCounts) -> tuple[RowCounts, RowCounts]:
        """How often each row must and may be in a topic that was read between two queries of the relation."""
        if before == after:
            return before, after
        self._least = (before if self._least is None else self._least & before) & after
        self._most = self._most | before | after
        return self._least, self._most


def problems(session: MaterializeSession, database: str, kafka: str, registry: str | None) -> list[Problem]:
    """A problem for each sink of the database whose topic does not match its relation. TargetError."""
    decoders: dict[str, Decode] = {"json": json.loads, **({"avro": Avro(registry)} if registry else {})}
    found = []
    for sink in _sinks(session, database):
        decode = decoders.get(sink.format.lower())
        if decode is not None and (wrong := _compare(session, sink, kafka, decode)):
            found.append(Problem("wrong result", "a sink's topic", f"sink {sink.name} into {sink.topic}: {wrong}"))
    return found


def difference(least: RowCounts, most: RowCounts, written: RowCounts) -> str:
    """How the rows of a topic differ from a relation that has each row between `least` and `most` times; empty if they do not."""
    said = [f"deleted {-count} times more than inserted: {row}" for row, count in written.items() if count < 0]
    changing = least != most
    for row in most.keys() | written.keys():
        count = written[row]
        # A relation that changes may have had a row only between two queries.
        if (changing and not least[row]) or least[row] <= count <= most[row] or count < 0:
            continue
        said.append(f"in the relation {least[row]} times, in the topic {count} times: {row}")
    return "; ".join(sorted(said)[:_SHOWN])


def count_rows(envelopes: Iterator[Any], columns: tuple[str, ...]) -> RowCounts:
    """For each row of a topic's Debezium envelopes, the number of its insertions minus that of its deletions."""
    written: RowCounts = Counter()
    for envelope in envelopes:
        for side, change in (("after", 1), ("before", -1)):
            record = envelope.get(side)
            if record is not None:
                written[tuple(_text(record.get(column)) for column in columns)] += change
    return Counter({row: count for row, count in written.items() if count})


class Avro:
    """Decodes values in Confluent's wire format. It requests each schema from the registry once."""

    def __init__(self, registry: str | None) -> None:
        self._registry = registry
        self._schemas: dict[int, Any] = {}

    def __call__(self, value: bytes) -> Any:  # noqa: ANN401 the schema has the type
        import io

        from fastavro import schemaless_reader

        (number,) = struct.unpack(">I", value[1:5])
        return schemaless_reader(io.BytesIO(value[5:]), self._schema(number), None)

    def _schema(self, number: int) -> Any:  # noqa: ANN401 fastavro's
        if number not in self._schemas:
            import httpx
            from fastavro import parse_schema

            try:
                answer = httpx.get(
                    f"{self._registry}/schemas/ids/{number}", timeout=_READ_LIMIT_S, verify=trusted()
                ).raise_for_status()
            except httpx.HTTPError as error:
                raise TargetError(f"the schema registry at {self._registry}: {error}") from None
            self._schemas[number] = parse_schema(json.loads(answer.json()["schema"]))
        return self._schemas[number]


def _sinks(session: MaterializeSession, database: str) -> list[Sink]:
    rows = session.ask(_SINKS.format(database=literal(database)), _READ_LIMIT_S)
    return [Sink(name, topic, format_, ".".join(map(quoted, place))) for name, topic, format_, *place in rows]


def _compare(session: MaterializeSession, sink: Sink, kafka: str, decode: Decode) -> str:
    """How a topic still differs from its relation after `LAG_S`; empty if it does not, or the relation is too large."""
    deadline, seen = time.monotonic() + LAG_S, RowBounds()
    while True:
        before = _relation(session, sink)
        if before is None:
            return ""
        written = count_rows((decode(value) for value in _values(kafka, sink.topic)), before.columns if before.is_plain else ())
        after = _relation(session, sink)
        if after is None:
            return ""
        wrong = difference(*seen.bounds(before.rows, after.rows), written)
        if not wrong or time.monotonic() > deadline:
            return wrong
        time.sleep(_LOOK_S)


def _relation(session: MaterializeSession, sink: Sink) -> Relation | None:
    if int(session.ask(f"SELECT count(*) FROM {sink.relation}", _READ_LIMIT_S)[0][0]) > _ROWS_MAX:
        return None
    outcome = session.execute(f"SELECT * FROM {sink.relation}")
    if outcome.rows is None:
        raise TargetError(f"{sink.relation}: {outcome.error.message if outcome.error else outcome.status}")
    columns, is_plain = outcome.rows.columns, _PLAIN.issuperset(outcome.rows.types)
    return Relation(columns, is_plain, Counter(row if is_plain else () for row in outcome.rows.cells))


def _text(value: object) -> str | None:
    """The value as the server writes a plain type."""
    if isinstance(value, bool):
        return "t" if value else "f"
    return None if value is None else str(value)


def _values(kafka: str, topic: str) -> Iterator[bytes]:
    """The values of a topic's messages up to the end that it has at the call, since a sink may write all the time.

    TargetError when the topic cannot be read in time.
    """
    from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

    consumer = Consumer(
        {"bootstrap.servers": kafka, "group.id": "racehound-sinks", "enable.auto.commit": False, "log_level": 0,
         "isolation.level": "read_committed", "enable.partition.eof": True, "auto.offset.reset": "earliest"}
    )  # fmt: skip
    try:
        partitions = consumer.list_topics(topic, timeout=_READ_LIMIT_S).topics[topic].partitions
        ends = {
            number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=_READ_LIMIT_S)[1]
            for number in partitions
        }
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        deadline = time.monotonic() + _READ_LIMIT_S
        while ends:
            message = consumer.poll(max(0.0, deadline - time.monotonic()))
            if message is None:
                raise TargetError(f"topic {topic} cannot be read within {_READ_LIMIT_S:g} s")
            error, value, number = message.error(), message.value(), message.partition()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 its public name
                raise TargetError(f"topic {topic}: {error}")
            # Some offsets have no message, such as a transaction's end. So the last message may come before the last offset.
            left = 0 if error is not None else ends.get(number, 0) - (message.offset() or 0)
            if left <= 1:
                ends.pop(number, None)
            if left > 0 and value is not None:
                yield value
    except KafkaException as error:
        raise TargetError(f"topic {topic}: {error}") from None
    finally:
        consumer.close()
