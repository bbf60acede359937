"""Avro: bytes that others read, JSON as real files write it, templates that write the same bytes."""

from __future__ import annotations

import io
import json
import string
from collections.abc import Callable
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from racehound.testdrive.formats.avro import AvroError, encode, prepare
from racehound.testdrive.formats.avro_decode import canonical, decode
from racehound.testdrive.formats.avro_schema import Names, Node
from racehound.testdrive.formats.varying import read_varying, value_at

VARIABLE = "${kafka-ingest.iteration}"

ENVELOPE = """
{"type": "record", "name": "envelope", "fields": [
  {"name": "before", "type": [{"name": "row", "type": "record", "fields": [
      {"name": "a", "type": "long"}, {"name": "b", "type": "string"}]}, "null"]},
  {"name": "after", "type": ["row", "null"]},
  {"name": "source", "type": {"type": "record", "name": "Source", "namespace": "io.debezium", "fields": [
      {"name": "pos", "type": "long", "default": 7},
      {"name": "snapshot", "type": ["boolean", "null"], "default": false}]}}]}
"""


def read(schema: str) -> Node:
    return Names().read(schema)


def round_trip(schema: str, value: object) -> object:
    return decode(read(schema), encode(read(schema), value))


# Another implementation is the judge: schemas with values in its own form, and the same values as scripts write them


Judged = tuple[Any, Any, Any]
"""A schema, a value in fastavro's form, the same value in JSON."""

_LONGS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-200, 200), st.integers(-(2**20), 2**20))
_TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


def _leaf(
    schema: Any, values: st.SearchStrategy[Any], in_json: Callable[[Any], Any] = lambda value: value
) -> st.SearchStrategy[Judged]:
    return values.map(lambda value: (schema, value, in_json(value)))


def _leaves(number: int) -> st.SearchStrategy[Judged]:
    return st.one_of(
        _leaf("null", st.none()),
        _leaf("boolean", st.booleans()),
        _leaf("int", st.integers(-(2**31), 2**31 - 1)),
        _leaf("long", _LONGS),
        _leaf({"type": "long", "connect.name": "x"}, _LONGS),
        _leaf("float", st.floats(width=32, allow_nan=False)),
        _leaf("double", st.floats(allow_nan=False)),
        _leaf("string", _TEXTS),
        _leaf("bytes", st.binary(max_size=9), list),
        _leaf("bytes", st.binary(max_size=9), lambda value: value.decode("latin-1")),
        _leaf({"type": "fixed", "name": f"f{number}", "size": 4}, st.binary(min_size=4, max_size=4), list),
        _leaf({"type": "enum", "name": f"e{number}", "symbols": ["A", "B"]}, st.sampled_from("AB")),
    )


@st.composite
def judged(draw: st.DrawFn, depth: int = 3, number: int = 1) -> Judged:
    """A schema and a value of it; names are unique by their number."""
    sort = draw(st.sampled_from(["leaf", "record", "array", "map", "union"])) if depth else "leaf"
    below = judged(depth - 1, number * 10)
    if sort == "record":
        parts = [draw(judged(depth - 1, number * 10 + index)) for index in range(draw(st.integers(0, 4)))]
        fields = [{"name": f"x{index}", "type": schema} for index, (schema, _, _) in enumerate(parts)]
        order = draw(st.permutations(range(len(parts))))
        return (
            {"type": "record", "name": f"r{number}", "namespace": "some.place", "fields": fields},
            {f"x{index}": value for index, (_, value, _) in enumerate(parts)},
            {f"x{index}": parts[index][2] for index in order},
        )
    if sort == "array":
        schema, value, text = draw(below)
        count = draw(st.integers(0, 3))
        return {"type": "array", "items": schema}, [value] * count, [text] * count
    if sort == "map":
        schema, value, text = draw(below)
        keys = draw(st.lists(_TEXTS, max_size=3, unique=True))
        return {"type": "map", "values": schema}, dict.fromkeys(keys, value), dict.fromkeys(keys, text)
    if sort == "union":
        schema, value, text = draw(below.filter(lambda part: part[0] != "null" and not isinstance(part[0], list)))
        name = schema if isinstance(schema, str) else schema["type"] if "name" not in schema else schema["name"]
        name = f"some.place.{name}" if isinstance(schema, dict) and schema.get("namespace") and draw(st.booleans()) else name
        pairs: list[Judged] = [(["null", schema], None, None), ([schema, "null"], value, {name: text})]
        return draw(st.sampled_from(pairs))
    return draw(_leaves(number))


@given(judged())
def test_bytes_are_those_of_another_implementation_and_are_read_back(part: Judged) -> None:
    schema, value, text = part
    node, expected = read(json.dumps(schema)), io.BytesIO()
    fastavro.schemaless_writer(expected, fastavro.parse_schema(schema), value)
    assert encode(node, text) == expected.getvalue()
    assert encode(node, decode(node, expected.getvalue())) == expected.getvalue()


