"""The passes of reduction, held against predicates that need no server."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racehound.data.scene import SETUP, Line, Scene
from racehound.errors import TimeIsUpError
from racehound.loops.reduce.scene_passes import minimise
from racehound.loops.reduce.search import Search, without_chunks
from racehound.loops.reduce.shorten import shortened

Shows = Callable[[Scene], bool]


def search(scene: Scene, shows: Shows, limit_s: float = 60.0) -> Search[Scene]:
    return Search(scene, shows, key=lambda candidate: candidate.lines, deadline=time.monotonic() + limit_s)


def lines(*said: tuple[int, str]) -> Scene:
    return Scene(()).with_lines(Line(session, sql) for session, sql in said)


@given(st.lists(st.integers(0, 50), unique=True, max_size=40), st.data())
def test_what_is_needed_stays_and_nothing_else(items: list[int], data: st.DataObject) -> None:
    needed = set(data.draw(st.lists(st.sampled_from(items), max_size=5))) if items else set()

    def attempt(kept: Sequence[int]) -> bool:
        return needed <= set(kept)

    assert without_chunks(items, attempt) == [item for item in items if item in needed]


RACE = lines(
    (SETUP, "CREATE TABLE o_base (a int)"), (SETUP, "CREATE TABLE o_1 (a int)"), (SETUP, "CREATE ROLE rh_o_2"),
    (1, "BEGIN"), (2, "BEGIN"), (3, "SELECT 1"), (1, "INSERT INTO o_1 VALUES (1)"), (1, "DROP TABLE o_base"),
    (2, "CREATE VIEW o_3 AS SELECT a, 1 AS b FROM o_base"), (3, "DROP ROLE rh_o_2"), (2, "COMMIT"), (1, "COMMIT"),
)  # fmt: skip


def _races(scene: Scene) -> bool:
    """A view is created on the table between its being dropped in a transaction and the end of that, by somebody else."""
    said = [(line.session, line.sql.split()[0], line.sql) for line in scene.turns]
    if not any(line.sql.startswith("CREATE TABLE o_base") for line in scene.setup):
        return False
    drop = next((at for at, (_, word, sql) in enumerate(said) if word == "DROP" and "o_base" in sql), None)
    if drop is None or (said[drop][0], "BEGIN") not in [(session, word) for session, word, _ in said[:drop]]:
        return False
    later = said[drop:]
    view = next((at for at, (_, word, sql) in enumerate(later) if word == "CREATE" and "o_base" in sql), None)
    end = next((at for at, (session, word, _) in enumerate(later) if word == "COMMIT" and session == later[0][0]), None)
    return view is not None and end is not None and view < end and later[view][0] != later[0][0]


def test_a_race_of_three_sessions_becomes_four_statements_of_two() -> None:
    found = search(RACE, _races)
    assert _races(RACE)
    minimise(found, lambda _sql: True)
    assert (found.best.size.statements, found.best.size.sessions, found.best.size.setup) == (4, 2, 1)
    assert found.best.schedule == (1, 1, 2, 1)
    assert [line.sql for line in found.best.of(1)] == ["BEGIN", "DROP o_base", "COMMIT"]
    assert all(done.shown <= done.tried for done in found.passes.values())
    assert found.accepted[0] == RACE
    assert found.accepted[-1] == found.best


def test_no_candidate_is_tried_twice_nor_after_the_time_is_up() -> None:
    tried: list[Scene] = []

    def shows(scene: Scene) -> bool:
        tried.append(scene)
        return _races(scene)

    minimise(search(RACE, shows), lambda _sql: True)
    assert len({scene.lines for scene in tried}) == len(tried)
    with pytest.raises(TimeIsUpError):
        minimise(search(RACE, _races, limit_s=0.0), lambda _sql: True)


def test_a_statement_loses_what_it_can() -> None:
    sql = "CREATE TABLE o_0 (a int NOT NULL DEFAULT (1 + 2), b text, c int) WITH (fillfactor = 50)"
    assert shortened(sql, lambda said: "o_0" in said and "b text" in said and said.count("(") == said.count(")") > 0) == (
        "CREATE o_0 (b text)"
    )
    assert shortened("DROP ROLE ${racehound.run}_o_0", lambda said: "o_0" in said) == "DROP ${racehound.run}_o_0"
