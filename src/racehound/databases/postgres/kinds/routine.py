"""Functions, procedures, aggregates, operators and casts."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.base import PostgresKind, owner_statement
from racehound.databases.postgres.kinds.shared_operations import Commented, Moved, Owned, Recreated, SchemaObject
from racehound.kinds.kind import Fragment, Manipulations, changes, creates, destroys, reads
from racehound.kinds.text import Statements, expect, run

Body = Literal["sql", "atomic", "plpgsql"]
"""An SQL function kept as text, one kept as a parse tree (its dependencies are recorded), and one in PL/pgSQL."""

_BODIES: dict[Body, str] = {
    "sql": "LANGUAGE sql IMMUTABLE AS 'SELECT x || ''!'''",
    "atomic": "LANGUAGE sql IMMUTABLE RETURN x || '!'",
    "plpgsql": "LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x || ''!''; END'",
}


def extra_argument(base: PostgresKind) -> str:
    """A further argument, with a default, by which a routine depends on the base; a comma before it."""
    if base.type:
        return f", r {base.type} DEFAULT NULL"
    return f", r text DEFAULT ({base.expression})::text" if base.expression else ""


def touching(base: PostgresKind, result: str) -> str:
    """A function body (a parse tree, so that it depends on the base) that returns `result`, whatever the base evaluates to."""
    return f"RETURN CASE WHEN true THEN {result} ELSE ({base.expression or 'NULL'})::text::{_cast_of(result)} END"


def _cast_of(result: str) -> str:
    return "boolean" if result in {"true", "false"} else "integer" if result.isdecimal() else "text"


@dataclasses.dataclass(frozen=True)
class Function(SchemaObject):
    """A function over the base's type. Verified: it returns what every replacement of it returns."""

    body: Body = "sql"

    noun: ClassVar[str] = "FUNCTION"
    manipulations: ClassVar[Manipulations] = {
        "replace": ("replace_by_plpgsql", "replace_by_atomic", "replace_by_sql", "replace_by_itself"),
        "alter": (
            "set_cost",
            "make_definer",
            "make_invoker",
            "set_work_mem",
            "reset_settings",
            "make_parallel_safe",
            "restore_cost",
        ),
        "call": ("call",) * 10,
        "grant_and_revoke": ("revoke", "grant") * 5,
    }

    @property
    def function(self) -> str | None:
        """With an expression as default it is only as immutable as that."""
        return self.ident if self.base.type or not self.base.expression else None

    @property
    def expression(self) -> str:
        return f"{self.ident}('x')"

    @property
    def grantable(self) -> str:
        return f"FUNCTION {self.ident}"

    def _creating(self, body: Body, replace: str = "") -> str:
        text = _BODIES["plpgsql"].replace("plpgsql", self.base.language) if self.base.language else _BODIES[body]
        return f"CREATE {replace}FUNCTION {self.ident}(x text{extra_argument(self.base)}) RETURNS text {text}"

    def create_statements(self) -> Statements:
        return (self._creating(self.body),)

    @changes
    def replace_by_plpgsql(self) -> Fragment:
        return run(self._creating("plpgsql", "OR REPLACE "))

    @changes
    def replace_by_atomic(self) -> Fragment:
        return run(self._creating("atomic", "OR REPLACE "))

    @changes
    def replace_by_sql(self) -> Fragment:
        return run(self._creating("sql", "OR REPLACE "))

    @changes
    def replace_by_itself(self) -> Fragment:
        return run(self._creating(self.body, "OR REPLACE "))

    def _altering(self, action: str) -> Fragment:
        return run(f"ALTER FUNCTION {self.ident} {action}")

    @changes
    def set_cost(self) -> Fragment:
        return self._altering("COST 7")

    @changes
    def make_definer(self) -> Fragment:
        return self._altering("SECURITY DEFINER")

    @changes
    def make_invoker(self) -> Fragment:
        return self._altering("SECURITY INVOKER")

    @changes
    def set_work_mem(self) -> Fragment:
        return self._altering("SET work_mem = '1MB'")

    @changes
    def reset_settings(self) -> Fragment:
        return self._altering("RESET ALL")

    @changes
    def make_parallel_safe(self) -> Fragment:
        return self._altering("PARALLEL SAFE")

    @changes
    def restore_cost(self) -> Fragment:
        return self._altering("COST 100")

    @reads
    def call(self) -> Fragment:
        return expect(f"SELECT count({self.ident}(i::text)) FROM generate_series(1, 10) AS i", "10")

    @changes
    def revoke(self) -> Fragment:
        return run(f"REVOKE EXECUTE ON FUNCTION {self.ident} FROM PUBLIC")

    @changes
    def grant(self) -> Fragment:
        return run(f"GRANT EXECUTE ON FUNCTION {self.ident} TO PUBLIC")

    def verify(self) -> Fragment:
        return expect(f"SELECT {self.ident}('x')", "x!")


