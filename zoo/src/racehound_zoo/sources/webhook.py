"""Turns requests to a webhook into rows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from racehound_zoo.backend import Backend, Parameters
from racehound_zoo.catalog.model import Column
from racehound_zoo.datatypes import builtin
from racehound_zoo.dialect.statements import Webhook

_BODY_TYPES = {"TEXT": "text", "JSON": "jsonb", "JSON ARRAY": "jsonb", "BYTES": "bytea"}
_HEADER = re.compile(r"HEADER\s+'([^']+)'\s+AS\s+(\w+)(\s+BYTES)?", re.IGNORECASE)
_HEADERS = re.compile(r"HEADERS\b", re.IGNORECASE)
_LOOKUP = re.compile(r"\bheaders\s*->\s*(?=')", re.IGNORECASE)


class RejectedError(Exception):
    """The request is refused: status 400, with this text."""


def columns(webhook: Webhook) -> tuple[Column, ...]:
    """The columns of the source."""
    found = [("body", _BODY_TYPES[webhook.body_format], False)]
    if _HEADERS.search(webhook.include):
        found.append(("headers", "jsonb", False))
    found += [(match[2], "bytea" if match[3] else "text", True) for match in _HEADER.finditer(webhook.include)]
    shaped = []
    for name, kind, nullable in found:
        known = builtin(kind)
        assert known is not None
        shaped.append(Column(name, known, nullable))
    return tuple(shaped)


def rows(webhook: Webhook, body: bytes, headers: Mapping[str, str]) -> list[Sequence[str | None]]:
    """The rows that a request adds. RejectedError if the body does not have the source's format."""
    behind: list[str | None] = [json.dumps(dict(headers))] if _HEADERS.search(webhook.include) else []
    behind += [headers.get(match[1].lower()) for match in _HEADER.finditer(webhook.include)]
    return [(value, *behind) for value in _values(webhook.body_format, body)]


def _values(body_format: str, body: bytes) -> list[str]:
    if body_format == "BYTES":
        return ["\\x" + body.hex()]
    if body_format == "TEXT":
        try:
            return [body.decode()]
        except UnicodeDecodeError as error:
            raise RejectedError(
                "failed to deserialize body as String: invalid utf-8 sequence of "
                f"{error.end - error.start} bytes from index {error.start}"
            ) from error
    return _json(body_format, body)


def _json(body_format: str, body: bytes) -> list[str]:
    try:
        value = json.loads(body)
    except UnicodeDecodeError as error:
        raise RejectedError(
            f"failed to deserialize body as Jsonb: invalid unicode code point at line 1 column {error.start}"
        ) from error
    except json.JSONDecodeError as error:
        raise RejectedError(f"failed to deserialize body as Jsonb: {_complaint(error)}") from error
    if body_format == "JSON ARRAY" and isinstance(value, list):
        return [json.dumps(each) for each in value]
    return [json.dumps(value)]


def _complaint(error: json.JSONDecodeError) -> str:
    """The error, in the words of the JSON parser that Materialize uses."""
    if error.pos >= len(error.doc):
        return f"EOF while parsing a value at line {error.lineno} column {error.colno - 1}"
    what = "key must be a string" if "property name" in error.msg else "expected value"
    return f"{what} at line {error.lineno} column {error.colno}"


def passes(webhook: Webhook, backend: Backend, body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether the CHECK expression accepts the request. SqlError if it cannot be evaluated."""
    if webhook.check is None:
        return True
    kind = "bytea" if webhook.body_format == "BYTES" else "text"
    condition = _LOOKUP.sub("headers->>", webhook.check.text)
    found = backend.run(
        f"SELECT ({condition}) FROM (SELECT $1::jsonb AS headers, $2::{kind} AS body) AS request",
        Parameters([json.dumps(dict(headers)).encode(), body], formats=[0, 1 if kind == "bytea" else 0]),
    )
    return found.rows[0][0] == b"t"
