"""Load generators: sources that need no service."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.materialize.kinds.base import MaterializeKind
from racehound.databases.materialize.kinds.shared_operations import Renamed
from racehound.databases.materialize.kinds.text import TIMES, Statements, expect, expect_none, run, set_variable
from racehound.kinds.kind import Fragment, Manipulations, changes


@dataclasses.dataclass(frozen=True)
class LoadGeneratorSource(Renamed):
    """A counter that ticks. Verified: it has no gap and never goes back."""

    tick: Literal["1ms", "10ms", "100ms", "1s", "10s"] = "1s"

    noun: ClassVar[str] = "SOURCE"
    short: ClassVar[str] = "source"
    weight: ClassVar[int] = 16

    @property
    def relation(self) -> str:
        return self.ident

    @property
    def key(self) -> str:
        return "counter"

    def create_statements(self) -> Statements:
        generator = f"LOAD GENERATOR COUNTER (TICK INTERVAL '{self.tick}')"
        return (f"CREATE SOURCE {self.ident} IN CLUSTER {self.base.cluster} FROM {generator}",)

    def verify(self) -> Fragment:
        seen = f"{self.name}-seen"
        gaps = "count(*) - coalesce(max(counter), 0), coalesce(min(counter), 1)"
        return set_variable(seen, f"SELECT count(*) FROM {self.ident}") + expect(
            f"SELECT {gaps}, count(*) >= ${{{seen}}} FROM {self.ident}", "0 1 true"
        )


class Generator(MaterializeKind):
    """A generator of several collections: subsources in a schema of its own, or tables made from the source one by one."""

    noun: ClassVar[str] = "SOURCE"
    weight: ClassVar[int] = 3
    generator: ClassVar[str] = ""
    """What follows LOAD GENERATOR."""
    collections: ClassVar[tuple[str, ...]] = ()
    """Those that become tables; the first one is what dependents select from."""
    manipulations: ClassVar[Manipulations] = {
        "rename": ("rename", "rename_back"),
        "recreate_a_collection": ("drop_collection", "create_collection") * TIMES,
    }

    @property
    def as_tables(self) -> bool:
        raise NotImplementedError

    @property
    def schema(self) -> str:
        """The schema of the source, whose subsources bear the generator's names."""
        database, dot, _ = self.base.dependents_schema.rpartition(".")
        return f"{database}{dot}{self.name}_schema"

    def spelling(self, suffix: str = "") -> str:
        return super().spelling(suffix) if self.as_tables else f"{self.schema}.{self.bare_name(suffix)}"

    def collection(self, name: str) -> str:
        """What holds one of the generator's collections."""
        return self.qualified(f"{self.name}_{name}") if self.as_tables else f"{self.schema}.{name}"

    @property
    def relation(self) -> str:
        return self.collection(self.collections[0])

    @property
    def key(self) -> str:
        return "id"

    @property
    def only_grows(self) -> bool:
        return False

    def _table(self, name: str) -> str:
        return f"CREATE TABLE {self.collection(name)} FROM SOURCE {self.ident} (REFERENCE {name})"

    def create_statements(self) -> Statements:
        created = f"CREATE SOURCE {self.ident} IN CLUSTER {self.base.cluster} FROM LOAD GENERATOR {self.generator}"
        if self.as_tables:
            return created, *map(self._table, self.collections)
        return f"CREATE SCHEMA {self.schema}", f"{created} FOR ALL TABLES"

    def owner_statements(self) -> Statements:
        return ()

    def removal_statements(self, if_exists: str = "") -> Statements:
        if self.as_tables:
            return (f"DROP SOURCE {if_exists}{self.ident} CASCADE",)
        return (f"DROP SCHEMA {if_exists}{self.schema} CASCADE",)

    @changes
    def rename(self) -> Fragment:
        """The source, which stays in its schema."""
        return run(f"ALTER SOURCE {self.ident} RENAME TO {self.bare_name('_tmp_source')}")

    @changes
    def rename_back(self) -> Fragment:
        return run(f"ALTER SOURCE {self.spelling('_tmp_source')} RENAME TO {self.name}")

    @changes
    def drop_collection(self) -> Fragment:
        """The last one, where they are tables, with its dependents. A subsource could not come back."""
        dropped = f"DROP TABLE IF EXISTS {self.collection(self.collections[-1])} CASCADE"
        return run(dropped) if self.as_tables else ""

    @changes
    def create_collection(self) -> Fragment:
        return run(self._table(self.collections[-1])) if self.as_tables else ""

    def belongs(self, child: str, column: str, parent: str) -> Fragment:
        """No row of one collection refers to a row that another one has not."""
        known = f"SELECT id FROM {self.collection(parent)}"
        return expect_none(f"SELECT {column} FROM {self.collection(child)} WHERE {column} NOT IN ({known})")


