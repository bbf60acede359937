"""The schema registry's actions, and Protobuf, whose descriptors and registered schemas belong together."""

from __future__ import annotations

import dataclasses

import pytest
from confluent_kafka import Consumer, TopicPartition
from google.protobuf import descriptor_pb2

from racehound.testdrive.interpreter import Context
from tests.integration.scripts import failure, hasty, misuse, run

SUBJECT = "s-${testdrive.seed}"
PUBLISH = f'$ schema-registry-publish subject={SUBJECT} schema-type=avro\n{{"type": "record", "name": "r", "fields": []}}\n'
VERIFY = f"$ schema-registry-verify subject={SUBJECT} schema-type=avro"


def test_the_newest_schema_is_verified_whatever_its_spelling(kafka_context: Context) -> None:
    run(PUBLISH + VERIFY + '\n{"fields":[],  "name":"r",\n "type":"record"}\n', kafka_context)
    run(PUBLISH + VERIFY + ' compatibility-level=backward\n{"fields":[],"name":"r","type":"record"}\n', kafka_context)


def test_a_schema_that_differs_is_shown(kafka_context: Context) -> None:
    run(PUBLISH, kafka_context)
    failed = failure(VERIFY + '\n{"type": "record", "name": "other", "fields": []}\n', hasty(kafka_context))
    assert failed.reason == f"the schema of s-{kafka_context.seed} differs"
    assert (
        '-{"fields": [], "name": "other", "type": "record"}\n+{"fields": [], "name": "r", "type": "record"}' in failed.difference
    )
    failed = failure(VERIFY + ' compatibility-level=FULL\n{"type": "record", "name": "r", "fields": []}\n', hasty(kafka_context))
    assert failed.reason == f"the compatibility level of s-{kafka_context.seed} is BACKWARD, not FULL"
    failed = failure(VERIFY.replace("avro", "json") + "\n{}\n", hasty(kafka_context))
    assert failed.reason == f"s-{kafka_context.seed} is of the type AVRO, not JSON"


def test_a_subject_is_waited_for(kafka_context: Context) -> None:
    lacking = f"the schema registry has no subject s-{kafka_context.seed}"
    assert failure(VERIFY + "\n{}\n", hasty(kafka_context)).reason == lacking
    wait = f"$ schema-registry-wait subject={SUBJECT}\n"
    assert failure(wait, hasty(kafka_context)).reason == lacking
    run(PUBLISH + wait, kafka_context)


def test_a_topic_is_waited_for_with_both_its_schemas(kafka_context: Context) -> None:
    topic = "testdrive-t-${testdrive.seed}"
    ingest = '$ kafka-ingest format=avro topic=t schema={"type": "long"}'
    run(f"$ kafka-create-topic topic=t\n{ingest}\n", kafka_context)
    failed = failure(f"$ schema-registry-wait topic={topic}\n", hasty(kafka_context))
    assert failed.reason == f"the schema registry has no subject testdrive-t-{kafka_context.seed}-key"
    run(f'{ingest} key-format=avro key-schema={{"type": "long"}}\n$ schema-registry-wait topic={topic}\n', kafka_context)


def test_schemas_of_all_types_are_published(kafka_context: Context) -> None:
    run(
        f"""
$ schema-registry-publish subject=j-{SUBJECT} schema-type=json
{{"type": "object", "properties": {{"a": {{"type": "string"}}}}}}
$ schema-registry-verify subject=j-{SUBJECT} schema-type=json
{{"properties": {{"a": {{"type": "string"}}}}, "type": "object"}}
$ schema-registry-publish subject=p-{SUBJECT} schema-type=protobuf
syntax = "proto3";

message M {{
  string a = 1;
}}
""",
        kafka_context,
    )