@given(st.integers(0, 2**40), st.data())
def test_a_prepared_line_writes_what_the_encoder_writes(number: int, data: st.DataObject) -> None:
    schema = """{"type": "record", "name": "r", "fields": [
        {"name": "l", "type": "long"}, {"name": "s", "type": "string"}, {"name": "d", "type": "double"},
        {"name": "u", "type": ["null", "long", "string"]}, {"name": "m", "type": {"type": "map", "values": "string"}},
        {"name": "a", "type": {"type": "array", "items": "long"}}, {"name": "b", "type": "bytes"}]}"""
    hole = st.sampled_from(["1", "", VARIABLE, f"0{VARIABLE}", f"{VARIABLE}{VARIABLE}"])
    text = (
        st.tuples(st.text(string.printable, max_size=3), hole, st.text(string.printable, max_size=70))
        .map("".join)
        .map(json.dumps)
    )
    long = st.sampled_from(["0", "-17", VARIABLE, f"-{VARIABLE}", f"1{VARIABLE}"])
    double = st.sampled_from(["0.5", VARIABLE, f"{VARIABLE}.25", f"1e{number % 7}"])
    draw = data.draw
    line = f"""{{"s": {draw(text)}, "l": {draw(long)}, "d": {draw(double)}, "m": {{{draw(text)}: {draw(text)}}},
        "u": {draw(st.sampled_from(["null", f'{{"long": {VARIABLE}}}', f'{{"string": "%{VARIABLE}"}}']))},
        "a": [{draw(long)}, {draw(long)}], "b": {draw(text)}}}"""
    node, (value,) = read(schema), read_varying(line, VARIABLE)
    prepared = prepare(node, value)
    made = prepared if isinstance(prepared, bytes) else prepared(number)
    assert made == encode(node, value_at(value, number)) == encode(node, json.loads(line.replace(VARIABLE, str(number))))


# JSON as real files write it


def test_the_envelope_of_a_change_stream() -> None:
    value: dict[str, Any] = {"source": {"snapshot": {"boolean": True}}, "before": None, "after": {"row": {"b": "é", "a": -1}}}
    assert round_trip(ENVELOPE, value) == {
        "before": None,
        "after": {"row": {"a": -1, "b": "é"}},
        "source": {"pos": 7, "snapshot": {"boolean": True}},
    }
    del value["source"]["snapshot"]
    assert round_trip(ENVELOPE, value)["source"] == {"pos": 7, "snapshot": {"boolean": False}}  # type: ignore[index]


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, [4, 210], [4, 210]),
        ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, "\u0004\u00d2", [4, 210]),
        ({"type": "fixed", "name": "f", "size": 2, "logicalType": "decimal", "precision": 4}, [0, 1], [0, 1]),
        ({"type": "int", "logicalType": "date"}, -2440551, -2440551),
        ({"type": "long", "logicalType": "timestamp-micros"}, 8210298326400000000, 8210298326400000000),
        (
            {"type": "string", "logicalType": "uuid"},
            "324373a5-7718-46b1-a7ea-4a7c9981fc4e",
            "324373a5-7718-46b1-a7ea-4a7c9981fc4e",
        ),
        (["null", {"type": "long", "logicalType": "timestamp-millis"}], {"long": 5}, {"long": 5}),
        (["null", {"type": "long", "logicalType": "timestamp-millis"}], {"timestamp-millis": 5}, {"long": 5}),
        (["null", {"type": "fixed", "name": "a.b.f", "size": 1}], {"f": [0]}, {"a.b.f": [0]}),
        (["null", {"type": "fixed", "name": "f", "namespace": "a.b", "size": 1}], {"a.b.f": [0]}, {"a.b.f": [0]}),
        (["null", {"type": "array", "items": "int"}], {"array": [1]}, {"array": [1]}),
        ({"type": "map", "values": ["null", "int"]}, {"a": {"int": 1}, "b": None}, {"a": {"int": 1}, "b": None}),
        ("float", 1.2, 1.2),
        ("double", 3, 3.0),
        ({"type": {"type": "string", "connect.name": "io.debezium.data.Json"}}, "{}", "{}"),
    ],
)
def test_values_as_scripts_write_them(schema: object, value: object, expected: object) -> None:
    result = round_trip(json.dumps(schema), value)
    assert result == expected
    assert type(result) is type(expected)


def test_a_record_may_hold_itself_and_a_name_takes_the_namespace_around_it() -> None:
    schema = """{"type": "record", "name": "a.List", "fields": [
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["X"]}}, {"name": "next", "type": ["null", "List"]},
        {"name": "again", "type": "a.E"}]}"""
    value = {"e": "X", "next": {"a.List": {"e": "X", "next": None, "again": "X"}}, "again": "X"}
    assert round_trip(schema, value) == value


def test_a_schema_may_name_the_types_of_schemas_read_before() -> None:
    names = Names()
    names.read('{"type": "record", "name": "com.example.User", "fields": [{"name": "id", "type": "long"}]}')
    node = names.read('{"type": "array", "items": ["null", "com.example.User"]}')
    assert canonical(node, [{"User": {"id": 1}}, None]) == [{"com.example.User": {"id": 1}}, None]


