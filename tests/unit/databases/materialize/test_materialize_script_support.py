"""What Materialize answers to the language: its version, and where sinks write to."""

from __future__ import annotations

import pytest

from racehound.databases.materialize.script_support import sink_topics, version
from racehound.session import Outcome
from racehound.testdrive.errors import ActionError
from tests.unit.testdrive.test_testdrive_interpreter import MemorySession, error, rows


def test_the_version_is_that_of_its_own_function() -> None:
    session = MemorySession(rows("2600203"))
    assert version(session) == 2600203
    assert session.seen == ["SELECT mz_version_num()"]


@pytest.mark.parametrize("answer", [error("no such function", "42883"), rows(), rows("v26"), rows(None)])
def test_a_server_without_that_function_has_no_version(answer: Outcome) -> None:
    assert version(MemorySession(answer)) is None


def test_the_parts_of_a_sinks_name_are_compared_from_the_end() -> None:
    session = MemorySession(rows("topic"))
    assert sink_topics(session, "public.o'snk") == ["topic"]
    assert session.seen[0].endswith("WHERE sinks.name = 'o''snk' AND schemas.name = 'public'")


@pytest.mark.parametrize("name", ["a.b.c.d", "a..b", ""])
def test_a_text_that_is_no_name_of_a_sink_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a sink"):
        sink_topics(MemorySession(rows()), name)


def test_a_catalog_that_cannot_be_read_fails_the_lookup() -> None:
    with pytest.raises(ActionError, match="cannot look up the sink snk: gone"):
        sink_topics(MemorySession(error("gone")), "snk")
