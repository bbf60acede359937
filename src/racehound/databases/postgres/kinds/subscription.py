"""Subscriptions."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.foreign import conninfo
from racehound.databases.postgres.kinds.shared_operations import SchemalessObject
from racehound.kinds.kind import Fragment, Manipulations, changes
from racehound.kinds.text import Statements, expect, run


@dataclasses.dataclass(frozen=True)
class Subscription(SchemalessObject):
    """A subscription of the base's table, or of a supporting table, to one of the same name in a second database of the cluster.

    Verified: groups are whole, since a transaction of the publisher arrives as a whole.

    A slot made by CREATE SUBSCRIPTION itself would wait for the end of that very statement, since both ends are in one cluster;
    one made beforehand waits for every open transaction. So prepare makes a model slot while nothing runs, and create copies it,
    then advances the copy to the present: what an earlier subscription got shall not come again.
    """

    can_be_referenced: ClassVar[bool] = False
    in_cluster: ClassVar[bool] = True
    requires: ClassVar[frozenset[str]] = frozenset({"superuser", "loopback", "wal_level=logical", "dblink"})
    weight: ClassVar[int] = 1
    noun: ClassVar[str] = "SUBSCRIPTION"
    manipulations: ClassVar[Manipulations] = {
        "recreate": ("destroy", "create"),
        "enable_and_disable": ("disable", "enable"),
        "refresh": ("refresh",),
        "set_publication": ("set_publication", "add_publication", "drop_publication"),
        "set_options": ("set_synchronous_commit", "restore_synchronous_commit"),
        "write_there": ("write_there",) * 5,
    }

    @property
    def subscribed_table(self) -> str:
        """The table; the publisher's has the same name."""
        return self.base.table or self.supporting_table

    @property
    def row_prefix(self) -> str:
        return self.base.row_prefix if self.base.table else ""

    @property
    def publisher(self) -> str:
        """The second database."""
        return self.shared_name("_publisher")

    @property
    def publication(self) -> str:
        """The publication there."""
        return f"{self.name}_pub"

    @property
    def helpers(self) -> tuple[str, ...]:
        return () if self.base.table else (f"TABLE {self.supporting_table}",)

    def _there(self, *statements: str) -> Fragment:
        """Commands in the publisher's database; what they return is of no interest."""
        address = f"'{conninfo(self.publisher)}'"
        return "".join(
            expect(f"SELECT count(*) FROM (SELECT racehound.dblink_exec({address}, $there${statement}$there$)) AS done", "1")
            for statement in statements
        )

    def _making_model(self) -> Fragment:
        """As a query: within a block it fails where others happen to commit (docs/findings-postgresql.md)."""
        making = f"SELECT 1 FROM pg_create_logical_replication_slot('{self.shared_name('_model')}', 'pgoutput')"
        there = f"racehound.dblink('{conninfo(self.publisher)}', $there${making}$there$)"
        return expect(f"SELECT made FROM {there} AS t (made integer)", "1")

    def prepare(self) -> Fragment:
        schema, _, _ = self.subscribed_table.rpartition(".")
        return (
            super().prepare()
            + run(f"CREATE DATABASE {self.publisher} TEMPLATE template0")
            + self._there(
                *((f"CREATE SCHEMA {schema}",) if schema else ()),
                f"CREATE TABLE {self.subscribed_table} ({rows.COLUMNS})",
                f"CREATE PUBLICATION {self.publication} FOR TABLE {self.subscribed_table}",
            )
            + self._making_model()
        )

    def create_statements(self) -> Statements:
        options = f"create_slot = false, slot_name = '{self.ident}', copy_data = false"
        source = f"CONNECTION '{conninfo(self.publisher)}' PUBLICATION {self.publication}"
        return (f"CREATE SUBSCRIPTION {self.ident} {source} WITH ({options})",)

    def create(self) -> Fragment:
        absent = f"NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '{self.ident}')"
        copy = f"PERFORM pg_copy_logical_replication_slot('{self.shared_name('_model')}', '{self.ident}')"
        advance = f"PERFORM pg_replication_slot_advance('{self.ident}', pg_current_wal_flush_lsn())"
        slot = self._there(f"DO $do$BEGIN IF {absent} THEN {copy}; {advance}; END IF; END$do$")
        table_statements = () if self.base.table else self.create_supporting_table()
        return run(*table_statements) + slot + super().create()

    def clear(self) -> Fragment:
        """A slot that a first try has copied serves the next."""
        return run(*super().removal_statements()[1:])

    def owner_statements(self) -> Statements:
        """An owner that is no superuser may subscribe in some releases only."""
        return ()

    @changes
    def restore_owner(self) -> Fragment:
        return run(*self.owned_by("SESSION_USER"))

    @changes
    def disable(self) -> Fragment:
        return self._altering("DISABLE")

    @changes
    def enable(self) -> Fragment:
        return self._altering("ENABLE")

    @changes
    def refresh(self) -> Fragment:
        return self._altering("REFRESH PUBLICATION WITH (copy_data = false)")

    @changes
    def set_publication(self) -> Fragment:
        return self._altering(f"SET PUBLICATION {self.publication} WITH (copy_data = false)")

    @changes
    def add_publication(self) -> Fragment:
        return self._altering(f"ADD PUBLICATION {self.name}_none WITH (refresh = false)")

    @changes
    def drop_publication(self) -> Fragment:
        return self._altering(f"DROP PUBLICATION {self.name}_none WITH (refresh = false)")

    @changes
    def set_synchronous_commit(self) -> Fragment:
        return self._altering("SET (synchronous_commit = on)")

    @changes
    def restore_synchronous_commit(self) -> Fragment:
        return self._altering("SET (synchronous_commit = off)")

    @changes
    def write_there(self) -> Fragment:
        """Committed for sure, lest the present that a slot is advanced to is before it."""
        return self._there(f"SET synchronous_commit = on; {rows.insert(self.subscribed_table, self.row_prefix)}")

    def owned_by(self, role: str) -> Statements:
        return (f"ALTER SUBSCRIPTION {self.ident} OWNER TO {role}",)

    def _altering(self, *actions: str) -> Fragment:
        return run(*(f"ALTER SUBSCRIPTION {self.ident} {action}" for action in actions))

    def verify(self) -> Fragment:
        return expect(rows.broken_groups(self.subscribed_table))
