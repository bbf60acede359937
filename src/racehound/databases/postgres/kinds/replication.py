"""Publications and replication slots."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.base import PostgresKind
from racehound.databases.postgres.kinds.shared_operations import SchemalessObject
from racehound.kinds.kind import Fragment, Manipulations, changes, creates, destroys
from racehound.kinds.text import Statements, expect, run


class TablePublisher(PostgresKind):
    """It publishes the table of the object it refers to or, where that has none that can be published, a supporting table."""

    requires: ClassVar[frozenset[str]] = frozenset({"superuser", "wal_level=logical"})
    in_schema: ClassVar[bool] = False
    can_be_referenced: ClassVar[bool] = False

    @property
    def published_table(self) -> str:
        """The table."""
        return self.base.publishable or self.supporting_table

    @property
    def row_prefix(self) -> str:
        return self.base.row_prefix if self.base.publishable else ""

    @property
    def helpers(self) -> tuple[str, ...]:
        return () if self.base.publishable else (f"TABLE {self.supporting_table}",)

    def publication_statements(self, publication: str) -> Statements:
        """The statements that make a publication.

        Of inserts only: published updates would need a replica identity, and the base's own would fail for the lack of it.
        """
        created = f"CREATE PUBLICATION {publication} FOR TABLE {self.published_table} WITH (publish = 'insert, truncate')"
        return *(() if self.base.publishable else self.create_supporting_table()), created


@dataclasses.dataclass(frozen=True)
class Publication(TablePublisher, SchemalessObject):
    """A publication of the base. Verified: what it publishes exists."""

    noun: ClassVar[str] = "PUBLICATION"
    manipulations: ClassVar[Manipulations] = {
        "drop_and_add_table": ("drop_table", "add_table"),
        "set_table": ("set_table",) * 3,
        "set_options": ("publish_all_writes", "publish_through_root", "restore_options"),
        "write": ("insert",) * 5,
    }

    def create_statements(self) -> Statements:
        return self.publication_statements(self.name)

    def _altering(self, *actions: str) -> Fragment:
        return run(*(f"ALTER PUBLICATION {self.name} {action}" for action in actions))

    @changes
    def drop_table(self) -> Fragment:
        return self._altering(f"DROP TABLE {self.published_table}")

    @changes
    def add_table(self) -> Fragment:
        return self._altering(f"ADD TABLE {self.published_table}")

    @changes
    def set_table(self) -> Fragment:
        return self._altering(f"SET TABLE {self.published_table}")

    @changes
    def publish_all_writes(self) -> Fragment:
        return self._altering("SET (publish = 'insert, update, delete, truncate')")

    @changes
    def publish_through_root(self) -> Fragment:
        return self._altering("SET (publish_via_partition_root = true)")

    @changes
    def restore_options(self) -> Fragment:
        return self._altering("SET (publish = 'insert, truncate', publish_via_partition_root = false)")

    @changes
    def insert(self) -> Fragment:
        return run(rows.insert(self.published_table, self.row_prefix))

    def verify(self) -> Fragment:
        gone = "NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = r.prrelid)"
        publication = f"p.oid = r.prpubid AND p.pubname = '{self.name}'"
        return expect(f"SELECT r.prrelid FROM pg_publication_rel AS r JOIN pg_publication AS p ON {publication} WHERE {gone}")


@dataclasses.dataclass(frozen=True)
class ReplicationSlot(TablePublisher):
    """A logical slot that decodes a publication of the base. Verified: it gives the inserts of whole groups.

    Only whole transactions are decoded, and each of them inserts whole groups into the table, however many the slot has by now.
    """

    two_phase: Literal[False, True] = False

    in_cluster: ClassVar[bool] = True
    weight: ClassVar[int] = 1
    manipulations: ClassVar[Manipulations] = {
        "recreate": ("destroy", "create"),
        "recreate_in_block": ("drop_in_block", "create_in_block") * 2,
        "write_and_peek": ("insert", "verify") * 3,
        "write_and_get": ("insert", "get_changes"),
        "advance": ("advance",),
    }

    @property
    def publication(self) -> str:
        """The publication."""
        return f"{self.name}_pub"

    @property
    def helpers(self) -> tuple[str, ...]:
        return *super().helpers, f"PUBLICATION {self.publication}"

    def create_statements(self) -> Statements:
        return self.publication_statements(self.publication)

    @property
    def _making(self) -> str:
        return f"pg_create_logical_replication_slot('{self.ident}', 'pgoutput', false, {str(self.two_phase).lower()})"

    def create(self) -> Fragment:
        """The slot last: nothing can fail after it, so a further try finds none."""
        return super().create() + expect(f"SELECT count(*) FROM {self._making}", "1")

    def clear(self) -> Fragment:
        return run(*super().removal_statements()[1:])

    def destroy(self) -> Fragment:
        return expect(f"SELECT pg_drop_replication_slot('{self.ident}')", '""') + run(*super().removal_statements()[1:])

    def _changes(self, how: str) -> str:
        options = f"'proto_version', '1', 'publication_names', '{self.publication}'"
        return f"pg_logical_slot_{how}_binary_changes('{self.ident}', NULL, NULL, {options})"

    @destroys
    def drop_in_block(self) -> Fragment:
        """As functions that set up replication do it."""
        return run(f"DO $$BEGIN PERFORM pg_drop_replication_slot('{self.ident}'); END$$")

    @creates
    def create_in_block(self) -> Fragment:
        return run(f"DO $$BEGIN PERFORM {self._making}; END$$")

    @changes
    def insert(self) -> Fragment:
        return run(rows.insert(self.published_table, self.row_prefix))

    @changes
    def get_changes(self) -> Fragment:
        return self._ask_groups("get")

    @changes
    def advance(self) -> Fragment:
        return expect(f"SELECT count(*) FROM pg_replication_slot_advance('{self.ident}', pg_current_wal_flush_lsn())", "1")

    def verify(self) -> Fragment:
        return self._ask_groups("peek")

    def _ask_groups(self, how: str) -> Fragment:
        """An insert's message begins with `I`, 73 (PostgreSQL, "Logical Replication Message Formats")."""
        return expect(f"SELECT count(*) % {rows.GROUP} FROM {self._changes(how)} WHERE get_byte(data, 0) = 73", "0")
