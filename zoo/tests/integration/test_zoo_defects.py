"""Every seeded defect shows when statements race, and does not show when they do not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import psycopg
import pytest

from racehound.errors import UserError
from racehound_zoo.defects import DEFECTS, EnabledDefects
from racehound_zoo.server import Zoo
from zoo_support.recorded import RecordedSessions, entries, needs_services, request

_TRIES = 60
_LAGS = 4
"""Lags in milliseconds by which one statement begins later, so that it finds the other one planned on slow machines, too."""
_PATIENCE = 1.0
"""The time, in seconds, after which a statement that should take milliseconds counts as hanging."""
_TABLE = "CREATE TABLE x (a text, b int)"


@pytest.fixture
def zoo(request: pytest.FixtureRequest) -> Iterator[Zoo]:
    with Zoo(defects=request.param) as server:
        yield server


@pytest.fixture(scope="module")
def honest_zoo() -> Iterator[Zoo]:
    with Zoo() as server:
        yield server


def connect(zoo: Zoo) -> psycopg.Connection[Any]:
    return psycopg.connect(zoo.url, autocommit=True)


class Round:
    """One attempt: a new schema, two sessions that race, and their results."""

    def __init__(self, zoo: Zoo, setup: Sequence[str]) -> None:
        self.zoo = zoo
        self.one, self.other = connect(zoo), connect(zoo)
        self.execute(
            "DROP SCHEMA IF EXISTS arena CASCADE", "DROP CLUSTER IF EXISTS c CASCADE", "DROP CLUSTER IF EXISTS d CASCADE"
        )
        self.execute("CREATE SCHEMA arena", "SET search_path = arena", *setup)
        self.other.execute("SET search_path = arena")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.one.close()
        self.other.close()

    def execute(self, *texts: str) -> None:
        for text in texts:
            self.one.execute(text)

    def rows(self, text: str) -> list[tuple[Any, ...]]:
        return sorted(self.one.execute(text).fetchall())

    def race(self, mine: str, others: str, lag_s: float = 0.0) -> tuple[str, str]:
        """The results of both: "ok", the error, "lost" for a lost connection, or "hangs".

        `others` begins `lag_s` seconds later.
        """
        barrier = threading.Barrier(2)
        told = ["hangs", "hangs"]

        def run(number: int, session: psycopg.Connection[Any], text: str) -> None:
            barrier.wait()
            time.sleep(number * lag_s)
            told[number] = _told(session, text)

        threads = [
            threading.Thread(target=run, args=(number, session, text))
            for number, (session, text) in enumerate(((self.one, mine), (self.other, others)))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(_PATIENCE)
        verdict = (told[0], told[1])
        if "hangs" in verdict:
            for session in (self.one, self.other):
                session.cancel_safe()
        for thread in threads:
            thread.join()
        return verdict

    def check(self) -> str:
        return request(f"{self.zoo.internal_http_url}/api/coordinator/check")[1]


def _told(session: psycopg.Connection[Any], text: str) -> str:
    try:
        for part in text.split("; "):
            session.execute(part)
    except psycopg.OperationalError as error:
        return "lost" if session.closed else str(error)
    except psycopg.Error as error:
        return str(error.diag.message_primary)
    return "ok"


Symptom = Callable[[Round, tuple[str, str]], bool]


def _fails(round_: Round, text: str) -> bool:
    try:
        round_.execute(text)
    except psycopg.Error:
        return True
    return False


def _stale(round_: Round, told: tuple[str, str]) -> bool:
    if told[0] != "ok":
        return False
    name = round_.rows("SHOW TABLES")[0][0]
    round_.execute(f"INSERT INTO {name} VALUES ('later', 2)")
    return round_.rows("SELECT * FROM n") != round_.rows(f"SELECT * FROM {name}")


def _lost_rename(round_: Round, told: tuple[str, str]) -> bool:
    return told[1] == "ok" and round_.rows("SHOW TABLES")[0][0] == "x"


def _taken(round_: Round, told: tuple[str, str]) -> bool:
    return told[0] != "ok" and not round_.rows("SHOW VIEWS") and _fails(round_, "CREATE VIEW n AS SELECT 1 AS a")


def _granted(round_: Round, told: tuple[str, str]) -> bool:
    rows = round_.rows("SELECT privileges::text FROM mz_tables WHERE name = 'x'")
    return told == ("ok", "ok") and _letters(rows[0][0]) != {"a", "r"}


def _letters(acls: str) -> set[str]:
    """The privileges that are granted to PUBLIC."""
    return {
        letter for acl in acls.strip("{}").split(",") if acl.startswith("=") for letter in acl.partition("=")[2].partition("/")[0]
    }


def _missing_row(round_: Round, told: tuple[str, str]) -> bool:
    return told[0] == "ok" and round_.rows("SELECT * FROM n") != round_.rows("SELECT * FROM x")


def _lost_write(round_: Round, told: tuple[str, str]) -> bool:
    return told == ("ok", "ok") and round_.rows("SELECT count(*) FROM y") == [(0,)]


def _lost_beside_a_creation(round_: Round, told: tuple[str, str]) -> bool:
    return told == ("ok", "ok") and round_.rows("SELECT count(*) FROM x") == [(0,)]


def _haunted(round_: Round, told: tuple[str, str]) -> bool:
    return told[0] == "ok" and not _fails(round_, "CREATE TABLE x (a text)") and _fails(round_, "SELECT * FROM x")


def _deaf(round_: Round, told: tuple[str, str]) -> bool:
    """Whether the subscription, which was started while the catalog changed, outlives its relation and shows no progress any
    more.
    """
    if told != ("ok", "ok"):
        return False
    round_.execute("DROP TABLE x")
    try:
        return round_.other.execute("FETCH ALL c WITH (timeout='0.7s')").fetchall() == []
    except psycopg.Error as error:
        if error.diag.message_primary != 'subscribe has been terminated because underlying relation "x" was dropped':
            raise
        return False


RACES: dict[str, tuple[Sequence[str], str, str, Symptom]] = {
    "panic-on-rename": (
        [_TABLE], "CREATE VIEW n AS SELECT * FROM x", "ALTER TABLE x RENAME TO y", lambda _, told: "lost" in told,
    ),
    "lost-rename": ([_TABLE], "GRANT SELECT ON x TO PUBLIC", "ALTER TABLE x RENAME TO y", _lost_rename),
    "stale-view": (
        [_TABLE], "CREATE MATERIALIZED VIEW n AS SELECT * FROM x",
        "ALTER TABLE x RENAME TO y; ALTER TABLE y RENAME TO x", _stale,
    ),
    "name-taken": ([_TABLE], "CREATE VIEW n AS SELECT * FROM x", "DROP TABLE x", _taken),
    "dropped-dependency": (
        [_TABLE], "CREATE VIEW n AS SELECT * FROM x", "DROP TABLE x", lambda round_, _: "does not exist" in round_.check(),
    ),
    "deadlock": (
        ["CREATE CLUSTER c (SIZE '1')", "CREATE CLUSTER d (SIZE '1')"],
        "ALTER CLUSTER c SWAP WITH d", "ALTER CLUSTER d SWAP WITH c",
        lambda _, told: told == ("hangs", "hangs"),
    ),
    "hanging-drop": ([_TABLE], "DROP TABLE x CASCADE", "CREATE VIEW n AS SELECT * FROM x", lambda _, told: told[0] == "hangs"),
    "wrong-snapshot": (
        [_TABLE], "CREATE MATERIALIZED VIEW n AS SELECT * FROM x", "INSERT INTO x VALUES ('a', 1)", _missing_row,
    ),
    "unexplained-error": (
        [_TABLE], "CREATE VIEW n AS SELECT * FROM x", "CREATE TABLE z (a int)",
        lambda _, told: told == ("unknown catalog item 'x'", "ok"),
    ),
    "duplicate-id": (
        [_TABLE], "CREATE VIEW n AS SELECT * FROM x", "CREATE TABLE z (a int)", lambda round_, _: "have the id" in round_.check(),
    ),
    "ghost-relation": ([_TABLE], "DROP TABLE x CASCADE", "CREATE DEFAULT INDEX ON x", _haunted),
    "lost-grant": ([_TABLE], "GRANT SELECT ON x TO PUBLIC", "GRANT INSERT ON x TO PUBLIC", _granted),
    "cluster-leftovers": (
        [_TABLE, "CREATE CLUSTER c (SIZE '1')"], "DROP CLUSTER c CASCADE",
        "CREATE MATERIALIZED VIEW n IN CLUSTER c AS SELECT * FROM x",
        lambda round_, _: "is in cluster" in round_.check(),
    ),
    "lost-write": ([_TABLE], "INSERT INTO x VALUES ('a', 1)", "ALTER TABLE x RENAME TO y", _lost_write),
    "orphaned-subscription": (
        [_TABLE], "CREATE TABLE z (a int)", "BEGIN; DECLARE c CURSOR FOR SUBSCRIBE x WITH (PROGRESS)", _deaf,
    ),
}  # fmt: skip


OTHER_RACES: list[tuple[str, Sequence[str], str, str, Symptom]] = [
    ("lost-rename", [_TABLE], "CREATE VIEW n AS SELECT * FROM x", "ALTER TABLE x RENAME TO y", _lost_rename),
    ("lost-write", [_TABLE], "INSERT INTO x VALUES ('a', 1)", "CREATE VIEW n AS SELECT * FROM x", _lost_beside_a_creation),
]
"""More races in which some of the defects show."""


def test_every_defect_has_a_race() -> None:
    """Defects that need a service are tested in the modules of that service."""
    assert {*RACES} == {defect.name for defect in DEFECTS if not defect.needs}


def shows(zoo: Zoo, setup: Sequence[str], mine: str, others: str, symptom: Symptom) -> bool:
    """Whether one of the attempts has the symptom."""
    for number in range(_TRIES):
        with Round(zoo, setup) as round_:
            if symptom(round_, round_.race(mine, others, number % _LAGS * 0.001)):
                return True
    return False


@pytest.mark.parametrize(("zoo", "name"), [((name,), name) for name in RACES], indirect=["zoo"], ids=[*RACES])
def test_a_defect_shows_in_its_race(zoo: Zoo, name: str) -> None:
    assert shows(zoo, *RACES[name]), f"{name} did not show in {_TRIES} tries"


@pytest.mark.parametrize(("zoo", "race"), [((race[0],), race) for race in OTHER_RACES], indirect=["zoo"])
def test_a_defect_shows_in_its_other_race(zoo: Zoo, race: tuple[str, Sequence[str], str, str, Symptom]) -> None:
    name, setup, mine, others, symptom = race
    assert shows(zoo, setup, mine, others, symptom), f"{name} did not show in {_TRIES} tries"


@pytest.mark.parametrize("zoo", [("wrong-snapshot",)], indirect=True)
def test_a_view_that_is_refreshed_on_a_schedule_is_made_as_ever(zoo: Zoo) -> None:
    """The rows of such a view are in a table, so the defect does not affect it."""
    create = "CREATE MATERIALIZED VIEW n WITH (REFRESH EVERY '1 day') AS SELECT * FROM x"
    for number in range(2 * _LAGS):
        with Round(zoo, [_TABLE]) as round_:
            assert round_.race(create, "INSERT INTO x VALUES ('a', 1)", number % _LAGS * 0.001) == ("ok", "ok")


@pytest.mark.parametrize("name", [*RACES])
def test_without_its_switch_the_race_is_harmless(honest_zoo: Zoo, name: str) -> None:
    setup, mine, others, symptom = RACES[name]
    for _ in range(8):
        with Round(honest_zoo, setup) as round_:
            assert not symptom(round_, round_.race(mine, others))
            assert round_.check() == '""'


@pytest.mark.parametrize("zoo", [tuple(defect.name for defect in DEFECTS)], indirect=True)
def test_with_all_defects_on_one_session_alone_is_answered_as_ever(zoo: Zoo) -> None:
    alone = [entry for entry in entries() if not needs_services(entry)]
    with RecordedSessions(zoo) as sessions:
        different = [entry for entry in alone if sessions.execute(entry).judged != entry.recorded.judged]
    assert len(different) < 0.05 * len(alone)


def test_an_unknown_defect_is_refused() -> None:
    with pytest.raises(UserError, match="'nope' is no defect of the zoo: panic-on-rename, "):
        EnabledDefects(["nope"])
