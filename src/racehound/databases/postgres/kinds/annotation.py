"""Comments and large objects."""

from __future__ import annotations

import dataclasses
import zlib
from typing import ClassVar

from racehound.databases.postgres.kinds.shared_operations import Commented, Owned
from racehound.kinds.kind import Fragment, Manipulations, changes
from racehound.kinds.text import Statements, expect, run


@dataclasses.dataclass(frozen=True)
class Comment(Commented):
    """The comment of the base, or of a supporting table. Verified: of relations, none that are gone have this comment.

    A comment on a relation locks it, so that it cannot come after the relation's end.
    """

    cluster_wide: ClassVar[bool] = True
    can_be_referenced: ClassVar[bool] = False
    manipulations: ClassVar[Manipulations] = {
        "comment": ("change_comment", "comment") * 5,
        "remove_and_again": ("remove_comment", "comment") * 5,
    }

    @property
    def on(self) -> str:
        """Noun and name of what it comments on."""
        return f"{self.base.noun} {self.base.ident}" if self.base.noun else f"TABLE {self.supporting_table}"

    @property
    def helpers(self) -> tuple[str, ...]:
        return () if self.base.noun else (f"TABLE {self.supporting_table}",)

    def _saying(self, text: str) -> str:
        return f"COMMENT ON {self.on} IS {text}"

    def create_statements(self) -> Statements:
        return *(() if self.base.noun else self.create_supporting_table()), self._saying(f"'{self.name}'")

    def drop_statement(self, if_exists: str = "") -> str:  # noqa: ARG002 used with nothing only
        return self._saying("NULL")

    def removal_statements(self, if_exists: str = "") -> Statements:
        """What is not there cannot be without comment."""
        return super().removal_statements(if_exists)[1:] if if_exists else super().removal_statements()

    @changes
    def change_comment(self) -> Fragment:
        return run(self._saying("'another'"))

    @changes
    def comment(self) -> Fragment:
        return run(self._saying(f"'{self.name}'"))

    @changes
    def remove_comment(self) -> Fragment:
        return run(self._saying("NULL"))

    def verify(self) -> Fragment:
        this = f"d.description = '{self.name}' AND d.classoid = 'pg_class'::regclass"
        gone = "NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = d.objoid)"
        return expect(f"SELECT d.objoid FROM pg_description AS d WHERE {this} AND {gone}")


@dataclasses.dataclass(frozen=True)
class LargeObject(Commented, Owned):
    """A large object, beside a table that depends on the base and holds its number. Verified: it has no page without metadata."""

    can_be_referenced: ClassVar[bool] = False
    in_schema: ClassVar[bool] = False
    noun: ClassVar[str] = "LARGE OBJECT"
    manipulations: ClassVar[Manipulations] = {
        "recreate": ("destroy", "create"),
        "write": ("write",) * 5,
        "grant_and_revoke": ("grant", "revoke") * 5,
    }

    @property
    def number(self) -> int:
        """Its OID, which stands for a name: high, where the server's own counter seldom comes."""
        return 4_000_000_000 + zlib.crc32(self.name.encode()) % 100_000_000

    def spelling(self, suffix: str = "", schema: str | None = None) -> str:  # noqa: ARG002 it has a number only
        return str(self.number)

    @property
    def helpers(self) -> tuple[str, ...]:
        return (f"TABLE {self.supporting_table}",)

    def create(self) -> Fragment:
        made = expect(f"SELECT lo_from_bytea({self.number}, '{self.name}')", str(self.number))
        table = self.create_supporting_table(f", {self.name}_c oid DEFAULT {self.number}")
        return run(*table) + made + run(*self.owner_statements())

    def clear(self) -> Fragment:
        there = f"FROM pg_largeobject_metadata WHERE oid = {self.number}"
        return expect(f"SELECT count(lo_unlink(oid)) * 0 {there}", "0") + run(*super().removal_statements()[1:])

    def destroy(self) -> Fragment:
        return expect(f"SELECT lo_unlink({self.number})", "1") + run(*super().removal_statements()[1:])

    @changes
    def write(self) -> Fragment:
        return expect(f"SELECT lo_put({self.number}, 3000, '{self.name}')", '""')

    @changes
    def grant(self) -> Fragment:
        return run(f"GRANT ALL ON LARGE OBJECT {self.number} TO PUBLIC")

    @changes
    def revoke(self) -> Fragment:
        return run(f"REVOKE ALL ON LARGE OBJECT {self.number} FROM PUBLIC")

    def verify(self) -> Fragment:
        """lo_put locks nothing: a page that it leaves behind the end of its object is the server's fault, not the reader's."""
        unknown = "NOT EXISTS (SELECT FROM pg_largeobject_metadata AS m WHERE m.oid = l.loid)"
        return expect(f"SELECT l.loid, l.pageno FROM pg_largeobject AS l WHERE l.loid = {self.number} AND {unknown}")
