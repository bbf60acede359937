"""What statements claim to be there at rest, and what stays open."""

from __future__ import annotations

import msgspec

from racehound.data.history import Statement
from racehound.judge.claims import Claims, differing
from racehound.judge.dependencies import DependencyGraph
from tests.unit.programs import program, statement

WEB = DependencyGraph(program(o_0="o_base", o_1="o_base", o_2="o_1"))


def claimed(*statements: Statement) -> dict[str, bool]:
    """Presence by `SPACE NAME`, without the database."""
    found = Claims(sorted(statements, key=lambda s: s.end_ns), WEB, "db").claims()
    return {f"{claim.key.space} {str(claim.key).removeprefix('db.')}": claim.present for claim in found}


def done(sql: str, start: int, end: int, session: str = "o_0", tag: str = "") -> Statement:
    return msgspec.structs.replace(statement(session, sql, start, end), tag=tag)


def test_the_last_word_holds() -> None:
    made, gone = done("CREATE VIEW o_0 AS SELECT 1", 1, 2), done("DROP VIEW o_0 CASCADE", 3, 4)
    assert claimed(made) == {"item public.o_0": True}
    assert claimed(made, gone) == {"item public.o_0": False}
    assert claimed(made, gone, done("CREATE TABLE o_0 (a TEXT)", 5, 6)) == {"item public.o_0": True}


def test_words_at_the_same_time_must_agree() -> None:
    assert claimed(done("CREATE VIEW o_0 AS SELECT 1", 1, 3), done("DROP VIEW IF EXISTS o_0", 2, 4, "o_1")) == {}
    assert claimed(done("DROP VIEW IF EXISTS o_0", 1, 3), done("DROP VIEW IF EXISTS o_0", 2, 4, "o_1")) == {
        "item public.o_0": False
    }


def test_a_rename_says_two_things() -> None:
    sql = "ALTER MATERIALIZED VIEW o_2.o_0 RENAME TO o_0_tmp"
    assert claimed(done(sql, 1, 2)) == {"item o_2.o_0": False, "item o_2.o_0_tmp": True}


def test_what_is_dropped_takes_with_it_what_stands_on_it() -> None:
    above, below = done("CREATE VIEW o_2 AS SELECT * FROM o_1", 1, 2, "o_2"), done("CREATE VIEW o_base AS SELECT 1", 1, 2)
    assert claimed(above, below, done("DROP VIEW o_1 CASCADE", 3, 4)) == {"item public.o_1": False, "item public.o_base": True}


def test_an_index_takes_nothing_with_it() -> None:
    made = done("CREATE VIEW o_0 AS SELECT * FROM o_base", 1, 2)
    assert claimed(made, done("DROP INDEX o_base_primary_idx", 3, 4, "o_1"))["item public.o_0"]


def test_an_index_lies_where_its_relation_does() -> None:
    made = done("CREATE INDEX o_2 IN CLUSTER c ON o_1.o_2_view (a)", 1, 2, "o_2")
    assert claimed(made) == {"item o_1.o_2": True}
    assert claimed(made, done("DROP INDEX o_1.o_2", 3, 4, "o_2")) == {"item o_1.o_2": False}
    assert claimed(done("CREATE INDEX o_0 ON o_1 (a)", 1, 2)) == {"item public.o_0": True}


def test_what_lies_in_a_schema_goes_and_comes_with_its_name() -> None:
    made = done("CREATE VIEW o_1.o_2_view AS SELECT 1", 1, 2, "o_2")
    away = done("ALTER SCHEMA o_1 RENAME TO o_1_tmp", 3, 4, "o_1")
    assert claimed(made, away) == {"schema o_1": False, "schema o_1_tmp": True}


def test_only_a_commit_makes_it_so() -> None:
    within = [done("BEGIN", 1, 2), done("CREATE VIEW o_0 AS SELECT 1", 3, 4)]
    assert claimed(*within, done("COMMIT", 5, 6, tag="COMMIT")) == {"item public.o_0": True}
    assert claimed(*within, done("COMMIT", 5, 6, tag="ROLLBACK")) == {}
    assert claimed(*within, done("ROLLBACK", 5, 6, tag="ROLLBACK")) == {}
    assert claimed(*within) == {}
    # It came into force with the COMMIT: a drop between the two does not come after it.
    assert claimed(*within, done("DROP VIEW IF EXISTS o_0", 4, 5, "o_1"), done("COMMIT", 5, 6, tag="COMMIT")) == {}


