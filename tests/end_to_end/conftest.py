"""What tests of the command share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from racehound.services import scratch


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fails the test when it leaves a scratch directory behind. Those of runs that died before it are not its own."""
    before = {leftover.path for leftover in scratch.leftovers()}
    yield
    assert [leftover for leftover in scratch.leftovers() if leftover.path not in before] == []
