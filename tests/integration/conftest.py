"""What the tests of Kafka's actions share: scripts with a broker and a schema registry of the test run's composition."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from racehound.services.backends.instance import Instance
from racehound.services.service import CLIENT
from racehound.testdrive.interpreter import Context
from racehound.testdrive.services import Services
from racehound.wire.session import LibpqSession

_seeds = itertools.count(1)


@pytest.fixture
def printed() -> list[str]:
    """What scripts printed."""
    return []


@pytest.fixture
def kafka_context(
    connect: Callable[[], LibpqSession], service: Callable[[str], Instance], tmp_path: Path, printed: list[str]
) -> Context:
    """A seed of its own, so that no two tests share a topic; with a PostgreSQL as target."""
    services = Services(
        kafka=str(service("kafka").endpoints[CLIENT]),
        schema_registry=f"http://{service('schema-registry').endpoints[CLIENT]}",
    )
    return Context(
        connect(), temp_dir=tmp_path, seed=next(_seeds), services=services, output=printed.append, timeout=30, environment={}
    )