@dataclasses.dataclass(frozen=True)
class AuctionSource(Generator):
    """An auction house. Verified: every bid is for an auction, every user of an organization."""

    form: Literal["subsources", "tables"] = "subsources"

    generator: ClassVar[str] = "AUCTION (TICK INTERVAL '100ms')"
    collections: ClassVar[tuple[str, ...]] = ("bids", "auctions", "users", "organizations")

    @property
    def as_tables(self) -> bool:
        return self.form == "tables"

    def verify(self) -> Fragment:
        return self.belongs("bids", "auction_id", "auctions") + self.belongs("users", "org_id", "organizations")


@dataclasses.dataclass(frozen=True)
class MarketingSource(Generator):
    """A marketing department. Verified: every click is on an impression that was made."""

    form: Literal["subsources", "tables"] = "subsources"

    generator: ClassVar[str] = "MARKETING (TICK INTERVAL '100ms')"
    collections: ClassVar[tuple[str, ...]] = ("impressions", "customers", "clicks")

    @property
    def as_tables(self) -> bool:
        return self.form == "tables"

    def verify(self) -> Fragment:
        return self.belongs("clicks", "impression_id", "impressions")


@dataclasses.dataclass(frozen=True)
class TpchSource(Generator):
    """TPC-H, small. Verified: nations and regions are those of the benchmark, every line item has its order."""

    form: Literal["subsources", "tables"] = "subsources"

    generator: ClassVar[str] = "TPCH (SCALE FACTOR 0.001, TICK INTERVAL '100ms')"
    collections: ClassVar[tuple[str, ...]] = ("lineitem", "orders", "nation", "region")

    @property
    def as_tables(self) -> bool:
        return self.form == "tables"

    @property
    def key(self) -> str:
        return "l_orderkey"

    def verify(self) -> Fragment:
        orders = f"SELECT o_orderkey FROM {self.collection('orders')}"
        orphans = f"SELECT l_orderkey FROM {self.collection('lineitem')} WHERE l_orderkey NOT IN ({orders})"
        named = f"SELECT n_nationkey FROM {self.collection('nation')}"
        region = f"SELECT r_regionkey FROM {self.collection('region')}"
        return expect_none(orphans) + expect_none(f"{named} WHERE n_regionkey NOT IN ({region})")


@dataclasses.dataclass(frozen=True)
class KeyValueSource(Renamed):
    """Sixteen keys whose values change. Verified: no more keys than there are, none of them twice."""

    noun: ClassVar[str] = "SOURCE"
    short: ClassVar[str] = "source"
    weight: ClassVar[int] = 3

    @property
    def relation(self) -> str:
        return self.ident

    @property
    def key(self) -> str:
        return "key"

    @property
    def only_grows(self) -> bool:
        return False

    def create_statements(self) -> Statements:
        options = "KEYS 16, PARTITIONS 4, SNAPSHOT ROUNDS 3, SEED 1, VALUE SIZE 100, BATCH SIZE 2, TICK INTERVAL '100ms'"
        generator = f"LOAD GENERATOR KEY VALUE ({options}) INCLUDE KEY ENVELOPE UPSERT"
        return (f"CREATE SOURCE {self.ident} IN CLUSTER {self.base.cluster} FROM {generator}",)

    def verify(self) -> Fragment:
        twice = expect_none(f"SELECT key, count(*) FROM {self.ident} GROUP BY key HAVING count(*) > 1")
        return twice + expect(f"SELECT count(*) <= 16 FROM {self.ident}", "true")
