"""Topics and consumer groups of a real Kafka broker, made and looked at by scripts."""

from __future__ import annotations

import dataclasses
import threading
import time

import pytest
from confluent_kafka import Consumer, TopicPartition

from racehound.testdrive.interpreter import Context
from tests.integration.scripts import failure, hasty, misuse, run

TOPIC = "testdrive-t-${testdrive.seed}"
CREATE = "$ kafka-create-topic topic=t\n"


def commit(context: Context, group: str, offset: int) -> None:
    """As a source does that has read up to there."""
    consumer = Consumer({"bootstrap.servers": context.services.kafka or "", "group.id": group})
    consumer.commit(offsets=[TopicPartition(f"testdrive-t-{context.seed}", 0, offset)], asynchronous=False)
    consumer.close()


def test_a_topic_has_what_the_script_asks_for_and_loses_nothing(kafka_context: Context) -> None:
    run(
        f"""
$ kafka-create-topic topic=t partitions=3 replication-factor=1 compression=gzip
$ kafka-verify-topic topic={TOPIC} partition-count=3 replication-factor=1
  topic-config={{"compression.type": "gzip", "retention.ms": -1, "retention.bytes": "-1", "cleanup.policy": "delete"}}
$ kafka-add-partitions topic=t total-partitions=5
$ kafka-verify-topic topic={TOPIC} partition-count=5 topic-config={{}}
""",
        kafka_context,
    )


def test_a_topic_can_be_one_that_is_compacted_at_once(kafka_context: Context) -> None:
    run(
        f"""
$ kafka-create-topic topic=t compaction=true
$ kafka-verify-topic topic={TOPIC} topic-config={{"cleanup.policy": "compact", "segment.ms": 100}}
""",
        kafka_context,
    )


def test_settings_that_differ_are_named_when_the_time_is_over(kafka_context: Context) -> None:
    run(CREATE, kafka_context)
    config = '{"cleanup.policy": "compact", "no.such.setting": 1, "retention.ms": "-1"}'
    failed = failure(f"$ kafka-verify-topic topic={TOPIC} topic-config={config}\n", hasty(kafka_context))
    assert failed.reason == "cleanup.policy is delete, not compact; no.such.setting is not known, not 1"
    failed = failure(f"$ kafka-verify-topic topic={TOPIC} partition-count=2\n", hasty(kafka_context))
    assert failed.reason.endswith("has the partition-count 1, not 2")
    failed = failure(f"$ kafka-verify-topic topic={TOPIC} replication-factor=3\n", hasty(kafka_context))
    assert failed.reason.endswith("has the replication-factor 1, not 3")
    assert "there is no topic nope" in failure("$ kafka-verify-topic topic=nope\n", hasty(kafka_context)).reason


def test_schemas_of_a_topic_are_waited_for(kafka_context: Context) -> None:
    run(CREATE, kafka_context)
    failed = failure(f"$ kafka-verify-topic topic={TOPIC} await-value-schema=true\n", hasty(kafka_context))
    assert failed.reason == f"the schema registry has no subject testdrive-t-{kafka_context.seed}-value"
    run(
        f"""
$ kafka-ingest format=avro topic=t key-format=avro schema={{"type": "long"}} key-schema={{"type": "string"}}
$ kafka-verify-topic topic={TOPIC} await-value-schema=true await-key-schema=true
""",
        kafka_context,
    )


def test_a_topic_is_waited_for_whoever_makes_it(kafka_context: Context) -> None:
    waits = threading.Event()

    def note(seconds: float) -> None:
        waits.set()
        time.sleep(seconds)

    def make() -> None:
        assert waits.wait(20)
        run(CREATE, kafka_context)

    maker = threading.Thread(target=make)
    maker.start()
    run(f"$ kafka-wait-topic topic={TOPIC}\n", dataclasses.replace(kafka_context, sleep=note))
    maker.join()
    assert failure("$ kafka-wait-topic topic=nope\n", hasty(kafka_context)).reason == "there is no topic nope"


