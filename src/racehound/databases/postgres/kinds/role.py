"""Roles and default privileges."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.postgres.kinds.base import PostgresKind
from racehound.databases.postgres.kinds.shared_operations import Commented, Recreated, Renamed
from racehound.kinds.kind import Fragment, Manipulations, changes, reads
from racehound.kinds.text import Statements, expect, run


class PrivilegeHolder(PostgresKind):
    """It holds privileges on the object it refers to, or on a supporting table: nothing else of it can depend on one."""

    @property
    def grant_target(self) -> str:
        """What GRANT ALL ON takes."""
        return self.base.grantable or f"TABLE {self.supporting_table}"

    @property
    def table_statements(self) -> Statements:
        """The statements that make the supporting table where one is needed."""
        return () if self.base.grantable else self.create_supporting_table()

    @property
    def helpers(self) -> tuple[str, ...]:
        return () if self.base.grantable else (f"TABLE {self.supporting_table}",)

    def privilege_statements(self, role: str) -> Statements:
        """The statements that give a role membership, if the base is a role, and its privileges."""
        member = (f"GRANT {self.base.role} TO {role}",) if self.base.role else ()
        return *member, *self.table_statements, f"GRANT ALL ON {self.grant_target} TO {role}"


@dataclasses.dataclass(frozen=True)
class Role(Commented, Recreated, Renamed, PrivilegeHolder):
    """A role with privileges on the base. Verified: every membership that names it names existing roles.

    It may read and write all data, so that what it owns works in any schema.
    """

    cluster_wide: ClassVar[bool] = True
    in_schema: ClassVar[bool] = False
    in_cluster: ClassVar[bool] = True
    weight: ClassVar[int] = 25
    noun: ClassVar[str] = "ROLE"
    manipulations: ClassVar[Manipulations] = {
        "recreate": ("destroy", "create"),
        "grant_and_revoke": ("revoke", "grant") * 5,
        "change_members": ("grant_to_member", "revoke_admin_option", "revoke_from_member"),
        "become_member": ("become_member", "leave_other") * 3,
        "leave_and_join": ("leave_group", "join_group") * 3,
        "alter_default_privileges": ("grant_by_default", "revoke_by_default"),
        "reassign_owned": ("reassign_owned",),
        "drop_owned": ("drop_owned",),
        "set_role": ("set_role",) * 3,
        "alter_settings": ("set_work_mem", "reset_settings"),
    }

    @property
    def role(self) -> str:
        return self.ident

    @property
    def other(self) -> str:
        """Another role, for memberships."""
        return self.shared_name("_other")

    def prepare(self) -> Fragment:
        return super().prepare() + run(f"CREATE ROLE {self.other}")

    def create_statements(self) -> Statements:
        # The privileges last: a first try that failed must leave a role that nothing depends on.
        return f"CREATE ROLE {self.ident} IN ROLE pg_read_all_data, pg_write_all_data", *self.privilege_statements(self.ident)

    def drop_statement(self, if_exists: str = "") -> str:
        return f"DROP ROLE {if_exists}{self.ident}"

    def removal_statements(self, if_exists: str = "") -> Statements:
        owned = () if if_exists else (f"DROP OWNED BY {self.ident} CASCADE",)
        helpers = super().removal_statements()[1:]
        return *owned, *(helpers if if_exists else ()), self.drop_statement(if_exists), *(() if if_exists else helpers)

    @changes
    def revoke(self) -> Fragment:
        return run(f"REVOKE ALL ON {self.grant_target} FROM {self.ident}")

    @changes
    def grant(self) -> Fragment:
        return run(f"GRANT ALL ON {self.grant_target} TO {self.ident}")

    @changes
    def grant_to_member(self) -> Fragment:
        return run(f"GRANT {self.ident} TO {self.other} WITH ADMIN OPTION")

    @changes
    def revoke_admin_option(self) -> Fragment:
        return run(f"REVOKE ADMIN OPTION FOR {self.ident} FROM {self.other}")

    @changes
    def revoke_from_member(self) -> Fragment:
        return run(f"REVOKE {self.ident} FROM {self.other}")

    @changes
    def become_member(self) -> Fragment:
        return run(f"GRANT {self.other} TO {self.ident}")

    @changes
    def leave_other(self) -> Fragment:
        return run(f"REVOKE {self.other} FROM {self.ident}")

    @property
    def _group(self) -> str:
        """The base, where that is a role; else the role that its other one is."""
        return self.base.role or self.other

    @changes
    def leave_group(self) -> Fragment:
        return run(f"REVOKE {self._group} FROM {self.ident}")

    @changes
    def join_group(self) -> Fragment:
        return run(f"GRANT {self._group} TO {self.ident}")

    @changes
    def grant_by_default(self) -> Fragment:
        return run(f"ALTER DEFAULT PRIVILEGES FOR ROLE {self.ident} GRANT SELECT ON TABLES TO {self.other}")

    @changes
    def revoke_by_default(self) -> Fragment:
        return run(f"ALTER DEFAULT PRIVILEGES FOR ROLE {self.ident} REVOKE SELECT ON TABLES FROM {self.other}")

    @changes
    def reassign_owned(self) -> Fragment:
        """What it owns becomes the session user's."""
        return run(f"REASSIGN OWNED BY {self.ident} TO SESSION_USER")

    @changes
    def drop_owned(self) -> Fragment:
        """Its privileges are dropped, too, and a supporting table that it owns."""
        return run(f"DROP OWNED BY {self.ident} CASCADE")

    @reads
    def set_role(self) -> Fragment:
        """Nothing stands between the two: it might fail because the role is gone, and the session would keep the role."""
        return run(f"SET ROLE {self.ident}", "RESET ROLE")

    @changes
    def set_work_mem(self) -> Fragment:
        return run(f"ALTER ROLE {self.ident} IN DATABASE ${{racehound.database}} SET work_mem = '1MB'")

    @changes
    def reset_settings(self) -> Fragment:
        return run(f"ALTER ROLE {self.ident} IN DATABASE ${{racehound.database}} RESET ALL")

    def verify(self) -> Fragment:
        this = f"to_regrole('{self.ident}')"
        known = "SELECT count(*) FROM pg_roles AS r WHERE r.oid IN (m.roleid, m.member)"
        return expect(
            f"SELECT m.roleid, m.member FROM pg_auth_members AS m WHERE {this} IN (m.roleid, m.member) AND ({known}) <> 2"
        )