def test_what_the_registry_refuses_is_said(kafka_context: Context) -> None:
    incompatible = PUBLISH.replace('"fields": []', '"fields": [{"name": "a", "type": "long"}]')
    failed = failure(PUBLISH + incompatible, kafka_context)
    assert f"the schema registry refuses POST /subjects/s-{kafka_context.seed}/versions: status 409" in failed.reason
    failed = failure(PUBLISH.replace("schema-type=avro", "schema-type=avro references=nope"), kafka_context)
    assert failed.reason == "the schema registry has no subject nope"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("$ schema-registry-publish subject=s schema-type=xml\n{}\n", "unknown schema-type xml: one of avro, json, protobuf"),
        ("$ schema-registry-verify subject=s schema-type=avro\n{\n", "not JSON"),
        ("$ schema-registry-wait\n", "schema-registry-wait needs either subject or topic"),
        ("$ schema-registry-wait subject=s topic=t\n", "schema-registry-wait needs either subject or topic"),
        ("$ schema-registry-publish subject=s\n{}\n", "schema-type"),
        ("$ protobuf-compile-descriptors inputs=a/b.proto output=b\n", "'a/b.proto' must be a plain file name"),
        ("$ protobuf-compile-descriptors inputs=b.proto output=../b\n", "'../b' must be a plain file name"),
    ],
)
def test_bad_arguments_are_named(text: str, problem: str, kafka_context: Context) -> None:
    assert problem in misuse(text, kafka_context)


# Protobuf

FILES = """
$ file-append path=importee.proto
syntax = "proto3";
import "google/protobuf/timestamp.proto";
package some.place;
message Importee { google.protobuf.Timestamp ts = 3; }
$ file-append path=importer.proto
syntax = "proto3";
import "importee.proto";
message Importer {
  enum Enum { ENUM0 = 0; ENUM1 = 1; }
  message Inner { sint64 n = 1; }
  bool b = 1; some.place.Importee importee = 2; bytes y = 3; Enum e = 4; Inner inner = 5; repeated int32 many = 6;
}
message Second { string s = 1; }
$ protobuf-compile-descriptors inputs=importee.proto,importer.proto output=import.pb set-var=descriptors
"""


def values(context: Context) -> list[tuple[bytes | None, bytes | None]]:
    """Keys and values in partition 0."""
    consumer = Consumer({"bootstrap.servers": context.services.kafka or "", "group.id": "tests", "enable.partition.eof": True})
    consumer.assign([TopicPartition(f"testdrive-t-{context.seed}", 0, 0)])
    found = list[tuple[bytes | None, bytes | None]]()
    while (message := consumer.poll(10)) is not None and not message.error():
        found.append((message.key(), message.value()))
    consumer.close()
    return found


def test_descriptors_are_compiled_with_all_they_import(kafka_context: Context) -> None:
    variables = run(FILES, kafka_context)
    compiled = bytes.fromhex(variables["descriptors"].removeprefix("\\x"))
    assert kafka_context.temp_dir is not None
    assert compiled == (kafka_context.temp_dir / "import.pb").read_bytes()
    assert sorted(file.name for file in descriptor_pb2.FileDescriptorSet.FromString(compiled).file) == [
        "google/protobuf/timestamp.proto",
        "importee.proto",
        "importer.proto",
    ]


def test_protobuf_messages_are_written_from_json(kafka_context: Context) -> None:
    run(
        FILES
        + """$ kafka-create-topic topic=t
$ kafka-ingest topic=t format=protobuf descriptor-file=import.pb message=Importer
{"b": true, "importee": {"ts": "1970-01-01T00:20:34.000005678Z"}, "y": "YWFh", "e": "ENUM1", "many": [1, 2], "inner": {"n": -1}}
{}
{"inner": {}}
$ kafka-ingest topic=t format=protobuf descriptor-file=import.pb message=.some.place.Importee repeat=2 start-iteration=7
  key-format=protobuf key-descriptor-file=import.pb key-message=Second
{"s": "k${kafka-ingest.iteration}"} {"ts": "1970-01-01T00:00:0${kafka-ingest.iteration}Z"}
{"s": "k"}
""",
        kafka_context,
    )
    everything = bytes.fromhex("0801 1208 1a06 08d209 10ae2c 1a03 616161 2001 2a02 0801 3202 0102".replace(" ", ""))
    assert values(kafka_context) == [
        (None, everything),
        (None, b""),
        (None, b"\x2a\x00"),
        (b"\x0a\x02k7", b"\x1a\x02\x08\x07"),
        (b"\x0a\x01k", None),
        (b"\x0a\x02k8", b"\x1a\x02\x08\x08"),
        (b"\x0a\x01k", None),
    ]