def test_a_deleted_topic_is_gone_and_can_be_made_anew(kafka_context: Context) -> None:
    run(CREATE + "$ kafka-ingest format=bytes topic=t\nold\n$ kafka-delete-topic-flaky topic=t\n", kafka_context)
    assert "there is no topic" in failure(f"$ kafka-wait-topic topic={TOPIC}\n", hasty(kafka_context)).reason
    run(CREATE + f"$ kafka-ingest format=bytes topic=t\nnew\n$ kafka-verify-data format=text topic={TOPIC}\nnew\n", kafka_context)
    assert "cannot delete testdrive-nope-" in failure("$ kafka-delete-topic-flaky topic=nope\n", kafka_context).reason


def test_deleted_records_are_not_read(kafka_context: Context) -> None:
    run(
        CREATE
        + "$ kafka-ingest format=bytes topic=t\n1\n2\n3\n$ kafka-delete-records topic=t partition=0 offset=2\n"
        + f"$ kafka-verify-data format=text topic={TOPIC}\n3\n",
        kafka_context,
    )
    failed = failure("$ kafka-delete-records topic=t partition=0 offset=9\n", kafka_context)
    assert "cannot delete records of testdrive-t-" in failed.reason


def test_what_a_group_has_committed_is_waited_for(kafka_context: Context) -> None:
    verify = "$ kafka-verify-commit consumer-group-id=g-${testdrive.seed} topic=t partition=0\n"
    run(CREATE + "$ kafka-ingest format=bytes topic=t\none\ntwo\nthree\n", kafka_context)
    assert failure(verify + "3\n", hasty(kafka_context)).reason == f"g-{kafka_context.seed} has committed nothing, not 3"
    commit(kafka_context, f"g-{kafka_context.seed}", 3)
    run(verify + "3\n", kafka_context)
    assert failure(verify + "2\n", hasty(kafka_context)).reason == f"g-{kafka_context.seed} has committed 3, not 2"


def test_a_topic_is_made_once(kafka_context: Context) -> None:
    run(CREATE, kafka_context)
    assert "already exists" in failure(CREATE, kafka_context).reason


def test_waiting_takes_no_tries(kafka_context: Context) -> None:
    """Where statements are raced, each has one try; a broker still needs its time."""
    run(f"{CREATE}$ kafka-ingest format=bytes topic=t\na\n", dataclasses.replace(kafka_context, max_tries=1))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("$ kafka-create-topic topic=t partitions=-1\n", "'-1' is not a whole number"),
        ("$ kafka-create-topic\n", "topic"),
        ("$ kafka-create-topic topic=t compaction=maybe\n", "'maybe' is neither true nor false"),
        ("$ kafka-add-partitions topic=t\n", "total-partitions"),
        ("$ kafka-verify-topic topic=t topic-config={]}\n", "bracket"),
        ("$ kafka-verify-topic topic=t topic-config={a}\n", "topic-config is not JSON"),
        ("$ kafka-verify-topic topic=t topic-config=[]\n", "topic-config must be an object, not []"),
        ("$ kafka-verify-topic\n", "kafka-verify-topic needs either sink or topic"),
        ("$ kafka-verify-commit consumer-group-id=g topic=t partition=0\n", "takes one line of input, the offset, not 0"),
        ("$ kafka-verify-commit consumer-group-id=g topic=t partition=0\nx\n", "'x' is not a whole number"),
        ("$ kafka-delete-records topic=t partition=0 offset=end\n", "'end' is not a whole number"),
    ],
)
def test_bad_arguments_are_named(text: str, problem: str, kafka_context: Context) -> None:
    assert problem in misuse(text, kafka_context)


def test_what_the_broker_refuses_is_said(kafka_context: Context) -> None:
    assert "cannot create testdrive-t-" in failure("$ kafka-create-topic topic=t compression=7zip\n", kafka_context).reason
    assert "cannot add partitions to" in failure("$ kafka-add-partitions topic=t total-partitions=2\n", kafka_context).reason
