"""Sources that take what is posted to them."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.materialize.kinds.shared_operations import Renamed
from racehound.databases.materialize.kinds.text import Statements, action, expect, expect_none, retried, set_variable
from racehound.kinds.kind import Fragment

_POSTED = {"TEXT": "hello", "JSON": '{"a": 1}', "JSON ARRAY": '[{"a": 1}, {"a": 1}]', "BYTES": "hello"}
_KEPT = {"TEXT": "'hello'", "JSON": """'{"a": 1}'::jsonb""", "JSON ARRAY": """'{"a": 1}'::jsonb""", "BYTES": "'hello'::bytea"}
"""What becomes of a posted body, by the body's format: an array becomes two rows."""


@dataclasses.dataclass(frozen=True)
class WebhookSource(Renamed):
    """A webhook in a cluster of its own. Verified: it holds exactly the bodies that were taken, one more after one more post."""

    body: Literal["TEXT", "JSON", "JSON ARRAY", "BYTES"] = "TEXT"

    requires: ClassVar[frozenset[str]] = frozenset({"http"})
    noun: ClassVar[str] = "SOURCE"
    short: ClassVar[str] = "source"
    weight: ClassVar[int] = 6

    @property
    def relation(self) -> str:
        return self.ident

    @property
    def key(self) -> str:
        return "body"

    @property
    def own_cluster(self) -> str:
        """Its cluster: with it the source is destroyed."""
        return self.shared_name("_cluster")

    def create_statements(self) -> Statements:
        return (
            f"DROP CLUSTER IF EXISTS {self.own_cluster} CASCADE",
            f"CREATE CLUSTER {self.own_cluster} (SIZE '${{racehound.cluster-size}}', REPLICATION FACTOR 1)",
            f"CREATE SOURCE {self.ident} IN CLUSTER {self.own_cluster} FROM WEBHOOK BODY FORMAT {self.body}",
        )

    def removal_statements(self, if_exists: str = "") -> Statements:
        return (f"DROP CLUSTER {if_exists}{self.own_cluster} CASCADE",)

    def clear(self) -> Fragment:
        """It begins with that itself."""
        return ""

    def verify(self) -> Fragment:
        seen = f"{self.name}-seen"
        database, schema = self.place
        rows = 2 if self.body == "JSON ARRAY" else 1
        return (
            expect_none(f"SELECT body FROM {self.ident} WHERE body <> {_KEPT[self.body]}")
            + set_variable(seen, f"SELECT count(*) FROM {self.ident}")
            + action(f"webhook-append database={database} schema={schema} name={self.name}", _POSTED[self.body])
            + retried(expect(f"SELECT count(*) - ${{{seen}}} FROM {self.ident}", str(rows)))
        )
