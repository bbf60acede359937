"""What tests of the command share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest

from racehound.services import scratch
from racehound.services.embedded.server import EmbeddedServer
from racehound.wire.session import LibpqSession


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fails the test when it leaves a scratch directory behind. Those of runs that died before it are not its own."""
    before = {leftover.path for leftover in scratch.leftovers()}
    yield
    assert [leftover for leftover in scratch.leftovers() if leftover.path not in before] == []


@pytest.fixture
def url_with_password(embedded_server: EmbeddedServer) -> Iterator[str]:
    """The address of the shared server for a superuser whose password is `sekret`."""
    address, role = embedded_server.address, f"somebody_{os.getpid()}"
    with contextlib.closing(LibpqSession.connect(address.conninfo())) as session:
        assert session.execute(f"CREATE ROLE {role} SUPERUSER LOGIN PASSWORD 'sekret'").ok
        yield f"postgres://{role}:sekret@{address.host}:{address.port}/{address.dbname}"
        assert session.execute(f"DROP ROLE {role}").ok