def test_a_lost_statement_leaves_it_open() -> None:
    made = done("CREATE VIEW o_0 AS SELECT 1", 1, 2)
    lost = msgspec.structs.replace(done("DROP VIEW o_0", 3, 4), status="lost")
    assert claimed(made, lost) == {}


def test_a_failed_statement_says_nothing() -> None:
    made = done("CREATE VIEW o_0 AS SELECT 1", 1, 2)
    assert claimed(made, statement("o_0", "DROP VIEW o_0", 3, 4, sqlstate="XX000")) == {"item public.o_0": True}


def test_privileges_last_as_long_as_their_object_and_their_role() -> None:
    granted = done("GRANT SELECT ON o_base TO rh1_o_1", 3, 4, "o_1")
    right = "right public.o_base SELECT rh1_o_1"
    assert claimed(granted) == {right: True}
    assert claimed(granted, done("REVOKE SELECT ON o_base FROM rh1_o_1", 5, 6, "o_1")) == {right: False}
    assert right not in claimed(granted, done("DROP TABLE o_base CASCADE", 3, 5, "main"))
    assert right not in claimed(granted, done("DROP OWNED BY rh1_o_1 CASCADE", 5, 6, "o_1"))
    assert right not in claimed(granted, done("DROP ROLE rh1_o_1", 5, 6, "o_1"))
    assert right not in claimed(granted, done("ALTER TABLE o_base OWNER TO rh1_o_2", 5, 6, "o_1"))
    assert claimed(granted, done("DROP VIEW IF EXISTS o_2_tmp", 5, 6, "o_2"))[right]


def test_what_is_no_name_is_not_taken_for_one() -> None:
    unnamed = [
        "CREATE INDEX IN CLUSTER c ON o_0 (a)",
        "CREATE CLUSTER REPLICA rh1_o_0.r1 SIZE '1'",
        "CREATE DEFAULT INDEX ON o_0",
    ]
    assert claimed(*(done(sql, at, at + 1) for at, sql in enumerate(unnamed))) == {}


def test_claims_are_compared_with_what_is_there() -> None:
    claims = Claims([done("CREATE VIEW o_0 AS SELECT 1", 1, 2), done("DROP TABLE o_2", 1, 2, "o_2")], WEB, "db").claims()
    assert differing(claims, {"item": frozenset({"db.public.o_0"})}) == []
    assert [str(claim.key) for claim in differing(claims, {"item": frozenset({"db.public.o_2"})})] == [
        "db.public.o_0",
        "db.public.o_2",
    ]
    assert [str(claim.key) for claim in differing(claims, {})] == ["db.public.o_0"]


def test_all_privileges_on_a_schema_are_those_that_it_has() -> None:
    granted = done("GRANT ALL ON SCHEMA public TO rh1_o_1", 1, 2, "o_1")
    assert claimed(granted) == {"right public CREATE rh1_o_1": True, "right public USAGE rh1_o_1": True}
    assert claimed(granted, done("DROP ROLE rh1_o_2", 3, 4, "o_2"))["right public USAGE rh1_o_1"]
    assert "right public USAGE rh1_o_1" not in claimed(granted, done("DROP ROLE rh1_o_1", 3, 4, "o_1"))


def test_a_replacement_is_an_item_and_what_a_source_makes_besides_is_not_known() -> None:
    gone = done("DROP VIEW o_0_new", 1, 2)
    assert claimed(gone, done("CREATE REPLACEMENT MATERIALIZED VIEW o_0_new FOR o_0 AS SELECT 1", 3, 4))["item public.o_0_new"]
    assert "item public.o_0_new" not in claimed(gone, done("CREATE SOURCE o_0 FROM LOAD GENERATOR AUCTION FOR ALL TABLES", 3, 4))


def test_of_what_is_not_understood_nothing_is_claimed() -> None:
    made = done("CREATE VIEW o_0 AS SELECT 1", 1, 2)
    assert claimed(made, done("CREATE SOMETHING FOR o_0", 3, 4)) == {}