def test_protobuf_in_the_registrys_frame(kafka_context: Context) -> None:
    run(
        FILES
        + """$ kafka-create-topic topic=t
$ schema-registry-publish subject=testdrive-t-${testdrive.seed}-value schema-type=protobuf
syntax = "proto3";
message Second { string s = 1; }
$ kafka-ingest topic=t format=protobuf descriptor-file=import.pb message=Second confluent-wire-format=true
{"s": "a"}
$ kafka-ingest topic=t format=protobuf descriptor-file=import.pb message=Second confluent-wire-format=true
  schema-message-id=123 schema-id-subject=testdrive-t-${testdrive.seed}-value
{"s": "b"}
""",
        kafka_context,
    )
    (_, first), (_, second) = values(kafka_context)
    assert first is not None
    assert second is not None
    assert first[0] == 0
    assert int.from_bytes(first[1:5]) > 0
    assert first[5:] == b"\0\x0a\x01a"
    assert second[:5] == first[:5]
    assert second[5:] == b"\x7b\x0a\x01b"
    no_schema = "$ kafka-ingest topic=t format=protobuf descriptor-file=import.pb message=Second confluent-wire-format=true"
    failed = failure(f"{no_schema} schema-id-subject=nope\n", kafka_context)
    assert failed.reason == "the schema registry has no subject nope"


def test_what_is_no_message_of_the_type_says_why(kafka_context: Context) -> None:
    run(FILES + "$ kafka-create-topic topic=t\n", kafka_context)
    ingest = "$ kafka-ingest topic=t format=protobuf descriptor-file=import.pb message="
    assert "the Protobuf descriptors hold no message Nope" in misuse(f"{ingest}Nope\n{{}}\n", kafka_context)
    assert "Importer: " in misuse(f'{ingest}Importer\n{{"nope": 1}}\n', kafka_context)
    assert "Importer: " in misuse(f'{ingest}Importer\n{{"many": "x"}}\n', kafka_context)
    assert "expected an object for the message Second" in misuse(f"{ingest}Second\n1\n", kafka_context)
    assert "not a Protobuf descriptor set" in misuse(
        f"{ingest.replace('import.pb', 'importer.proto')}Second\n{{}}\n", kafka_context
    )
    assert "schema-message-id is one byte" in misuse(
        f"{ingest}Second confluent-wire-format=true schema-id-subject=q schema-message-id=300\n".replace(
            "$ kafka", '$ schema-registry-publish subject=q schema-type=avro\n{"type": "long"}\n$ kafka'
        ),
        kafka_context,
    )


def test_files_that_do_not_compile_say_why(kafka_context: Context) -> None:
    broken = (
        '$ file-append path=a.proto\nsyntax = "proto3";\nmessage {\n$ protobuf-compile-descriptors inputs=a.proto output=a.pb\n'
    )
    failed = failure(broken, kafka_context)
    assert failed.reason.startswith("protoc cannot compile a.proto: a.proto:2:")
    failed = failure("$ protobuf-compile-descriptors inputs=nope.proto output=a.pb\n", kafka_context)
    assert "protoc cannot compile nope.proto: " in failed.reason
    assert (
        failure("$ protobuf-compile-descriptors inputs=a output=a\n", dataclasses.replace(kafka_context, temp_dir=None)).reason
        == "no temporary directory is configured"
    )
