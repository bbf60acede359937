from __future__ import annotations

from racehound.data.object_names import names_in
from racehound.databases.effects import STANDARD
from racehound.judge.dependencies import DependencyGraph, concerning, write_intervals
from tests.unit.programs import program, statement


def test_names_are_read_off_a_statement() -> None:
    assert names_in("ALTER TABLE o_1.o_12_tmp RENAME TO rh1234abcd_o_3_owner, o_base_table") == {"o_1", "o_12", "o_3", "o_base"}
    assert names_in("SELECT foo_1, too_base FROM x") == frozenset()


def test_grounds_and_what_stands_on_them() -> None:
    web = DependencyGraph(program(o_0="o_base", o_1="o_0", o_2="o_base"))
    assert web.ancestors(["o_1"]) == {"o_1", "o_0", "o_base"}
    assert web.connected(["o_0"]) == {"o_0", "o_base", "o_1"}


def test_a_change_lasts_until_its_transaction_ends() -> None:
    history = [
        statement("o_0", "BEGIN", 0, 1),
        statement("o_0", "DROP TABLE o_0", 1, 2),
        statement("o_1", "DROP TABLE o_1", 2, 3),
        statement("o_0", "COMMIT", 8, 9),
    ]
    assert {change.statement.sql: change.end_ns for change in write_intervals(history, STANDARD.effect)} == {
        "DROP TABLE o_0": 9,
        "DROP TABLE o_1": 3,
    }


def test_what_concerns_an_object_is_told_with_its_transactions_and_without_strangers_and_reads() -> None:
    history = [
        statement("main", "CREATE TABLE o_base (a TEXT)", 0, 1, about="o_base"),
        statement("o_0", "BEGIN", 1, 2),
        statement("o_0", "CREATE INDEX o_0 ON o_base (a)", 2, 3),
        statement("o_2", "CREATE INDEX o_2 ON o_base (a)", 3, 4),
        statement("o_2", "DROP INDEX o_0", 4, 5),
        statement("o_0", "SELECT 1", 5, 6),
        statement("o_0", "COMMIT", 6, 7),
        statement("o_0", "REINDEX INDEX o_0", 7, 8, sqlstate="42P01", message="gone"),
    ]
    told = concerning(history, DependencyGraph(program(o_0="o_base", o_2="o_base")), frozenset({"o_0"}), STANDARD.effect)
    assert [s.sql for s in told] == [
        "CREATE TABLE o_base (a TEXT)",
        "BEGIN",
        "CREATE INDEX o_0 ON o_base (a)",
        "DROP INDEX o_0",
        "COMMIT",
    ]
