"""Functions, procedures, aggregates, operators and casts."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.base import PostgresKind, given_to
from racehound.databases.postgres.kinds.lives import Commented, Local, Moved, Owned, Recreated
from racehound.databases.postgres.kinds.text import Statements, ask, run
from racehound.kinds.kind import Fragment, manipulation

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
class Function(Local):
    """A function over the base's type. Verified: it returns what every replacement of it returns."""

    body: Body = "sql"

    noun: ClassVar[str] = "FUNCTION"

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

    def building(self) -> Statements:
        return (self._creating(self.body),)

    @manipulation
    def replace(self) -> Fragment:
        others: tuple[Body, ...] = ("plpgsql", "atomic", "sql", self.body)
        return run(*(self._creating(body, "OR REPLACE ") for body in others))

    @manipulation
    def alter(self) -> Fragment:
        actions = (
            "COST 7",
            "SECURITY DEFINER",
            "SECURITY INVOKER",
            "SET work_mem = '1MB'",
            "RESET ALL",
            "PARALLEL SAFE",
            "COST 100",
        )
        return run(*(f"ALTER FUNCTION {self.ident} {action}" for action in actions))

    @manipulation
    def call(self) -> Fragment:
        return ask(f"SELECT count({self.ident}(i::text)) FROM generate_series(1, 10) AS i", "10") * 10

    @manipulation
    def grant_and_revoke(self) -> Fragment:
        return (
            run(f"REVOKE EXECUTE ON FUNCTION {self.ident} FROM PUBLIC", f"GRANT EXECUTE ON FUNCTION {self.ident} TO PUBLIC") * 5
        )

    def verify(self) -> Fragment:
        return ask(f"SELECT {self.ident}('x')", "x!")


@dataclasses.dataclass(frozen=True)
class Procedure(Local):
    """A procedure that inserts a group of rows into the base, or does nothing. Verified: it is a procedure."""

    body: Literal["atomic", "plpgsql"] = "atomic"

    noun: ClassVar[str] = "PROCEDURE"

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

    def building(self) -> Statements:
        return (self._creating(self.body),)

    @manipulation
    def replace(self) -> Fragment:
        return run(*(self._creating(body, "OR REPLACE ") for body in ("plpgsql", "atomic", self.body)))

    @manipulation
    def alter(self) -> Fragment:
        return run(f"ALTER PROCEDURE {self.ident} SET work_mem = '1MB'", f"ALTER PROCEDURE {self.ident} RESET ALL")

    @manipulation
    def call(self) -> Fragment:
        return run(*[f"CALL {self.ident}('x')"] * 10)

    def verify(self) -> Fragment:
        return ask(f"SELECT oid FROM pg_proc WHERE oid = '{self.ident}'::regproc AND prokind <> 'p'")


@dataclasses.dataclass(frozen=True)
class Aggregate(Local):
    """An aggregate whose step function depends on the base. Verified: it takes every row once."""

    noun: ClassVar[str] = "AGGREGATE"

    @property
    def step(self) -> str:
        """The step function."""
        return self.inside(f"{self.name}_step")

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

    def building(self) -> Statements:
        return self._stepping(), *given_to(self.base.role, f"FUNCTION {self.step}"), self._creating()

    @manipulation
    def replace(self) -> Fragment:
        return run(self._stepping("OR REPLACE "), self._creating("OR REPLACE "))

    @manipulation
    def call(self) -> Fragment:
        return self.verify() * 10

    def verify(self) -> Fragment:
        return ask(f"SELECT length({super().spelling()}(i::text)) FROM generate_series(1, 10) AS i", "10")


