"""The database pgwire without a server: what it says of errors and addresses, and what its commands refuse."""

from __future__ import annotations

import msgspec
import pytest

from racehound.cli.main import run
from racehound.data.history import Statement
from racehound.databases import addresses
from racehound.databases.pgwire.dialect import PGWIRE, WITHOUT_CLASSES
from racehound.errors import UserError
from racehound.services.service import Endpoint
from racehound.session import ServerError
from tests.unit.programs import statement

ADDRESS = "postgres://rider@db.example.org/bank"


def failed(sqlstate: str, message: str = "", relation: str = "") -> Statement:
    return msgspec.structs.replace(statement("1", "SELECT 1", 1, 2, sqlstate=sqlstate, message=message), relation=relation)


@pytest.mark.parametrize(
    ("error", "is_internal"),
    [
        (failed("XX000", "cache lookup failed"), True),
        (failed("XX002"), True),
        (failed("23505", "duplicate key", "pg_catalog.pg_type"), True),
        (failed("23505", "duplicate key", "public.pg_type"), False),
        (failed("58000", "internal error: lost it"), True),
        (failed("22000", "the coordinator panicked"), True),
        (failed("42P01", 'relation "internal error" does not exist'), False),
        (failed(""), False),
    ],
)
def test_which_errors_no_user_should_see(error: Statement, is_internal: bool) -> None:
    assert PGWIRE.is_internal(error) == is_internal


@pytest.mark.parametrize(
    ("sqlstate", "may_be"),
    [("40001", True), ("40P01", True), ("42P01", True), ("42P07", True), ("23505", True), ("2BP01", True), ("22012", False),
     ("42601", False), ("XX000", False), ("53200", False)],
)  # fmt: skip
def test_which_errors_a_race_may_bring(sqlstate: str, may_be: bool) -> None:
    assert PGWIRE.is_race_outcome(failed(sqlstate)) == may_be


def test_only_what_is_rolled_back_or_locked_is_worth_another_try() -> None:
    assert [state for state in ("40001", "40P01", "55P03", "42P01", "23505") if PGWIRE.is_transient(ServerError(state, ""))] == [
        "40001", "40P01", "55P03",
    ]  # fmt: skip


def test_where_a_mistake_has_class_xx_the_class_says_nothing() -> None:
    unknown = failed("XX000", "unknown catalog item 't'")
    assert not WITHOUT_CLASSES.is_internal(unknown)
    assert WITHOUT_CLASSES.is_race_outcome(unknown)
    assert not WITHOUT_CLASSES.shows_corruption(failed("XX001"), False)
    assert WITHOUT_CLASSES.is_internal(failed("XX000", "internal error: lost it"))


@pytest.mark.parametrize(
    ("fragment", "allowed"),
    [
        ("> SELECT 1\n1\n", True),
        ("> SELECT 1\n", True),
        ("> SELECT 1\n> SELECT 2\n", True),
        ("> INSERT INTO t VALUES (1)\n> INSERT INTO t VALUES (2)\n", True),
        ("> SELECT 1\n> INSERT INTO t VALUES (1)\n", False),
        ("> SELECT 1\n$ set x=1\n", False),
        ("> UPDATE t SET a = 1\n", False),
        ("> CREATE TABLE t (a int)\n", False),
        ("", False),
    ],
)
def test_only_what_every_server_takes_stands_in_a_transaction(fragment: str, allowed: bool) -> None:
    assert PGWIRE.allows_transaction(fragment) == allowed


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        (ADDRESS, Endpoint("db.example.org", 5432)),
        ("host=db.example.org hostaddr=192.0.2.1 port=6875", Endpoint("192.0.2.1", 6875)),
        ("host=/var/run/postgresql", None),
        ("host=one,two port=1,2", None),
    ],
)
def test_where_a_server_takes_connections(url: str, endpoint: Endpoint | None) -> None:
    assert addresses.endpoint(url) == endpoint


def test_a_password_is_found_and_an_unreadable_address_refused() -> None:
    assert addresses.password("postgres://rider:secret@db.example.org/bank") == "secret"
    assert addresses.password(ADDRESS) == ""
    with pytest.raises(UserError, match="--url: not a PostgreSQL connection string"):
        addresses.password("host")


@pytest.mark.parametrize(
    "words",
    [("run", "pgwire", "--url", ADDRESS), ("run", "pgwire"), ("run", "pgwire", "--scenario", "pairs"), ("print", "pgwire"),
     ("kinds", "pgwire"), ("matrix", "pgwire"), ("matrix", "pgwire", "operations"), ("matrix", "pgwire", "again", "x", "y")],
)  # fmt: skip
def test_a_command_that_needs_kinds_says_so(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(list(words)) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert told[0].startswith("racehound: pgwire has no kinds of objects to draw from")


@pytest.mark.parametrize("words", [("explore", "one.sql", "two.sql"), ("testdrive", "one.td")])
@pytest.mark.parametrize(
    ("option", "message"),
    [(("--release", "18.6"), "--release: racehound starts no server of pgwire"), ((), "pgwire needs the address")],
)
def test_a_server_that_would_have_to_be_started_is_refused(
    words: tuple[str, ...], option: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    directory = tmp_path_factory.mktemp("scripts")
    monkeypatch.chdir(directory)
    for name in words[1:]:
        (directory / name).write_text("> SELECT 1\n1\n" if name.endswith(".td") else "SELECT 1;\n")
    assert run([*words, "--target", "pgwire", *option]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert message in told[0]
    assert not (directory / "racehound-runs").exists() or not any((directory / "racehound-runs").iterdir())


def test_it_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["targets"]) == 0
    assert any(line.startswith("pgwire: ") and line.endswith("(no kinds)") for line in capsys.readouterr().out.splitlines())
