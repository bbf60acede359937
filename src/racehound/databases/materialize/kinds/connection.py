"""Secrets and connections."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from racehound.databases.materialize.kinds.shared_operations import Commented, Owned, Renamed
from racehound.databases.materialize.kinds.text import TIMES, Statements, run
from racehound.kinds.kind import Fragment, Manipulations, changes, reads


@dataclasses.dataclass(frozen=True)
class Secret(Owned, Commented, Renamed):
    """A secret. Verified: the catalog knows it once, with its owner and schema."""

    noun: ClassVar[str] = "SECRET"
    short: ClassVar[str] = "secret"
    weight: ClassVar[int] = 4
    manipulations: ClassVar[Manipulations] = {
        "alter": ("alter",) * TIMES,
    }

    @property
    def secret(self) -> str:
        return self.ident

    def create_statements(self) -> Statements:
        return (f"CREATE SECRET {self.ident} AS '${{racehound.postgres-password}}'",)

    @changes
    def alter(self) -> Fragment:
        return run(f"ALTER SECRET {self.ident} AS '${{racehound.postgres-password}}'")

    def verify(self) -> Fragment:
        return self.verify_catalog()


@dataclasses.dataclass(frozen=True)
class Connection(Owned, Commented, Renamed):
    """A connection to PostgreSQL with the base's secret, or one of its own. Verified: it works while it is validated."""

    requires: ClassVar[frozenset[str]] = frozenset({"postgres"})
    noun: ClassVar[str] = "CONNECTION"
    short: ClassVar[str] = "connection"
    weight: ClassVar[int] = 5
    manipulations: ClassVar[Manipulations] = {
        "validate": ("validate",) * TIMES,
        "alter": ("alter",) * TIMES,
        "alter_unvalidated": ("set_wrong_host", "restore_host"),
    }

    @property
    def own_secret(self) -> str:
        """Its own secret, where the base is none."""
        return self.qualified(f"{self.name}_pass")

    def create_statements(self) -> Statements:
        address = "HOST '${racehound.postgres-host}', PORT ${racehound.postgres-port}"
        secret = self.base.secret or self.own_secret
        login = f"DATABASE ${{racehound.postgres-database}}, USER postgres, PASSWORD SECRET {secret}"
        created = f"CREATE CONNECTION {self.ident} TO POSTGRES ({address}, {login})"
        return (
            (created,)
            if self.base.secret
            else (f"CREATE SECRET {self.own_secret} AS '${{racehound.postgres-password}}'", created)
        )

    def removal_statements(self, if_exists: str = "") -> Statements:
        dropped = super().removal_statements(if_exists)
        return dropped if self.base.secret else (*dropped, f"DROP SECRET {if_exists}{self.own_secret}")

    @reads
    def validate(self) -> Fragment:
        return run(f"VALIDATE CONNECTION {self.ident}")

    @changes
    def alter(self) -> Fragment:
        host = "HOST = '${racehound.postgres-host}'"
        return run(f"ALTER CONNECTION {self.ident} SET ({host}) WITH (VALIDATE = true)")

    @changes
    def set_wrong_host(self) -> Fragment:
        return run(f"ALTER CONNECTION {self.ident} SET (HOST = 'nowhere.invalid') WITH (VALIDATE = false)")

    @changes
    def restore_host(self) -> Fragment:
        return run(f"ALTER CONNECTION {self.ident} SET (HOST = '${{racehound.postgres-host}}') WITH (VALIDATE = false)")

    def verify(self) -> Fragment:
        return run(f"VALIDATE CONNECTION {self.ident}") + self.verify_catalog()
