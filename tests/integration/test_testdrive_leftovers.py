"""What earlier scripts of a seed have left in Kafka and the schema registry goes; what others have made stays."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from racehound.data.addresses import ServiceAddresses
from racehound.errors import TargetError
from racehound.services.backends.instance import Instance
from racehound.testdrive import leftovers
from racehound.testdrive.parser import parse

SCHEMA = json.dumps({"type": "record", "name": "r", "fields": [{"name": "a", "type": "long"}]})
REFERRING = json.dumps({"type": "record", "name": "s", "fields": [{"name": "r", "type": "r"}]})


@pytest.fixture
def services(service: Callable[[str], Instance]) -> ServiceAddresses:
    kafka, registry = service("kafka"), service("schema-registry")
    return ServiceAddresses(kafka=str(kafka.endpoints["client"]), schema_registry=f"http://{registry.endpoints['client']}")


def test_only_what_bears_the_seed_goes(services: ServiceAddresses) -> None:
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewTopic

    client = AdminClient({"bootstrap.servers": str(services.kafka)})
    ours, others = ["testdrive-a-4711", "testdrive-b-4711-c"], ["testdrive-a-815", "a-4711"]
    for made in client.create_topics([NewTopic(name, 1, 1) for name in ours + others]).values():
        made.result()
    with httpx.Client(base_url=str(services.schema_registry)) as registry:
        for subject in ("testdrive-a-4711-key", "testdrive-a-815-key"):
            registry.post(f"/subjects/{subject}/versions", json={"schema": SCHEMA}).raise_for_status()
        references = [{"name": "r", "subject": "testdrive-a-4711-key", "version": 1}]
        body = {"schema": REFERRING, "schemaType": "AVRO", "references": references}
        registry.post("/subjects/testdrive-b-4711-value/versions", json=body).raise_for_status()

        leftovers.remove(services, 4711)

        left = set(client.list_topics(timeout=10).topics)
        subjects = set(registry.get("/subjects").json())
    assert left.isdisjoint(ours)
    assert left.issuperset(others)
    assert not any("-4711" in subject for subject in subjects)
    assert "testdrive-a-815-key" in subjects


def test_a_broker_that_does_not_answer_is_told() -> None:
    with pytest.raises(TargetError, match="cannot be deleted"):
        leftovers.remove(ServiceAddresses(kafka="127.0.0.1:1", kafka_options={"socket.timeout.ms": "1000"}), 1)
    with pytest.raises(TargetError, match="cannot be deleted"):
        leftovers.remove(ServiceAddresses(schema_registry="http://127.0.0.1:1"), 1)


def test_scripts_without_kafka_leave_nothing_there() -> None:
    assert leftovers.uses_kafka(parse("$ kafka-create-topic topic=t\n"))
    assert not leftovers.uses_kafka(parse("$ nop\n> SELECT 1\n"))
