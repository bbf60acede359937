"""What the tests of Kafka's actions share: scripts with a broker and a schema registry of the test run's composition."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from racehound.data.addresses import ServiceAddresses
from racehound.databases.materialize.script_support import SCRIPT_SUPPORT
from racehound.services.backends.instance import Instance
from racehound.services.service import CLIENT
from racehound.testdrive.interpreter import Context
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
    """A seed of its own, so that no two tests share a topic. Sinks are looked up in it as in a Materialize."""
    services = ServiceAddresses(
        kafka=str(service("kafka").endpoints[CLIENT]),
        schema_registry=f"http://{service('schema-registry').endpoints[CLIENT]}",
    )
    return Context(
        connect(),
        temp_dir=tmp_path,
        seed=next(_seeds),
        services=services,
        support=SCRIPT_SUPPORT,
        output=printed.append,
        timeout=30,
        environment={},
    )
