"""Roles and default privileges."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.postgres.kinds.base import PostgresKind
from racehound.databases.postgres.kinds.lives import Commented, Recreated, Renamed
from racehound.databases.postgres.kinds.text import Statements, ask, run
from racehound.kinds.kind import Fragment, manipulation


class Holding(PostgresKind):
    """It holds privileges on the object it refers to, or on a carrier, since nothing else of it could depend on that."""

    @property
    def held(self) -> str:
        """What GRANT ALL ON takes."""
        return self.base.grantable or f"TABLE {self.carrier}"

    @property
    def ground(self) -> Statements:
        """The statements that make the carrier where one is needed."""
        return () if self.base.grantable else self.carrying()

    @property
    def helpers(self) -> tuple[str, ...]:
        return () if self.base.grantable else (f"TABLE {self.carrier}",)

    def holding(self, role: str) -> Statements:
        """The statements that give a role membership, if the base is a role, and its privileges."""
        member = (f"GRANT {self.base.role} TO {role}",) if self.base.role else ()
        return *member, *self.ground, f"GRANT ALL ON {self.held} TO {role}"


@dataclasses.dataclass(frozen=True)
class Role(Commented, Recreated, Renamed, Holding):
    """A role with privileges on the base. Verified: every membership that names it names existing roles.

    It may read and write all data, so that what it owns works in any schema.
    """

    cluster_wide: ClassVar[bool] = True
    in_schema: ClassVar[bool] = False
    in_cluster: ClassVar[bool] = True
    weight: ClassVar[int] = 25
    noun: ClassVar[str] = "ROLE"

    @property
    def role(self) -> str:
        return self.ident

    @property
    def other(self) -> str:
        """Another role, for memberships."""
        return self.shared("_other")

    def prepare(self) -> Fragment:
        return super().prepare() + run(f"CREATE ROLE {self.other}")

    def building(self) -> Statements:
        # The privileges last: a first try that failed must leave a role that nothing depends on.
        return f"CREATE ROLE {self.ident} IN ROLE pg_read_all_data, pg_write_all_data", *self.holding(self.ident)

    def dropping(self, maybe: str = "") -> str:
        return f"DROP ROLE {maybe}{self.ident}"

    def razing(self, maybe: str = "") -> Statements:
        owned = () if maybe else (f"DROP OWNED BY {self.ident} CASCADE",)
        helpers = super().razing()[1:]
        return *owned, *(helpers if maybe else ()), self.dropping(maybe), *(() if maybe else helpers)

    @manipulation
    def recreate(self) -> Fragment:
        return run(*self.razing()) + self.create()

    @manipulation
    def grant_and_revoke(self) -> Fragment:
        return run(f"REVOKE ALL ON {self.held} FROM {self.ident}", f"GRANT ALL ON {self.held} TO {self.ident}") * 5

    @manipulation
    def change_members(self) -> Fragment:
        return run(
            f"GRANT {self.ident} TO {self.other} WITH ADMIN OPTION",
            f"REVOKE ADMIN OPTION FOR {self.ident} FROM {self.other}",
            f"REVOKE {self.ident} FROM {self.other}",
        )

    @manipulation
    def become_member(self) -> Fragment:
        return run(f"GRANT {self.other} TO {self.ident}", f"REVOKE {self.other} FROM {self.ident}") * 3

    @manipulation
    def leave_and_join(self) -> Fragment:
        """The base, where that is a role; else the role that its other one is."""
        group = self.base.role or self.other
        return run(f"REVOKE {group} FROM {self.ident}", f"GRANT {group} TO {self.ident}") * 3

    @manipulation
    def alter_default_privileges(self) -> Fragment:
        alter = f"ALTER DEFAULT PRIVILEGES FOR ROLE {self.ident}"
        return run(f"{alter} GRANT SELECT ON TABLES TO {self.other}", f"{alter} REVOKE SELECT ON TABLES FROM {self.other}")

    @manipulation
    def reassign_owned(self) -> Fragment:
        """What it owns becomes the session user's."""
        return run(f"REASSIGN OWNED BY {self.ident} TO SESSION_USER")

    @manipulation
    def drop_owned(self) -> Fragment:
        """Its privileges are dropped too, and a carrier if it owns one."""
        return run(f"DROP OWNED BY {self.ident} CASCADE")

    @manipulation
    def set_role(self) -> Fragment:
        """Nothing between the two, which might fail as a role that is gone and leave the session in its clothes."""
        return run(f"SET ROLE {self.ident}", "RESET ROLE") * 3

    @manipulation
    def alter_settings(self) -> Fragment:
        return run(
            f"ALTER ROLE {self.ident} IN DATABASE ${{racehound.database}} SET work_mem = '1MB'",
            f"ALTER ROLE {self.ident} IN DATABASE ${{racehound.database}} RESET ALL",
        )

    def verify(self) -> Fragment:
        this = f"to_regrole('{self.ident}')"
        known = "SELECT count(*) FROM pg_roles AS r WHERE r.oid IN (m.roleid, m.member)"
        return ask(f"SELECT m.roleid, m.member FROM pg_auth_members AS m WHERE {this} IN (m.roleid, m.member) AND ({known}) <> 2")


