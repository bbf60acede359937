"""Roles: memberships, privileges, ownership."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.materialize.kinds.base import CONSTANT, SCHEMA, MaterializeKind
from racehound.databases.materialize.kinds.text import TIMES, Statements, expect_none, run
from racehound.kinds.kind import Fragment, Manipulations, changes


@dataclasses.dataclass(frozen=True)
class Role(MaterializeKind):
    """A role with privileges on the base. Verified: memberships name roles that there are, and it has kept its privileges."""

    noun: ClassVar[str] = "ROLE"
    in_environment: ClassVar[bool] = True
    weight: ClassVar[int] = 16
    manipulations: ClassVar[Manipulations] = {
        "grant_and_revoke": ("revoke", "grant") * TIMES,
        "change_members": ("grant_to_member", "revoke_from_member") * TIMES,
        "alter_default_privileges": ("grant_by_default", "revoke_by_default"),
        "reassign_owned": ("reassign_owned", "reassign_back"),
        "drop_owned": ("drop_owned_by_other", "grant_to_other"),
        "alter_settings": ("set_cluster", "reset_cluster") * TIMES,
    }

    @property
    def role(self) -> str:
        return self.ident

    @property
    def other(self) -> str:
        """Another role, for memberships and for what is reassigned."""
        return self.shared_name("_other")

    @property
    def grant_target(self) -> str:
        """What it has privileges on: the base, or a view of its own."""
        return self.base.relation or self.view

    @property
    def view(self) -> str:
        return self.qualified(f"{self.name}_view")

    @property
    def mark(self) -> str:
        """The comment on it from when it has its privileges until they are taken."""
        return f"{self.name} has all"

    @property
    def view_statements(self) -> Statements:
        """The statement that makes the view where the base is no relation."""
        return () if self.base.relation else (f"CREATE VIEW {self.view} AS {CONSTANT}",)

    def create_statements(self) -> Statements:
        return (
            *self.view_statements,
            f"CREATE ROLE {self.other}",
            f"CREATE ROLE {self.ident}",
            f"GRANT SELECT ON {self.grant_target} TO {self.ident}",
            f"GRANT {self.ident} TO ${{racehound.user}}",
            f"GRANT {self.other} TO ${{racehound.user}}",
            f"GRANT ALL ON SCHEMA {self.base.dependents_schema} TO {self.ident}",
            f"GRANT ALL ON SCHEMA {self.base.dependents_schema} TO {self.other}",
            f"COMMENT ON ROLE {self.ident} IS '{self.mark}'",
        )

    def owner_statements(self) -> Statements:
        return ()

    def removal_statements(self, if_exists: str = "") -> Statements:
        """DROP OWNED, which takes privileges back, has no IF EXISTS: where the role made first is missing, nothing was made."""
        view = () if self.base.relation else (f"DROP VIEW {if_exists}{self.view} CASCADE",)
        other, own = ((f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {if_exists}{role}") for role in (self.other, self.ident))
        return *view, *other, f"COMMENT ON ROLE {self.ident} IS NULL", *own

    @changes
    def revoke(self) -> Fragment:
        return run(f"REVOKE SELECT ON {self.grant_target} FROM {self.ident}")

    @changes
    def grant(self) -> Fragment:
        return run(f"GRANT SELECT ON {self.grant_target} TO {self.ident}")

    @changes
    def grant_to_member(self) -> Fragment:
        return run(f"GRANT {self.ident} TO {self.other}")

    @changes
    def revoke_from_member(self) -> Fragment:
        return run(f"REVOKE {self.ident} FROM {self.other}")

    @changes
    def grant_by_default(self) -> Fragment:
        return run(f"ALTER DEFAULT PRIVILEGES FOR ROLE {self.ident} GRANT SELECT ON TABLES TO {self.other}")

    @changes
    def revoke_by_default(self) -> Fragment:
        return run(f"ALTER DEFAULT PRIVILEGES FOR ROLE {self.ident} REVOKE SELECT ON TABLES FROM {self.other}")

    @changes
    def reassign_owned(self) -> Fragment:
        return run(f"REASSIGN OWNED BY {self.ident} TO {self.other}")

    @changes
    def reassign_back(self) -> Fragment:
        return run(f"REASSIGN OWNED BY {self.other} TO {self.ident}")

    @changes
    def drop_owned_by_other(self) -> Fragment:
        """The other role's privileges go, too."""
        return run(f"DROP OWNED BY {self.other} CASCADE")

    @changes
    def grant_to_other(self) -> Fragment:
        return run(f"GRANT ALL ON SCHEMA {self.base.dependents_schema} TO {self.other}")

    @changes
    def set_cluster(self) -> Fragment:
        return run(f"ALTER ROLE {self.ident} SET cluster = quickstart")

    @changes
    def reset_cluster(self) -> Fragment:
        return run(f"ALTER ROLE {self.ident} RESET cluster")

    def verify(self) -> Fragment:
        roles = "SELECT id FROM mz_catalog.mz_roles"
        members = f"SELECT role_id, member FROM mz_catalog.mz_role_members WHERE role_id NOT IN ({roles})"
        owners = f"SELECT id, owner_id FROM mz_catalog.mz_objects WHERE owner_id NOT IN ({roles})"
        return expect_none(f"{members} OR member NOT IN ({roles})") + expect_none(owners) + self._verify_privileges()

    def _verify_privileges(self) -> Fragment:
        """It has kept what it was given on the schema that is always there, whatever others were given.

        It bears its mark only between the grant and the revoke, so that an interrupted create or destroy proves nothing.
        """
        if self.base.dependents_schema != SCHEMA:
            return ""
        return expect_none(
            "SELECT r.name, s.privileges::text FROM mz_catalog.mz_roles AS r "
            "JOIN mz_internal.mz_comments AS c ON c.id = r.id AND c.object_type = 'role', "
            "mz_catalog.mz_schemas AS s JOIN mz_catalog.mz_databases AS d ON d.id = s.database_id "
            f"WHERE r.name = '{self.ident}' AND c.comment = '{self.mark}' "
            f"AND d.name = '${{racehound.database}}' AND s.name = '{SCHEMA}' "
            "AND s.privileges::text !~ ('[{,]' || r.id || '=UC/')"
        )
