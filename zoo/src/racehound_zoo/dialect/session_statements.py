"""The parser for statements about the session: transactions, variables, cursors and prepared statements."""

from __future__ import annotations

import re
from collections.abc import Callable

from racehound_zoo.dialect.altering import variable_value
from racehound_zoo.dialect.parts import option
from racehound_zoo.dialect.reader import Reader
from racehound_zoo.dialect.statements import (
    Begin,
    CloseCursor,
    Commit,
    Deallocate,
    Declare,
    Discard,
    Execute,
    Fetch,
    Prepare,
    Rollback,
    SetVariable,
    Statement,
)


def begin(reader: Reader) -> Statement:
    if reader.next().is_word("START"):
        reader.expect("TRANSACTION")
    else:
        reader.accept("TRANSACTION") or reader.accept("WORK")
    words = " ".join(token.value.upper() for token in reader.until(lambda: False))
    return Begin("READ ONLY" if "READ ONLY" in words else "READ WRITE" if "READ WRITE" in words else "")


def end(reader: Reader) -> Statement:
    commits = reader.next().is_word("COMMIT", "END")
    reader.accept("TRANSACTION") or reader.accept("WORK")
    return Commit() if commits else Rollback()


def set_variable(reader: Reader) -> Statement:
    reader.expect("SET")
    local = reader.accept("LOCAL")
    if not local:
        reader.accept("SESSION")
    if reader.accept("TRANSACTION"):
        reader.accept("ISOLATION", "LEVEL")
        return SetVariable("transaction_isolation", " ".join(token.value for token in reader.until(lambda: False)), True)
    if reader.accept("TIME", "ZONE"):
        return SetVariable("timezone", variable_value(reader), local)
    if reader.accept("SCHEMA"):
        return SetVariable("search_path", variable_value(reader), local)
    name = reader.identifier()
    if not reader.accept("TO"):
        reader.expect_operator("=")
    return SetVariable(name, variable_value(reader), local)


def reset(reader: Reader) -> Statement:
    reader.expect("RESET")
    if reader.accept("ALL"):
        return Discard("VARIABLES")
    return SetVariable(reader.identifier(), None)


def declare(reader: Reader, parse_one: Callable[[Reader], Statement]) -> Statement:
    """DECLARE. `parse_one` parses the cursor's query."""
    reader.expect("DECLARE")
    cursor = reader.identifier()
    reader.expect("CURSOR")
    reader.accept("WITHOUT", "HOLD")
    reader.expect("FOR")
    return Declare(cursor, parse_one(_rest(reader)))


def _rest(reader: Reader) -> Reader:
    """A reader for the rest of the tokens, as a statement of its own."""
    inner = Reader(reader.text, reader.tokens[reader.position :], reader.release)
    reader.position = len(reader.tokens) - 1
    return inner


def fetch(reader: Reader) -> Statement:
    reader.expect("FETCH")
    reader.accept("FORWARD")
    count: int | None = 1
    if reader.accept("ALL"):
        count = None
    elif reader.token.kind == "number":
        count = int(reader.next().value)
    reader.accept("FROM") or reader.accept("IN")
    cursor = reader.identifier()
    timeout = option(reader.with_options(), "TIMEOUT")
    return Fetch(cursor, count, None if timeout is None else seconds(timeout.text))


def seconds(text: str) -> float:
    """The number of seconds in a text such as `50ms`, `1s`, `2 minutes` or `00:00:01`. A bare number means seconds."""
    clock = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", text.strip())
    if clock:
        return int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3])
    units = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    total = 0.0
    for number, unit in re.findall(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)", text):
        short = unit.lower()
        key = (
            short
            if short in units
            else "ms"
            if short.startswith("milli")
            else "us"
            if short.startswith("micro")
            else short[:1] or "s"
        )
        total += float(number) * units.get(key, 1.0)
    return total


def close(reader: Reader) -> Statement:
    reader.expect("CLOSE")
    return CloseCursor(reader.identifier())


def prepare(reader: Reader, parse_one: Callable[[Reader], Statement]) -> Statement:
    """PREPARE. `parse_one` parses the statement to prepare."""
    reader.expect("PREPARE")
    name = reader.identifier()
    if reader.at_operator("("):
        reader.parenthesized(reader.name)
    reader.expect("AS")
    inner = _rest(reader)
    return Prepare(name, parse_one(inner), inner.source(inner.tokens[:-1]))


def execute(reader: Reader) -> Statement:
    reader.expect("EXECUTE")
    name = reader.identifier()
    arguments: tuple[str, ...] = ()
    if reader.accept_operator("("):
        arguments = reader.separated(lambda: reader.source(reader.until(lambda: reader.at_operator(","))))
        reader.expect_operator(")")
    return Execute(name, arguments)


def deallocate(reader: Reader) -> Statement:
    reader.expect("DEALLOCATE")
    reader.accept("PREPARE")
    return Deallocate(None) if reader.accept("ALL") else Deallocate(reader.identifier())


def discard(reader: Reader) -> Statement:
    reader.expect("DISCARD")
    return Discard(reader.one_of("ALL", "PLANS", "SEQUENCES", "TEMP", "TEMPORARY"))
