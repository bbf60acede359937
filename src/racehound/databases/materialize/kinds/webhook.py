"""Sources that take what is posted to them."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.materialize.kinds.lives import Renamed
from racehound.databases.materialize.kinds.text import Statements, action, ask, none_of, patiently, remember
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
        return self.shared("_cluster")

    def building(self) -> Statements:
        return (
            f"DROP CLUSTER IF EXISTS {self.own_cluster} CASCADE",
            f"CREATE CLUSTER {self.own_cluster} (SIZE '${{racehound.cluster-size}}', REPLICATION FACTOR 1)",
            f"CREATE SOURCE {self.ident} IN CLUSTER {self.own_cluster} FROM WEBHOOK BODY FORMAT {self.body}",
        )

    def razing(self, maybe: str = "") -> Statements:
        return (f"DROP CLUSTER {maybe}{self.own_cluster} CASCADE",)

    def clear(self) -> Fragment:
        """It begins with that itself."""
        return ""

    def verify(self) -> Fragment:
        seen = f"{self.name}-seen"
        database, schema = self.place
        rows = 2 if self.body == "JSON ARRAY" else 1
        return (
            none_of(f"SELECT body FROM {self.ident} WHERE body <> {_KEPT[self.body]}")
            + remember(seen, f"SELECT count(*) FROM {self.ident}")
            + action(f"webhook-append database={database} schema={schema} name={self.name}", _POSTED[self.body])
            + patiently(ask(f"SELECT count(*) - ${{{seen}}} FROM {self.ident}", str(rows)))
        )
