"""The zoo reads from and writes to a real Kafka."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from racehound.services.backends.instance import Instance
from racehound.services.service import CLIENT
from racehound.testdrive.formats import avro, confluent
from racehound.testdrive.formats.avro_schema import Names
from racehound.testdrive.kafka import Kafka
from racehound.testdrive.registry import Registry
from racehound_zoo.defects import DEFECTS
from racehound_zoo.server import Zoo
from zoo_support.connections import Connection, connect, refusal, rows, until

_TRIES = 15
_numbers = itertools.count()
_ROW = {"type": "record", "name": "row", "fields": [{"name": "a", "type": "long"}, {"name": "b", "type": ["null", "string"]}]}
_ENVELOPE = {
    "type": "record",
    "name": "envelope",
    "fields": [{"name": "before", "type": [_ROW, "null"]}, {"name": "after", "type": ["row", "null"]}],
}
_KEY = {"type": "record", "name": "key", "fields": [{"name": "a", "type": "long"}]}


class Outside:
    """The broker and the schema registry, as other clients use them."""

    def __init__(self, broker: str, registry: str) -> None:
        self.broker, self.url = broker, registry
        self.kafka = Kafka(broker, {}, 20)
        self.registry = Registry(registry, 20)

    def topic(self, partitions: int = 1) -> str:
        """Create a topic."""
        name = f"zoo-{time.time_ns()}-{next(_numbers)}"
        self.kafka.admin.create_topic(name, partitions, 1, {})
        until(lambda: self.kafka.admin.replicas(name) is not None)
        return name

    def send(self, topic: str, *records: tuple[str | None, str | None]) -> None:
        """Send messages of text."""
        encoded = [tuple(None if part is None else part.encode() for part in record) for record in records]
        self.kafka.deliver(topic, [(key, value) for key, value in encoded])

    def write_envelopes(self, topic: str, *changes: tuple[int, str | None]) -> None:
        """Send Debezium envelopes: the new row of each key; None deletes it."""
        key_id = self.registry.publish(f"{topic}-key", json.dumps(_KEY))
        value_id = self.registry.publish(f"{topic}-value", json.dumps(_ENVELOPE))
        key, envelope = Names().read(json.dumps(_KEY)), Names().read(json.dumps(_ENVELOPE))

        def value(number: int, text: str | None) -> bytes:
            after = None if text is None else {"row": {"a": number, "b": {"string": text}}}
            return confluent.header(value_id) + avro.encode(envelope, {"before": None, "after": after})

        self.kafka.deliver(
            topic,
            [(confluent.header(key_id) + avro.encode(key, {"a": number}), value(number, text)) for number, text in changes],
        )

    def messages(self, topic: str) -> list[tuple[bytes | None, bytes | None]]:
        """The messages of committed transactions, up to the end of the topic."""
        from confluent_kafka import KafkaError, TopicPartition

        consumer = self.kafka.consumer()
        found: list[tuple[bytes | None, bytes | None]] = []
        ended: set[int | None] = set()
        try:
            partitions = range(len(self.kafka.admin.replicas(topic) or ()))
            consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
            while len(ended) < len(partitions):
                message = consumer.poll(5)
                assert message is not None, "the topic has no end"
                error = message.error()
                if error is None:
                    found.append((message.key(), message.value()))
                else:
                    assert error.code() == KafkaError._PARTITION_EOF
                    ended.add(message.partition())
        finally:
            consumer.close()
        return found

    def objects(self, topic: str) -> list[Any]:
        """The values of the messages, decoded from JSON."""
        return [None if value is None else json.loads(value) for _, value in self.messages(topic)]


@pytest.fixture(scope="module")
def outside(service: Callable[[str], Instance]) -> Iterator[Outside]:
    broker = str(service("kafka").endpoints[CLIENT])
    outside = Outside(broker, f"http://{service('schema-registry').endpoints[CLIENT]}")
    yield outside
    outside.kafka.close()
    outside.registry.close()


@pytest.fixture(scope="module")
def zoo() -> Iterator[Zoo]:
    with Zoo() as server:
        yield server

    def still_running() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name.startswith("zoo-kafka")]

    # A sink that the last test has dropped ends when its producer has told the broker.
    until(lambda: still_running() == [], 10, still_running)


@pytest.fixture
def session(zoo: Zoo, outside: Outside) -> Iterator[Connection]:
    with stage(zoo, outside) as connection:
        yield connection


class stage:  # noqa: N801 used as a function
    """A session with a schema and a cluster of its own, and the two connections."""

    def __init__(self, zoo: Zoo, outside: Outside) -> None:
        self._session = connect(zoo.url)
        for sql in (
            "DROP SCHEMA IF EXISTS mine CASCADE", "DROP CLUSTER IF EXISTS c CASCADE", "CREATE SCHEMA mine",
            "SET search_path = mine", "CREATE CLUSTER c (SIZE '1', REPLICATION FACTOR 1)",
            f"CREATE CONNECTION k TO KAFKA (BROKER '{outside.broker}', SECURITY PROTOCOL PLAINTEXT)",
            f"CREATE CONNECTION csr TO CONFLUENT SCHEMA REGISTRY (URL '{outside.url}')",
        ):  # fmt: skip
            self._session.execute(sql)

    def __enter__(self) -> Connection:
        return self._session

    def __exit__(self, *_: object) -> None:
        self._session.execute("DROP SCHEMA mine CASCADE")
        self._session.close()


def source(session: Connection, topic: str, *tables: str, name: str = "s") -> None:
    """Create a source of the topic and tables of it. `tables`: name and what comes after REFERENCE."""
    session.execute(f"CREATE SOURCE {name} IN CLUSTER c FROM KAFKA CONNECTION k (TOPIC '{topic}')")
    for table in tables:
        called, _, how = table.partition(" ")
        session.execute(f'CREATE TABLE {called} FROM SOURCE {name} (REFERENCE "{topic}") {how}')


def status(session: Connection, name: str, of: str = "source") -> tuple[str, str | None]:
    return rows(session, f"SELECT status, error FROM mz_internal.mz_{of}_statuses WHERE name = '{name}'")[0]


_AVRO = "FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION csr"


# Connections


def test_a_broker_that_is_not_there_is_refused_as_recorded(session: Connection) -> None:
    unreachable = "CREATE CONNECTION kc_bad TO KAFKA (BROKER '127.0.0.1:1', SECURITY PROTOCOL PLAINTEXT)"
    assert refusal(session, unreachable) == ("58000", "Broker transport failure")
    session.execute(f"{unreachable} WITH (VALIDATE = false)")
    assert refusal(session, "VALIDATE CONNECTION kc_bad") == ("58000", "Broker transport failure")
    session.execute("VALIDATE CONNECTION k")
    assert refusal(session, "CREATE CONNECTION r TO CONFLUENT SCHEMA REGISTRY (URL 'http://127.0.0.1:1')") == (
        "XX000", "transport: error sending request for url (http://127.0.0.1:1/subjects)",
    )  # fmt: skip
    session.execute("VALIDATE CONNECTION csr")


def test_a_source_needs_its_topic_and_a_table_its_schema(session: Connection, outside: Outside) -> None:
    missing = "CREATE SOURCE s IN CLUSTER c FROM KAFKA CONNECTION k (TOPIC 'nosuch')"
    assert refusal(session, missing) == ("XX000", "Topic does not exist")
    topic = outside.topic()
    source(session, topic)
    table = f'CREATE TABLE t FROM SOURCE s (REFERENCE "{topic}") {_AVRO} ENVELOPE DEBEZIUM'
    assert refusal(session, table.replace(f'"{topic}"', '"other"'))[1] == "reference to other not found in source"
    assert refusal(session, table)[1] == "ENVELOPE [DEBEZIUM] UPSERT requires that KEY FORMAT be specified"
    outside.registry.publish(f"{topic}-key", json.dumps(_KEY))
    assert refusal(session, table)[1] == "No value schema found"


# Sources


def test_envelopes_of_debezium_become_one_row_for_each_key(session: Connection, outside: Outside) -> None:
    topic = outside.topic(2)
    outside.write_envelopes(topic, (1, "a"), (2, "b"), (3, "c"), (2, "bb"), (3, None))
    source(session, topic, f"t {_AVRO} ENVELOPE DEBEZIUM")
    assert rows(session, "SELECT * FROM t ORDER BY a") == [(1, "a"), (2, "bb")]
    outside.write_envelopes(topic, (1, "aa"), (2, None), (4, "d\t\\n"))
    until(lambda: rows(session, "SELECT * FROM t ORDER BY a") == [(1, "aa"), (4, "d\t\\n")])
    assert status(session, "t") == status(session, "s") == ("running", None)
    types = "SELECT name, type FROM mz_columns WHERE id = (SELECT id FROM mz_tables WHERE name = 't') ORDER BY position"
    assert rows(session, types) == [("a", "bigint"), ("b", "text")]


def test_text_upserts_and_appends_with_what_the_messages_tell_of_themselves(session: Connection, outside: Outside) -> None:
    topic = outside.topic()
    outside.send(topic, ("x", "1"), ("y", "2"), ("x", "3"), ("y", None))
    source(
        session, topic, "u KEY FORMAT TEXT VALUE FORMAT TEXT ENVELOPE UPSERT",
        "n KEY FORMAT TEXT VALUE FORMAT BYTES INCLUDE KEY AS k, PARTITION, OFFSET AS o, TIMESTAMP ENVELOPE NONE",
        "j FORMAT JSON",
    )  # fmt: skip
    assert rows(session, "SELECT key, text FROM u") == [("x", "3")]
    assert rows(session, "SELECT k, data, partition, o::int FROM n ORDER BY o") == [
        ("x", b"1", 0, 0), ("y", b"2", 0, 1), ("x", b"3", 0, 2),
    ]  # fmt: skip
    assert rows(session, "SELECT count(*) FROM n WHERE timestamp > now() - interval '1 hour'") == [(3,)]
    assert rows(session, "SELECT data FROM j ORDER BY data") == [(1,), (2,), (3,)]
    outside.send(topic, ("x", None), ("z", "9"))
    until(lambda: rows(session, "SELECT key, text FROM u") == [("z", "9")])


def test_a_source_goes_on_where_it_was_when_its_replica_comes_back(session: Connection, outside: Outside) -> None:
    topic = outside.topic()
    outside.send(topic, *((None, str(number)) for number in range(100)))
    source(session, topic, "n FORMAT TEXT")
    assert rows(session, "SELECT count(*) FROM n") == [(100,)]
    for round_ in range(4):
        session.execute("ALTER CLUSTER c SET (REPLICATION FACTOR 0)")
        outside.send(topic, *((None, str(number)) for number in range(100 * round_ + 100, 100 * round_ + 200)))
        session.execute("ALTER CLUSTER c SET (REPLICATION FACTOR 1)")
    until(lambda: rows(session, "SELECT count(*) >= 500 FROM n") == [(True,)])
    assert rows(session, "SELECT count(*), count(DISTINCT text), max(text::int) FROM n") == [(500, 500, 499)]


def test_a_topic_that_goes_stalls_its_source(session: Connection, outside: Outside) -> None:
    topic = outside.topic()
    outside.send(topic, (None, "1"))
    source(session, topic, "n FORMAT TEXT")
    assert rows(session, "SELECT * FROM n") == [("1",)]
    outside.kafka.admin.delete_topic(topic)
    until(lambda: status(session, "s") == ("stalled", "topic was deleted"))
    assert rows(session, "SELECT * FROM n") == [("1",)]


def test_a_message_that_its_format_does_not_describe_stalls_its_table(session: Connection, outside: Outside) -> None:
    topic = outside.topic()
    outside.send(topic, (None, "{"))
    source(session, topic, "j FORMAT JSON", "t FORMAT TEXT")
    until(lambda: status(session, "j")[0] == "stalled")
    assert (status(session, "j")[1] or "").startswith("Decode error: ")
    assert rows(session, "SELECT * FROM t") == [("{",)]


def test_many_updates_of_one_key_are_folded_before_they_are_written(session: Connection, outside: Outside) -> None:
    topic, count = outside.topic(), 100_000
    outside.kafka.deliver(topic, ((b"k", b"%d" % number) for number in range(count)))
    begun = time.monotonic()
    source(session, topic, "u KEY FORMAT TEXT VALUE FORMAT TEXT ENVELOPE UPSERT")
    assert rows(session, "SELECT key, text FROM u") == [("k", str(count - 1))]
    assert time.monotonic() - begun < 20


# Sinks


def fold(objects: Sequence[Any]) -> list[tuple[Any, int]]:
    """The rows that remain after all envelopes."""
    found: dict[str, int] = {}
    for envelope in objects:
        for side, change in (("before", -1), ("after", 1)):
            if envelope[side] is not None:
                text = json.dumps(envelope[side], sort_keys=True)
                found[text] = found.get(text, 0) + change
    return sorted((json.loads(text)["a"], count) for text, count in found.items() if count)


def sink(session: Connection, relation: str, topic: str, how: str, name: str = "k1") -> None:
    session.execute(f"CREATE SINK {name} IN CLUSTER c FROM {relation} INTO KAFKA CONNECTION k (TOPIC '{topic}') {how}")


def test_a_sink_writes_envelopes_of_json(session: Connection, outside: Outside) -> None:
    topic = f"out-{time.time_ns()}"
    session.execute("CREATE TABLE x (a int, b text, c timestamp, d numeric, e bytea)")
    session.execute("INSERT INTO x VALUES (1, 'é', '2020-01-02 03:04:05.000678', 1.50, '\\x0102'), (2, NULL, NULL, NULL, NULL)")
    sink(session, "x", topic, "FORMAT JSON ENVELOPE DEBEZIUM")

    def state() -> tuple[tuple[str, str | None], list[Any]]:
        return status(session, "k1", "sink"), outside.objects(topic)

    until(lambda: state()[0][0] == "running" and len(state()[1]) == 2, state=state)
    one = {"a": 1, "b": "é", "c": "1577934245000.678", "d": "1.50", "e": [1, 2]}
    assert {"before": None, "after": one} in outside.objects(topic)
    session.execute("UPDATE x SET b = 'z' WHERE a = 1")
    until(lambda: len(outside.objects(topic)) == 4, state=state)
    assert outside.objects(topic)[2:] == [{"before": one, "after": None}, {"before": None, "after": one | {"b": "z"}}]


def test_a_sink_with_a_key_writes_avro_and_registers_its_schemas(session: Connection, outside: Outside) -> None:
    topic = f"out-{time.time_ns()}"
    session.execute("CREATE TABLE x (a int, b text)")
    session.execute("INSERT INTO x VALUES (1, 'one')")
    sink(session, "x", topic, f"KEY (a) NOT ENFORCED {_AVRO} ENVELOPE UPSERT")
    until(lambda: len(outside.messages(topic)) == 1)  # both schemas have been registered by then
    fields = [{"name": "a", "type": ["null", "int"]}, {"name": "b", "type": ["null", "string"]}]
    value, key = outside.registry.existing(f"{topic}-value"), outside.registry.existing(f"{topic}-key")
    assert json.loads(value.schema) == {"type": "record", "name": "envelope", "fields": fields}
    assert json.loads(key.schema) == {"type": "record", "name": "row", "fields": fields[:1]}
    session.execute("DELETE FROM x")
    until(lambda: len(outside.messages(topic)) == 2)
    name = confluent.header(key.id) + b"\2\2"
    assert outside.messages(topic) == [(name, confluent.header(value.id) + b"\2\2\2\6one"), (name, None)]


def test_a_sink_sends_every_change_once_whatever_happens_to_it(session: Connection, outside: Outside) -> None:
    topic = outside.topic(3)
    session.execute("CREATE TABLE x (a int)")
    session.execute("CREATE MATERIALIZED VIEW m AS SELECT a FROM x")
    session.execute("CREATE MATERIALIZED VIEW n AS SELECT a FROM x")
    session.execute("INSERT INTO x SELECT generate_series(1, 50)")
    sink(session, "m", topic, "FORMAT JSON ENVELOPE DEBEZIUM")
    for number in range(6):
        session.execute(f"INSERT INTO x SELECT generate_series({50 + 10 * number + 1}, {60 + 10 * number})")
        session.execute(f"ALTER SINK k1 SET FROM {'mn'[number % 2]}")
        if number % 2:
            session.execute("ALTER CLUSTER c SET (REPLICATION FACTOR 0)")
            session.execute("ALTER CLUSTER c SET (REPLICATION FACTOR 1)")
    expected = [(number, 1) for number in range(1, 111)]
    until(lambda: fold(outside.objects(topic)) == expected)
    assert len(outside.objects(topic)) == 110
    session.execute("DROP SINK k1")


def test_a_sink_needs_what_it_names(session: Connection) -> None:
    session.execute("CREATE TABLE x (a int)")
    create = "CREATE SINK k1 IN CLUSTER c FROM x INTO KAFKA CONNECTION k (TOPIC 'o')"
    assert refusal(session, f"{create} KEY (b) FORMAT JSON ENVELOPE UPSERT")[1] == "column referenced in KEY does not exist: b"
    session.execute("CREATE CONNECTION far TO KAFKA (BROKER '127.0.0.1:1', SECURITY PROTOCOL PLAINTEXT) WITH (VALIDATE = false)")
    far = create.replace("CONNECTION k ", "CONNECTION far ")
    assert refusal(session, f"{far} FORMAT JSON ENVELOPE DEBEZIUM") == ("58000", "Broker transport failure")


# Defects


def race(zoo: Zoo, session: Connection, mine: str, others: str) -> None:
    """Execute two statements at the same time."""
    barrier = threading.Barrier(2)
    other = connect(zoo.url)
    other.execute("SET search_path = mine")

    def run(each: Connection, sql: str) -> None:
        barrier.wait()
        each.execute(sql)

    threads = [threading.Thread(target=run, args=pair) for pair in ((session, mine), (other, others))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()


def loses_rows(zoo: Zoo, session: Connection, outside: Outside) -> bool:
    """Whether a source loses rows when its cluster loses its replica while messages arrive."""
    topic = outside.topic()
    outside.send(topic, (None, "0"))
    source(session, topic, "n FORMAT TEXT")
    assert rows(session, "SELECT count(*) FROM n") == [(1,)]
    for number in range(1, 8):
        outside.send(topic, (None, str(number)))
        session.execute("ALTER CLUSTER c SET (REPLICATION FACTOR 0)")
        session.execute("ALTER CLUSTER c SET (REPLICATION FACTOR 1)")
        until(lambda: status(session, "n")[0] == "running")
    outside.send(topic, (None, "last"))
    until(lambda: rows(session, "SELECT count(*) FROM n WHERE text = 'last'") == [(1,)])
    return rows(session, "SELECT count(*) FROM n") != [(9,)]


def sends_twice(zoo: Zoo, session: Connection, outside: Outside) -> bool:
    """Whether a sink sends rows twice when it gets another relation while rows are inserted."""
    topic = outside.topic()
    session.execute("CREATE TABLE x (a int)")
    session.execute("CREATE MATERIALIZED VIEW m AS SELECT a FROM x")
    session.execute("CREATE MATERIALIZED VIEW n AS SELECT a FROM x")
    sink(session, "m", topic, "FORMAT JSON ENVELOPE DEBEZIUM")
    until(lambda: status(session, "k1", "sink")[0] == "running")
    for number in range(6):
        race(zoo, session, f"INSERT INTO x VALUES ({number})", f"ALTER SINK k1 SET FROM {'nm'[number % 2]}")
    session.execute("INSERT INTO x VALUES (99)")
    until(lambda: any(each["after"] == {"a": 99} for each in outside.objects(topic)))
    return fold(outside.objects(topic)) != [(number, 1) for number in (*range(6), 99)]


def shares_a_snapshot(zoo: Zoo, session: Connection, outside: Outside) -> bool:
    """Whether a table lacks rows when two tables are added to a source at the same time."""
    topic = outside.topic()
    outside.send(topic, *((None, str(number)) for number in range(20)))
    source(session, topic)
    table = f'FROM SOURCE s (REFERENCE "{topic}") FORMAT TEXT'
    race(zoo, session, f"CREATE TABLE t {table}", f"CREATE TABLE u {table}")
    return rows(session, "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM u)") != [(20, 20)]


RACES: dict[str, Callable[[Zoo, Connection, Outside], bool]] = {
    "lost-rows-on-restart": loses_rows,
    "duplicated-rows-in-sink": sends_twice,
    "shared-snapshot": shares_a_snapshot,
}


def test_every_defect_of_kafka_has_a_race() -> None:
    assert {*RACES} == {defect.name for defect in DEFECTS if defect.needs == "kafka"}


@pytest.fixture(scope="module")
def defective_zoo() -> Iterator[Zoo]:
    with Zoo(defects=[*RACES]) as server:
        yield server


@pytest.mark.parametrize("name", [*RACES])
def test_a_defect_shows_in_its_race(defective_zoo: Zoo, outside: Outside, name: str) -> None:
    for _ in range(_TRIES):
        with stage(defective_zoo, outside) as session:
            if RACES[name](defective_zoo, session, outside):
                return
    pytest.fail(f"{name} did not show in {_TRIES} tries")


@pytest.mark.parametrize("name", [*RACES])
def test_without_its_switch_the_race_is_harmless(zoo: Zoo, outside: Outside, name: str) -> None:
    for _ in range(2):
        with stage(zoo, outside) as session:
            assert not RACES[name](zoo, session, outside)
