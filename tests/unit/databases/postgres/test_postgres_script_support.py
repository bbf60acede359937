"""What PostgreSQL answers to the language."""

from __future__ import annotations

from racehound.databases.postgres.script_support import version
from tests.unit.testdrive.test_testdrive_interpreter import MemorySession, error, rows


def test_the_version_is_the_servers_number() -> None:
    session = MemorySession(rows("180006"))
    assert version(session) == 180006
    assert session.seen == ["SELECT current_setting('server_version_num')"]


def test_a_server_without_a_number_has_no_version() -> None:
    assert version(MemorySession(error("no such setting"))) is None
    assert version(MemorySession(rows("18.6"))) is None
