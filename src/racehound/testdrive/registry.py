"""The client of a schema registry with Confluent's API (Confluent, "Schema Registry API Reference")."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from racehound.testdrive.errors import ActionError
from racehound.testdrive.formats.avro_schema import full_name
from racehound.testdrive.state import Call, State, configured
from racehound.tls import trusted

if TYPE_CHECKING:
    import httpx

AVRO = "AVRO"
PROTOBUF = "PROTOBUF"
_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


@dataclass(frozen=True)
class Reference:
    """A version of another subject that a schema uses under `name`."""

    name: str
    subject: str
    version: int


@dataclass(frozen=True)
class Registered:
    """A schema of the registry; `schema_type` is AVRO, JSON or PROTOBUF."""

    id: int
    schema: str
    schema_type: str = AVRO
    references: tuple[Reference, ...] = ()
    version: int = 0
    """The version in its subject; 0 for a schema that was read by its number."""
    subject: str = field(default="", compare=False)


def registry(call: Call, state: State) -> Registry:
    """The client of this script. Raises ActionError where no registry is configured."""
    url = configured(state.context.services.schema_registry, call, "a schema registry", "give --schema-registry-url")
    timeout = state.policy.timeout
    return state.resource(f"schema registry within {timeout} s", lambda: Registry(url, timeout))


class Registry:
    """Schemas by subject and by number. All methods raise ActionError when the registry does not answer or refuses."""

    def __init__(self, url: str, timeout: float) -> None:
        import httpx

        self._url = url
        self._client = httpx.Client(base_url=url, timeout=timeout, headers={"content-type": _MEDIA_TYPE}, verify=trusted())
        self._by_id: dict[int, Registered] = {}

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def publish(self, subject: str, schema: str, schema_type: str = AVRO, references: Iterable[Reference] = ()) -> int:
        """Register a schema as the latest version of the subject, unless the subject has it; returns its number."""
        body: dict[str, object] = {"schema": schema, "schemaType": schema_type}
        if described := [{"name": each.name, "subject": each.subject, "version": each.version} for each in references]:
            body["references"] = described
        answer = self._request("POST", f"/subjects/{_quoted(subject)}/versions", body)
        if answer is None:
            raise ActionError(f"the schema registry at {self._url} knows no subjects")
        return int(str(answer["id"]))

    def latest(self, subject: str) -> Registered | None:
        """The newest version of a subject; None when there is no such subject."""
        return self._schema(f"/subjects/{_quoted(subject)}/versions/latest")

    def existing(self, subject: str) -> Registered:
        """The newest version of a subject; ActionError when there is no such subject."""
        found = self.latest(subject)
        if found is None:
            raise ActionError(f"the schema registry has no subject {subject}")
        return found

    def by_id(self, number: int) -> Registered:
        """The schema of that number; it never changes. ActionError when there is none."""
        if number not in self._by_id:
            found = self._schema(f"/schemas/ids/{number}")
            if found is None:
                raise ActionError(f"the schema registry has no schema with the number {number}")
            self._by_id[number] = found
        return self._by_id[number]

    def dependencies(self, references: Iterable[Reference]) -> list[str]:
        """The texts of these schemas and of those that they refer to, each once and after those that it refers to."""
        texts = dict[tuple[str, int], str]()

        def add(reference: Reference) -> None:
            key = (reference.subject, reference.version)
            if key in texts:
                return
            found = self._schema(f"/subjects/{_quoted(reference.subject)}/versions/{reference.version}")
            if found is None:
                raise ActionError(f"the schema registry has no version {reference.version} of {reference.subject}")
            for below in found.references:
                add(below)
            texts[key] = found.schema

        for reference in references:
            add(reference)
        return list(texts.values())

    def compatibility(self, subject: str) -> str:
        """The compatibility level of a subject, or the registry's where the subject has none."""
        answer = self._request("GET", f"/config/{_quoted(subject)}?defaultToGlobal=true") or self._request("GET", "/config")
        return str((answer or {}).get("compatibilityLevel", ""))

    def _schema(self, path: str) -> Registered | None:
        answer = self._request("GET", path)
        if answer is None:
            return None
        given = answer.get("references") or []
        references = (
            [Reference(each["name"], each["subject"], each["version"]) for each in given] if isinstance(given, list) else []
        )
        return Registered(
            int(str(answer.get("id", 0))),
            str(answer["schema"]),
            str(answer.get("schemaType", AVRO)),
            tuple(references),
            int(str(answer.get("version", 0))),
            str(answer.get("subject", "")),
        )

    def _request(self, method: str, path: str, body: object = None) -> dict[str, object] | None:
        """The answer; None for 404."""
        import httpx

        try:
            response = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise ActionError(f"the schema registry at {self._url} does not answer: {error}") from error
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        answer = _object(response)
        if answer is None or not response.is_success:
            said = answer.get("message") if answer else response.text
            raise ActionError(f"the schema registry refuses {method} {path}: status {response.status_code}: {said}")
        return answer


def wait_for_subject(call: Call, state: State, subject: str) -> None:
    """Wait until the registry has the subject."""
    schemas = registry(call, state)
    state.wait_for(lambda: None if schemas.latest(subject) is not None else f"the schema registry has no subject {subject}")


def referred(schemas: Registry, subjects: str) -> list[Reference]:
    """The newest versions of subjects, separated by commas. Raises ActionError for one that the registry does not have."""
    names = [name.strip() for name in subjects.split(",") if name.strip()]
    return [
        Reference(_called(found), found.subject or name, found.version) for name in names for found in (schemas.existing(name),)
    ]


def _called(schema: Registered) -> str:
    """The name under which other schemas refer to it: the full name of an Avro type, else the subject."""
    if schema.schema_type == AVRO:
        match json.loads(schema.schema):
            case {"name": str() as name, **others}:
                return full_name(name, str(others.get("namespace", "")))
    return schema.subject


def _object(response: httpx.Response) -> dict[str, object] | None:
    try:
        answer = response.json()
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _quoted(subject: str) -> str:
    return urllib.parse.quote(subject, safe="")
