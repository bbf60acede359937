"""The points at which a seeded defect may act, as protocols.

The engine, the sources and the sinks call a `SeededDefects` that `server` hands to them. They import no defect. The package
`defects` implements the protocol; it sees the engine through `CatalogChange` and `PlannedChange` only.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import Protocol

from racehound_zoo.catalog.catalog import Catalog
from racehound_zoo.catalog.model import Item
from racehound_zoo.catalog.state import Scope, State
from racehound_zoo.dialect.statements import Statement
from racehound_zoo.errors import Notice
from racehound_zoo.storage import Storage


@dataclasses.dataclass(frozen=True)
class ChangeResult:
    """The answer to a statement that has changed the catalog: its command tag and the notices that come with it."""

    tag: str
    notices: tuple[Notice, ...]


class PlannedChange(Protocol):
    """A change of the catalog that has been planned and not yet installed."""

    state: State
    """The catalog's state as it will be. A defect may replace it before it calls `install`."""

    @property
    def created(self) -> Sequence[str]:
        """The ids of the relations that planning has created in the storage."""

    def undo(self) -> None:
        """Remove from the storage what planning has created there."""

    def install(self) -> ChangeResult:
        """Make `state` the catalog's state. The caller holds the catalog's lock."""


class CatalogChange(Protocol):
    """One statement that changes the catalog, and the two ways to execute it."""

    @property
    def statement(self) -> Statement: ...

    @property
    def scope(self) -> Scope:
        """The scope in which the session resolves names."""

    @property
    def catalog(self) -> Catalog: ...

    @property
    def storage(self) -> Storage: ...

    def interrupted(self) -> bool:
        """Whether the client has cancelled the statement or has disconnected."""

    def plan(self, state: State) -> PlannedChange:
        """Plan the change for a state of the catalog, without a lock. SqlError when the statement is refused."""

    def execute(self) -> ChangeResult:
        """Plan and install the change under the catalog's lock, as a server without defects does. SqlError when refused."""


class SeededDefects(Protocol):
    """Everything that the emulator asks of its seeded defects. Its methods are called from many threads."""

    def on(self, name: str) -> bool:
        """Whether the defect of that name is switched on."""

    def window(self, longest: float | None = None) -> None:
        """Wait for a random time of at most `longest` seconds, so that other sessions can get in between."""

    def running_statement(self) -> contextlib.AbstractContextManager[None]:
        """The context in which a session executes a statement: windows end early while no other statement runs."""

    def change_catalog(self, change: CatalogChange) -> ChangeResult:
        """Execute a change of the catalog. SqlError when it is refused, PanicError when a defect makes the server panic."""

    def refuse_reserved_name(self, schema: str, name: str) -> None:
        """SqlError when a defect has left this name reserved in the schema of that id."""

    def stale_index_on(self, item: Item) -> Item | None:
        """The dropped item of the same name whose index a defect still uses for this one, if there is one."""

    def loses_write(self, catalog: Catalog, table: Item) -> bool:
        """Whether a write to the table is to be acknowledged and not made."""

    def orphans_subscription(self, catalog: Catalog, revision: int) -> bool:
        """Whether a subscription that was planned at that revision of the catalog is to miss that its relation is dropped."""


class NoDefects:
    """The `SeededDefects` of a server in which none is switched on."""

    def on(self, name: str) -> bool:  # noqa: ARG002 required by the protocol
        return False

    def window(self, longest: float | None = None) -> None:
        """See `SeededDefects`. It does not wait."""

    def running_statement(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def change_catalog(self, change: CatalogChange) -> ChangeResult:
        return change.execute()

    def refuse_reserved_name(self, schema: str, name: str) -> None:
        """See `SeededDefects`. No name is reserved."""

    def stale_index_on(self, item: Item) -> Item | None:  # noqa: ARG002 required by the protocol
        return None

    def loses_write(self, catalog: Catalog, table: Item) -> bool:  # noqa: ARG002 required by the protocol
        return False

    def orphans_subscription(self, catalog: Catalog, revision: int) -> bool:  # noqa: ARG002 required by the protocol
        return False
