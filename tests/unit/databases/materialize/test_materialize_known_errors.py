"""Materialize's refusals, as recorded of a real server: each is known by its message, none is taken for an internal error.

`materialize_errors.jsonl` holds one message of every sort that was recorded: `race` those that pairs of racing sessions met
(v0.147, some thousand tries; 404 is a webhook's), `serial` those that one session alone met, most of them by deliberate mistakes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from racehound.data.history import Statement
from racehound.databases.materialize import known_errors
from racehound.databases.materialize.dialect import is_internal, is_missing, is_race_outcome, is_transient, may_cause
from racehound.session import ServerError
from tests.unit.programs import statement

RECORDED = [json.loads(line) for line in (Path(__file__).parent / "materialize_errors.jsonl").read_text().splitlines()]
NO_RACE = "this transaction can only execute a single statement"
"""Met while racing, but only by who wrote two statements into one transaction."""


def _id(recorded: dict[str, Any]) -> str:
    return f"{recorded['from']}: {recorded['message'][:60]}"


def error(message: str, sqlstate: str = "XX000") -> Statement:
    return statement("o_0", "SELECT 1", 0, 1, sqlstate=sqlstate, message=message)


@pytest.mark.parametrize("recorded", RECORDED, ids=_id)
def test_what_a_real_server_has_said_is_no_internal_error(recorded: dict[str, Any]) -> None:
    said = error(recorded["message"], recorded["sqlstate"])
    assert not is_internal(said)
    assert known_errors.race_error(said.message) or known_errors.other_error(said.message)


@pytest.mark.parametrize("recorded", [each for each in RECORDED if each["from"] == "race"], ids=_id)
def test_what_racing_sessions_were_told_is_a_race_outcome(recorded: dict[str, Any]) -> None:
    assert is_race_outcome(error(recorded["message"], recorded["sqlstate"])) is (recorded["message"] != NO_RACE)


@pytest.mark.parametrize("pattern", [*known_errors.RACE_ERRORS, *known_errors.OTHER_ERRORS], ids=lambda pattern: pattern.name)
def test_every_sort_has_a_name_of_its_own(pattern: known_errors.ErrorPattern) -> None:
    assert [each.name for each in (*known_errors.RACE_ERRORS, *known_errors.OTHER_ERRORS)].count(pattern.name) == 1


@pytest.mark.parametrize(
    "message",
    [
        "unknown catalog item 'u12'",
        "role u58 was concurrently dropped",
        "cluster 'c' was concurrently dropped",
        "relation \"x\" was dropped while executing a statement",
        "the transaction's active cluster has been dropped",
        "another session modified the catalog while this DDL transaction was open",
        "collection u7 is not readable at any timestamp",
        "query could not complete because relation \"o_0\" was dropped",
        "permission denied for TABLE \"x\"",
        "must be owner of TABLE x",
        "replica u3 was removed",
    ],
)  # fmt: skip
def test_the_messages_that_the_documents_name_are_race_outcomes(message: str) -> None:
    assert is_race_outcome(error(message))
    assert not is_internal(error(message))


@pytest.mark.parametrize(
    ("message", "sqlstate"),
    [
        ("internal error: dataflow creation error: collection does not exist: u12", "XX000"),
        ("coordinator panicked at src/adapter/src/coord.rs:12", "57P01"),
        ("called `Option::unwrap()` on a `None` value", "XX000"),
        ("catalog transaction was fenced by another instance", "XX000"),
        ("internal transaction error", "40000"),
    ],
)
def test_a_message_that_nobody_knows_or_that_says_so_itself_is_internal(message: str, sqlstate: str) -> None:
    assert is_internal(error(message, sqlstate))
    assert not is_race_outcome(error(message, sqlstate))


def test_what_succeeds_or_is_lost_is_no_internal_error() -> None:
    assert not is_internal(statement("o_0", "SELECT 1", 0, 1))
    assert not is_race_outcome(statement("o_0", "SELECT 1", 0, 1))


@pytest.mark.parametrize(
    ("message", "cause", "no_cause"),
    [
        ("unknown catalog item 'o_base'", "DROP TABLE o_base CASCADE", "CREATE VIEW o_0 AS SELECT * FROM o_base"),
        ("unknown catalog item 'o_base'", "ALTER TABLE o_base RENAME TO o_base_tmp_table", "GRANT SELECT ON o_base TO x"),
        ("unknown catalog item 'o_base'", "DROP CLUSTER rh1_o_base_cluster CASCADE", "INSERT INTO o_base VALUES ('a', 'b')"),
        ("unknown schema 'o_1'", "ALTER SCHEMA o_1 SWAP WITH o_1_other", "CREATE TABLE o_1.o_2 (a TEXT)"),
        ("catalog item 'o_0' already exists", "CREATE VIEW o_0 AS SELECT 1", "DROP VIEW o_0"),
        ('cannot drop view "o_0": still depended upon by view "o_1"', "CREATE VIEW o_1 AS SELECT * FROM o_0", "DROP VIEW o_1"),
        ('cannot drop table "o_0": still depended upon by sink "o_1"', "ALTER SINK o_1 SET FROM o_0", "DROP SINK o_1"),
        ("object state changed while transaction was in progress", "CREATE TABLE o_3 (a TEXT)", "SELECT * FROM o_3"),
        ('permission denied for TABLE "o_0"', "REVOKE SELECT ON o_0 FROM r", "SELECT * FROM o_0"),
        ("cached plan must not change result type", "ALTER TABLE o_0 ADD COLUMN c INT", "INSERT INTO o_0 VALUES ('a', 'b')"),
        ('CLUSTER "o_0" has no replicas available to', "ALTER CLUSTER o_0 SET (REPLICATION FACTOR 0)", "DROP VIEW o_0"),
    ],
)  # fmt: skip
def test_only_statements_of_the_right_sort_can_be_the_cause(message: str, cause: str, no_cause: str) -> None:
    assert may_cause(error(message), cause) != "none"
    assert may_cause(error(message), no_cause) == "none"


def test_how_near_a_cause_must_be_depends_on_the_error() -> None:
    assert may_cause(error("unknown catalog item 'o_base'"), "DROP VIEW o_2_tmp_view") == "named"
    assert may_cause(error("catalog item 'o_0' already exists"), "CREATE VIEW o_0 AS SELECT 1") == "exact"
    assert may_cause(error('must be a member of "r"'), "DROP ROLE r") == "related"
    assert may_cause(error("object state changed while transaction was in progress"), "DROP VIEW elsewhere") == "anywhere"


def test_what_was_never_made_is_missing_without_anybody_having_dropped_it() -> None:
    assert is_missing(error("unknown catalog item 'o_base'"))
    assert is_missing(error("unknown cluster 'rh1_o_0_cluster'"))
    assert not is_missing(error("catalog item 'o_base' already exists"))
    assert not is_missing(error("division by zero"))


def test_a_mistake_has_no_cause_but_its_author() -> None:
    assert may_cause(error("division by zero"), "DROP TABLE o_base") == "none"


def test_a_transaction_that_met_another_catalog_is_worth_another_try() -> None:
    assert is_transient(ServerError("40001", "object state changed while transaction was in progress"))
    assert is_transient(ServerError("XX000", "another session modified the catalog while this DDL transaction was open"))
    assert not is_transient(ServerError("XX000", "unknown catalog item 'o_0'"))
