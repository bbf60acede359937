"""Turns the changes of a relation into the messages of a sink."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from racehound_zoo.catalog.model import Column
from racehound_zoo.errors import SqlError, unsupported
from racehound_zoo.sources.kafka.encoding import AvroEncoder, Encoder, JsonEncoder, envelope_schema, row_schema
from racehound_zoo.sources.kafka.schemas import Schemas
from racehound_zoo.sources.sink import Row, SinkFacts

Message = tuple[bytes | None, bytes | None]
"""A key and a value."""
Changes = Sequence[tuple[Row, int]]


def check_format(sink: SinkFacts, columns: Sequence[Column]) -> None:
    """SqlError for a format that Materialize or the zoo cannot write."""
    value = sink.encoding.value
    if value is None:
        raise SqlError("sink without format not yet supported", "0A000")
    for form in (value, sink.encoding.key or value):
        if form.name not in {"JSON", "AVRO"}:
            raise unsupported(f"FORMAT {form.name} of a sink")
    if sink.encoding.envelope not in {"DEBEZIUM", "UPSERT"}:
        raise SqlError("ENVELOPE must be specified" if sink.encoding.envelope is None else "unsupported ENVELOPE")
    names = {column.name for column in columns}
    for name in sink.key:
        if name not in names:
            raise SqlError(f"column referenced in KEY does not exist: {name}")


class MessageWriter:
    """Makes the messages of one sink on one relation. ActionError if the schema registry does not accept a schema."""

    def __init__(self, sink: SinkFacts, columns: Sequence[Column], schemas: Schemas | None) -> None:
        topic = sink.options.get("TOPIC", "")
        self._key_indexes = [index for name in sink.key for index, column in enumerate(columns) if column.name == name]
        self._is_upsert = sink.encoding.envelope == "UPSERT"
        keys = [columns[index] for index in self._key_indexes]
        schema = row_schema(columns, "envelope") if self._is_upsert else envelope_schema(columns)
        value, key = sink.encoding.value, sink.encoding.key or sink.encoding.value
        assert value is not None
        assert key is not None
        self._value = _encoder(value.name, columns, schema, _registrar(schemas, f"{topic}-value"))
        self._key = _encoder(key.name, keys, row_schema(keys, "row"), _registrar(schemas, f"{topic}-key")) if keys else None

    def of(self, changes: Changes) -> Iterator[Message]:
        """The messages for these changes.

        With a key, a deletion and an insertion under the same key are one message. Without one, all deletions come first and then
        all insertions.
        """
        if self._key is None:
            for row, count in changes:
                message = None, self._value.envelope(row, None) if count < 0 else self._value.envelope(None, row)
                yield from [message] * abs(count)
            return
        for key, (gone, come) in self._by_key(changes).items():
            yield from self._under(self._key.row(key), gone, come)

    def _by_key(self, changes: Changes) -> dict[Row, tuple[list[Row], list[Row]]]:
        found: dict[Row, tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
        for row, count in changes:
            found[tuple([row[index] for index in self._key_indexes])][count > 0].extend([row] * abs(count))
        return found

    def _under(self, key: bytes, gone: list[Row], come: list[Row]) -> Iterator[Message]:
        if self._is_upsert:
            for row in come[-1:]:
                yield key, self._value.row(row)
            if not come:
                yield key, None
            return
        for number in range(max(len(gone), len(come))):
            before = gone[number] if number < len(gone) else None
            after = come[number] if number < len(come) else None
            yield key, self._value.envelope(before, after)


def _registrar(schemas: Schemas | None, subject: str) -> Callable[[str], int]:
    def register(schema: str) -> int:
        assert schemas is not None, subject
        return schemas.client.publish(subject, schema)

    return register


def _encoder(form: str, columns: Sequence[Column], schema: dict[str, object], register: Callable[[str], int]) -> Encoder:
    return AvroEncoder(columns, schema, register) if form == "AVRO" else JsonEncoder(columns)
