"""Deletes the topics and subjects of an earlier script with the same seed, whose names the next script would use again."""

from __future__ import annotations

import time
import urllib.parse
from typing import Any

from racehound.data.addresses import ServiceAddresses
from racehound.errors import TargetError
from racehound.testdrive.script import Script
from racehound.tls import trusted

_PREFIX = "testdrive-"
_GONE_LIMIT_S = 30.0
_LOOK_S = 0.05
_UNKNOWN = 404
_REFERRED_TO = 422
_MISSING = "Kafka needs the package confluent-kafka: pip install 'racehound[services]'"


def uses_kafka(script: Script) -> bool:
    """Whether a script has Kafka actions."""
    return any(action.name.startswith("kafka-") for action in script.actions)


def remove(services: ServiceAddresses, seed: int) -> None:
    """Delete the topics and subjects named `testdrive-…-SEED…`, and wait until they have gone. TargetError when they do not."""
    if services.kafka is not None:
        _remove_topics({**services.kafka_options, "bootstrap.servers": services.kafka}, seed)
    if services.schema_registry is not None:
        _remove_subjects(services.schema_registry, seed)


def _is_left(name: str, seed: int) -> bool:
    return name.startswith(_PREFIX) and f"-{seed}" in name


def _remove_topics(settings: dict[str, str], seed: int) -> None:
    try:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient
    except ImportError as error:
        raise TargetError(_MISSING) from error

    try:
        client = AdminClient({"log_level": 0, **settings})
        topics = _topics(client, seed)
        if topics:
            for topic in client.delete_topics(topics, operation_timeout=_GONE_LIMIT_S).values():
                topic.result()
            _await_end(client, seed)
    except KafkaException as error:
        raise TargetError(f"topics of earlier scripts cannot be deleted: {error}") from error


def _topics(client: Any, seed: int) -> list[str]:  # noqa: ANN401 imported late
    return [name for name in client.list_topics(timeout=10).topics if _is_left(name, seed)]


def _await_end(client: Any, seed: int) -> None:  # noqa: ANN401 imported late
    """Wait until no topic is left: a broker answers earlier, and a new topic of the same name would be the old one."""
    deadline = time.monotonic() + _GONE_LIMIT_S
    while left := _topics(client, seed):
        if time.monotonic() > deadline:
            raise TargetError(f"topic {left[0]} of an earlier script does not go away")
        time.sleep(_LOOK_S)


def _remove_subjects(registry: str, seed: int) -> None:
    import httpx

    try:
        with httpx.Client(base_url=registry, verify=trusted()) as client:
            left = [name for name in client.get("/subjects").raise_for_status().json() if _is_left(name, seed)]
            while left:
                left = _still_referred_to(client, left)
    except httpx.HTTPError as error:
        raise TargetError(f"subjects of earlier scripts cannot be deleted: {error}") from error


def _still_referred_to(client: Any, subjects: list[str]) -> list[str]:  # noqa: ANN401 imported late
    """Delete the subjects to which no other refers; returns the rest."""
    answers = {name: _delete(client, f"/subjects/{urllib.parse.quote(name, safe='')}") for name in subjects}
    refused = [name for name, answer in answers.items() if answer.status_code == _REFERRED_TO]
    for name, answer in answers.items():
        if len(refused) == len(subjects) or (name not in refused and answer.status_code != _UNKNOWN):
            answer.raise_for_status()
    return refused


def _delete(client: Any, subject: str) -> Any:  # noqa: ANN401 imported late
    """Delete a subject permanently, which takes a second request; until then it still refers to others."""
    answer = client.delete(subject)
    return client.delete(subject, params={"permanent": "true"}) if answer.is_success else answer