@dataclasses.dataclass(frozen=True)
class DefaultPrivileges(PrivilegeHolder):
    """Default privileges of a role in the base's schema, for a grantee that also holds privileges on the base.

    Verified: their role exists.
    """

    cluster_wide: ClassVar[bool] = True
    can_be_referenced: ClassVar[bool] = False
    manipulations: ClassVar[Manipulations] = {
        "grant_and_revoke_more": (
            "grant_on_functions",
            "revoke_on_functions",
            "grant_on_types",
            "revoke_on_types",
            "grant_on_sequences",
            "revoke_on_sequences",
        ),
        "revoke_and_grant": ("revoke", "grant") * 5,
        "use_them": ("drop_table_if_exists", "allow_creation", "create_table", "drop_table", "forbid_creation"),
    }

    @property
    def grantee(self) -> str:
        """The role that gets the privileges."""
        return self.shared_name("_grantee")

    @property
    def grantor(self) -> str:
        """The role whose new objects are concerned."""
        return self.base.role or self.shared_name("_grantor")

    def prepare(self) -> Fragment:
        grantor = self.shared_name("_grantor")
        return super().prepare() + run(f"CREATE ROLE {self.grantee}", f"CREATE ROLE {grantor} IN ROLE pg_write_all_data")

    def _altering(self, action: str) -> str:
        return f"ALTER DEFAULT PRIVILEGES FOR ROLE {self.grantor} IN SCHEMA {self.schema} {action}"

    def create_statements(self) -> Statements:
        return *self.privilege_statements(self.grantee), self._altering(f"GRANT SELECT ON TABLES TO {self.grantee}")

    def drop_statement(self, if_exists: str = "") -> str:  # noqa: ARG002 REVOKE says nothing where there is nothing
        return self._altering(f"REVOKE ALL ON TABLES FROM {self.grantee}")

    def removal_statements(self, if_exists: str = "") -> Statements:
        if if_exists:
            return super().removal_statements(if_exists)[1:]
        revoking = (f"REVOKE {self.base.role} FROM {self.grantee}",) if self.base.role else ()
        grant_target = (f"REVOKE ALL ON {self.grant_target} FROM {self.grantee}",)
        return *super().removal_statements()[:1], *grant_target, *revoking, *super().removal_statements()[1:]

    @changes
    def grant_on_functions(self) -> Fragment:
        return run(self._altering(f"GRANT EXECUTE ON FUNCTIONS TO {self.grantee}"))

    @changes
    def revoke_on_functions(self) -> Fragment:
        return run(self._altering(f"REVOKE EXECUTE ON FUNCTIONS FROM {self.grantee}"))

    @changes
    def grant_on_types(self) -> Fragment:
        return run(self._altering(f"GRANT USAGE ON TYPES TO {self.grantee}"))

    @changes
    def revoke_on_types(self) -> Fragment:
        return run(self._altering(f"REVOKE USAGE ON TYPES FROM {self.grantee}"))

    @changes
    def grant_on_sequences(self) -> Fragment:
        return run(self._altering(f"GRANT USAGE ON SEQUENCES TO {self.grantee}"))

    @changes
    def revoke_on_sequences(self) -> Fragment:
        return run(self._altering(f"REVOKE USAGE ON SEQUENCES FROM {self.grantee}"))

    @changes
    def revoke(self) -> Fragment:
        return run(self._altering(f"REVOKE SELECT ON TABLES FROM {self.grantee}"))

    @changes
    def grant(self) -> Fragment:
        return run(self._altering(f"GRANT SELECT ON TABLES TO {self.grantee}"))

    @property
    def _other_table(self) -> str:
        return self.qualified(f"{self.name}_new")

    @changes
    def drop_table_if_exists(self) -> Fragment:
        return run(f"DROP TABLE IF EXISTS {self._other_table} CASCADE")

    @changes
    def allow_creation(self) -> Fragment:
        return run(f"GRANT CREATE ON SCHEMA {self.schema} TO {self.grantor}")

    @changes
    def create_table(self) -> Fragment:
        """The grantor creates a table, which gets the privileges: in one statement, so that a failure ends the role, too."""
        created = f"CREATE TABLE {self._other_table} (a text)"
        return run(f"DO $do$BEGIN SET LOCAL ROLE {self.grantor}; {created}; RESET ROLE; END$do$")

    @changes
    def drop_table(self) -> Fragment:
        return run(f"DROP TABLE {self._other_table} CASCADE")

    @changes
    def forbid_creation(self) -> Fragment:
        return run(f"REVOKE CREATE ON SCHEMA {self.schema} FROM {self.grantor}")

    def verify(self) -> Fragment:
        return expect(
            f"SELECT d.defaclrole FROM pg_default_acl AS d WHERE d.defaclacl::text LIKE '%{self.grantee}=%' "
            "AND NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = d.defaclrole)"
        )
