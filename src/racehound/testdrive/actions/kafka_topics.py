"""Creates, changes, deletes and checks Kafka topics, and checks consumer groups."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

from racehound.testdrive.errors import ActionError
from racehound.testdrive.kafka import Kafka, kafka, real_topic, wait_for_topic
from racehound.testdrive.registry import wait_for_subject
from racehound.testdrive.sinks import sink_or_topic
from racehound.testdrive.state import Call, Handler, State
from racehound.testdrive.values import integer

# The names are those of Kafka's documentation, "Topic Configs". Records of scripts are never deleted by age or size.
_KEPT = {"retention.ms": "-1", "retention.bytes": "-1"}
# These make a broker compact at once, instead of when a segment has a gigabyte or is a week old.
_COMPACTED = {
    "cleanup.policy": "compact",
    "segment.ms": "100",
    "delete.retention.ms": "100",
    "min.cleanable.dirty.ratio": "0.01",
    "max.compaction.lag.ms": "100",
}


def _create(call: Call, state: State) -> None:
    """Create the topic, and wait until the broker lists all its partitions."""
    client, topic = kafka(call, state), real_topic(call, state)
    partitions, replication = integer(call.get("partitions", "1")), integer(call.get("replication-factor", "1"))
    config = {**_KEPT, **(_COMPACTED if call.flag("compaction", default=False) else {})}
    if "compression" in call.arguments:
        config["compression.type"] = call["compression"]
    client.admin.create_topic(topic, partitions, replication, config)
    _wait_for_partitions(client, state, topic, partitions)


def _add_partitions(call: Call, state: State) -> None:
    """Raise the number of partitions to `total-partitions`, and wait until the broker lists them."""
    client, topic, total = kafka(call, state), real_topic(call, state), integer(call["total-partitions"])
    client.admin.add_partitions(topic, total)
    _wait_for_partitions(client, state, topic, total)


def _wait_for_partitions(client: Kafka, state: State, topic: str, wanted: int) -> None:
    def lacking() -> str | None:
        count = len(client.admin.replicas(topic) or ())
        return None if count >= wanted else f"{topic} has {count} partitions, not {wanted}"

    state.wait_for(lacking)


def _delete_records(call: Call, state: State) -> None:
    partition, offset = integer(call["partition"]), integer(call["offset"])
    kafka(call, state).admin.delete_records(real_topic(call, state), partition, offset)


def _delete(call: Call, state: State) -> None:
    """Delete a topic, and wait until the broker no longer lists it. Readers notice it at any later time, hence "flaky"."""
    client, topic = kafka(call, state), real_topic(call, state)
    client.admin.delete_topic(topic)
    state.wait_for(lambda: None if client.admin.replicas(topic) is None else f"{topic} is still there")


def _wait(call: Call, state: State) -> None:
    """Wait for a topic whose name on the broker is exactly `topic`."""
    wait_for_topic(kafka(call, state), call["topic"], state)


# Checks of topics


def _verify(call: Call, state: State) -> None:
    """Wait until a topic has the partitions, replicas, settings and schemas that are expected."""
    client, expected = kafka(call, state), _expected_config(call.get("topic-config", "{}"))
    topic = sink_or_topic(call, state)
    state.wait_for(lambda: _shape_differs(client, topic, call))
    if expected:
        state.wait_for(lambda: _difference(expected, client.admin.config(topic, expected)))
    for side in ("value", "key"):
        if call.flag(f"await-{side}-schema", default=False):
            wait_for_subject(call, state, f"{topic}-{side}")


def _expected_config(text: str) -> dict[str, str]:
    """The expected settings by name; numbers and booleans in the broker's form. Raises ValueError."""
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"topic-config is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"topic-config must be an object, not {text}")
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in config.items()}


def _shape_differs(client: Kafka, topic: str, call: Call) -> str | None:
    replicas = client.admin.replicas(topic)
    if replicas is None:
        return f"there is no topic {topic}"
    for argument, found in (("partition-count", {len(replicas)}), ("replication-factor", set(replicas))):
        if argument in call.arguments and found != {integer(call[argument])}:
            return f"{topic} has the {argument} {', '.join(map(str, sorted(found)))}, not {call[argument]}"
    return None


def _difference(expected: Mapping[str, str], actual: Mapping[str, str]) -> str | None:
    wrong = {name: value for name, value in expected.items() if actual.get(name) != value}
    return "; ".join(f"{name} is {actual.get(name, 'not known')}, not {value}" for name, value in wrong.items()) or None


# Consumer groups


def _verify_commit(call: Call, state: State) -> None:
    """Wait until a consumer group has committed the offset that the input says."""
    if len(call.input) != 1:
        raise ValueError(f"kafka-verify-commit takes one line of input, the offset, not {len(call.input)}")
    client, topic, group = kafka(call, state), real_topic(call, state), call["consumer-group-id"]
    wanted, partition = integer(call.text.strip()), integer(call["partition"])

    def differs() -> str | None:
        try:
            offset = client.admin.committed(group, topic, partition)
        except ActionError as error:
            return error.reason
        return None if offset == wanted else f"{group} has committed {'nothing' if offset is None else offset}, not {wanted}"

    state.wait_for(differs)


ACTIONS: Mapping[str, Handler] = MappingProxyType(
    {
        "kafka-create-topic": _create,
        "kafka-add-partitions": _add_partitions,
        "kafka-delete-records": _delete_records,
        "kafka-delete-topic-flaky": _delete,
        "kafka-wait-topic": _wait,
        "kafka-verify-topic": _verify,
        "kafka-verify-commit": _verify_commit,
    }
)
