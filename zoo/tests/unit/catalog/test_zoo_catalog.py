"""The catalog: names, privileges, and its own consistency check."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from racehound_zoo.catalog.bootstrap import initial_state
from racehound_zoo.catalog.catalog import Catalog
from racehound_zoo.catalog.check import inconsistencies
from racehound_zoo.catalog.model import Acl, Item, TableDefinition
from racehound_zoo.catalog.privileges import granted, holds, revoked, shown
from racehound_zoo.catalog.state import CommentSubject, Scope, State
from racehound_zoo.errors import SqlError
from racehound_zoo.relations.rendering import RENDERERS, system_items
from racehound_zoo.sources.sink import Row, difference

_SCOPE = Scope("materialize", ("public",), 1, "u1")


def table(key: str, name: str, *uses: str) -> Item:
    return Item(key, 1, "u1", name, "table", "u1", (Acl("u1", frozenset("arwd"), "u1"),), TableDefinition(()), uses)


@pytest.fixture
def state() -> State:
    return initial_state(system_items).with_item(table("u1", "t")).with_item(table("u2", "u", "u1"))


def test_an_item_is_found_by_each_of_its_names(state: State) -> None:
    for name in (("t",), ("public", "t"), ("materialize", "public", "t")):
        assert state.find(name, _SCOPE).id == "u1"
    assert state.find(("mz_tables",), _SCOPE).is_system
    assert state.find(("mz_internal", "mz_source_statuses"), _SCOPE).is_system


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (("nosuch",), "unknown catalog item 'nosuch'"),
        (("nosuch", "t"), "unknown schema 'nosuch'"),
        (("nosuch", "public", "t"), "unknown database 'nosuch'"),
        (("public", "nosuch"), "unknown catalog item 'public.nosuch'"),
    ],
)
def test_what_is_not_there_is_named(state: State, name: tuple[str, ...], message: str) -> None:
    with pytest.raises(SqlError) as caught:
        state.find(name, _SCOPE)
    assert caught.value.message == message


def test_a_rename_frees_the_old_name(state: State) -> None:
    renamed = state.with_item(dataclasses.replace(state.items["u1"], name="v"))
    assert renamed.find(("v",), _SCOPE).id == "u1"
    with pytest.raises(SqlError, match="unknown catalog item 't'"):
        renamed.find(("t",), _SCOPE)
    assert state.find(("t",), _SCOPE).id == "u1"


def test_a_sound_catalog_is_found_sound(state: State) -> None:
    assert inconsistencies(state) == []


def test_each_inconsistency_is_named(state: State) -> None:
    dangling = state.without_items(frozenset({"u1"}))
    assert inconsistencies(dangling) == ["table u2 (u) depends on u1, which does not exist"]
    twin = state.with_item(table("u1", "w"), "u9")
    assert "2 items have the id u1" in inconsistencies(twin)
    homeless = state.with_item(dataclasses.replace(state.items["u2"], cluster="u77"))
    assert inconsistencies(homeless) == ["table u2 (u) is in cluster u77, which does not exist"]
    orphaned = state.with_item(dataclasses.replace(state.items["u2"], owner="u88"))
    assert inconsistencies(orphaned) == ["u2 (u) names role u88, which does not exist"]
    commented = dataclasses.replace(state, comments={CommentSubject("item", "u99"): "x"})
    assert inconsistencies(commented) == ["a comment is on item u99, which does not exist"]


def test_privileges_are_added_and_taken_away(state: State) -> None:
    acls = granted(state.items["u1"].acls, "p", frozenset("r"), "u1")
    acls = granted(acls, "p", frozenset("a"), "u1")
    assert [shown(acl) for acl in acls] == ["u1=arwd/u1", "=ar/u1"]
    assert holds(state, "u2", acls, "r")
    assert not holds(state, "u2", revoked(acls, "p", frozenset("r")), "r")


def test_ids_are_never_given_twice(state: State) -> None:
    catalog = Catalog(state)
    assert len({catalog.allocate("item") for _ in range(100)}) == 100


def test_watchers_see_every_change_in_order(state: State) -> None:
    catalog = Catalog(state)
    seen: list[tuple[int, int]] = []
    catalog.watch(lambda before, after: seen.append((before.revision, after.revision)))
    for _ in range(3):
        with catalog.changing():
            catalog.replace(catalog.state)
    assert seen == [(0, 1), (1, 2), (2, 3)]


def test_every_rendered_relation_is_an_item(state: State) -> None:
    assert {(state.schemas[item.schema].name, item.name) for item in state.system.values()} == {*RENDERERS}


def test_the_difference_of_two_collections_leads_from_one_to_the_other() -> None:
    before: Counter[Row] = Counter({("a",): 2, ("b",): 1})
    after: Counter[Row] = Counter({("a",): 1, ("c",): 3})
    changes = difference(before, after)
    for row, count in changes:
        before[row] += count
    assert +before == after
    assert changes[0] == (("a",), -1)
