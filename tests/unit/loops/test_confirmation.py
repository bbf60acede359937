"""Two statements that show a finding by themselves, in lock-step, are its culprits."""

from __future__ import annotations

from racehound.data.finding import Culprit, Finding
from racehound.data.program import Program, ProgramSession, Step
from racehound.data.scene import Line, Scene
from racehound.databases.postgres.dialect import POSTGRES
from racehound.loops.reduce.confirmation import culprit_in_program, culprit_in_scene
from tests.unit.programs import statement

FAILED = statement("o_1", "GRANT ALL ON TABLE o_1 TO PUBLIC", 5, 9, sqlstate="XX000", message="tuple concurrently updated")
ERROR = Finding("errors", "known weakness", "s", "XX000 tuple concurrently updated", statements=(FAILED,))
ORPHAN = Finding("catalog", "corruption", "pg_proc.pronamespace", "an orphan")


def scene(*turns: tuple[int, str]) -> Scene:
    return Scene(tuple(Line(session, sql) for session, sql in turns))


def confirmed(of: Scene, finding: Finding) -> Culprit | None:
    return culprit_in_scene(of, finding, POSTGRES.effect)


def test_the_session_with_the_failed_statement_is_told_first_whatever_its_turn() -> None:
    grant = (1, "GRANT ALL ON TABLE o_1 TO PUBLIC")
    drop = [(2, "BEGIN"), (2, "SET LOCAL ROLE r"), (2, "ALTER TABLE o_1 RENAME TO x"), (2, "COMMIT")]
    expected = Culprit("GRANT ALL ON TABLE TO PUBLIC", "ALTER TABLE RENAME TO", "confirmed")
    assert confirmed(scene((0, "CREATE TABLE o_1 ()"), drop[0], drop[1], drop[2], grant, drop[3]), ERROR) == expected
    assert confirmed(scene(grant, *drop), ERROR) == expected
    shortened = confirmed(scene((1, "GRANT ALL ON o_1 TO PUBLIC"), *drop), ERROR)
    assert shortened == Culprit("GRANT ALL ON TO PUBLIC", "ALTER TABLE RENAME TO", "confirmed")


def test_where_nothing_failed_both_sessions_are_told_with_all_that_they_change() -> None:
    lines = [(1, "BEGIN"), (1, "CREATE FUNCTION s.f"), (1, "SELECT lo_unlink(3)"), (2, "DROP SCHEMA s"), (1, "COMMIT")]
    assert confirmed(scene(*lines), ORPHAN) == Culprit("CREATE FUNCTION; SELECT lo_unlink", "DROP SCHEMA", "confirmed")


def test_three_sessions_or_one_confirm_no_pair() -> None:
    assert confirmed(scene((1, "DROP TABLE a"), (2, "DROP TABLE b"), (3, "DROP TABLE c")), ORPHAN) is None
    assert confirmed(scene((1, "DROP TABLE a")), ORPHAN) is None
    assert confirmed(scene((1, "DROP TABLE a"), (2, "BEGIN"), (2, "COMMIT")), ORPHAN) is None


def test_a_pair_of_the_matrix_is_its_own_culprit() -> None:
    steps = [Step("o_0", "manipulate", f"> {sql}\n") for sql in ("CREATE VIEW o_1 AS TABLE o_0", "DROP TABLE o_0")]
    sessions = tuple(ProgramSession(str(number), (step,)) for number, step in enumerate(steps, 1))
    program = Program(0, "concurrent", "", {}, True, (), (), sessions, (), ())
    found = culprit_in_program(program, ORPHAN, POSTGRES.effect)
    assert found == Culprit("CREATE VIEW AS TABLE", "DROP TABLE", "confirmed")
