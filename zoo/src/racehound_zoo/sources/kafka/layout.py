"""The columns of a table that is made from a topic, and how messages become its rows."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from racehound_zoo.catalog.model import Column
from racehound_zoo.errors import SqlError, unsupported
from racehound_zoo.sources.kafka.columns import columns_of, known
from racehound_zoo.sources.kafka.decoding import AvroDecoder, DecodeError, Decoder, csv_width, plain
from racehound_zoo.sources.kafka.schemas import Schemas
from racehound_zoo.sources.source import Encoding, Shape, TableFacts
from racehound_zoo.table_changes import RowReplacement, Values

if TYPE_CHECKING:
    from confluent_kafka import Message

_INCLUDED = re.compile(
    r"""(KEY|PARTITION|OFFSET|TIMESTAMP|HEADERS)(?:\s+AS\s+("?)([\w$]+)\2)?\s*(?:,|$)|HEADER\s+'([^']*)'\s+AS\s+("?)([\w$]+)\5(\s+BYTES)?\s*(?:,|$)""",
    re.IGNORECASE,
)
_METADATA = {"PARTITION": "integer", "OFFSET": "uint8", "TIMESTAMP": "timestamp", "HEADERS": "jsonb", "HEADER": "text"}
_NULL_KEY = (
    "record with NULL key in UPSERT source; to retract this error, produce a record upstream with a NULL key and NULL value"
)

Raw = tuple[bytes | None, bytes | None, Values]
"""The key, the value, and the columns that INCLUDE adds."""


@dataclasses.dataclass(frozen=True)
class Included:
    """An item of INCLUDE: its kind (KEY, PARTITION, …, HEADER), the name of its column, and the name of a header."""

    what: str
    name: str
    header: str = ""
    is_bytes: bool = False


def included(text: str) -> list[Included]:
    """Parse the text of INCLUDE. SqlError for an unknown item."""
    found, position = list[Included](), 0
    text = text.strip()
    while position < len(text):
        match = _INCLUDED.match(text, position)
        if match is None:
            raise unsupported(f"INCLUDE {text[position:]}")
        if match[1]:
            found.append(Included(match[1].upper(), match[3] or match[1].lower()))
        else:
            found.append(Included("HEADER", match[6], match[4], bool(match[7])))
        position = match.end()
        while position < len(text) and text[position].isspace():
            position += 1
    return found


@dataclasses.dataclass(frozen=True)
class _Form:
    """The formats and the envelope of an encoding."""

    envelope: str
    key: str
    value: str
    included: list[Included]

    @classmethod
    def of(cls, encoding: Encoding) -> _Form:
        envelope = (encoding.envelope or "NONE").split()[0]
        value = encoding.value.text or encoding.value.name if encoding.value is not None else "BYTES"
        key = (encoding.key.text or encoding.key.name) if encoding.key is not None else (value if _is_avro(value) else "")
        return cls(envelope, key, value, included(encoding.include))

    @property
    def key_name(self) -> str | None:
        return next((each.name for each in self.included if each.what == "KEY"), None)

    @property
    def metadata(self) -> list[Included]:
        return [each for each in self.included if each.what != "KEY"]

    @property
    def shows_key(self) -> bool:
        return self.envelope == "UPSERT" or (self.envelope == "NONE" and self.key_name is not None)


def _is_avro(form: str) -> bool:
    return form.upper().startswith("AVRO")


def shape_of(topic: str, encoding: Encoding, schemas: Schemas | None) -> Shape:
    """The columns of a table. SqlError if Materialize would refuse the encoding."""
    form = _Form.of(encoding)
    if form.envelope == "DEBEZIUM" and not _is_avro(form.value):
        raise SqlError("ENVELOPE DEBEZIUM requires that VALUE FORMAT is set to AVRO")
    keys = _key_columns(topic, form, schemas)
    values = _value_columns(topic, form, schemas)
    if form.envelope == "DEBEZIUM" and (missing := [key.name for key in keys if key.name not in {each.name for each in values}]):
        raise SqlError(f"Value schema missing key column(s): {', '.join(missing)}")
    shown = keys if form.shows_key else ()
    unique = tuple(column.name for column in keys) if form.envelope != "NONE" else ()
    return Shape((*shown, *values, *(_metadata_column(each) for each in form.metadata)), unique)


def _key_columns(topic: str, form: _Form, schemas: Schemas | None) -> tuple[Column, ...]:
    if form.envelope == "NONE" and not form.shows_key:
        return ()
    if _is_avro(form.key):
        if form.envelope == "NONE":
            raise unsupported("INCLUDE KEY of an Avro key without ENVELOPE UPSERT")
        node = schemas.latest(f"{topic}-key") if schemas is not None else None
        if node is not None:
            return columns_of(node, form.key_name or "key")
    elif form.key:
        return _plain_columns(form.key, form.key_name or "key")
    if form.envelope == "NONE":
        raise SqlError("INCLUDE KEY requires specifying KEY FORMAT .. VALUE FORMAT, got bare FORMAT")
    raise SqlError("ENVELOPE [DEBEZIUM] UPSERT requires that KEY FORMAT be specified")


def _value_columns(topic: str, form: _Form, schemas: Schemas | None) -> tuple[Column, ...]:
    if not _is_avro(form.value):
        return _plain_columns(form.value, "")
    node = schemas.latest(f"{topic}-value") if schemas is not None else None
    if node is None:
        raise SqlError("No value schema found")
    columns = columns_of(node, "data")
    if form.envelope != "DEBEZIUM":
        return columns
    return _after(node)


def _after(node: object) -> tuple[Column, ...]:
    """The columns of the field `after` in a Debezium envelope."""
    for field in getattr(node, "fields", ()):
        if field.name == "after":
            for branch in getattr(field.type, "branches", (field.type,)):
                if hasattr(branch, "fields"):
                    return columns_of(branch, "")
    raise SqlError("source schema does not match required envelope: record schema missing field 'after'")


def _plain_columns(form: str, name: str) -> tuple[Column, ...]:
    match form.split(maxsplit=1)[0].upper():
        case "TEXT":
            return (Column(name or "text", known("text"), nullable=False),)
        case "BYTES":
            return (Column(name or "data", known("bytea"), nullable=False),)
        case "JSON":
            return (Column(name or "data", known("jsonb"), nullable=False),)
        case "CSV":
            return tuple(Column(f"column{number + 1}", known("text"), nullable=False) for number in range(csv_width(form)))
        case other:
            raise unsupported(f"FORMAT {other}")


def _metadata_column(each: Included) -> Column:
    name = "bytea" if each.is_bytes else _METADATA[each.what]
    return Column(each.name, known(name), each.what == "HEADER", "list" if each.what == "HEADERS" else "")


class Layout:
    """Turns the messages of a topic into rows of one table. It belongs to one thread; `close` it."""

    def __init__(self, table: TableFacts) -> None:
        self._form = _Form.of(table.encoding)
        self._schemas = Schemas(table.encoding.registry) if table.encoding.registry is not None else None
        names = [column.name for column in table.shape.columns]
        own = len(names) - len(self._form.metadata)
        shown = max(1, len(table.shape.key)) if self._form.shows_key else 0
        self.is_keyed = self._form.envelope != "NONE"
        self._shows_key = self._form.shows_key
        self._key_places = [names.index(name) for name in table.shape.key]
        self._key = self._part(self._form.key, table.shape.key or names[:shown]) if self._form.key else None
        self._value = self._part(self._form.value, names[shown:own], "after" if self._form.envelope == "DEBEZIUM" else "")
        self._metadata = self._form.metadata

    def _part(self, form: str, names: Sequence[str], side: str = "") -> Decoder:
        if _is_avro(form):
            if self._schemas is None:
                raise DecodeError("FORMAT AVRO needs a schema registry")
            return AvroDecoder(self._schemas, names, side)
        found = plain(form)
        if found is None:
            raise DecodeError(f"FORMAT {form} is not supported by the zoo")
        return found

    def close(self) -> None:
        if self._schemas is not None:
            self._schemas.close()

    def raw(self, message: Message) -> Raw:
        """The parts of a message that matter for the table."""
        described = tuple([_described(each, message) for each in self._metadata]) if self._metadata else ()
        return message.key(), message.value(), described

    def key_identity(self, key: bytes | None) -> bytes:
        """The bytes by which keys are compared. DecodeError for a message without a key."""
        if key is None or self._key is None:
            raise DecodeError(_NULL_KEY)
        return self._key.key_identity(key)

    def rows(self, messages: Sequence[Raw]) -> list[Values]:
        """For tables without keys: a row for each message that has a value."""
        whole = [message for message in messages if message[1] is not None]
        keys = self._keys([message[0] for message in whole]) if self._shows_key else [()] * len(whole)
        values = self._value.decode([value for _, value, _ in whole if value is not None])
        return [
            (*key, *value, *described)
            for key, value, (_, _, described) in zip(keys, values, whole, strict=True)
            if value is not None
        ]

    def replacement(self, messages: Iterable[Raw]) -> RowReplacement:
        """For tables with keys: the current row of each key."""
        rows: dict[Values, Values | None] = {}
        written = [message for message in messages if message[1] is not None]
        gone = [message[0] for message in messages if message[1] is None]
        keys = self._keys([message[0] for message in written]) if self._shows_key else [()] * len(written)
        values = self._value.decode([value for _, value, _ in written if value is not None])
        for shown, value, (key, _, described) in zip(keys, values, written, strict=True):
            if value is None:
                gone.append(key)
                continue
            row = (*shown, *value, *described)
            rows[tuple([row[place] for place in self._key_places])] = row
        for key_values in self._keys(gone):
            rows[key_values] = None
        return RowReplacement(rows)

    def _keys(self, keys: Sequence[bytes | None]) -> list[Values]:
        if self._key is None:
            raise DecodeError(_NULL_KEY)
        present = [key for key in keys if key is not None]
        decoded = (values or () for values in self._key.decode(present))
        width = max(1, len(self._key_places))
        return [next(decoded) if key is not None else (None,) * width for key in keys]


def _described(each: Included, message: Message) -> str | None:
    match each.what:
        case "PARTITION":
            return str(message.partition())
        case "OFFSET":
            return str(message.offset())
        case "TIMESTAMP":
            _, milliseconds = message.timestamp()
            return str(dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC).replace(tzinfo=None))
        case "HEADERS":
            return json.dumps([[name, _bytes(value)] for name, value in _headers(message)])
        case _:
            value = dict(_headers(message)).get(each.header)
            raw = value.encode() if isinstance(value, str) else value
            return None if raw is None else (_bytes(raw) if each.is_bytes else raw.decode())


def _headers(message: Message) -> list[tuple[str, str | bytes | None]]:
    return [*dict(message.headers() or ()).items()]


def _bytes(value: str | bytes | None) -> str | None:
    raw = value.encode() if isinstance(value, str) else value
    return None if raw is None else f"\\x{raw.hex()}"
