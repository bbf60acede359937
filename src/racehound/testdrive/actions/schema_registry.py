"""Registers schemas in the schema registry, compares them and waits for them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from racehound.testdrive.errors import ActionError
from racehound.testdrive.formats.json_text import read_value, write_value
from racehound.testdrive.kafka import kafka, wait_for_topic
from racehound.testdrive.registry import PROTOBUF, Registered, Registry, referred, registry, wait_for_subject
from racehound.testdrive.state import Call, Handler, State

_TYPES = {"avro": "AVRO", "json": "JSON", "protobuf": PROTOBUF}


def _schema_type(call: Call) -> str:
    if call["schema-type"] not in _TYPES:
        raise ValueError(f"unknown schema-type {call['schema-type']}: one of {', '.join(_TYPES)}")
    return _TYPES[call["schema-type"]]


def _publish(call: Call, state: State) -> None:
    """Register the input as the newest version of the subject; `references` are other subjects, comma-separated."""
    schema_type, schemas = _schema_type(call), registry(call, state)
    schemas.publish(call["subject"], call.text, schema_type, referred(schemas, call.get("references")))


def _verify(call: Call, state: State) -> None:
    """Wait until the subject's newest version equals the input, and its compatibility level the expected one."""
    schema_type, schemas, subject = _schema_type(call), registry(call, state), call["subject"]
    expected = _spelling(call.text, schema_type)
    found: Registered | None = None

    def differs() -> str | None:
        nonlocal found
        found = schemas.latest(subject)
        if found is None:
            return f"the schema registry has no subject {subject}"
        if found.schema_type != schema_type:
            return f"{subject} is of the type {found.schema_type}, not {schema_type}"
        if _spelling(found.schema, schema_type) != expected:
            return f"the schema of {subject} differs"
        return _level_differs(schemas, call)

    try:
        state.wait_for(differs)
    except ActionError as error:
        if found is None or found.schema_type != schema_type:
            raise
        actual = _spelling(found.schema, schema_type)
        raise ActionError(error.reason, expected=((expected + "\n",),), actual=((actual + "\n",),)) from error


def _spelling(schema: str, schema_type: str) -> str:
    """A schema in one spelling: JSON with sorted keys, Protobuf without space around its lines. Raises ValueError."""
    if schema_type == PROTOBUF:
        return "\n".join(line.strip() for line in schema.splitlines() if line.strip())
    return write_value(read_value(schema)[0], sort_keys=True)


def _level_differs(schemas: Registry, call: Call) -> str | None:
    wanted = call.get("compatibility-level").upper()
    if not wanted:
        return None
    level = schemas.compatibility(call["subject"])
    return None if level == wanted else f"the compatibility level of {call['subject']} is {level}, not {wanted}"


def _wait(call: Call, state: State) -> None:
    """Wait for a subject, or for a topic and the subjects of its values and keys. Names are used as they are written."""
    if ("subject" in call.arguments) == ("topic" in call.arguments):
        raise ValueError("schema-registry-wait needs either subject or topic")
    if "subject" in call.arguments:
        wait_for_subject(call, state, call["subject"])
        return
    for side in ("value", "key"):
        wait_for_subject(call, state, f"{call['topic']}-{side}")
    wait_for_topic(kafka(call, state), call["topic"], state)


ACTIONS: Mapping[str, Handler] = MappingProxyType(
    {"schema-registry-publish": _publish, "schema-registry-verify": _verify, "schema-registry-wait": _wait}
)
