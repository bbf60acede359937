"""A change of the catalog in the making: what the state becomes, what is said about it, and what it did to the storage so far."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from racehound_zoo.catalog.model import Acls, Column, Definition, Item, Schema, article
from racehound_zoo.catalog.privileges import initial, require, require_create, require_item_owner
from racehound_zoo.catalog.state import TEMPORARY_SCHEMA, Scope, State, age, name_key
from racehound_zoo.dialect.parts import ItemKind, Name, spell
from racehound_zoo.errors import Notice, SqlError

if TYPE_CHECKING:
    from racehound_zoo.execution.engine import Engine
    from racehound_zoo.sources.source import Offer, Shape


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What was asked of the outside before the catalog was locked."""

    offer: Offer | None = None
    shape: Shape | None = None
    subsources: Sequence[tuple[Offer, Shape]] = ()


NOTHING_PREPARED = Prepared()


class Plan:
    """Built by one thread, on one state; whoever finds that it cannot be done raises SqlError."""

    def __init__(self, engine: Engine, state: State, scope: Scope, prepared: Prepared = NOTHING_PREPARED) -> None:
        self.engine = engine
        self.state = state
        self.scope = scope
        self.prepared = prepared
        self.notices: list[Notice] = []
        self.created: list[str] = []
        """Ids of the relations made in the storage."""
        self.gone: list[str] = []
        """Ids of the items dropped."""
        self.events: list[tuple[str, str, str, str]] = []
        self.cluster = ""
        """The session's own."""
        self.retry = False
        """The storage was busy: others must be let on before this is tried again."""

    def undo(self) -> None:
        """Give up: what was made in the storage goes."""
        self.engine.storage.remove(*self.created)

    def finish(self) -> None:
        """It is done: the audit learns of it, and what was dropped goes from the storage."""
        for event in self.events:
            self.engine.catalog.record(*event, self.scope.role)
        self.engine.storage.remove(*self.gone)

    # Saying

    def notice(self, message: str, sqlstate: str = "00000") -> None:
        self.notices.append(Notice(message, sqlstate))

    def skip(self, kind: str, name: Name, *, quiet: bool, error: SqlError) -> None:
        """Something is not there: a notice if that may be, else the error."""
        if not quiet:
            raise error
        self.notice(
            f'{kind.upper()} "{name[-1] if kind != "cluster replica" else spell(name)}" does not exist, skipping', "42704"
        )

    def record(self, event: str, kind: str, name: str, key: str) -> None:
        self.events.append((event, kind, name, key))

    def require_feature(self, flag: str, what: str) -> None:
        """SqlError when a setting of the server has it switched off."""
        if self.engine.setting(self.state, flag).lower() not in {"on", "true", "1"}:
            raise SqlError(f"{what} is not supported", "0A000")

    # Finding

    def item_of_kind(self, kind: str, name: Name, verb: str = "DROP") -> Item:
        """An item that must be of this kind. `verb`: what is done to it, for the hint."""
        item = self.state.find(name, self.scope, "type" if kind == "type" else "item")
        if item.kind == kind:
            return item
        if kind == "view" and item.kind == "materialized view":
            what = "remove" if verb == "DROP" else "rename" if verb == "RENAME" else "alter"
            command = "DROP" if verb == "DROP" else "ALTER"
            raise SqlError(f"{name[-1]} is not a view", hint=f"Use {command} MATERIALIZED VIEW to {what} a materialized view.")
        raise SqlError(f"{spell(name)} is {article(item.kind)} not {article(kind)}")

    def cluster_id(self, name: str | None) -> str:
        """The id of the cluster named, or of the session's."""
        return self.state.cluster_named(name if name is not None else self.cluster).id

    # Making items

    def place(
        self, name: Name, namespace: Literal["item", "type"] = "item", *, temporary: bool = False
    ) -> tuple[Schema | None, Item | None]:
        """Where something of that name would stand, and what stands there already."""
        if temporary:
            key = self.state.names.get((TEMPORARY_SCHEMA, namespace, name[-1], self.scope.session))
            return None, self.state.items[key] if key else None
        schema = self.state.schema_for_creating(name, self.scope)
        key = self.state.names.get((schema.id, namespace, name[-1], None))
        return schema, self.state.item(key) if key is not None else None

    def refuse_existing(self, kind: str, name: Name, existing: Item, *, quiet: bool, plainly: bool = False) -> None:
        """Something stands where another should be made: a notice if that may be, else an error."""
        if quiet:
            self.notice(f'{kind} "{name[-1]}" already exists, skipping', "42710")
            return
        raise self.already_exists(existing, plainly=plainly)

    def already_exists(self, existing: Item, *, plainly: bool = False) -> SqlError:
        if plainly:
            return SqlError(f"catalog item '{existing.name}' already exists")
        return SqlError(f'{existing.kind} "{".".join(self.state.full_name(existing))}" already exists')

    def allocate(self) -> tuple[str, int]:
        """An id and an OID for an item."""
        return self.engine.catalog.allocate("item"), self.engine.catalog.oid()

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
        """A new item where the role that speaks may make one, and none is. `schema` None: temporary."""
        if schema is not None:
            require_create(self.state, self.scope, schema)
            self.engine.switches.refuse_taken(schema.id, name)
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

    # Taking items away

    def drop(self, keys: frozenset[str]) -> None:
        """Items gone."""
        for item in sorted((self.state.items[key] for key in keys), key=age):
            self.record("drop", item.kind, item.name, item.id)
        self.state = self.state.without_items(keys)
        self.gone += sorted(keys)

    def with_dependents(self, keys: Sequence[str]) -> frozenset[str]:
        """These and all that depends on them, and the progress relations of sources among them."""
        found: set[str] = set()
        waiting = [*keys]
        while waiting:
            key = waiting.pop()
            if key in found or key not in self.state.items:
                continue
            found.add(key)
            waiting += [item.id for item in self.state.dependents(key)]
            progress = getattr(self.state.items[key].definition, "progress", None)
            waiting += [progress] if progress is not None else []
        return frozenset(found)

    def require_owner(self, item: Item) -> None:
        require_item_owner(self.state, self.scope, item)

    def rename(self, item: Item, to: str) -> None:
        """Another name, where it stands."""
        renamed = dataclasses.replace(item, name=to)
        if name_key(renamed) in self.state.names:
            raise SqlError(f"catalog item '{to}' already exists")
        self.engine.switches.refuse_taken(item.schema, to)
        self.state = self.state.with_item(renamed)
        self.record("alter", item.kind, to, item.id)
