"""What scripts expect of a Materialize, told to a session that only remembers."""

from __future__ import annotations

import pytest

from racehound.data.addresses import ServiceAddresses
from racehound.databases.materialize import script_target as materialize
from racehound.databases.materialize.script_target import ScriptTarget
from racehound.errors import TargetError
from racehound.session import Outcome, Rows, ServerError

ENDPOINT = ScriptTarget("h", 6875, "me", "i")


def rows(*cells: str) -> Outcome:
    return Outcome("ok", "SELECT", len(cells), None, Rows(("name",), (25,), [(cell,) for cell in cells]))


def error(sqlstate: str) -> Outcome:
    return Outcome("error", error=ServerError(sqlstate, "no"))


class Memory:
    """Answers by the beginning of a statement, else without rows; remembers what changes something."""

    pid = 0

    def __init__(self, answers: dict[str, Outcome]) -> None:
        self._answers = answers
        self.changes: list[str] = []

    def execute(self, sql: str) -> Outcome:
        if not sql.lstrip().startswith(("SELECT", "SHOW")):
            self.changes.append(sql)
        return next((answer for start, answer in self._answers.items() if sql.lstrip().startswith(start)), Outcome("ok"))

    def cancel(self) -> None:
        """Nothing runs for long."""

    def reset(self) -> Outcome:
        return Outcome("ok")

    def close(self) -> None:
        """There is nothing to close."""


def test_what_users_have_made_is_dropped_and_their_database_made_anew() -> None:
    session = Memory(
        {
            "SHOW DATABASES": rows("materialize", 'a"b', "testdrive_no_reset_x"),
            "SELECT name FROM mz_catalog.mz_clusters": rows("c"),
            "SELECT name FROM mz_roles": rows("me", "mz_system", "other"),
        }
    )
    materialize.reset(session, "me")
    assert session.changes[:8] == [
        "ALTER SYSTEM RESET ALL",
        "ALTER SYSTEM SET unsafe_enable_unsafe_functions = on",
        'DROP DATABASE "materialize"',
        'DROP DATABASE "a""b"',
        'DROP CLUSTER "c"',
        "CREATE DATABASE materialize",
        'DROP ROLE "other"',
        'GRANT ALL PRIVILEGES ON SYSTEM TO "me"',
    ]
    assert all(change.startswith("GRANT ") for change in session.changes[7:])


@pytest.mark.parametrize(("sqlstate", "asked"), [("42704", 2), ("55P02", 1)])
def test_unsafe_functions_are_allowed_where_that_is_possible(sqlstate: str, asked: int) -> None:
    session = Memory({"ALTER SYSTEM SET unsafe": error(sqlstate), **NOTHING})
    materialize.reset(session, "me")
    assert sum("unsafe_functions" in change for change in session.changes) == asked


def test_a_reset_that_is_refused_says_what_was() -> None:
    with pytest.raises(TargetError, match=r"--no-reset leaves it as it is.: CREATE DATABASE materialize: no"):
        materialize.reset(Memory({"CREATE DATABASE": error("42501"), **NOTHING}), "me")


NOTHING = {"SHOW DATABASES": rows(), "SELECT name": rows()}


def test_a_materialize_has_an_environment() -> None:
    assert materialize.environment_id(Memory({"SELECT mz_environment_id()": rows("env")})) == "env"
    assert materialize.environment_id(Memory({"SELECT mz_environment_id()": error("42883")})) is None


def test_the_operator_comes_in_by_the_internal_port() -> None:
    assert ENDPOINT.operator_url == "postgres://mz_system:materialize@i:6877/materialize"


def test_scripts_find_its_ports() -> None:
    services = ServiceAddresses(http="http://h:1", internal_http="http://i:2/")
    assert materialize.variables(ENDPOINT, "env", services) == {
        f"testdrive.materialize-{name}": value
        for name, value in {
            "sql-addr": "h:6875",
            "internal-sql-addr": "i:6877",
            "password-sql-addr": "h:6880",
            "sasl-sql-addr": "h:6881",
            "http-addr": "h:1",
            "internal-http-addr": "i:2",
            "user": "me",
            "environment-id": "env",
        }.items()
    }


def test_any_other_server_has_an_address_and_a_user() -> None:
    assert materialize.variables(ENDPOINT, None, ServiceAddresses()) == {
        "testdrive.materialize-sql-addr": "h:6875",
        "testdrive.materialize-user": "me",
    }
