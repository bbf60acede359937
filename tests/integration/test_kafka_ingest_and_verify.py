"""Records written to Kafka and read back, on a real broker and schema registry."""

from __future__ import annotations

import dataclasses

import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from racehound.testdrive.interpreter import Context
from tests.integration.scripts import failure, hasty, misuse, run

KEY = '{"type": "record", "name": "Key", "fields": [{"name": "key", "type": "string"}]}'
ROW = '{"type": "record", "name": "row", "fields": [{"name": "f1", "type": "string"}, {"name": "f2", "type": "long"}]}'
ENVELOPE = f"""{{"type": "record", "name": "envelope", "fields": [
  {{"name": "before", "type": ["null", {ROW}]}}, {{"name": "after", "type": ["null", "row"]}}]}}"""
SCHEMAS = f"$ set keyschema={KEY}\n$ set schema={ROW}\n$ set envelope={ENVELOPE}\n$ kafka-create-topic topic=t\n"
INGEST = "$ kafka-ingest format=avro topic=t key-format=avro key-schema=${keyschema} schema=${schema}"
VERIFY = "$ kafka-verify-data topic=testdrive-t-${testdrive.seed}"


def messages(context: Context, topic: str = "t", partitions: int = 1) -> list[Message]:
    """All that a topic holds, partition by partition, as another client sees it."""
    consumer = Consumer(
        {
            "bootstrap.servers": context.services.kafka or "",
            "group.id": "tests",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    name = f"testdrive-{topic}-{context.seed}"
    consumer.assign([TopicPartition(name, number, 0) for number in range(partitions)])
    found, ended = list[Message](), 0
    while ended < partitions:
        message = consumer.poll(10)
        assert message is not None
        if message.error():
            ended += 1
        else:
            found.append(message)
    consumer.close()
    return sorted(found, key=lambda message: (message.partition() or 0, message.offset() or 0))


# Avro


def test_avro_with_keys_and_tombstones_comes_back_as_it_was_written(kafka_context: Context) -> None:
    run(
        SCHEMAS
        + INGEST
        + """
{"key": "fish"} {"f1": "fish", "f2": 1000}
{"key":"bird"}{"f2": -1, "f1": "g\\u00f6\\"ose"}
{"key": "fish"}
"""
        + VERIFY
        + """ format=avro
{"key": "fish"} {"f1": "fish", "f2": 1000}
{"key": "bird"} {"f1": "gö\\"ose", "f2": -1}
{"key": "fish"}
""",
        kafka_context,
    )
    first, second, third = messages(kafka_context)
    assert (first.key() or b"")[5:] == b"\x08fish"
    assert (first.value() or b"")[5:] == b"\x08fish\xd0\x0f"
    assert (first.value() or b"")[:1] == b"\0"
    assert (first.key() or b"")[:5] == (third.key() or b"")[:5] != (first.value() or b"")[:5]
    assert second.value() is not None
    assert third.value() is None


def test_the_iteration_is_written_wherever_it_stands(kafka_context: Context) -> None:
    run(
        SCHEMAS
        + INGEST
        + """ repeat=3 start-iteration=99
{"key": "${kafka-ingest.iteration}"} {"f1": "n${kafka-ingest.iteration}", "f2": ${kafka-ingest.iteration}}
{"key": "same"} {"f1": "same", "f2": -${kafka-ingest.iteration}}
"""
        + VERIFY
        + """ format=avro
{"key": "99"} {"f1": "n99", "f2": 99}
{"key": "same"} {"f1": "same", "f2": -99}
{"key": "100"} {"f1": "n100", "f2": 100}
{"key": "same"} {"f1": "same", "f2": -100}
{"key": "101"} {"f1": "n101", "f2": 101}
{"key": "same"} {"f1": "same", "f2": -101}
""",
        kafka_context,
    )


def test_more_records_than_wait_in_memory_arrive_in_order(kafka_context: Context) -> None:
    count = 150_000
    run(
        SCHEMAS
        + f"$ kafka-ingest format=avro topic=t schema=${{envelope}} repeat={count}\n"
        + '{"before": null, "after": {"row": {"f2": ${kafka-ingest.iteration}, "f1": "some text"}}}\n',
        kafka_context,
    )
    values = [message.value() or b"" for message in messages(kafka_context)]
    assert len(values) == count
    assert [values[number] for number in (0, 1, 64, count - 1)] == [
        values[0][:5] + b"\0\2\x12some text" + encoded for encoded in (b"\0", b"\2", b"\x80\1", b"\xde\xa7\x12")
    ]


def test_schemas_are_registered_and_their_numbers_told(kafka_context: Context) -> None:
    variables = run(
        SCHEMAS
        + INGEST.replace("kafka-ingest", "kafka-ingest set-schema-id-var=id set-key-schema-id-var=key-id")
        + "\n$ schema-registry-verify subject=testdrive-t-${testdrive.seed}-value schema-type=avro\n\\${schema}\n"
        + "$ schema-registry-verify subject=testdrive-t-${testdrive.seed}-key schema-type=avro\n\\${keyschema}\n",
        kafka_context,
    )
    assert int(variables["id"]) != int(variables["key-id"])
    assert messages(kafka_context) == []


def test_plain_avro_has_no_frame_and_no_schema(kafka_context: Context) -> None:
    run(
        SCHEMAS + '$ kafka-ingest format=avro topic=t schema=${schema} confluent-wire-format=false\n{"f1": "a", "f2": 1}\n',
        dataclasses.replace(kafka_context, services=dataclasses.replace(kafka_context.services, schema_registry=None)),
    )
    assert [message.value() for message in messages(kafka_context)] == [b"\x02a\x02"]


def test_schemas_may_refer_to_those_of_other_subjects(kafka_context: Context) -> None:
    run(
        """
$ set address={"type": "record", "name": "Address", "namespace": "com.example", "fields": [{"name": "city", "type": "string"}]}
$ set person={"type": "record", "name": "Person", "namespace": "com.example", "fields": [
  {"name": "home", "type": "com.example.Address"}]}
$ set order={"type": "record", "name": "Order", "namespace": "com.example", "fields": [
  {"name": "customer", "type": ["null", "com.example.Person"]}, {"name": "to", "type": "Address"}]}
$ schema-registry-publish subject=address-${testdrive.seed} schema-type=avro
\\${address}
$ schema-registry-publish subject=person-${testdrive.seed} schema-type=avro references=address-${testdrive.seed}
\\${person}
$ kafka-create-topic topic=t
$ kafka-ingest format=avro topic=t schema=${order} references=address-${testdrive.seed},person-${testdrive.seed}
{"customer": {"com.example.Person": {"home": {"city": "Springfield"}}}, "to": {"city": "Shelbyville"}}
{"customer": null, "to": {"city": ""}}
"""
        + VERIFY
        + """ format=avro
{"customer": {"Person": {"home": {"city": "Springfield"}}}, "to": {"city": "Shelbyville"}}
{"customer": null, "to": {"city": ""}}
""",
        kafka_context,
    )


def test_messages_of_a_grown_schema_are_read_by_their_own(kafka_context: Context) -> None:
    grown = ROW.replace('"type": "long"}', '"type": "long"}, {"name": "f3", "type": "int", "default": 42}')
    run(
        SCHEMAS
        + f"$ set grown={grown}\n"
        + '$ kafka-ingest format=avro topic=t schema=${schema}\n{"f1": "a", "f2": 1}\n'
        + '$ kafka-ingest format=avro topic=t schema=${grown}\n{"f1": "b", "f2": 2}\n{"f1": "c", "f2": 3, "f3": 4}\n'
        + VERIFY
        + ' format=avro\n{"f1": "a", "f2": 1}\n{"f1": "b", "f2": 2, "f3": 42}\n{"f1": "c", "f2": 3, "f3": 4}\n',
        kafka_context,
    )


# Bytes, text, JSON


def test_bytes_with_keys_escapes_and_tombstones(kafka_context: Context) -> None:
    run(
        """
$ kafka-create-topic topic=t
$ kafka-ingest format=bytes topic=t key-format=bytes key-terminator=::
fish::one two
bìrd\\x00::\\xff\\x00:
:::
gone::
::nokey
$ kafka-ingest topic=t format=bytes repeat=2
plain ${kafka-ingest.iteration}
$ kafka-ingest topic=t format=bytes omit-key=true omit-value=true headers={"h": "x"}
nothing of this
""",
        kafka_context,
    )
    assert [(message.key(), message.value()) for message in messages(kafka_context)] == [
        (b"fish", b"one two"),
        ("bìrd\0".encode(), b"\xff\0:"),
        (None, b":"),
        (b"gone", None),
        (None, b"nokey"),
        (None, b"plain 0"),
        (None, b"plain 1"),
        (None, None),
    ]
    run(
        VERIFY
        + """ key-format=text value-format=bytes
fish one two
bìrd\\x00 \\xff\\x00:
<null> :
gone
<null> "nokey"
<null> "plain 0"
<null> plain 1
<null> <null>
""",
        kafka_context,
    )


def test_avro_and_protobuf_values_behind_a_key_of_bytes(kafka_context: Context) -> None:
    run(
        SCHEMAS
        + """$ kafka-ingest format=avro topic=t key-format=text schema=${schema}
fish: {"f1": "x:y", "f2": ${kafka-ingest.iteration}}
bird:
"""
        + VERIFY
        + """ key-format=text value-format=avro
fish {"f1": "x:y", "f2": 0}
"bird" "<null>"
""",
        kafka_context,
    )


def test_json_is_compared_as_values(kafka_context: Context) -> None:
    run(
        """
$ kafka-create-topic topic=t
$ kafka-ingest format=bytes topic=t key-format=bytes key-terminator=|
{"k": 1}|{"a": [1, 2.5], "b": {"c": "ü", "d": null}}
{"k": 2}|
"""
        + VERIFY
        + """ format=json key=true sort-messages=true
{"k":2}
{"k": 1} {"b":{"d":null,"c":"\\u00fc"},"a":[1,2.5]}
""",
        kafka_context,
    )


# Partitions, timestamps, headers


def test_records_go_where_and_when_the_script_says(kafka_context: Context) -> None:
    run(
        """
$ kafka-create-topic topic=t partitions=3
$ kafka-ingest format=bytes topic=t partition=2 timestamp=42
a
b
$ kafka-ingest format=bytes topic=t partition=0
c
"""
        + VERIFY
        + """ format=text sort-messages=true
c partition=0
a partition=2
b  partition=2
""",
        kafka_context,
    )
    assert [message.timestamp()[1] for message in messages(kafka_context, partitions=3)][1:] == [42, 42]


def test_headers_of_every_sort(kafka_context: Context) -> None:
    run(
        """
$ kafka-create-topic topic=t
$ kafka-ingest format=bytes topic=t headers={"a": "x y", "b": [103, 255], "n": null}
one
$ kafka-ingest format=bytes topic=t headers=[{"a": "1"}, {"a": "2"}]
two
"""
        + VERIFY
        + """ format=text headers=a,b,n
"x y" g\\xff <null> one
2\t<missing> <missing> two
""",
        kafka_context,
    )
    assert [message.headers() for message in messages(kafka_context)] == [
        [("a", b"x y"), ("b", b"g\xff"), ("n", None)],
        [("a", b"1"), ("a", b"2")],
    ]


# What is expected


def test_a_topic_is_verified_piece_by_piece(kafka_context: Context) -> None:
    """A later script, too, begins where the last one stopped."""
    run(
        "$ kafka-create-topic topic=t\n$ kafka-ingest format=bytes topic=t\n1\n2\n3\n" + VERIFY + " format=text\n1\n2\n",
        kafka_context,
    )
    run("$ kafka-ingest format=bytes topic=t\n4\n" + VERIFY + " format=text\n3\n4\n", kafka_context)


def test_a_difference_is_shown_line_by_line(kafka_context: Context) -> None:
    failed = failure(
        SCHEMAS
        + INGEST
        + '\n{"key": "a"} {"f1": "x", "f2": 1}\n{"key": "b"}\n'
        + VERIFY
        + ' format=avro\n{"key": "a"} {"f1": "y", "f2": 1}\n{"key": "b"}\n',
        kafka_context,
    )
    assert failed.reason == "messages differ"
    assert '-{"key": "a"} {"f1": "y", "f2": 1}\n+{"key": "a"} {"f1": "x", "f2": 1}\n {"key": "b"} <null>' in failed.difference


def test_too_few_messages_are_shown_when_the_time_is_over(kafka_context: Context) -> None:
    run("$ kafka-create-topic topic=t\n$ kafka-ingest format=bytes topic=t\nhere\n", kafka_context)
    failed = failure(VERIFY + " format=text\nhere\nlacking\n", hasty(kafka_context))
    assert failed.reason == "expected 2 messages, got 1, and none in a further 1.5 s"
    assert " here\n-lacking" in failed.difference


def test_bytes_that_are_none_of_the_format_are_shown_as_they_are(kafka_context: Context) -> None:
    run("$ kafka-create-topic topic=t\n$ kafka-ingest format=bytes topic=t\ngarbage\n", kafka_context)
    failed = failure(VERIFY + ' format=avro\n{"a": 1}\n', kafka_context)
    assert "+<the message begins with the byte 103, not with 0 and a schema number> garbage" in failed.difference


def test_a_regex_hides_what_varies_on_both_sides(kafka_context: Context) -> None:
    run(
        "$ set-regex match=20\\d\\d replacement=YEAR\n$ kafka-create-topic topic=t\n$ kafka-ingest format=bytes topic=t\n"
        '{"y": 2024}\n' + VERIFY + ' format=json\n{"y": 2031}\n',
        kafka_context,
    )


def test_some_messages_are_found_among_many(kafka_context: Context) -> None:
    run(
        "$ kafka-create-topic topic=t\n$ kafka-ingest format=bytes topic=t repeat=9\n\\${kafka-ingest.iteration}\n", kafka_context
    )
    run(VERIFY + " format=text partial-search=9\n3\n4\n" + VERIFY + " format=text\n5\n", kafka_context)
    failed = failure(VERIFY + " format=text partial-search=2\n8\n9\n", kafka_context)
    assert failed.reason == "the expected messages are not among 2"


def test_debug_print_only_shows_what_there_is_and_leaves_it(kafka_context: Context, printed: list[str]) -> None:
    run(
        "$ kafka-create-topic topic=t\n$ kafka-ingest format=bytes topic=t\n1\n2\n"
        + VERIFY
        + " format=text debug-print-only=true\n"
        + VERIFY
        + " format=text\n1\n2\n",
        kafka_context,
    )
    assert printed == ["1\n2"]


def test_a_sink_is_looked_up_in_the_catalog(kafka_context: Context) -> None:
    run(
        """
> CREATE SCHEMA mz_catalog
> CREATE TABLE mz_catalog.mz_databases AS SELECT 1 AS id, 'materialize' AS name
> CREATE TABLE mz_catalog.mz_schemas AS SELECT 2 AS id, 1 AS database_id, 'public' AS name
> CREATE TABLE mz_catalog.mz_sinks AS SELECT 'u1' AS id, 2 AS schema_id, 'snk' AS name
> CREATE TABLE mz_catalog.mz_kafka_sinks AS SELECT 'u1' AS id, 'testdrive-t-${testdrive.seed}' AS topic
$ kafka-create-topic topic=t
$ kafka-ingest format=bytes topic=t
1
2
$ kafka-verify-data format=text sink=materialize.public.snk
1
$ kafka-verify-data format=text sink=snk
2
$ kafka-verify-topic sink=public.snk partition-count=1
""",
        kafka_context,
    )
    assert "there are 0 Kafka sinks a.b.snk" in failure("$ kafka-verify-topic sink=a.b.snk\n", hasty(kafka_context)).reason


# Bad arguments


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("$ kafka-ingest format=avro topic=t\n{}\n", "kafka-ingest needs schema for this format"),
        ('$ kafka-ingest format=avro topic=t schema={"type":"nope"}\n{}\n', "unknown Avro type nope"),
        ("$ kafka-ingest format=csv topic=t\na\n", "unknown format csv: one of avro, protobuf, bytes, text"),
        ("$ kafka-ingest format=bytes topic=t key-format=xml\na\n", "unknown key-format xml"),
        ("$ kafka-ingest format=bytes topic=t key-format=bytes\na\n", "the line 'a' has no ':' behind its key"),
        ("$ kafka-ingest format=bytes topic=t headers=1\na\n", "headers must be an object or a list of objects, not 1"),
        ('$ kafka-ingest format=bytes topic=t headers={"a":{}}\na\n', "the header a must be a string, null or a list of bytes"),
        ("$ kafka-ingest format=bytes topic=t headers=x\na\n", "headers is not JSON"),
        ("$ kafka-ingest format=bytes topic=t partition=x\na\n", "'x' is not a whole number"),
        ('$ kafka-ingest format=avro topic=t schema={"type":"long"}\n1 2\n', "there is more than one value in '1 2'"),
        ('$ kafka-ingest format=avro topic=t schema={"type":"long"}\n{"a":\n', "not JSON"),
        (
            '$ kafka-ingest format=avro topic=t schema={"type":"int"} start-iteration=2147483648\n\\${kafka-ingest.iteration}\n',
            "out of range",
        ),
        ("$ kafka-ingest format=protobuf topic=t message=M\n{}\n", "kafka-ingest needs descriptor-file for this format"),
        ("$ kafka-ingest format=protobuf topic=t message=M descriptor-file=m.pb\n{}\n", "cannot read m.pb: No such file"),
        ("$ kafka-verify-data format=text topic=t\n", "kafka-verify-data needs expected messages"),
        ("$ kafka-verify-data topic=t\na\n", "kafka-verify-data needs format, or key-format and value-format"),
        ("$ kafka-verify-data topic=t format=xml\na\n", "unknown format xml: one of avro, json, bytes, text"),
        ("$ kafka-verify-data topic=t sink=t format=text\na\n", "kafka-verify-data needs either sink or topic"),
        ("$ kafka-verify-data sink=a.b.c.d format=text\na\n", "'a.b.c.d' is no name of a sink"),
    ],
)
def test_bad_arguments_are_named(text: str, problem: str, kafka_context: Context) -> None:
    run("$ kafka-create-topic topic=t\n", kafka_context)
    assert problem in misuse(text, kafka_context)


