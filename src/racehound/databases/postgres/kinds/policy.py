"""Row security."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.postgres.kinds import rows
from racehound.databases.postgres.kinds.shared_operations import NamedOnTable
from racehound.kinds.kind import Fragment, Manipulations, changes
from racehound.kinds.text import Statements, expect, run


@dataclasses.dataclass(frozen=True)
class Policy(NamedOnTable):
    """A policy on the base, and a view whose owner is subject to it. Verified: the view shows whole groups.

    Policies let keys through or not, so this holds for any set of them, enabled or not; which groups are seen depends on others.
    """

    mode: Literal["PERMISSIVE", "RESTRICTIVE"] = "PERMISSIVE"

    can_be_referenced: ClassVar[bool] = False
    noun: ClassVar[str] = "POLICY"
    manipulations: ClassVar[Manipulations] = {
        "alter": ("alter", "restore"),
        "enable_and_disable": ("disable", "force", "do_not_force", "enable"),
        "read": ("verify",) * 10,
        "insert": ("insert",) * 10,
    }

    @property
    def reader(self) -> str:
        """The role that reads under the policy."""
        return self.shared_name("_reader")

    @property
    def view(self) -> str:
        """A view that reads the table as that role."""
        return self.qualified(f"{self.name}_view")

    @property
    def condition(self) -> str:
        """What the policy asks of a row's key."""
        return f"{self.base.function or 'lower'}(a) >= ''"

    def prepare(self) -> Fragment:
        return super().prepare() + run(f"CREATE ROLE {self.reader} IN ROLE pg_read_all_data")

    @property
    def helpers(self) -> tuple[str, ...]:
        return *super().helpers, f"VIEW {self.view}"

    def create_statements(self) -> Statements:
        grantees = self.base.role or "PUBLIC"
        return (
            *self.table_statements,
            f"CREATE VIEW {self.view} AS SELECT a, b FROM {self.on}",
            f"ALTER VIEW {self.view} OWNER TO {self.reader}",
            f"ALTER TABLE {self.on} ENABLE ROW LEVEL SECURITY",
            f"CREATE POLICY {self.name} ON {self.on} AS {self.mode} TO {grantees} USING ({self.condition})",
        )

    @changes
    def alter(self) -> Fragment:
        return run(f"ALTER POLICY {self.name} ON {self.on} TO {self.reader} USING (a <> '0')")

    @changes
    def restore(self) -> Fragment:
        grantees = self.base.role or "PUBLIC"
        return run(f"ALTER POLICY {self.name} ON {self.on} TO {grantees} USING ({self.condition}) WITH CHECK (true)")

    def _row_security(self, state: str) -> Fragment:
        return run(f"ALTER TABLE {self.on} {state} ROW LEVEL SECURITY")

    @changes
    def disable(self) -> Fragment:
        return self._row_security("DISABLE")

    @changes
    def force(self) -> Fragment:
        return self._row_security("FORCE")

    @changes
    def do_not_force(self) -> Fragment:
        return self._row_security("NO FORCE")

    @changes
    def enable(self) -> Fragment:
        return self._row_security("ENABLE")

    @changes
    def insert(self) -> Fragment:
        return run(rows.insert(self.on, self.row_prefix))

    def verify(self) -> Fragment:
        return expect(rows.broken_groups(self.view))
