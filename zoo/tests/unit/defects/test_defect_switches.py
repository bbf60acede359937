"""Which defects are on, and what the engine is told about them."""

from __future__ import annotations

import dataclasses

import pytest

from racehound.errors import UserError
from racehound_zoo.catalog.bootstrap import initial_state
from racehound_zoo.catalog.catalog import Catalog
from racehound_zoo.catalog.model import Acl, Item, TableDefinition
from racehound_zoo.catalog.state import Scope, State
from racehound_zoo.defect_hooks import CatalogChange, ChangeResult, NoDefects, PlannedChange
from racehound_zoo.defects import EnabledDefects
from racehound_zoo.dialect.statements import Statement
from racehound_zoo.errors import SqlError
from racehound_zoo.relations.rendering import system_items
from racehound_zoo.storage import Storage

TABLE = Item("u1", 1, "u1", "t", "table", "u1", (Acl("u1", frozenset("arwd"), "u1"),), TableDefinition(()))


@dataclasses.dataclass
class ScriptedChange:
    """A `CatalogChange` that must be executed as a server without defects does."""

    statement: Statement
    scope: Scope

    @property
    def catalog(self) -> Catalog:
        raise AssertionError("the defects looked at the catalog")

    @property
    def storage(self) -> Storage:
        raise AssertionError("the defects looked at the storage")

    def interrupted(self) -> bool:
        raise AssertionError("the defects waited")

    def plan(self, state: State) -> PlannedChange:
        raise AssertionError(f"the defects planned the change for revision {state.revision}")

    def execute(self) -> ChangeResult:
        return ChangeResult("DONE", ())


@pytest.mark.parametrize("defects", [NoDefects(), EnabledDefects()])
def test_without_defects_a_change_is_executed_under_the_lock(defects: NoDefects | EnabledDefects) -> None:
    change: CatalogChange = ScriptedChange(Statement(), Scope("materialize", ("public",), 1, "u1"))
    with defects.running_statement():
        assert defects.change_catalog(change) == ChangeResult("DONE", ())
    assert not defects.on("lost-rename")
    assert not defects.loses_write(Catalog(initial_state(system_items)), TABLE)
    assert not defects.orphans_subscription(Catalog(initial_state(system_items)), 0)
    assert defects.stale_index_on(TABLE) is None
    defects.refuse_reserved_name("u1", "t")


def test_an_unknown_defect_is_refused() -> None:
    with pytest.raises(UserError, match="'nope' is no defect of the zoo: panic-on-rename"):
        EnabledDefects(["lost-rename", "nope"])


def test_a_reserved_name_is_refused_in_its_schema_only() -> None:
    defects = EnabledDefects(["name-taken"])
    defects.reserve_name("u1", "t")
    defects.refuse_reserved_name("u2", "t")
    with pytest.raises(SqlError, match="catalog item 't' already exists"):
        defects.refuse_reserved_name("u1", "t")


def test_a_stale_index_is_found_for_the_next_item_of_the_name() -> None:
    defects = EnabledDefects(["ghost-relation"])
    defects.keep_index_of(TABLE)
    assert defects.stale_index_on(TABLE) is None
    assert defects.stale_index_on(dataclasses.replace(TABLE, id="u2")) == TABLE


def test_a_write_is_lost_only_when_its_table_changes_in_the_window() -> None:
    catalog = Catalog(initial_state(system_items).with_item(TABLE))
    defects = EnabledDefects(["lost-write"])
    assert not defects.loses_write(catalog, TABLE)
    with catalog.changing():
        catalog.replace(catalog.state.with_item(dataclasses.replace(TABLE, name="renamed")))
    assert defects.loses_write(catalog, TABLE)