@pytest.mark.parametrize(
    ("schema", "value", "problem"),
    [
        ('"int"', 2**31, "2147483648 is out of the range of int"),
        ('"long"', -(2**63) - 1, "is out of the range of long"),
        ('"long"', True, "true is no long"),
        ('"long"', 1.0, "1.0 is no long"),
        ('"string"', 1, "1 is no string"),
        ('"float"', 1e39, "out of the range of float"),
        ('"boolean"', 1, "1 is no boolean"),
        ('"bytes"', [256], "items that are no bytes"),
        ('"bytes"', "\u0100", "items that are no bytes"),
        ('"bytes"', 1, "expected bytes|is no bytes"),
        ('{"type": "fixed", "name": "f", "size": 2}', [1], "f has 2 bytes, not 1"),
        ('{"type": "enum", "name": "Suit", "symbols": ["A", "B"]}', "C", '"C" is none of the symbols of Suit: A, B'),
        ('["null", "long"]', 5, 'a union\'s value is written null or {"long": …}, not 5'),
        ('["null", "long"]', {"int": 5}, "the union has no branch int: one of null, long"),
        ('["long", "string"]', None, "the union has no branch null"),
        ('{"type": "array", "items": "int"}', {}, "expected a list"),
        ('{"type": "map", "values": "int"}', [], "expected an object"),
        (ENVELOPE, {"before": None, "after": {"row": {"a": "x", "b": ""}}, "source": {}}, 'after.row.a: "x" is no long'),
        (
            ENVELOPE,
            {"before": None, "after": {"row": {"a": 1}}, "source": {}},
            "after.row.b: missing, and the schema has no default",
        ),
        (ENVELOPE, {"before": None, "after": None, "source": {}, "op": "c"}, "the record envelope has no field op"),
        (ENVELOPE, 1, "expected an object for the record envelope, not 1"),
    ],
)
def test_a_value_that_does_not_fit_says_where_and_why(schema: str, value: object, problem: str) -> None:
    with pytest.raises(AvroError) as raised:
        encode(read(schema), value)
    assert any(part in str(raised.value) for part in problem.split("|"))


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ("{", "not JSON"),
        ('"Nope"', "unknown Avro type Nope"),
        ("1", "not an Avro type: 1"),
        ('{"name": "x"}', "lacks 'type'"),
        ('{"type": "array"}', "lacks 'items'"),
        ('{"type": "record", "name": "r", "fields": 1}', "'fields' of an Avro record must be a list"),
        ('{"type": "record", "name": "r", "fields": [1]}', "not a field of an Avro record: 1"),
        ('{"type": "fixed", "name": "f", "size": "x"}', "size of an Avro fixed"),
        ('[{"type": "fixed", "name": "f", "size": 1}, {"type": "fixed", "name": "f", "size": 1}]', "f is defined twice"),
    ],
)
def test_a_schema_that_is_none_says_why(schema: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read(schema)


@given(st.binary(max_size=40))
def test_no_bytes_crash_the_decoder(data: bytes) -> None:
    node = read(ENVELOPE)
    try:
        value = decode(node, data)
    except ValueError:
        return
    assert decode(node, encode(node, value)) == value


def test_blocks_may_carry_their_size() -> None:
    assert decode(read('{"type": "array", "items": "int"}'), b"\x03\x04\x02\x04\x02\x06\x00") == [1, 2, 3]


@pytest.mark.parametrize(
    ("data", "problem"), [(b"\x02\x00", "1 bytes behind"), (b"\x80", "ends early"), (b"\x80" * 11, "ends early")]
)
def test_bytes_that_are_no_number(data: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        decode(read('"long"'), data)


@pytest.mark.parametrize(
    ("schema", "data", "problem"),
    [
        ('["null", "long"]', b"\x04\x02", "a branch or symbol that its schema does not have"),
        ('{"type": "enum", "name": "E", "symbols": ["A", "B"]}', b"\x04", "a branch or symbol that its schema does not have"),
        ('{"type": "enum", "name": "E", "symbols": ["a-b"]}', b"\x00", "the Avro schema is refused: .*symbol"),
        ('"string"', b"\x0aabc", "^the Avro value ends early$"),
        ('"string"', b"\x01", "^the Avro value ends early$"),
        ('"string"', b"\x02\xff", "utf-8"),
        ('[["null"]]', b"\x00\x00", "an Avro union must not hold a union"),
    ],
)
def test_bytes_that_are_no_value_say_why(schema: str, data: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        decode(read(schema), data)


def test_a_null_in_a_union_is_null_whatever_its_logical_type() -> None:
    assert decode(read('[{"type": "null", "logicalType": "nothing"}, "long"]'), b"\x00") is None


def test_a_prepared_number_stays_in_its_range() -> None:
    (value,) = read_varying(VARIABLE, VARIABLE)
    make = prepare(read('"int"'), value)
    assert not isinstance(make, bytes)
    assert make(2**31 - 1) == encode(read('"int"'), 2**31 - 1)
    with pytest.raises(ValueError, match="out of range"):
        make(2**31)
