"""Triggers, event triggers and rules: what writes to a log when others write."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.base import owner_statement
from racehound.databases.postgres.kinds.shared_operations import NamedOnTable, SchemalessObject
from racehound.kinds.kind import Fragment, Manipulations, changes
from racehound.kinds.text import Statements, expect, run


class WriteLogger(NamedOnTable):
    """It logs the rows of a statement, all or none of them, while it is enabled."""

    can_be_referenced: ClassVar[bool] = False
    manipulations: ClassVar[Manipulations] = {
        "enable_and_disable": ("disable", "enable_replica", "enable_always", "enable"),
        "write": ("insert", "update") * 5,
        "write_and_delete": ("insert", "delete_inserted") * 5,
    }

    @property
    def log(self) -> str:
        """The table that the rows are logged in."""
        return self.qualified(f"{self.name}_log")

    @property
    def log_statements(self) -> Statements:
        """The statements that make the log."""
        return f"CREATE TABLE {self.log} ({rows.COLUMNS})", *owner_statement(self.base.role, f"TABLE {self.log}")

    def _switching(self, state: str) -> Fragment:
        return run(f"ALTER TABLE {self.on} {state} {self.noun} {self.name}")

    @changes
    def disable(self) -> Fragment:
        return self._switching("DISABLE")

    @changes
    def enable_replica(self) -> Fragment:
        return self._switching("ENABLE REPLICA")

    @changes
    def enable_always(self) -> Fragment:
        return self._switching("ENABLE ALWAYS")

    @changes
    def enable(self) -> Fragment:
        return self._switching("ENABLE")

    @changes
    def insert(self) -> Fragment:
        return run(rows.insert(self.on, self.row_prefix))

    @changes
    def update(self) -> Fragment:
        return run(rows.update(self.on, self.initial_key))

    @changes
    def delete_inserted(self) -> Fragment:
        return run(rows.delete_inserted(self.on))


@dataclasses.dataclass(frozen=True)
class Trigger(WriteLogger):
    """A trigger on INSERT into the base. Verified: of each statement it logged every row exactly once, or none.

    Keys of inserted groups are unique to their statement and no kind inserts them twice.
    """

    firing: Literal["BEFORE ROW", "AFTER ROW", "AFTER STATEMENT"] = "AFTER ROW"

    noun: ClassVar[str] = "TRIGGER"
    manipulations: ClassVar[Manipulations] = {
        "replace": ("replace_function", "replace"),
    }

    @property
    def own_function(self) -> str:
        """Its function."""
        return self.qualified(f"{self.name}_fn")

    @property
    def helpers(self) -> tuple[str, ...]:
        return *super().helpers, f"TABLE {self.log}", f"FUNCTION {self.own_function}"

    def create_statements(self) -> Statements:
        return (
            *self.table_statements,
            *self.log_statements,
            self._function(),
            *owner_statement(self.base.role, f"FUNCTION {self.own_function}"),
            self._creating(),
        )

    def _function(self, replace: str = "") -> str:
        logged = "SELECT a, b FROM fresh" if self.firing == "AFTER STATEMENT" else "VALUES (NEW.a, NEW.b)"
        returned = "NULL" if self.firing == "AFTER STATEMENT" else "NEW"
        body = f"BEGIN INSERT INTO {self.log} (a, b) {logged}; RETURN {returned}; END"
        language = self.base.language or "plpgsql"
        return f"CREATE {replace}FUNCTION {self.own_function}() RETURNS trigger LANGUAGE {language} AS '{body}'"

    def _creating(self, replace: str = "") -> str:
        moment, _, level = self.firing.partition(" ")
        fresh = " REFERENCING NEW TABLE AS fresh" if level == "STATEMENT" else ""
        event = f"{moment} INSERT ON {self.on}{fresh} FOR EACH {level}"
        return f"CREATE {replace}TRIGGER {self.name} {event} EXECUTE FUNCTION {self.own_function}()"

    @changes
    def replace_function(self) -> Fragment:
        return run(self._function("OR REPLACE "))

    @changes
    def replace(self) -> Fragment:
        return run(self._creating("OR REPLACE "))

    def verify(self) -> Fragment:
        return expect(f"SELECT a, count(*) FROM {self.log} WHERE a LIKE '%.%.%' GROUP BY a HAVING count(*) <> {rows.GROUP}")


@dataclasses.dataclass(frozen=True)
class Rule(WriteLogger):
    """A DO ALSO rule on the base. Verified: it logged whole groups."""

    event: Literal["INSERT", "UPDATE", "DELETE"] = "INSERT"

    noun: ClassVar[str] = "RULE"

    @property
    def helpers(self) -> tuple[str, ...]:
        return *super().helpers, f"TABLE {self.log}"

    def create_statements(self) -> Statements:
        return *self.table_statements, *self.log_statements, self._creating()

    def _creating(self, replace: str = "") -> str:
        row = "NEW" if self.event == "INSERT" else "OLD"
        logged = f"INSERT INTO {self.log} (a, b) VALUES ({row}.a, {row}.b)"
        return f"CREATE {replace}RULE {self.name} AS ON {self.event} TO {self.on} DO ALSO {logged}"

    @changes
    def replace(self) -> Fragment:
        return run(self._creating("OR REPLACE "))

    def verify(self) -> Fragment:
        return expect(rows.broken_groups(self.log))


_EVENT_WORK = {
    "ddl_command_start": "NULL",
    "ddl_command_end": "PERFORM count(*) FROM pg_event_trigger_ddl_commands()",
    "sql_drop": "PERFORM count(*) FROM pg_event_trigger_dropped_objects()",
    "table_rewrite": "PERFORM pg_event_trigger_table_rewrite_oid()",
}


@dataclasses.dataclass(frozen=True)
class EventTrigger(SchemalessObject):
    """An event trigger that logs a group of rows into a table that depends on the base. Verified: it logged whole groups.

    Where the log is gone it does nothing, lest one dropped table makes all DDL of all sessions fail.
    """

    event: Literal["ddl_command_start", "ddl_command_end", "sql_drop", "table_rewrite"] = "ddl_command_end"

    can_be_referenced: ClassVar[bool] = False
    noun: ClassVar[str] = "EVENT TRIGGER"
    manipulations: ClassVar[Manipulations] = {
        "enable_and_disable": ("disable", "enable_replica", "enable_always", "enable"),
        "replace_function": ("replace_function",),
        "fire": ("create_table", "rewrite_table", "drop_table"),
    }

    @property
    def own_function(self) -> str:
        """Its function."""
        return self.qualified(f"{self.name}_fn")

    @property
    def helpers(self) -> tuple[str, ...]:
        return f"TABLE {self.supporting_table}", f"FUNCTION {self.own_function}"

    def owner_statements(self) -> Statements:
        """Its owner must be a superuser, so it is the function that the role gets."""
        return owner_statement(self.base.role, f"FUNCTION {self.own_function}")

    @changes
    def restore_owner(self) -> Fragment:
        return run(*self.owned_by("SESSION_USER"))

    def _switching(self, state: str) -> Fragment:
        return run(f"ALTER EVENT TRIGGER {self.name} {state}")

    @changes
    def disable(self) -> Fragment:
        return self._switching("DISABLE")

    @changes
    def enable_replica(self) -> Fragment:
        return self._switching("ENABLE REPLICA")

    @changes
    def enable_always(self) -> Fragment:
        return self._switching("ENABLE ALWAYS")

    @changes
    def enable(self) -> Fragment:
        return self._switching("ENABLE")

    @changes
    def replace_function(self) -> Fragment:
        return run(self._function("OR REPLACE "))

    @property
    def _fired(self) -> str:
        """A table whose DDL fires the trigger."""
        return self.qualified(f"{self.name}_fired")

    @changes
    def create_table(self) -> Fragment:
        return run(f"DROP TABLE IF EXISTS {self._fired} CASCADE", f"CREATE TABLE {self._fired} (a text)")

    @changes
    def rewrite_table(self) -> Fragment:
        return run(f"ALTER TABLE {self._fired} ALTER COLUMN a TYPE integer USING length(a)")

    @changes
    def drop_table(self) -> Fragment:
        return run(f"DROP TABLE {self._fired} CASCADE")

    def create_statements(self) -> Statements:
        return (
            *self.create_supporting_table(),
            self._function(),
            f"CREATE EVENT TRIGGER {self.name} ON {self.event} EXECUTE FUNCTION {self.own_function}()",
        )

    def _function(self, replace: str = "") -> str:
        log = f"IF to_regclass('{self.supporting_table}') IS NOT NULL THEN {rows.insert(self.supporting_table)}; END IF"
        body = f"BEGIN {_EVENT_WORK[self.event]}; {log}; END"
        language = self.base.language or "plpgsql"
        return f"CREATE {replace}FUNCTION {self.own_function}() RETURNS event_trigger LANGUAGE {language} AS $fn${body}$fn$"

    def verify(self) -> Fragment:
        return expect(rows.broken_groups(self.supporting_table))
