"""A change of the catalog that is being planned."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal, Protocol

from racehound_zoo.catalog.catalog import Catalog
from racehound_zoo.catalog.model import Acls, Column, Definition, Item, Schema, article
from racehound_zoo.catalog.privileges import initial, require, require_create, require_item_owner
from racehound_zoo.catalog.state import TEMPORARY_SCHEMA, Scope, State, age, name_key
from racehound_zoo.defect_hooks import ChangeResult, SeededDefects
from racehound_zoo.dialect.parts import ItemKind, Name, spell
from racehound_zoo.errors import Notice, SqlError
from racehound_zoo.relations.snapshot import SystemSnapshot
from racehound_zoo.sources.source import Offer, Shape
from racehound_zoo.storage import Storage


class PlanContext(Protocol):
    """What planning needs of the engine."""

    @property
    def catalog(self) -> Catalog: ...

    @property
    def storage(self) -> Storage: ...

    @property
    def defects(self) -> SeededDefects: ...

    def setting(self, state: State, name: str) -> str:
        """The value of a setting of the whole server."""

    def snapshot(self) -> SystemSnapshot:
        """What the relations of the system catalog are rendered from, as of now."""

    def url_of(self, name: Sequence[str]) -> str:
        """The URL to post to for a webhook source of that full name."""


@dataclasses.dataclass(frozen=True)
class UpstreamAnswers:
    """What upstream systems answered before the catalog was locked."""

    offer: Offer | None = None
    shape: Shape | None = None
    subsources: Sequence[tuple[Offer, Shape]] = ()


NO_ANSWERS = UpstreamAnswers()


class CatalogPlan:
    """Belongs to one thread. The functions that build it raise SqlError when the statement is refused."""

    def __init__(self, context: PlanContext, state: State, scope: Scope, answers: UpstreamAnswers = NO_ANSWERS) -> None:
        self.context = context
        self.state = state
        self.scope = scope
        self.answers = answers
        self.notices: list[Notice] = []
        self.created: list[str] = []
        """The ids of the relations that were created in the storage."""
        self.gone: list[str] = []
        """The ids of the items that the change drops."""
        self.events: list[tuple[str, str, str, str]] = []
        self.cluster = ""
        """The name of the session's cluster."""
        self.tag = ""
        """The command tag of the statement."""
        self.retry = False
        """A reader has locked the relation: the caller must release the catalog's lock and try again."""

    def undo(self) -> None:
        """Remove from the storage what was created there."""
        self.context.storage.remove(*self.created)

    def install(self) -> ChangeResult:
        """Make the planned state the catalog's state. The caller holds the catalog's lock."""
        if self.state is not self.context.catalog.state:
            self.context.catalog.replace(self.state)
        for event in self.events:
            self.context.catalog.record(*event, self.scope.role)
        self.context.storage.remove(*self.gone)
        return ChangeResult(self.tag, tuple(self.notices))

    # Notices, events and checks

    def notice(self, message: str, sqlstate: str = "00000") -> None:
        self.notices.append(Notice(message, sqlstate))

    def skip(self, kind: str, name: Name, *, quiet: bool, error: SqlError) -> None:
        """Add a notice that an object does not exist; without `quiet`, raise the error."""
        if not quiet:
            raise error
        self.notice(
            f'{kind.upper()} "{name[-1] if kind != "cluster replica" else spell(name)}" does not exist, skipping', "42704"
        )

    def record(self, event: str, kind: str, name: str, key: str) -> None:
        self.events.append((event, kind, name, key))

    def require_feature(self, flag: str, what: str) -> None:
        """SqlError if a setting of the server disables the feature."""
        if self.context.setting(self.state, flag).lower() not in {"on", "true", "1"}:
            raise SqlError(f"{what} is not supported", "0A000")

    # Look-up

    def item_of_kind(self, kind: str, name: Name, verb: str = "DROP") -> Item:
        """The item of that name, which must be of this kind. `verb` is the verb of the statement, for the error's hint."""
        item = self.state.find(name, self.scope, "type" if kind == "type" else "item")
        if item.kind == kind:
            return item
        if kind == "view" and item.kind == "materialized view":
            what = "remove" if verb == "DROP" else "rename" if verb == "RENAME" else "alter"
            command = "DROP" if verb == "DROP" else "ALTER"
            raise SqlError(f"{name[-1]} is not a view", hint=f"Use {command} MATERIALIZED VIEW to {what} a materialized view.")
        raise SqlError(f"{spell(name)} is {article(item.kind)} not {article(kind)}")

    def cluster_id(self, name: str | None) -> str:
        """The id of the cluster of that name; without a name, that of the session's cluster."""
        return self.state.cluster_named(name if name is not None else self.cluster).id

    # New items

    def find_existing(
        self, name: Name, namespace: Literal["item", "type"] = "item", *, temporary: bool = False
    ) -> tuple[Schema | None, Item | None]:
        """The schema in which an item of that name is created, and the item that has the name already, if any."""
        if temporary:
            key = self.state.names.get((TEMPORARY_SCHEMA, namespace, name[-1], self.scope.session))
            return None, self.state.items[key] if key else None
        schema = self.state.schema_for_creating(name, self.scope)
        key = self.state.names.get((schema.id, namespace, name[-1], None))
        return schema, self.state.item(key) if key is not None else None

    def refuse_existing(self, kind: str, name: Name, existing: Item, *, quiet: bool, plainly: bool = False) -> None:
        """Add a notice that an item of the name exists; without `quiet`, raise an error."""
        if quiet:
            self.notice(f'{kind} "{name[-1]}" already exists, skipping', "42710")
            return
        raise self.already_exists(existing, plainly=plainly)

    def already_exists(self, existing: Item, *, plainly: bool = False) -> SqlError:
        if plainly:
            return SqlError(f"catalog item '{existing.name}' already exists")
        return SqlError(f'{existing.kind} "{".".join(self.state.full_name(existing))}" already exists')

    def allocate(self) -> tuple[str, int]:
        """A new id and a new OID for an item."""
        return self.context.catalog.allocate("item"), self.context.catalog.oid()

    def add(
        self,
        key: tuple[str, int],
        kind: ItemKind,
        schema: Schema | None,
        name: str,
        definition: Definition,
        uses: Sequence[str],
        columns: Sequence[Column] = (),
        cluster: str | None = None,
    ) -> Item:
        """Add an item. SqlError if the session's role may not create it there. `schema` is None for a temporary item."""
        if schema is not None:
            require_create(self.state, self.scope, schema)
            self.context.defects.refuse_reserved_name(schema.id, name)
        if cluster is not None:
            within = self.state.clusters[cluster]
            require(self.state, self.scope, "cluster", within.name, within.acls, "CREATE")
        acls: Acls = initial(self.state, self.scope, kind, schema)
        session = self.scope.session if schema is None else None
        where = schema.id if schema is not None else TEMPORARY_SCHEMA
        item = Item(
            key[0], key[1], where, name, kind, self.scope.role, acls, definition, tuple(dict.fromkeys(uses)), tuple(columns),
            cluster, session,
        )  # fmt: skip
        self.state = self.state.with_item(item)
        self.record("create", kind, name, item.id)
        return item

    # Dropped and renamed items

    def drop(self, keys: frozenset[str]) -> None:
        """Drop these items."""
        for item in sorted((self.state.items[key] for key in keys), key=age):
            self.record("drop", item.kind, item.name, item.id)
        self.state = self.state.without_items(keys)
        self.gone += sorted(keys)

    def require_owner(self, item: Item) -> None:
        require_item_owner(self.state, self.scope, item)

    def rename(self, item: Item, to: str) -> None:
        """Give an item another name in its schema."""
        renamed = dataclasses.replace(item, name=to)
        if name_key(renamed) in self.state.names:
            raise SqlError(f"catalog item '{to}' already exists")
        self.context.defects.refuse_reserved_name(item.schema, to)
        self.state = self.state.with_item(renamed)
        self.record("alter", item.kind, to, item.id)
