"""How statements are sent when they are run again."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from racehound.loops.retry import Place
from racehound.session import Outcome
from tests.unit.scripted import ScriptedSession, ScriptedTarget, done


@pytest.fixture
def target() -> Iterator[ScriptedTarget]:
    made = ScriptedTarget()
    yield made
    made.stop()


@pytest.mark.parametrize(
    ("sql", "sent"),
    [
        ("GRANT ALL ON DATABASE ${racehound.database} TO r", "GRANT ALL ON DATABASE rh1_db1_clone TO r"),
        ("GRANT ALL ON DATABASE rh1_db1 TO r", "GRANT ALL ON DATABASE rh1_db1_clone TO r"),
        ("DROP DATABASE rh1_db12", "DROP DATABASE rh1_db12"),
        ("SELECT '${nobody}'", "SELECT '${nobody}'"),
    ],
)
def test_texts_name_the_database_in_which_they_are_run(target: ScriptedTarget, sql: str, sent: str) -> None:
    place = Place(target, {"racehound.database": "rh1_db1_clone"}, 5.0, ("rh1_db1", "rh1_db1_clone"))
    assert place.text(sql) == sent


def test_a_statement_that_takes_too_long_is_cancelled(target: ScriptedTarget) -> None:
    cancelled = threading.Event()

    class Slow(ScriptedSession):
        def execute(self, sql: str) -> Outcome:  # noqa: ARG002
            assert cancelled.wait(10)
            return done("SLEEP")

        def cancel(self) -> None:
            cancelled.set()

    assert Place(target, {}, 0.01).run(Slow(target, "o_0", 1), "SLEEP").ok


def test_one_that_does_not_is_not(target: ScriptedTarget) -> None:
    target.rebuild()
    session = target.open("o_0")
    assert Place(target, {}, 5.0).run(session, "READ").ok
    assert [sql for _, sql in target.sent] == ["READ"]
    assert not any(asked.startswith("terminate") for asked in target.asked)
