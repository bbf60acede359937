"""ZooKeeper, both Kafkas and the schema registry: real ones, asked what clients ask."""

from __future__ import annotations

import http.client
import itertools
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from racehound.services import scratch
from racehound.services.backends.instance import Instance
from racehound.services.composition import Composition, ServiceRequest
from racehound.services.service import Access, Endpoint, NotReadyError
from racehound.services.zookeeper import ask, await_release

RESTART_LIMIT_S = 20.0
"""On a busy machine; on an idle one ZooKeeper takes 1 s, Kafka 3 s, by KRaft 5 s, the registry 6 s."""
_numbers = itertools.count()
UP = Callable[[str], Instance]
AVRO = json.dumps({"type": "record", "name": "r", "fields": [{"name": "a", "type": "long"}]})
GROWN = json.dumps(
    {"type": "record", "name": "r", "fields": [{"name": "a", "type": "long"}, {"name": "b", "type": "long", "default": 0}]}
)


@pytest.fixture(scope="module")
def kraft(service: UP) -> Iterator[Composition]:
    """A composition with the other Kafka, which none can have besides the first."""
    from racehound.services.catalogue import find

    if any(artifact.find() is None for artifact in find("kafka-kraft").artifacts()):
        pytest.skip("not installed; racehound services install kafka-kraft")
    directory = scratch.create("tests.kraft")
    composition = Composition("kraft", directory)
    composition.up([ServiceRequest("kafka-kraft")], lambda _name, _what: None)
    yield composition
    composition.down(lambda _name, _what: None)
    assert list(directory.glob("kafka*")) == []
    scratch.remove(directory)


def _new_topic(address: Endpoint) -> str:
    name = f"topic-{next(_numbers)}"
    admin = AdminClient({"bootstrap.servers": str(address)})
    admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)], operation_timeout=20)[name].result(20)
    return name