@dataclasses.dataclass(frozen=True)
class DefaultPrivileges(Holding):
    """Default privileges of a role in the base's schema, for a grantee that also holds privileges on the base.

    Verified: their role exists.
    """

    cluster_wide: ClassVar[bool] = True
    can_be_referenced: ClassVar[bool] = False

    @property
    def grantee(self) -> str:
        """The role that gets the privileges."""
        return self.shared("_grantee")

    @property
    def grantor(self) -> str:
        """The role whose new objects are concerned."""
        return self.base.role or self.shared("_grantor")

    def prepare(self) -> Fragment:
        grantor = self.shared("_grantor")
        return super().prepare() + run(f"CREATE ROLE {self.grantee}", f"CREATE ROLE {grantor} IN ROLE pg_write_all_data")

    def _altering(self, action: str) -> str:
        return f"ALTER DEFAULT PRIVILEGES FOR ROLE {self.grantor} IN SCHEMA {self.schema} {action}"

    def building(self) -> Statements:
        return *self.holding(self.grantee), self._altering(f"GRANT SELECT ON TABLES TO {self.grantee}")

    def dropping(self, maybe: str = "") -> str:  # noqa: ARG002 REVOKE says nothing where there is nothing
        return self._altering(f"REVOKE ALL ON TABLES FROM {self.grantee}")

    def razing(self, maybe: str = "") -> Statements:
        if maybe:
            return super().razing(maybe)[1:]
        revoking = (f"REVOKE {self.base.role} FROM {self.grantee}",) if self.base.role else ()
        held = (f"REVOKE ALL ON {self.held} FROM {self.grantee}",)
        return *super().razing()[:1], *held, *revoking, *super().razing()[1:]

    @manipulation
    def grant_and_revoke_more(self) -> Fragment:
        actions = [
            f"{verb} {privilege} ON {things} {way} {self.grantee}"
            for privilege, things in (("EXECUTE", "FUNCTIONS"), ("USAGE", "TYPES"), ("USAGE", "SEQUENCES"))
            for verb, way in (("GRANT", "TO"), ("REVOKE", "FROM"))
        ]
        return run(*map(self._altering, actions))

    @manipulation
    def revoke_and_grant(self) -> Fragment:
        actions = (f"REVOKE SELECT ON TABLES FROM {self.grantee}", f"GRANT SELECT ON TABLES TO {self.grantee}")
        return run(*map(self._altering, actions)) * 5

    @manipulation
    def use_them(self) -> Fragment:
        """A table gets them when the grantor creates it: in one statement, so that a failure ends the role too."""
        table = self.inside(f"{self.name}_new")
        return run(
            f"DROP TABLE IF EXISTS {table} CASCADE",
            f"GRANT CREATE ON SCHEMA {self.schema} TO {self.grantor}",
            f"DO $do$BEGIN SET LOCAL ROLE {self.grantor}; CREATE TABLE {table} (a text); RESET ROLE; END$do$",
            f"DROP TABLE {table} CASCADE",
            f"REVOKE CREATE ON SCHEMA {self.schema} FROM {self.grantor}",
        )

    def verify(self) -> Fragment:
        return ask(
            f"SELECT d.defaclrole FROM pg_default_acl AS d WHERE d.defaclacl::text LIKE '%{self.grantee}=%' "
            "AND NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = d.defaclrole)"
        )
