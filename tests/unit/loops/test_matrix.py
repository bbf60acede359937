"""The race matrix without a server: which operations there are, who meets whom and when, the journal, the renderings."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from racehound.data.finding import Finding
from racehound.data.footprint import Footprint
from racehound.data.matrix import DEFECTS, LETTERS, OUTCOMES, LeftOut, Matrix, Outcome, Relationship, read_matrix, worst
from racehound.databases.postgres.dialect import POSTGRES
from racehound.databases.postgres.kinds import KINDS
from racehound.databases.postgres.plugin import PostgresDatabase
from racehound.errors import UserError
from racehound.loops.matrix.journal import Asked, Header, Journal, PairResult, PairTrial, matrix_of, read_journal
from racehound.loops.matrix.pair_runner import modes, outcome_of
from racehound.loops.matrix.run import MatrixOptions, choose
from racehound.loops.matrix.selection import NO_COMMON_START, NOTHING_SHARED, different, select
from racehound.report.grid import cell_text, defects_text, diff_text, grid_text, totals_text
from racehound.run.lockstep import Move
from racehound.scenarios.pairs import Catalogue, mirrored
from racehound.session import Outcome as StatementOutcome
from racehound.session import ServerError

CATALOGUE = Catalogue(KINDS, PostgresDatabase().plain_table, POSTGRES.effect)
OPERATIONS = {operation.name: operation for operation in CATALOGUE.operations()}


def footprint(writes: str = "", reads: str = "", shared: str = "", *, transactional: bool = True) -> Footprint:
    """Entries with commas between them."""
    written, read, common = (frozenset(filter(None, text.split(","))) for text in (writes, reads, shared))
    return Footprint(written, read, transactional, common)


# Operations


def test_every_kind_has_a_create_and_a_destroy_and_names_are_unique() -> None:
    names = [operation.name for operation in CATALOGUE.operations()]
    assert len(names) == len(set(names))
    for kind in KINDS:
        assert {f"{kind.__name__}.create", f"{kind.__name__}.destroy"} <= set(names)


def test_a_manipulation_is_the_first_of_its_statements_that_no_other_operation_has() -> None:
    validating = CATALOGUE.alone(OPERATIONS["Partition.add_and_validate_constraint"])
    assert [command.text for command in validating.commands()] == ["ALTER TABLE o_0 VALIDATE CONSTRAINT o_0_check"]
    assert "ADD CONSTRAINT o_0_check" in validating.before()


def test_a_rename_is_not_undone_within_the_operation() -> None:
    renaming = CATALOGUE.alone(OPERATIONS["Table.rename"])
    assert [c.text for c in renaming.commands()] == ["ALTER TABLE o_0 RENAME TO o_0_tmp"]


# Objects


def related(x: str, y: str) -> tuple[Relationship, ...]:
    return CATALOGUE.relationships(OPERATIONS[x], OPERATIONS[y])


def test_objects_stand_to_each_other_in_the_ways_that_their_kinds_allow() -> None:
    assert related("Schema.destroy", "Function.create") == ("y over x", "common")
    assert related("Schema.destroy", "Function.rename") == (
        "y over x",
        "x over y",
        "common",
    )
    assert related("Table.rename", "Table.rename") == (
        "same",
        "y over x",
        "x over y",
        "common",
    )
    assert "same" not in related("Table.create", "Table.destroy")
    assert related("Index.create", "Index.create") == ("same", "common")
    assert related("Extension.create", "Extension.destroy") == ()


def test_what_an_operation_makes_is_not_there_before_and_all_else_is() -> None:
    pair = CATALOGUE.pair(OPERATIONS["Schema.destroy"], OPERATIONS["Function.create"], "y over x")
    assert [(step.object, step.phase) for step in pair.setup()] == [("o_base", "prepare"), ("o_base", "create")]
    program = pair.program(y_first=True)
    assert [session.steps[0].object for session in program.sessions] == ["o_0", "o_base"]
    assert program.refers_to == {"o_0": "o_base"}


def test_nothing_can_be_done_to_what_the_other_one_has_yet_to_make_below() -> None:
    assert "y over x" not in related("Schema.create", "Function.destroy")


def test_a_relationship_seen_from_the_other_side() -> None:
    assert [mirrored(each) for each in ("same", "y over x", "x over y", "common")] == ["same", "x over y", "y over x", "common"]


# Order


def planned(footprints: dict[str, Footprint]) -> tuple[list[tuple[str, str, str]], dict[str, int]]:
    chosen = [OPERATIONS[name] for name in footprints]
    found = select(CATALOGUE, chosen, footprints)
    return [pair.key for pair in found.pairs], {each.reason: each.pairs for each in found.left_out}


def test_those_that_share_most_come_first_on_the_ground_where_they_share_most() -> None:
    keys, _ = planned(
        {
            "Schema.destroy": footprint("pg_namespace o_0,pg_class o_0.o_0_table"),
            "Function.create": footprint("pg_proc o_0", "pg_type o_base"),
            "Schema.rename": footprint("pg_namespace o_0"),
        }
    )
    assert keys[0] == ("Schema.destroy", "Schema.destroy", "same")
    assert ("Schema.destroy", "Function.create", "y over x") in keys
    assert keys.index(("Schema.destroy", "Schema.rename", "same")) < len(keys)


def test_a_pair_that_only_reads_what_it_shares_is_left_out_and_said_so() -> None:
    only_readers = {name: footprint("", "pg_type o_base") for name in ("View.replace", "Index.rename")}
    keys, left = planned(only_readers)
    assert keys == []
    assert left == {NOTHING_SHARED: 3}


def test_a_pair_without_a_common_beginning_is_left_out_and_said_so() -> None:
    touching = footprint("pg_extension o_0,pg_class o_base")
    keys, left = planned({"Extension.create": touching, "Extension.destroy": touching})
    assert [key[:2] for key in keys] == [("Extension.create",) * 2, ("Extension.destroy",) * 2]
    assert left == {NO_COMMON_START: 1}


def test_operations_of_the_same_sort_are_kept_once_but_creates_and_destroys_always() -> None:
    names = ("View.comment", "Function.comment", "View.create", "Function.create", "View.destroy", "Function.destroy")
    alike = {name: footprint(f"pg_{name[0]} o_0") for name in names}
    kept = [each.name for each in different([OPERATIONS[name] for name in names], alike)]
    assert kept == [name for name in names if name != "Function.comment"]


def test_an_operation_that_also_changes_what_it_stands_on_is_of_another_sort() -> None:
    sorts = {
        "View.comment": footprint("pg_class o_0"),
        "Rule.rename": footprint("pg_rewrite o_0,pg_class o_base"),
        "Table.vacuum": footprint("pg_class o_0", transactional=False),
    }
    assert len(different([OPERATIONS[name] for name in sorts], sorts)) == 3


def test_of_what_all_databases_share_neither_kinds_nor_a_comment_and_a_change_of_the_name_are_alike() -> None:
    sorts = {
        "Tablespace.rename": footprint("pg_tablespace o_0", shared="pg_tablespace o_0"),
        "Tablespace.comment": footprint("pg_tablespace o_0", shared="pg_shdescription o_0"),
        "Role.comment": footprint("pg_authid o_0", shared="pg_shdescription o_0"),
    }
    assert len(different([OPERATIONS[name] for name in sorts], sorts)) == 3


def test_of_an_object_what_bears_two_names_belongs_to_the_upper_one() -> None:
    whole = footprint("pg_constraint o_0 on o_base,pg_class o_base")
    assert whole.of("o_base").writes == {"pg_class o_base"}
    assert whole.of("o_0").writes == {"pg_constraint o_0 on o_base"}


def names(options: MatrixOptions) -> list[str]:
    return [each.name for each in choose(list(OPERATIONS.values()), options)]


def test_operations_are_chosen_by_kind_and_by_pattern() -> None:
    assert {name.partition(".")[0] for name in names(MatrixOptions(kinds=("View",)))} == {"View"}
    assert names(MatrixOptions(operations=("Index.create[*",))) == [
        name for name in OPERATIONS if name.startswith("Index.create[")
    ]
    assert names(MatrixOptions(kinds=("View",), operations=("*.destroy",))) == ["View.destroy"]


@pytest.mark.parametrize("options", [MatrixOptions(kinds=("Vieww",)), MatrixOptions(operations=("View.paint",))])
def test_options_that_name_nothing_are_refused(options: MatrixOptions) -> None:
    with pytest.raises(UserError, match=r"Vieww|View\.paint"):
        names(options)


# Outcomes


def played(
    *findings: Finding, errors: tuple[str, ...] = ("", ""), behind: tuple[int, ...] = ()
) -> tuple[list[Finding], list[Move]]:
    """A statement of each session, with these messages of errors; the second one may have waited."""
    outcomes = [
        StatementOutcome("error", error=ServerError("42P01", text)) if text else StatementOutcome("ok", "DROP SCHEMA")
        for text in errors
    ]
    moves = [Move(session, 0, "…", outcome=outcome) for session, outcome in enumerate(outcomes, 1)]
    moves[1].behind = behind
    return list(findings), moves


def test_without_findings_an_error_counts_more_than_a_wait_and_a_wait_more_than_nothing() -> None:
    missing = ("", 'relation "o_0" does not exist')
    assert outcome_of(*played(), "xy") == ("fine", "")
    assert outcome_of(*played(behind=(1,)), "xy") == ("blocked", "")
    assert outcome_of(*played(errors=missing, behind=(1,)), "xy") == ("expected", "y: 42P01 relation OBJECT does not exist")
    assert outcome_of(*played(errors=missing), "yx") == ("expected", "x: 42P01 relation OBJECT does not exist")


def test_of_several_findings_the_worst_counts() -> None:
    found = [Finding("catalog", severity, f"why {severity}", "") for severity in ("known weakness", "corruption", "wrong result")]
    assert outcome_of(*played(*found), "xy") == ("corrupt", "why corruption")
    assert outcome_of(*played(found[0]), "xy") == ("known weakness", "why known weakness")


def test_an_error_that_an_operation_asks_for_is_none() -> None:
    asked = played(errors=("no", ""))
    asked[1][0].wanted = True
    assert outcome_of(*asked, "xy") == ("fine", "")


def test_an_operation_meets_itself_once_and_others_in_both_orders() -> None:
    def who(x: str, y: str, relationship: Relationship) -> list[tuple[bool, str]]:
        return list(modes(CATALOGUE.pair(OPERATIONS[x], OPERATIONS[y], relationship), POSTGRES.allows_transaction))

    every = ["together", "commit", "rollback"]
    assert who("Table.rename", "Table.rename", "same") == [(False, mode) for mode in every]
    assert who("Table.rename", "Table.comment", "same") == [(first, mode) for first in (False, True) for mode in every]
    assert who("Table.vacuum", "Table.comment", "same") == [(False, "together"), *((True, mode) for mode in every)]


# The journal

A, B = "Schema.destroy", "Function.create"
HEADER = Header("postgres", "18.3", Asked(), tuple(OPERATIONS[n] for n in (A, B)), {A: footprint("x o_0")}, ())


def met(*outcomes: Outcome, x: str = A, y: str = B) -> PairResult:
    """A meeting with these outcomes when x comes first with COMMIT, when y does."""
    notes = [PairTrial(bool(at), "commit", outcome, f"why {outcome}", (1, 1, 2, 1)) for at, outcome in enumerate(outcomes)]
    return PairResult(x, y, "y over x", ("CREATE SCHEMA s",), ("DROP SCHEMA s",), ("CREATE FUNCTION s.f()",), tuple(notes))


def test_a_journal_is_read_back_and_a_line_that_a_kill_has_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "matrix.jsonl"
    journal = Journal(path)
    for entry in (HEADER, met("corrupt"), met("fine", y=A)):
        journal.append(entry)
    journal.close()
    whole = path.read_bytes()
    for cut in range(len(whole) - 1, len(whole) - 40, -7):
        path.write_bytes(whole[:cut])
        header, over = read_journal(path)
        assert (header, [each.key for each in over]) == (HEADER, [(A, B, "y over x")])
    Journal(path).close()
    assert path.read_bytes().endswith(b"\n"), "what is appended now begins a line"


@pytest.mark.parametrize("content", [b"", b"nothing\n", b'{"target": 1}\n'])
def test_what_is_no_journal_is_refused_in_a_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "matrix.jsonl"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"matrix\.jsonl"):
        read_journal(path)


# The matrix


def matrix(*meetings: PairResult, release: str = "18.3") -> Matrix:
    header = msgspec.structs.replace(HEADER, release=release, left_out=(LeftOut("because", 7),))
    return matrix_of(header, meetings, complete=True)


def test_each_trial_stands_in_the_row_of_the_operation_that_came_first() -> None:
    cells = matrix(met("corrupt", "fine")).cells()
    assert {pair: worst(trials).outcome for pair, trials in cells.items()} == {(A, B): "corrupt", (B, A): "fine"}
    (first,), (second,) = cells[A, B], cells[B, A]
    assert (first.relationship, second.relationship) == ("y over x", "x over y")


def test_a_trial_knows_its_statements() -> None:
    made = matrix(met("corrupt", "fine"))
    one, other = made.trials
    assert made.statements(one) == (("BEGIN", "DROP SCHEMA s", "COMMIT"), ("CREATE FUNCTION s.f()",))
    assert made.statements(other) == (("BEGIN", "CREATE FUNCTION s.f()", "COMMIT"), ("DROP SCHEMA s",))
    assert made.setup(one) == ("CREATE SCHEMA s",)


def test_a_matrix_comes_back_from_its_file(tmp_path: Path) -> None:
    made = matrix(met("corrupt", "fine"))
    (tmp_path / "matrix.json").write_bytes(msgspec.json.encode(made))
    assert read_matrix(tmp_path) == read_matrix(tmp_path / "matrix.json") == made
    (tmp_path / "matrix.json").write_text(json.dumps({"target": 1}))
    with pytest.raises(UserError, match="no race matrix"):
        read_matrix(tmp_path)


def test_every_outcome_has_a_letter_of_its_own_and_defects_are_the_worst() -> None:
    assert set(LETTERS) == set(OUTCOMES)
    assert len(set(LETTERS.values())) == len(OUTCOMES)
    assert OUTCOMES[: len(DEFECTS)] == DEFECTS


# Renderings


def test_the_grid_has_a_letter_per_cell_and_a_blank_where_nothing_was_tried() -> None:
    rows = grid_text(matrix(met("corrupt", "blocked"))).splitlines()
    assert rows[1:] == ["   1 Schema.destroy   C", "   2 Function.create b"]
    assert "left out: because (7 pairs)" in totals_text(matrix(met("corrupt")))


def test_colours_are_only_where_they_are_asked_for() -> None:
    assert "\x1b" not in grid_text(matrix(met("corrupt")))
    assert "\x1b[41mC\x1b[0m" in grid_text(matrix(met("corrupt")), colour=True)


def test_a_cell_tells_the_statements_in_the_order_of_the_schedule() -> None:
    lines = [line.strip() for line in cell_text(matrix(met("corrupt")), A, B).splitlines()]
    assert lines == [
        "--- commit, y over x: corrupt: why corrupt",
        "before  CREATE SCHEMA s",
        "x       BEGIN",
        "x       DROP SCHEMA s",
        "y       CREATE FUNCTION s.f()",
        "x       COMMIT",
    ]
    assert cell_text(matrix(met("corrupt")), B, A) == ""


def test_a_cell_can_be_pasted_into_psql() -> None:
    meeting = msgspec.structs.replace(met("corrupt"), setup=("CREATE ROLE ${racehound.run}_o_0",))
    assert "before  CREATE ROLE rh_o_0\n" in cell_text(matrix(meeting), A, B)


def test_defects_are_listed_worst_first_and_known_weaknesses_are_none() -> None:
    table = defects_text(matrix(met("internal", "corrupt"), met("known weakness", y=A))).splitlines()
    assert [line.split()[0] for line in table] == ["outcome", "corrupt", "internal"]
    assert defects_text(matrix(met("known weakness", "expected"))) == ""


def test_the_difference_of_two_releases_names_the_cells_whose_outcome_changed() -> None:
    old = matrix(met("corrupt", "fine"), met("fine", x=B))
    new = matrix(met("expected", "fine"), met("fine", x=A, y=A), release="18.6")
    text = diff_text(old, new)
    assert text.splitlines()[0].endswith("2 cells in both, 1 differ; 1 only in the first, 1 only in the second")
    assert f"corrupt -> expected: 1 cells\n  {A}  {B}  (commit, y over x) why corrupt" in text
    assert diff_text(old, old).count("\n") == 0


def test_what_races_may_bring_is_only_counted() -> None:
    text = diff_text(matrix(met("blocked")), matrix(met("expected")))
    assert text.splitlines()[1:] == ["", "blocked -> expected: 1 cells"]
