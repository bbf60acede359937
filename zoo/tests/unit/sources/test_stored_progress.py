"""The progress that a database source saves."""

from __future__ import annotations

import dataclasses

import pytest

from racehound_zoo.sources.statuses import Statuses
from racehound_zoo.sources.stored_progress import FollowedTable, StoredProgress
from racehound_zoo.sources.upstream import UpstreamColumn, UpstreamTable

ID = UpstreamColumn(1, "id", "int4", "23:-1", nullable=False)
NAME = UpstreamColumn(2, "name", "text", "25:-1", nullable=True)
TABLE = UpstreamTable("16384", "public", "t", (ID, NAME), (("id",),))


def test_all_is_remembered() -> None:
    stored = StoredProgress({})
    assert (stored.position, stored.slot, dict(stored.tables)) == ("", "", {})
    stored.position, stored.slot = "0/1", "materialize_1"
    stored.remember("u1", FollowedTable(TABLE))
    stored.remember("u2", FollowedTable(TABLE, "table was truncated"))
    stored.remember("u3", FollowedTable(TABLE))
    stored.forget("u3")
    again = StoredProgress(stored.saved())
    assert (again.position, again.slot) == ("0/1", "materialize_1")
    assert dict(again.tables) == {"u1": FollowedTable(TABLE), "u2": FollowedTable(TABLE, "table was truncated")}


@pytest.mark.parametrize(
    ("columns", "lost"),
    [
        ((ID, NAME), None),
        ((ID, NAME, dataclasses.replace(NAME, number=3, name="more")), None),
        ((ID, dataclasses.replace(NAME, nullable=False)), None),
        ((dataclasses.replace(ID, nullable=True), NAME), ID),
        ((ID,), NAME),
        ((ID, dataclasses.replace(NAME, type="1043:14")), NAME),
        ((ID, dataclasses.replace(NAME, number=3)), NAME),
    ],
)
def test_a_column_is_lost_when_it_is_not_what_it_was(columns: tuple[UpstreamColumn, ...], lost: UpstreamColumn | None) -> None:
    assert dataclasses.replace(TABLE, columns=columns).lost(TABLE) == lost


def test_a_key_is_lost_when_it_is_not_there() -> None:
    assert not dataclasses.replace(TABLE, keys=(("id",), ("name",))).lost_key(TABLE)
    assert dataclasses.replace(TABLE, keys=()).lost_key(TABLE)


def test_statuses_say_since_when() -> None:
    statuses = Statuses("u1", "postgres")
    assert statuses.of("u1").status == "starting"
    statuses.run("u1")
    statuses.count(2, 3)
    since = statuses.of("u1").since
    statuses.run("u1")
    running = statuses.of("u1")
    assert (running.status, running.since, running.received, running.staged) == ("running", since, 2, 3)
    statuses.stall("u1", "connection closed")
    assert (statuses.of("u1").status, statuses.of("u1").error) == ("stalled", "postgres: connection closed")
