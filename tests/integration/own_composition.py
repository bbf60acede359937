"""Compositions of one's own, for services that the one of the whole test run cannot have, or that a test breaks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from racehound.services import scratch
from racehound.services.catalogue import find, in_order
from racehound.services.composition import Composition, ServiceRequest


@contextmanager
def own_composition(*names: str) -> Iterator[Composition]:
    """These services, up; down in the end. Skips the test when something is not installed."""
    missing = [each.name for name in in_order(names) for each in find(name).artifacts() if each.find() is None]
    if missing:
        pytest.skip(f"{', '.join(missing)}: not installed; racehound services install {' '.join(names)}")
    directory = scratch.create("tests.own")
    composition = Composition("own", directory)
    try:
        composition.up([ServiceRequest(name) for name in names], lambda _name, _what: None)
        yield composition
    finally:
        composition.down(lambda _name, _what: None)
        scratch.remove(directory)