@dataclasses.dataclass(frozen=True)
class Operator(Commented, Recreated, Moved, Owned):
    """An operator of text with the base's type, its function depending on the base. Verified: it is always true."""

    weight: ClassVar[int] = 5
    noun: ClassVar[str] = "OPERATOR"

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
    def behind(self) -> str:
        """Its function."""
        return self.inside(self.name)

    @property
    def expression(self) -> str:
        return f"('x'::text OPERATOR({self.schema}.{self.symbol}) NULL::{self.right})"

    @property
    def type(self) -> None:
        """Text is nobody's."""

    def spelling(self, suffix: str = "", schema: str | None = None) -> str:  # noqa: ARG002 operators are not renamed
        return f"{schema or self.schema}.{self.symbol} (text, {self.right})"

    @property
    def helpers(self) -> tuple[str, ...]:
        return (f"FUNCTION {self.behind}",)

    def building(self) -> Statements:
        function = (
            f"CREATE FUNCTION {self.behind}(l text, r {self.right}) RETURNS boolean LANGUAGE sql {touching(self.base, 'true')}"
        )
        operator = f"(FUNCTION = {self.behind}, LEFTARG = text, RIGHTARG = {self.right})"
        return (
            function,
            *given_to(self.base.role, f"FUNCTION {self.behind}"),
            f"CREATE OPERATOR {self.schema}.{self.symbol} {operator}",
        )

    @manipulation
    def alter(self) -> Fragment:
        return run(
            f"ALTER OPERATOR {self.ident} SET (RESTRICT = contsel, JOIN = contjoinsel)",
            f"ALTER OPERATOR {self.ident} SET (RESTRICT = NONE, JOIN = NONE)",
        )

    @manipulation
    def use_in_class(self) -> Fragment:
        """An operator family of its own, with the operator in it and out again."""
        family = f"{self.inside(self.name + '_family')} USING gist"
        return run(
            f"DROP OPERATOR FAMILY IF EXISTS {family} CASCADE",
            f"CREATE OPERATOR FAMILY {family}",
            f"ALTER OPERATOR FAMILY {family} ADD OPERATOR 1 {self.ident}",
            f"ALTER OPERATOR FAMILY {family} DROP OPERATOR 1 (text, {self.right})",
            f"DROP OPERATOR FAMILY {family} CASCADE",
        )

    def verify(self) -> Fragment:
        return ask(f"SELECT {self.expression}::text", "true")


@dataclasses.dataclass(frozen=True)
class Cast(Commented, Recreated):
    """A cast from a row type of its own, over the base's type, to integer. Verified: it gives its function's number.

    To integer, since without the cast there is none: text or JSON could be had from any row type.
    """

    context: Literal["", " AS ASSIGNMENT", " AS IMPLICIT"] = ""

    can_be_referenced: ClassVar[bool] = False
    noun: ClassVar[str] = "CAST"

    @property
    def source(self) -> str:
        """The row type."""
        return self.inside(self.name)

    @property
    def behind(self) -> str:
        """Its function."""
        return self.inside(f"{self.name}_cast")

    def spelling(self, suffix: str = "", schema: str | None = None) -> str:  # noqa: ARG002 casts have no names
        return f"({self.source} AS integer)"

    @property
    def helpers(self) -> tuple[str, ...]:
        return f"TYPE {self.source}", f"FUNCTION {self.behind}"

    def _function(self, replace: str = "") -> str:
        return f"CREATE {replace}FUNCTION {self.behind}({self.source}) RETURNS integer LANGUAGE sql {touching(self.base, '42')}"

    def _creating(self) -> str:
        return f"CREATE CAST {self.ident} WITH FUNCTION {self.behind}({self.source}){self.context}"

    def building(self) -> Statements:
        role = self.base.role
        return (
            f"CREATE TYPE {self.source} AS (a text, c {self.base.type or 'text'})",
            *given_to(role, f"TYPE {self.source}"),
            self._function(),
            *given_to(role, f"FUNCTION {self.behind}"),
            self._creating(),
        )

    @manipulation
    def drop_and_again(self) -> Fragment:
        return run(self.dropping("IF EXISTS "), self._creating())

    @manipulation
    def replace_function(self) -> Fragment:
        return run(self._function("OR REPLACE ")) * 5

    def verify(self) -> Fragment:
        return ask(f"SELECT (ROW('x', NULL)::{self.source})::integer", "42")