@dataclasses.dataclass(frozen=True)
class Procedure(SchemaObject):
    """A procedure that inserts a group of rows into the base, or does nothing. Verified: it is a procedure."""

    body: Literal["atomic", "plpgsql"] = "atomic"

    noun: ClassVar[str] = "PROCEDURE"
    manipulations: ClassVar[Manipulations] = {
        "replace": ("replace_by_plpgsql", "replace_by_atomic", "replace_by_itself"),
        "alter": ("set_work_mem", "reset_settings"),
        "call": ("call",) * 10,
    }

    @property
    def expression(self) -> str:
        return f"'{self.ident}(text)'::regprocedure::text" if not extra_argument(self.base) else f"'{self.ident}'::regproc::text"

    @property
    def grantable(self) -> str:
        return f"PROCEDURE {self.ident}"

    def _creating(self, body: str, replace: str = "") -> str:
        base = self.base
        work = rows.insert(base.table, base.row_prefix) if base.table else "SELECT 1"
        if body == "atomic" and not base.language:
            text = f"LANGUAGE sql BEGIN ATOMIC {work}; END"
        else:
            done = work if base.table else "NULL"
            text = f"LANGUAGE {base.language or 'plpgsql'} AS $body$BEGIN {done}; END$body$"
        return f"CREATE {replace}PROCEDURE {self.ident}(x text{extra_argument(base)}) {text}"

    def create_statements(self) -> Statements:
        return (self._creating(self.body),)

    @changes
    def replace_by_plpgsql(self) -> Fragment:
        return run(self._creating("plpgsql", "OR REPLACE "))

    @changes
    def replace_by_atomic(self) -> Fragment:
        return run(self._creating("atomic", "OR REPLACE "))

    @changes
    def replace_by_itself(self) -> Fragment:
        return run(self._creating(self.body, "OR REPLACE "))

    @changes
    def set_work_mem(self) -> Fragment:
        return run(f"ALTER PROCEDURE {self.ident} SET work_mem = '1MB'")

    @changes
    def reset_settings(self) -> Fragment:
        return run(f"ALTER PROCEDURE {self.ident} RESET ALL")

    @changes
    def call(self) -> Fragment:
        return run(f"CALL {self.ident}('x')")

    def verify(self) -> Fragment:
        return expect(f"SELECT oid FROM pg_proc WHERE oid = '{self.ident}'::regproc AND prokind <> 'p'")


@dataclasses.dataclass(frozen=True)
class Aggregate(SchemaObject):
    """An aggregate whose step function depends on the base. Verified: it takes every row once."""

    noun: ClassVar[str] = "AGGREGATE"
    manipulations: ClassVar[Manipulations] = {
        "replace": ("replace_step", "replace"),
        "call": ("verify",) * 10,
    }

    @property
    def step(self) -> str:
        """The step function."""
        return self.qualified(f"{self.name}_step")

    @property
    def expression(self) -> str:
        return f"'{self.ident}'::regprocedure::text"

    @property
    def grantable(self) -> str:
        return f"FUNCTION {self.ident}"

    def spelling(self, suffix: str = "", schema: str | None = None) -> str:
        return super().spelling(suffix, schema) + "(text)"

    @property
    def helpers(self) -> tuple[str, ...]:
        return (f"FUNCTION {self.step}",)

    def _stepping(self, replace: str = "") -> str:
        body = touching(self.base, "s || '.'")
        return f"CREATE {replace}FUNCTION {self.step}(s text, x text) RETURNS text LANGUAGE sql {body}"

    def _creating(self, replace: str = "") -> str:
        return f"CREATE {replace}AGGREGATE {self.ident} (SFUNC = {self.step}, STYPE = text, INITCOND = '')"

    def create_statements(self) -> Statements:
        return self._stepping(), *owner_statement(self.base.role, f"FUNCTION {self.step}"), self._creating()

    @changes
    def replace_step(self) -> Fragment:
        return run(self._stepping("OR REPLACE "))

    @changes
    def replace(self) -> Fragment:
        return run(self._creating("OR REPLACE "))

    def verify(self) -> Fragment:
        return expect(f"SELECT length({super().spelling()}(i::text)) FROM generate_series(1, 10) AS i", "10")


