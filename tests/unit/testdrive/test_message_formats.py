"""JSON with a number that varies, bytes with escapes, frames, and messages as lines of a script."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from racehound.testdrive.formats import confluent, raw
from racehound.testdrive.formats.avro import encode
from racehound.testdrive.formats.avro_schema import Names
from racehound.testdrive.formats.json_text import read_values, write_value
from racehound.testdrive.formats.recipe import LONG_MAX, Piece, assemble, text_maker, varint, zigzag, zigzag_maker
from racehound.testdrive.formats.shown import AvroForm, Form, JsonForm, Layout, RawForm, shows_partition
from racehound.testdrive.formats.varying import read_varying, value_at, varies

VARIABLE = "${kafka-ingest.iteration}"
_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)

# JSON


@given(st.lists(_PLAIN, max_size=4), st.sampled_from([" ", "", "\t"]))
def test_several_values_stand_in_a_line(values: list[object], between: str) -> None:
    texts = list(map(json.dumps, values))
    if between or all(text[0] in '{["' for text in texts):
        assert read_values(f" {between.join(texts)} ") == values


@given(_PLAIN)
def test_equal_values_are_equal_texts(value: object) -> None:
    assert write_value(value, sort_keys=True) == write_value(json.loads(json.dumps(value)), sort_keys=True)


def test_numbers_and_booleans_are_told_apart() -> None:
    assert len({write_value(value) for value in (1, 1.0, True, "1")}) == 4


@pytest.mark.parametrize("text", ["{", "nope", "1 }", "[" * 100_000])
def test_what_is_no_json_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="JSON"):
        read_values(text)


# The number that varies


def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object; ValueError for a key that comes twice."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("twice")
    return dict(pairs)


@given(_PLAIN, st.integers(0, LONG_MAX))
def test_a_line_is_read_once_for_all_numbers(value: object, number: int) -> None:
    """Whatever has a 1 in it, strings, keys and numbers, has the variable there instead."""
    text = json.dumps(value, ensure_ascii=False)
    assume("\\u" not in text)
    text = text.replace("1", VARIABLE)
    (read,) = read_varying(text, VARIABLE)
    assert varies(read) is (VARIABLE in text)
    try:
        expected = json.loads(text.replace(VARIABLE, str(number)), object_pairs_hook=unique)
    except ValueError:
        with pytest.raises(ValueError, match=r"not a number|the same key twice"):
            value_at(read, number)
    else:
        assert value_at(read, number) == expected


@pytest.mark.parametrize(
    ("text", "number", "expected"),
    [
        (VARIABLE, 7, [7]),
        (f'-{VARIABLE} {VARIABLE}.5 1e{VARIABLE} "{VARIABLE}"', 3, [-3, 3.5, 1000.0, "3"]),
        (f'{{"k{VARIABLE}": [{VARIABLE}{VARIABLE}]}}', 4, [{"k4": [44]}]),
        (f'"\\"{VARIABLE}\\ue000\ue001"', 5, ['"5\ue000\ue001']),
    ],
)
def test_the_number_may_stand_anywhere(text: str, number: int, expected: list[object]) -> None:
    assert [value_at(value, number) for value in read_varying(text, VARIABLE)] == expected


def test_a_number_that_becomes_none_and_a_key_that_comes_twice_are_errors() -> None:
    (value,) = read_varying(f"0{VARIABLE}", VARIABLE)
    with pytest.raises(ValueError, match="'01' is not a number"):
        value_at(value, 1)
    (value,) = read_varying(f'{{"1": 1, "{VARIABLE}": 2}}', VARIABLE)
    assert value_at(value, 2) == {"1": 1, "2": 2}
    with pytest.raises(ValueError, match="the same key twice in an object for 1"):
        value_at(value, 1)


# Bytes that are made for each number


@given(st.integers(0, 2**70))
def test_varints_are_read_back(number: int) -> None:
    encoded = varint(number)
    assert sum((byte & 0x7F) << 7 * at for at, byte in enumerate(encoded)) == number
    assert [byte >= 0x80 for byte in encoded] == [True] * (len(encoded) - 1) + [False]


@given(st.one_of(st.integers(0, 300), st.integers(0, LONG_MAX)))
def test_numbers_in_sequence_are_those_one_by_one(number: int) -> None:
    make = zigzag_maker(LONG_MAX)
    assert [make(number), make(number + 1 if number < LONG_MAX else number)] == [
        zigzag(number),
        zigzag(number + 1 if number < LONG_MAX else number),
    ]


@given(st.lists(st.one_of(st.binary(max_size=4), st.just(text_maker(("", "")))), max_size=6), st.integers(0, 99))
def test_pieces_are_put_together_in_order(pieces: list[Piece], number: int) -> None:
    made = assemble(pieces)
    whole = made if isinstance(made, bytes) else made(number)
    assert whole == b"".join(piece if isinstance(piece, bytes) else str(number).encode() for piece in pieces)


def test_bytes_have_escapes_around_the_number() -> None:
    made = raw.prepare(f"\\xff%{VARIABLE}\\n{VARIABLE}ü", VARIABLE)
    assert not isinstance(made, bytes)
    assert made(12) == b"\xff%12\n12" + "ü".encode()
    assert raw.prepare("\\x00", VARIABLE) == b"\0"


@given(st.integers(0, 2**32 - 1), st.binary(max_size=9))
def test_frames_are_read_back(number: int, message: bytes) -> None:
    assert confluent.unframe(confluent.header(number) + message) == (number, message)


# Messages as lines

NODE = Names().read("""{"type": "record", "name": "r", "fields": [
    {"name": "a", "type": ["null", "long"]}, {"name": "f", "type": "float", "default": 1.5}]}""")
AVRO = confluent.header(3) + encode(NODE, {"a": {"long": 1}, "f": 1.2})


def avro() -> AvroForm:
    return AvroForm({3: NODE}.__getitem__)


@pytest.mark.parametrize(
    ("form", "content", "line"),
    [
        (JsonForm(), b'{"b": 1, "a": "\\u00fc"}', '{"a":"ü",   "b":1}'),
        (JsonForm(), b"null", "null"),
        (JsonForm(), None, ""),
        (JsonForm(), None, "<null>"),
        (JsonForm(), None, '"<null>"'),
        (avro(), AVRO, '{"a": {"long": 1}, "f": 1.2}'),
        (avro(), AVRO, '{"f":1.2,"a":{"long":1}}'),
        (RawForm(), b"two words", "two words"),
        (RawForm(), b"two words", '"two words"'),
        (RawForm(), b'"quoted" not', '"quoted" not'),
        (RawForm(), b"\xff\0\n", "\\xff\\x00\\n"),
        (RawForm(), b"back\\slash\\n", "back\\slash\\n"),
        (RawForm(), "ü".encode(), "ü"),
        (RawForm(), b"", '""'),
    ],
)
def test_a_line_stands_for_its_message(form: Form, content: bytes | None, line: str) -> None:
    layout = Layout((), None, form)
    shown = layout.line({}, None, content, 0)
    assert shown in layout.spellings(line)


@pytest.mark.parametrize(
    ("form", "content", "line"),
    [
        (JsonForm(), b"1", "1.0"),
        (JsonForm(), b"not json", '"not json"'),
        (JsonForm(), b"1 2", "1"),
        (avro(), AVRO, '{"a": null, "f": 1.2}'),
        (avro(), AVRO, '{"a": {"long": 1}}'),
        (avro(), AVRO, '{"nope": 1}'),
        (avro(), AVRO[:-1], '{"a": {"long": 1}, "f": 1.2}'),
        (avro(), b"garbage", '{"a": {"long": 1}, "f": 1.2}'),
        (RawForm(), b"", "<null>"),
        (RawForm(), b"a", "b"),
    ],
)
def test_a_line_stands_for_no_other(form: Form, content: bytes | None, line: str) -> None:
    layout = Layout((), None, form)
    shown = layout.line({}, None, content, 0)
    assert shown not in layout.spellings(line)


def test_a_line_shows_headers_key_value_and_partition_as_the_script_asks() -> None:
    layout = Layout(("h", "none", "null"), RawForm(), JsonForm(), has_partition=True)
    line = layout.line({"h": b"x y", "null": None, "other": b""}, b"key", b"[1]", 7)
    assert line == '"x y" <missing> <null> key [1] partition=7'
    assert layout.spellings('  "x y"\t<missing> <null>  "key"  [ 1 ] partition=7 ') == [line]
    assert shows_partition(line)
    assert not shows_partition("partition=7")


@pytest.mark.parametrize("line", ["", "1", "h k 1 2", "h k {"])
def test_a_line_that_is_no_message_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match=r"header h|more than a message|not JSON"):
        Layout(("h", "h2") if len(line) < 2 else ("h",), RawForm(), JsonForm()).spellings(line)


@given(st.binary(max_size=12), st.sampled_from(string.printable))
def test_any_bytes_are_shown_in_one_line_and_told_apart(content: bytes, more: str) -> None:
    shown = raw.show(content)
    assert shown.isprintable() or not any(char in shown for char in "\n\r\t\0")
    assert raw.show(content + more.encode()) != shown