def test_an_expected_line_that_is_no_message(kafka_context: Context) -> None:
    run("$ kafka-create-topic topic=t\n$ kafka-ingest format=bytes topic=t\n1\n", kafka_context)
    assert "more than a message in '1 2'" in misuse(VERIFY + " format=json\n1 2\n", kafka_context)


def test_without_a_topic_nothing_is_written_or_read(kafka_context: Context) -> None:
    hurried = hasty(kafka_context)
    assert f"there is no topic testdrive-t-{hurried.seed}" in failure("$ kafka-ingest format=bytes topic=t\na\n", hurried).reason
    assert "there is no topic nope" in failure("$ kafka-verify-data format=text topic=nope\na\n", hurried).reason


def test_a_partition_that_there_is_not_fails_the_action(kafka_context: Context) -> None:
    run("$ kafka-create-topic topic=t\n", kafka_context)
    failed = failure("$ kafka-ingest format=bytes topic=t partition=7\na\n", hasty(kafka_context))
    assert "cannot write to testdrive-t-" in failed.reason
    assert "Unknown partition" in failed.reason


def test_services_that_are_not_there_are_named(kafka_context: Context) -> None:
    none = dataclasses.replace(
        kafka_context, services=dataclasses.replace(kafka_context.services, kafka=None, schema_registry=None)
    )
    assert "kafka-ingest needs Kafka, which is not configured" in failure("$ kafka-ingest format=bytes topic=t\na\n", none).reason
    gone = dataclasses.replace(
        hasty(kafka_context),
        services=dataclasses.replace(kafka_context.services, kafka="127.0.0.1:1", schema_registry="http://127.0.0.1:1"),
    )
    assert "at Kafka, 127.0.0.1:1" in failure("$ kafka-create-topic topic=t\n", gone).reason
    publish = '$ schema-registry-publish subject=s schema-type=avro\n"long"\n'
    assert "schema-registry-publish needs a schema registry, which is not configured" in failure(publish, none).reason
    assert "the schema registry at http://127.0.0.1:1 does not answer" in failure(publish, gone).reason
