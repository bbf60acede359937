"""Compares the messages of a topic with those that a script expects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from racehound.testdrive.errors import ActionError
from racehound.testdrive.formats.avro_schema import Names, Node
from racehound.testdrive.formats.shown import AvroForm, Form, JsonForm, Layout, RawForm, shows_partition
from racehound.testdrive.kafka import kafka
from racehound.testdrive.kafka_reader import Reader, Received
from racehound.testdrive.registry import Registry, registry
from racehound.testdrive.sinks import sink_or_topic
from racehound.testdrive.state import Call, Handler, State
from racehound.testdrive.values import integer


def _verify(call: Call, state: State) -> None:
    """Read as many messages as there are expected lines, after those that were verified before, and compare them."""
    is_printed = call.flag("debug-print-only", default=False)
    if not call.input and not is_printed:
        raise ValueError("kafka-verify-data needs expected messages: no lines would hold for any topic")
    expectation = _Expectation(call, state)
    with Reader(kafka(call, state), sink_or_topic(call, state), state) as reader:
        if is_printed:
            state.context.output("\n".join(expectation.lines(list(reader.messages(to_the_end=True)))))
        else:
            expectation.require(_read(reader, expectation), state.policy.timeout)
            reader.remember()


def _read(reader: Reader, expectation: _Expectation) -> list[Received]:
    """The messages up to the expected ones. Without those, the first `limit` messages, or all that arrive within the timeout."""
    messages = list[Received]()
    for message in reader.messages():
        messages.append(message)
        if len(messages) == expectation.limit or expectation.is_met(messages):
            break
    return messages


class _Expectation:
    """The expected lines of an action. Compares messages with them."""

    def __init__(self, call: Call, state: State) -> None:
        self._input = call.input
        self._rewrite: Callable[[str], str] = state.rewrite or str
        self._key, self._value = _forms(call, state)
        self._shows_key = _shows_key(call)
        self._headers = tuple(name.strip() for name in call.get("headers").split(",") if name.strip())
        self._has_partition = any(map(shows_partition, call.input))
        self._is_sorted = call.flag("sort-messages", default=False)
        self._searched = integer(call.get("partial-search", "0"))
        self.limit = max(self._searched, len(call.input))
        """The largest number of messages that are read."""

    def is_met(self, messages: Sequence[Received]) -> bool:
        """Whether the last messages, as many as there are lines, are the expected ones."""
        if len(messages) < len(self._input):
            return False
        expected, actual = self._compared(messages[-len(self._input) :])
        return expected == actual

    def require(self, messages: Sequence[Received], timeout: float) -> None:
        """Raises ActionError with the difference unless `is_met`. `timeout` (seconds) is used in the message."""
        if self.is_met(messages):
            return
        expected, actual = self._compared(messages)
        if len(messages) < self.limit:
            reason = f"expected {len(expected)} messages, got {len(actual)}, and none in a further {timeout:g} s"
        else:
            reason = f"the expected messages are not among {len(actual)}" if self._searched else "messages differ"
        raise ActionError(reason, expected=_rows(expected), actual=_rows(actual))

    def lines(self, messages: Sequence[Received]) -> list[str]:
        """The messages as a script writes them."""
        layout = self._layout(messages)
        return [self._rewrite(_line(layout, message)) for message in messages]

    def _compared(self, messages: Sequence[Received]) -> tuple[list[str], list[str]]:
        """The expected and the actual lines. Of several spellings of an expected line, the one among the actual lines is used."""
        actual = self.lines(messages)
        layout, there, expected = self._layout(messages), set(actual), list[str]()
        for line in self._input:
            spellings = [self._rewrite(spelling) for spelling in layout.spellings(line)]
            expected.append(next((spelling for spelling in spellings if spelling in there), spellings[0]))
        return (sorted(expected), sorted(actual)) if self._is_sorted else (expected, actual)

    def _layout(self, messages: Sequence[Received]) -> Layout:
        shows_key = self._shows_key
        if shows_key is None:
            shows_key = any(message.key is not None for message in messages)
        return Layout(self._headers, self._key if shows_key else None, self._value, self._has_partition)


def _line(layout: Layout, message: Received) -> str:
    return layout.line(message.headers, message.key, message.value, message.partition)


def _rows(lines: Sequence[str]) -> tuple[tuple[str], ...]:
    """Rows that a difference shows without quotes."""
    return tuple((f"{line}\n",) for line in lines)


# Formats


def _forms(call: Call, state: State) -> tuple[Form, Form]:
    """The formats of keys and of values. Raises ValueError."""
    key = call.get("key-format") or call.get("format")
    value = call.get("value-format") or call.get("format")
    if not key or not value:
        raise ValueError("kafka-verify-data needs format, or key-format and value-format")
    return _form(key, call, state), _form(value, call, state)


def _shows_key(call: Call) -> bool | None:
    """Whether lines show keys; None: if there are any."""
    if "key" in call.arguments:
        return call.flag("key", default=True)
    if "key-format" in call.arguments:
        return True
    return None if call["format"] == "avro" else False


def _form(name: str, call: Call, state: State) -> Form:
    match name:
        case "avro":
            schemas = registry(call, state)
            return AvroForm(lambda number: _schema(schemas, number))
        case "json":
            return JsonForm()
        case "bytes" | "text":
            return RawForm()
        case _:
            raise ValueError(f"unknown format {name}: one of avro, json, bytes, text")


def _schema(schemas: Registry, number: int) -> Node:
    found, names = schemas.by_id(number), Names()
    for text in schemas.dependencies(found.references):
        names.read(text)
    return names.read(found.schema)


ACTIONS: Mapping[str, Handler] = MappingProxyType({"kafka-verify-data": _verify})
