"""Schemas in a schema registry."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any, cast

from racehound.testdrive.errors import ActionError
from racehound.testdrive.formats.avro_schema import Names, Node
from racehound.testdrive.registry import Registered, Registry
from racehound_zoo.errors import SqlError
from racehound_zoo.sources.source import ConnectionFacts

_ANSWER_S = 5.0


class Schemas:
    """A connection to a schema registry. ActionError if it does not answer. It may be used by one thread at a time."""

    def __init__(self, connection: ConnectionFacts) -> None:
        self.url = _with_user(connection)
        self._client: Registry | None = None
        self._parsed: dict[int, Any] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    @property
    def client(self) -> Registry:
        if self._client is None:
            self._client = Registry(self.url, _ANSWER_S)
        return self._client

    def latest(self, subject: str) -> Node | None:
        """The newest schema of a subject; None if the subject does not exist."""
        found = self.client.latest(subject)
        return self._node(found) if found is not None else None

    def many(self, number: int) -> Any:  # noqa: ANN401 a type of fastavro
        """The schema, for fastavro, of an array of elements with the schema of this id."""
        if number not in self._parsed:
            from fastavro import parse_schema

            found = self.client.by_id(number)
            known: dict[str, Any] = {}
            for text in self.client.dependencies(found.references):
                parse_schema(json.loads(text), named_schemas=known)
            array = {"type": "array", "items": json.loads(found.schema)}
            self._parsed[number] = parse_schema(cast("Any", array), named_schemas=known)
        return self._parsed[number]

    def _node(self, found: Registered) -> Node:
        names = Names()
        for text in self.client.dependencies(found.references):
            names.read(text)
        return names.read(found.schema)


@contextlib.contextmanager
def registry_client(connection: ConnectionFacts) -> Iterator[Schemas]:
    """A connection for one statement. SqlError if the registry does not answer or a schema is invalid."""
    schemas = Schemas(connection)
    try:
        yield schemas
    except (ActionError, ValueError) as error:
        raise SqlError(f"failed to fetch schema from schema registry: {error}") from error
    finally:
        schemas.close()


def validate(connection: ConnectionFacts) -> None:
    """SqlError if no schema registry answers at the connection's URL."""
    schemas = Schemas(connection)
    try:
        schemas.latest("racehound-zoo")
    except (ActionError, ValueError) as error:
        raise SqlError(f"transport: error sending request for url ({schemas.url}/subjects)") from error
    finally:
        schemas.close()


def _with_user(connection: ConnectionFacts) -> str:
    url = connection.options.get("URL", "").rstrip("/")
    user, password = connection.options.get("USERNAME", ""), connection.options.get("PASSWORD", "")
    scheme, _, place = url.partition("://")
    return f"{scheme}://{user}:{password}@{place}" if user else url
