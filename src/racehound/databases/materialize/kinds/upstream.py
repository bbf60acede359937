"""What sources have in common that follow a table of another database.

How they are verified: the other database itself writes one more row into the table, whose second column is the digest of all rows
before it. Where the target has that row, it has all that came before: then the two digests are the same, in one snapshot.
Nobody but the object's own session writes to its table, so the digest is that of the last word.
"""

from __future__ import annotations

from typing import ClassVar

from racehound.databases.materialize.kinds.base import CLUSTER
from racehound.databases.materialize.kinds.shared_operations import Named
from racehound.databases.materialize.kinds.text import TRUE, Statements, expect, expect_none, retried, run, set_variable
from racehound.kinds.kind import Fragment, Manipulations, changes

PASSWORD = "${racehound.source-password}"  # noqa: S105 the variable with the password of the roles, drawn for each run
_MARK = "mark "
"""How the first column of the added rows begins."""
_LONGEST = 12
_ON_ITS_WAY_S = "90"
"""Seconds that the added row may take to arrive: a busy machine is no finding."""


class UpstreamTable(Named):
    """A table made from a source that follows one table of another database, by a role of its own."""

    manipulations: ClassVar[Manipulations] = {}
    noun: ClassVar[str] = "TABLE"
    short: ClassVar[str] = "table"

    @property
    def relation(self) -> str:
        return self.ident

    @property
    def only_grows(self) -> bool:
        return False

    # In the other database.

    @property
    def table(self) -> str:
        """The table's name there."""
        return f"{self.name}_table"

    @property
    def reference(self) -> str:
        """The same as statements spell it, here and there."""
        raise NotImplementedError

    @property
    def role_name(self) -> str:
        """The role that the target comes as."""
        return self.shared_name("_role")

    def upstream(self, *statements: str) -> Fragment:
        """The statements, run in the other database."""
        raise NotImplementedError

    @changes
    def insert(self) -> Fragment:
        return self.upstream(f"INSERT INTO {self.reference} VALUES ('foo', 'bar')")

    @changes
    def delete(self) -> Fragment:
        return self.upstream(f"DELETE FROM {self.reference} WHERE length(b) > {_LONGEST}")

    # In the target.

    @property
    def source(self) -> str:
        """The source, and in PostgreSQL the publication that it reads."""
        return f"{self.name}_source"

    @property
    def source_cluster(self) -> str:
        """Where the source works."""
        return CLUSTER

    @property
    def connection(self) -> str:
        return f"{self.name}_conn"

    @property
    def password(self) -> str:
        """The secret that holds the role's password."""
        return f"{self.name}_pass"

    def connecting(self) -> Statements:
        """The statements that make the connection and the source anew."""
        raise NotImplementedError

    def _preparing_target(self) -> Fragment:
        return run(
            f"DROP SECRET IF EXISTS {self.password} CASCADE",
            f"CREATE SECRET {self.password} AS '{PASSWORD}'",
            f"DROP CONNECTION IF EXISTS {self.connection} CASCADE",
            *self.connecting(),
        )

    def table_of_source(self, name: str) -> str:
        """The statement that makes a table of the source."""
        return f"CREATE TABLE {name} FROM SOURCE {self.source} (REFERENCE {self.reference})"

    def create_statements(self) -> Statements:
        return (self.table_of_source(self.ident),)

    def verify(self) -> Fragment:
        mark = f"{self.name}-mark"
        there = "count(*), coalesce(sum(length(b)), 0), coalesce(sum(length(b) * length(b)), 0)"
        here = (
            "count(*)::text || ' ' || coalesce(sum(length(b)), 0)::text || ' ' || coalesce(sum(length(b) * length(b)), 0)::text"
        )
        data = f"a NOT LIKE '{_MARK}%'"
        digest = f"(SELECT {here} FROM {self.ident} WHERE {data})"
        return (
            expect_none(f"SELECT a, b FROM {self.ident} WHERE {data} AND (a <> 'foo' OR b !~ '^(bar)+$')")
            + set_variable(mark, f"SELECT '{_MARK}' || now()")
            + self.upstream(
                f"INSERT INTO {self.reference} SELECT '${{{mark}}}', concat_ws(' ', {there}) FROM {self.reference} WHERE {data}"
            )
            + retried(expect(f"SELECT count(*) > 0 FROM {self.ident} WHERE a = '${{{mark}}}'", TRUE), _ON_ITS_WAY_S)
            + retried(expect(f"SELECT b = {digest} FROM {self.ident} WHERE a = '${{{mark}}}'", TRUE))
            + self.upstream(f"DELETE FROM {self.reference} WHERE a = '${{{mark}}}'")
        )