@dataclasses.dataclass(frozen=True)
class Operator(Commented, Recreated, Moved, Owned):
    """An operator of text with the base's type, its function depending on the base. Verified: it is always true."""

    weight: ClassVar[int] = 5
    noun: ClassVar[str] = "OPERATOR"
    manipulations: ClassVar[Manipulations] = {
        "alter": ("set_estimators", "remove_estimators"),
        "use_in_class": ("create_family", "add_to_family", "drop_from_family", "drop_family"),
    }

    @property
    def symbol(self) -> str:
        """Its name in an alphabet of eight operator characters, in octal digits: no two names give the same."""
        digits = f"{int.from_bytes(self.name.encode()):o}"
        return "@" + digits.translate(str.maketrans("01234567", "!#%^&|~@"))

    @property
    def right(self) -> str:
        """The type of its right argument."""
        return self.base.type or "text"

    @property
    def own_function(self) -> str:
        """Its function."""
        return self.qualified(self.name)

    @property
    def expression(self) -> str:
        return f"('x'::text OPERATOR({self.schema}.{self.symbol}) NULL::{self.right})"

    @property
    def type(self) -> None:
        """Text depends on no object."""

    def spelling(self, suffix: str = "", schema: str | None = None) -> str:  # noqa: ARG002 operators are not renamed
        return f"{schema or self.schema}.{self.symbol} (text, {self.right})"

    @property
    def helpers(self) -> tuple[str, ...]:
        return (f"FUNCTION {self.own_function}",)

    def create_statements(self) -> Statements:
        signature = f"{self.own_function}(l text, r {self.right}) RETURNS boolean"
        function = f"CREATE FUNCTION {signature} LANGUAGE sql {touching(self.base, 'true')}"
        operator = f"(FUNCTION = {self.own_function}, LEFTARG = text, RIGHTARG = {self.right})"
        return (
            function,
            *owner_statement(self.base.role, f"FUNCTION {self.own_function}"),
            f"CREATE OPERATOR {self.schema}.{self.symbol} {operator}",
        )

    @changes
    def set_estimators(self) -> Fragment:
        return run(f"ALTER OPERATOR {self.ident} SET (RESTRICT = contsel, JOIN = contjoinsel)")

    @changes
    def remove_estimators(self) -> Fragment:
        return run(f"ALTER OPERATOR {self.ident} SET (RESTRICT = NONE, JOIN = NONE)")

    @property
    def _family(self) -> str:
        """An operator family of its own."""
        return f"{self.qualified(self.name + '_family')} USING gist"

    @changes
    def create_family(self) -> Fragment:
        return run(f"DROP OPERATOR FAMILY IF EXISTS {self._family} CASCADE", f"CREATE OPERATOR FAMILY {self._family}")

    @changes
    def add_to_family(self) -> Fragment:
        return run(f"ALTER OPERATOR FAMILY {self._family} ADD OPERATOR 1 {self.ident}")

    @changes
    def drop_from_family(self) -> Fragment:
        return run(f"ALTER OPERATOR FAMILY {self._family} DROP OPERATOR 1 (text, {self.right})")

    @changes
    def drop_family(self) -> Fragment:
        return run(f"DROP OPERATOR FAMILY {self._family} CASCADE")

    def verify(self) -> Fragment:
        return expect(f"SELECT {self.expression}::text", "true")


@dataclasses.dataclass(frozen=True)
class Cast(Commented, Recreated):
    """A cast from a row type of its own, over the base's type, to integer. Verified: it gives its function's number.

    To integer, since without the cast there is none: text or JSON could be had from any row type.
    """

    context: Literal["", " AS ASSIGNMENT", " AS IMPLICIT"] = ""

    can_be_referenced: ClassVar[bool] = False
    noun: ClassVar[str] = "CAST"
    manipulations: ClassVar[Manipulations] = {
        "drop_and_again": ("drop_if_exists", "create_cast"),
        "replace_function": ("replace_function",) * 5,
    }

    @property
    def source(self) -> str:
        """The row type."""
        return self.qualified(self.name)

    @property
    def own_function(self) -> str:
        """Its function."""
        return self.qualified(f"{self.name}_cast")

    def spelling(self, suffix: str = "", schema: str | None = None) -> str:  # noqa: ARG002 casts have no names
        return f"({self.source} AS integer)"

    @property
    def helpers(self) -> tuple[str, ...]:
        return f"TYPE {self.source}", f"FUNCTION {self.own_function}"

    def _function(self, replace: str = "") -> str:
        signature = f"{self.own_function}({self.source}) RETURNS integer"
        return f"CREATE {replace}FUNCTION {signature} LANGUAGE sql {touching(self.base, '42')}"

    def _creating(self) -> str:
        return f"CREATE CAST {self.ident} WITH FUNCTION {self.own_function}({self.source}){self.context}"

    def create_statements(self) -> Statements:
        role = self.base.role
        return (
            f"CREATE TYPE {self.source} AS (a text, c {self.base.type or 'text'})",
            *owner_statement(role, f"TYPE {self.source}"),
            self._function(),
            *owner_statement(role, f"FUNCTION {self.own_function}"),
            self._creating(),
        )

    @destroys
    def drop_if_exists(self) -> Fragment:
        return run(self.drop_statement("IF EXISTS "))

    @creates
    def create_cast(self) -> Fragment:
        return run(self._creating())

    @changes
    def replace_function(self) -> Fragment:
        return run(self._function("OR REPLACE "))

    def verify(self) -> Fragment:
        return expect(f"SELECT (ROW('x', NULL)::{self.source})::integer", "42")
