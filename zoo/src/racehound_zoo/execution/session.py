"""A session: its role, its variables, and its transaction block."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from racehound_zoo.backend import Backend, MissingCollectionError
from racehound_zoo.catalog.model import SYSTEM_ROLE, Role
from racehound_zoo.catalog.state import Scope, State
from racehound_zoo.dialect import statements as s
from racehound_zoo.dialect.parser import parse
from racehound_zoo.errors import Notice, SqlError
from racehound_zoo.execution import variables
from racehound_zoo.execution.ddl import Ddl
from racehound_zoo.execution.engine import Engine
from racehound_zoo.execution.transaction import TransactionBlock, close_subscriptions

_SYSTEM_USERS = frozenset({"mz_system", "mz_support"})


@dataclasses.dataclass(frozen=True)
class PreparedStatement:
    """A prepared statement, with the columns that it had when it was prepared."""

    statement: s.Statement | None
    text: str
    oids: Sequence[int] = ()
    columns: tuple[tuple[str, int], ...] = ()


class Session:
    """A session. It belongs to one thread; only `cancel` and `disconnect` may be called from others."""

    def __init__(self, engine: Engine, user: str, settings: Mapping[str, str], *, internal: bool = False) -> None:
        """SqlError 28000 if this user may not connect here. For an unknown user, a role is created."""
        self.engine = engine
        self.ddl = Ddl(engine)
        self.uuid = str(uuid.uuid4())
        self.secret = secrets.token_bytes(4)
        self.connected_at = int(time.time() * 1000)
        self.notices: list[Notice] = []
        self.prepared: dict[str, PreparedStatement] = {}
        self.transaction: TransactionBlock | None = None
        self.user = user
        self.role = self._role(user, internal=internal)
        self._interrupted = threading.Event()
        self._busy: Backend | None = None
        self._closed = False
        self.is_gone: Callable[[], bool] = lambda: False
        """Whether the client has disconnected while its statement is being executed."""
        self.changed_variables: dict[str, str] = {}
        """The variables whose new values the client has to be told."""
        self.variables = self._initial(settings)
        self.number = engine.register(self)

    def _role(self, user: str, *, internal: bool) -> str:
        if user in _SYSTEM_USERS and not internal:
            raise SqlError(f"unauthorized login to user '{user}'", "28000")
        catalog = self.engine.catalog
        with catalog.changing():
            for role in catalog.state.roles.values():
                if role.name == user:
                    return role.id
            key = catalog.allocate("role")
            catalog.replace(catalog.state.with_role(Role(key, catalog.oid(), user)))
        return key

    def _initial(self, settings: Mapping[str, str]) -> dict[str, str]:
        """The initial values of the variables. The client's settings, including `options`, override the defaults."""
        state = self.engine.catalog.state
        given = {name: variable.default for name, variable in variables.SESSION.items()}
        given["mz_version"] = self.engine.release.mz_version
        given |= {name: value for name, value in state.settings.items() if name in given}
        given |= dict(state.roles[self.role].variables)
        for name, value in settings.items():
            if variables.canonical(name) in given:
                given[variables.canonical(name)] = value
        if self.role == SYSTEM_ROLE and "cluster" not in settings:
            given["cluster"] = "mz_system"
        return given

    def close(self) -> None:
        """End the session: roll back its transaction block and drop its temporary items."""
        self._closed = True
        self.end_transaction()
        self.engine.unregister(self.number)
        catalog = self.engine.catalog
        with catalog.changing():
            mine = frozenset(key for key, item in catalog.state.items.items() if item.session == self.number)
            if mine:
                catalog.replace(catalog.state.without_items(mine))
        self.engine.storage.remove(*sorted(mine))

    def cancel(self) -> None:
        """Cancel the statement that is being executed. May be called from any thread."""
        self._interrupted.set()
        busy = self._busy
        if busy is not None:
            busy.cancel()
        self.engine.storage.wake()

    def disconnect(self) -> None:
        """Cancel the statement that is being executed, and any later one: the connection is broken.

        May be called from any thread.
        """
        self._closed = True
        self.cancel()

    def interrupted(self) -> bool:
        return self._closed or self._interrupted.is_set() or self.is_gone()

    # What statements use

    @property
    def state(self) -> State:
        """The catalog as this session sees it, including the changes that its transaction block has planned."""
        if self.transaction is not None and self.transaction.plans:
            return self.transaction.plans[-1].state
        return self.engine.catalog.state

    @property
    def scope(self) -> Scope:
        path = tuple(name.strip().strip('"') for name in self.variables["search_path"].split(","))
        return Scope(self.variables["database"], path, self.number, self.role)

    @property
    def cluster(self) -> str:
        return self.variables["cluster"]

    @property
    def status(self) -> Literal["I", "T", "E"]:
        """I: idle; T: in a transaction block; E: in a failed one."""
        if self.transaction is None:
            return "I"
        return "E" if self.transaction.failed else "T"

    def notice(self, message: str, sqlstate: str = "00000", severity: str = "NOTICE") -> None:
        self.notices.append(Notice(message, sqlstate, severity))

    @contextlib.contextmanager
    def reading(self) -> Iterator[Backend]:
        """A connection for reading.

        Inside a transaction block it is always the same one, so that all queries read one snapshot.
        """
        transaction = self.transaction
        backend = (
            transaction.backend if transaction is not None and transaction.backend is not None else self.engine.storage.take()
        )
        if transaction is not None and transaction.backend is None:
            backend.script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            transaction.backend = backend
        self._busy = backend
        try:
            yield backend
        finally:
            self._busy = None
            if transaction is None:
                self.engine.storage.give_back(backend)

    # Statements

    def parse(self, text: str) -> Sequence[tuple[s.Statement, str]]:
        """The statements of a text, each with its own text. SqlError for a syntax error; then the block has failed."""
        with self._failing_block():
            return parse(text, self.engine.release)

    @contextlib.contextmanager
    def executing(self, statement: s.Statement) -> Iterator[None]:
        """The context in which a statement is executed. When it raises SqlError, the block that it is in has failed.

        SqlError when the session may not execute the statement.
        """
        self._interrupted.clear()
        with self._failing_block():
            self._require_role()
            self._refuse_in_failed(statement)
            with self._dropped_meanwhile():
                yield

    @contextlib.contextmanager
    def describing(self) -> Iterator[None]:
        """The context in which a statement is described. When it raises SqlError, the block that it is in has failed."""
        with self._failing_block():
            self._require_role()
            with self._dropped_meanwhile():
                yield

    @contextlib.contextmanager
    def _failing_block(self) -> Iterator[None]:
        try:
            yield
        except SqlError:
            self._fail()
            raise

    @contextlib.contextmanager
    def _dropped_meanwhile(self) -> Iterator[None]:
        """Replace the storage's error about a missing relation: another session dropped it after its name was resolved."""
        try:
            yield
        except MissingCollectionError as error:
            if self.engine.catalog.state.item(error.key) is not None:
                raise
            raise SqlError(f"dependency was removed: {error.key}", "0A000") from error

    def _require_role(self) -> None:
        if self.role not in self.engine.catalog.state.roles:
            raise SqlError(
                f"role {self.role} was concurrently dropped", "42501", "Please disconnect and re-connect with a valid role."
            )

    def _refuse_in_failed(self, statement: s.Statement) -> None:
        if self.transaction is not None and self.transaction.failed and not isinstance(statement, s.Commit | s.Rollback):
            raise SqlError("current transaction is aborted, commands ignored until end of transaction block", "25P02")

    def _fail(self) -> None:
        if self.transaction is not None:
            self.transaction.failed = True
            self._release(self.transaction)

    # Transactions

    def begin(self) -> None:
        if self.transaction is None:
            self.transaction = TransactionBlock()
        elif self.transaction.implicit:
            self.transaction.implicit = False
        else:
            self.notice("there is already a transaction in progress", "25001", "WARNING")

    def begin_implicitly(self) -> None:
        """Begin a block for the statements of one message, unless the session is in a block already."""
        if self.transaction is None:
            self.transaction = TransactionBlock(implicit=True)

    def rollback(self) -> str:
        if self.transaction is None:
            self.notice("there is no transaction in progress", "25P01", "WARNING")
            return "ROLLBACK"
        for name, value in self.transaction.variables.items():
            self.assign(name, value)
        self.end_transaction()
        return "ROLLBACK"

    def end_transaction(self) -> None:
        """End the transaction block and release what it holds."""
        transaction, self.transaction = self.transaction, None
        if transaction is not None:
            self._release(transaction)

    def _release(self, transaction: TransactionBlock) -> None:
        """Release what a block holds: its cursors, its snapshot, and what its plans have created in the storage."""
        close_subscriptions(transaction.cursors.values())
        transaction.cursors.clear()
        backend, transaction.backend = transaction.backend, None
        if backend is not None:
            with contextlib.suppress(SqlError):
                backend.script("ROLLBACK")
            self.engine.storage.give_back(backend)
        for plan in transaction.plans:
            plan.undo()

    # Variables

    def assign(self, name: str, value: str) -> None:
        self.variables[name] = value
        if variables.SESSION[name].reported:
            self.changed_variables[name] = value