def _send(address: Endpoint, topic: str, value: bytes) -> None:
    """Returns when the broker has it."""
    errors: list[object] = []
    producer = Producer({"bootstrap.servers": str(address), "message.timeout.ms": 20_000})
    producer.produce(topic, value, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(20) == 0
    assert errors == [None]


def _first(address: Endpoint, topic: str) -> bytes | None:
    consumer = Consumer({"bootstrap.servers": str(address), "group.id": topic, "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        message = consumer.poll(20)
        assert message is not None
        assert message.error() is None
        value = message.value()
        assert value is None or isinstance(value, bytes)
        return value
    finally:
        consumer.close()


def _advertised(address: Endpoint) -> list[str]:
    brokers = AdminClient({"bootstrap.servers": str(address)}).list_topics(timeout=20).brokers.values()
    return [f"{broker.host}:{broker.port}" for broker in brokers]


def _ask(address: Endpoint, method: str, path: str, content: object = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=20)
    try:
        body = None if content is None else json.dumps(content)
        connection.request(method, path, body, {"Content-Type": "application/vnd.schemaregistry.v1+json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.fixture
def registry(service: UP) -> Endpoint:
    return service("schema-registry").endpoints["client"]


@pytest.fixture
def subject() -> str:
    return f"subject-{next(_numbers)}-value"


@pytest.mark.parametrize("name", ["zookeeper", "kafka", "schema-registry"])
def test_it_is_healthy_and_listens_where_it_was_told_and_nowhere_else(name: str, service: UP, composition: Composition) -> None:
    instance = service(name)
    status = next(status for status in composition.status() if status.name == name)
    assert (status.health, status.remark) == ("healthy", "")
    assert sorted(status.listens) == sorted(str(endpoint) for endpoint in instance.endpoints.values())
    assert 0 < status.memory_mib < 400


@pytest.mark.parametrize("name", ["zookeeper", "kafka", "schema-registry"])
def test_what_does_not_answer_is_not_ready(name: str, service: UP) -> None:
    closed = Access({"client": Endpoint("127.0.0.1", 1)})
    with pytest.raises(NotReadyError, match=r"127\.0\.0\.1:1"):
        service(name).service.check(closed)


def test_another_server_is_not_taken_for_kafka(service: UP) -> None:
    zookeeper = service("zookeeper")
    with pytest.raises(NotReadyError):
        service("kafka").service.check(zookeeper.access)


def test_variables_for_scripts(service: UP, composition: Composition) -> None:
    kafka, registry = service("kafka").endpoints["client"], service("schema-registry").endpoints["client"]
    variables = composition.variables()
    assert variables["testdrive.kafka-addr"] == variables["testdrive.kafka-addr-resolved"] == str(kafka)
    assert variables["testdrive.schema-registry-url"] == f"http://{registry}"


def test_a_message_passes(service: UP) -> None:
    address = service("kafka").endpoints["client"]
    topic = _new_topic(address)
    _send(address, topic, b"there and back")
    assert _first(address, topic) == b"there and back"


def test_topics_are_not_made_by_asking_for_them(service: UP) -> None:
    address = str(service("kafka").endpoints["client"])
    # Else it would wait for half a minute, for the topic to become known everywhere.
    producer = Producer({"bootstrap.servers": address, "topic.metadata.propagation.max.ms": 100})
    errors: list[Any] = []
    producer.produce("nobody-made-it", b"", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(20) == 0
    assert [error.name() for error in errors] == ["UNKNOWN_TOPIC_OR_PART"]


def test_the_second_listener_leads_to_the_fault_proxy(service: UP) -> None:
    kafka = service("kafka")
    bound, proxy = kafka.endpoints["proxied"], kafka.target_endpoints["proxied"]
    assert bound != proxy
    assert _advertised(bound) == [str(proxy)]
    assert _advertised(kafka.endpoints["client"]) == [str(kafka.endpoints["client"])]


def test_kafka_comes_back_from_a_kill_with_what_it_had_acknowledged(service: UP, composition: Composition) -> None:
    address = service("kafka").endpoints["client"]
    topic = _new_topic(address)
    _send(address, topic, b"kept")
    composition.kill("kafka")
    assert composition.deaths() == [f"service kafka {service('kafka').exit_summary()}"]
    assert composition.restart("kafka") < RESTART_LIMIT_S
    assert _first(address, topic) == b"kept"
    _send(address, _new_topic(address), b"and goes on")


def test_a_killed_brokers_registration_is_waited_for(service: UP, composition: Composition) -> None:
    zookeeper = service("zookeeper").endpoints["client"]
    service("kafka").kill()
    assert "/brokers/ids/1" in ask(zookeeper, b"dump")
    await_release(zookeeper, "/brokers/ids/1", RESTART_LIMIT_S)
    assert "/brokers/ids/1" not in ask(zookeeper, b"dump")
    composition.restart("kafka")


def test_kafka_lives_on_when_zookeeper_is_killed_and_back(service: UP, composition: Composition) -> None:
    address = service("kafka").endpoints["client"]
    assert composition.restart("zookeeper") < RESTART_LIMIT_S
    _send(address, _topic_when_found_again(address), b"it has found it again")
    assert composition.deaths() == []


def _topic_when_found_again(address: Endpoint) -> str:
    """A new topic; until Kafka's session with ZooKeeper is back it refuses to make one."""
    deadline = time.monotonic() + RESTART_LIMIT_S
    while True:
        try:
            return _new_topic(address)
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_kraft_needs_no_other_service_and_listens_on_loopback_only(kraft: Composition) -> None:
    (status,) = kraft.status()
    assert (status.name, status.health) == ("kafka-kraft", "healthy")
    assert sorted(status.listens) == sorted(str(endpoint) for endpoint in kraft.instance("kafka").endpoints.values())


def test_kraft_passes_messages_and_keeps_them_over_a_kill(kraft: Composition) -> None:
    broker = kraft.instance("kafka")
    address = broker.endpoints["client"]
    topic = _new_topic(address)
    _send(address, topic, b"by KRaft")
    assert kraft.restart("kafka") < RESTART_LIMIT_S
    assert _first(address, topic) == b"by KRaft"
    assert _advertised(broker.endpoints["proxied"]) == [str(broker.target_endpoints["proxied"])]


def test_a_killed_broker_is_not_there_for_clients(kraft: Composition) -> None:
    kraft.kill("kafka")
    try:
        with pytest.raises(KafkaException):
            AdminClient({"bootstrap.servers": kraft.variables()["testdrive.kafka-addr"], "log_level": 0}).list_topics(timeout=0.5)
        assert [status.health for status in kraft.status()] == ["dead"]
    finally:
        kraft.restart("kafka")


def test_schemas_are_registered_and_found_as_in_confluents(registry: Endpoint, subject: str) -> None:
    status, registered = _ask(registry, "POST", f"/subjects/{subject}/versions", {"schema": AVRO})
    assert status == 200
    assert _ask(registry, "POST", f"/subjects/{subject}/versions", {"schema": AVRO}) == (200, registered)
    number = registered["id"]
    status, by_id = _ask(registry, "GET", f"/schemas/ids/{number}")
    assert (status, json.loads(by_id["schema"])) == (200, json.loads(AVRO))
    assert _ask(registry, "GET", f"/subjects/{subject}/versions") == (200, [1])
    status, latest = _ask(registry, "GET", f"/subjects/{subject}/versions/latest")
    assert (status, latest["subject"], latest["version"], latest["id"]) == (200, subject, 1, number)
    status, grown = _ask(registry, "POST", f"/subjects/{subject}/versions", {"schema": GROWN})
    assert status == 200
    assert grown["id"] != number
    assert subject in _ask(registry, "GET", "/subjects")[1]
    assert _ask(registry, "DELETE", f"/subjects/{subject}") == (200, [1, 2])


def test_schemas_of_other_types_and_references(registry: Endpoint, subject: str) -> None:
    def register(name: str, **content: object) -> int:
        return _ask(registry, "POST", f"/subjects/{name}/versions", content)[0]

    assert register(f"p-{subject}", schemaType="PROTOBUF", schema='syntax = "proto3"; message A { int32 x = 1; }') == 200
    assert (
        register(f"j-{subject}", schemaType="JSON", schema='{"type": "object", "properties": {"a": {"type": "string"}}}') == 200
    )
    assert register(subject, schema=AVRO) == 200
    reference = {"name": "r", "subject": subject, "version": 1}
    outer = json.dumps({"type": "record", "name": "outer", "fields": [{"name": "f", "type": "r"}]})
    assert register(f"o-{subject}", schema=outer, references=[reference]) == 200
    assert _ask(registry, "GET", f"/subjects/o-{subject}/versions/1")[1]["references"] == [reference]


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        ("GET", "/schemas/ids/999999", None, 404, 40403),
        ("GET", "/subjects/none/versions", None, 404, 40401),
        ("GET", "/subjects/none/versions/latest", None, 404, 40401),
        ("GET", "/config/none", None, 404, 40408),
        ("DELETE", "/subjects/none", None, 404, 40401),
        ("POST", "/subjects/none", {"schema": AVRO}, 404, 40401),
        ("POST", "/subjects/none/versions", {"schema": "{nonsense"}, 422, 42201),
        ("PUT", "/config", {"compatibility": "SILLY"}, 422, 42203),
    ],
)
def test_errors_have_confluents_numbers(
    registry: Endpoint, method: str, path: str, content: object, status: int, code: int
) -> None:
    answered, error = _ask(registry, method, path, content)
    assert (answered, error["error_code"]) == (status, code)
    assert error["message"]


def test_compatibility_is_backward_unless_a_subject_has_its_own(registry: Endpoint, subject: str) -> None:
    versions, config = f"/subjects/{subject}/versions", f"/config/{subject}"
    assert _ask(registry, "GET", "/config") == (200, {"compatibilityLevel": "BACKWARD"})
    assert _ask(registry, "POST", versions, {"schema": AVRO})[0] == 200
    status, error = _ask(registry, "POST", versions, {"schema": '"string"'})
    assert (status, error["error_code"]) == (409, 409)
    trial = _ask(registry, "POST", f"/compatibility{versions}/latest", {"schema": '"string"'})
    assert trial == (200, {"is_compatible": False})
    status, error = _ask(registry, "GET", config)
    assert (status, error["error_code"]) == (404, 40408)
    assert subject in error["message"]
    assert _ask(registry, "GET", f"{config}?defaultToGlobal=true") == (200, {"compatibilityLevel": "BACKWARD"})
    assert _ask(registry, "PUT", config, {"compatibility": "NONE"})[0] == 200
    assert _ask(registry, "GET", config) == (200, {"compatibilityLevel": "NONE"})
    assert _ask(registry, "POST", versions, {"schema": '"string"'})[0] == 200


def test_the_registrys_root_answers_and_names_with_slashes_pass(registry: Endpoint, subject: str) -> None:
    assert _ask(registry, "GET", "/") == (200, {})
    assert _ask(registry, "POST", f"/subjects/a%2Fb%20{subject}/versions", {"schema": AVRO})[0] == 200
    assert f"a/b {subject}" in _ask(registry, "GET", "/subjects")[1]


def test_a_hundred_clients_of_the_registry_at_once(registry: Endpoint, subject: str) -> None:
    def one(number: int) -> tuple[int, Any]:
        path = f"/subjects/{number}-{subject}/versions"
        first = _ask(registry, "POST", path, {"schema": AVRO})
        return first if first[0] != 200 else _ask(registry, "GET", path)

    with ThreadPoolExecutor(100) as pool:
        assert list(pool.map(one, range(100))) == [(200, [1])] * 100


def test_a_schema_that_was_answered_for_survives_a_kill(registry: Endpoint, subject: str, composition: Composition) -> None:
    _, registered = _ask(
        registry, "POST", f"/subjects/{subject}/versions", {"schema": AVRO.replace('"r"', f'"r{next(_numbers)}"')}
    )
    composition.kill("schema-registry")
    assert composition.restart("schema-registry") < RESTART_LIMIT_S
    status, latest = _ask(registry, "GET", f"/subjects/{subject}/versions/latest")
    assert (status, latest["id"]) == (200, registered["id"])
