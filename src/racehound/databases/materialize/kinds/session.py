"""What belongs to one session: subscriptions held open while their base is changed, and objects made in one transaction."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.materialize.kinds.base import MaterializeKind
from racehound.databases.materialize.kinds.generator import AuctionSource
from racehound.databases.materialize.kinds.text import TIMES, Statements, action, expect, run
from racehound.kinds.kind import Fragment, Manipulations, destroys, reads

_TIME = "<time>"


@dataclasses.dataclass(frozen=True)
class Subscription(MaterializeKind):
    """Subscriptions to the base, held open while others change it. Verified: time goes on in them.

    A session with an open one can do nothing else: so each step opens its own, and closes first what a failed one has left open.
    A table is made only where it is needed, so that a subscription begins at the moment at which its base may be dropped.
    """

    can_be_referenced: ClassVar[bool] = False
    noun: ClassVar[str] = "TABLE"
    weight: ClassVar[int] = 24

    @property
    def has_table(self) -> bool:
        """Whether it follows a table of its own besides: where time ends, as in a constant, there is nothing to wait for."""
        return self.base.relation is None or not self.base.time_advances

    @property
    def cursor(self) -> str:
        return f"{self.name}_cursor"

    def create_statements(self) -> Statements:
        return (f"CREATE TABLE {self.ident} (a TEXT)",) if self.has_table else ()

    def removal_statements(self, if_exists: str = "") -> Statements:
        return "ROLLBACK", *(super().removal_statements(if_exists) if self.has_table else ())

    def create(self) -> Fragment:
        return super().create() + self._following(2)

    def clear(self) -> Fragment:
        return run(*self.removal_statements("IF EXISTS "))

    def _following(self, messages: int) -> Fragment:
        """No row is of interest, so all messages tell of time; the first comes at once, the next ones as time goes on."""
        base = ((self.base.key, self.base.relation),) if self.base.relation else ()
        followed = *base, *((("a", self.ident),) if self.has_table else ())
        query = " UNION ALL ".join(f"SELECT {key}::text FROM {name} WHERE {key}::text = 'nobody'" for key, name in followed)
        fetched = expect(f"FETCH 1 {self.cursor} WITH (timeout = '10s')", f"{_TIME} true <null> <null>")
        return (
            run("ROLLBACK", "BEGIN", f"DECLARE {self.cursor} CURSOR FOR SUBSCRIBE ({query}) WITH (PROGRESS)")
            + action(f"set-regex match=[0-9]{{10,}} replacement={_TIME}")
            + fetched * messages
            + action("unset-regex")
            + run("ROLLBACK")
        )

    @reads
    def follow(self) -> Fragment:
        return self._following(TIMES)

    def verify(self) -> Fragment:
        return self._following(2)


@dataclasses.dataclass(frozen=True)
class TransactionalSource(MaterializeKind):
    """A source and a table of it, made in one transaction. Verified: every row of the table has its key."""

    requires: ClassVar[frozenset[str]] = frozenset({"transactional-sources"})
    noun: ClassVar[str] = "SOURCE"
    weight: ClassVar[int] = 5
    manipulations: ClassVar[Manipulations] = {
        "recreate": ("destroy_if_exists", "create"),
    }

    @property
    def relation(self) -> str:
        return self.qualified(f"{self.name}_bids")

    @property
    def key(self) -> str:
        return "id"

    @property
    def only_grows(self) -> bool:
        return False

    def create_statements(self) -> Statements:
        generator = AuctionSource.generator
        return (
            "BEGIN",
            f"CREATE SOURCE {self.ident} IN CLUSTER {self.base.cluster} FROM LOAD GENERATOR {generator}",
            f"CREATE TABLE {self.relation} FROM SOURCE {self.ident} (REFERENCE bids)",
            "COMMIT",
        )

    def owner_statements(self) -> Statements:
        return ()

    def clear(self) -> Fragment:
        return run("ROLLBACK", f"DROP SOURCE IF EXISTS {self.ident} CASCADE")

    def removal_statements(self, if_exists: str = "") -> Statements:
        return "ROLLBACK", f"DROP SOURCE {if_exists}{self.ident} CASCADE"

    @destroys
    def destroy_if_exists(self) -> Fragment:
        return run(*self.removal_statements("IF EXISTS "))

    def verify(self) -> Fragment:
        return run("ROLLBACK") + expect(f"SELECT count(*) - count(id) FROM {self.relation}", "0")
