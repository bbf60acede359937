"""Load generators: sources whose data come from a clock and a random generator with a fixed seed.

Their relations are those of https://materialize.com/docs/sql/create-source/load-generator/; the rows are made up.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from racehound_zoo.catalog.model import Column
from racehound_zoo.datatypes import builtin
from racehound_zoo.rows import Update
from racehound_zoo.sources.source import Offer, Shape

Batch = list[tuple[str, Sequence[Update]]]
"""Changes by the name of the output; "" is the source itself."""
Ticks = Iterator[Batch]
"""The first batch is the initial data. Each further one belongs to one tick."""


@dataclasses.dataclass(frozen=True)
class Generator:
    """A load generator. `outputs` has the columns by the name of the output; an output without a name is the source itself."""

    namespace: str
    outputs: Mapping[str, Shape]
    run: Callable[[Mapping[str, str]], Ticks]

    @property
    def is_single(self) -> bool:
        return "" in self.outputs

    def offers(self) -> list[Offer]:
        return [
            Offer((self.namespace, name), tuple(column.name for column in shape.columns))
            for name, shape in self.outputs.items()
            if name
        ]


def _shape(text: str, key: str = "") -> Shape:
    columns = []
    for part in text.split(","):
        name, _, kind = part.strip().partition(" ")
        known = builtin(kind)
        assert known is not None, kind
        columns.append(Column(name, known, nullable=False))
    return Shape(tuple(columns), tuple(key.split()))


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat()


def _insert(*rows: Sequence[object]) -> list[Update]:
    return [([None if value is None else str(value) for value in row], 1) for row in rows]


def _counter(options: Mapping[str, str]) -> Ticks:
    limit = int(options.get("MAX CARDINALITY", 0))
    for count in _counting():
        updates = _insert((count,))
        if limit and count > limit:
            updates.append(([str(count - limit)], -1))
        yield [("", updates)]


def _clock(_: Mapping[str, str]) -> Ticks:
    shown = _now()
    yield [("", _insert((shown,)))]
    while True:
        before, shown = shown, _now()
        yield [("", [([before], -1), *_insert((shown,))])]


def _datums(_: Mapping[str, str]) -> Ticks:
    yield [("", _insert((1, "t", 1, 1, 1.5, "text", "2000-01-01"), (2, "f", -1, 0, -1.5, "", "1970-01-01")))]
    while True:
        yield []


def _key_value(options: Mapping[str, str]) -> Ticks:
    draw = random.Random(int(options.get("SEED", 0)))
    keys, partitions, size = (int(options.get(name, 1)) for name in ("KEYS", "PARTITIONS", "VALUE SIZE"))

    def value() -> str:
        return "\\x" + draw.randbytes(size).hex()

    held = {key: value() for key in range(keys)}
    yield [("", _insert(*((key % partitions, key, held[key]) for key in held)))]
    while True:
        key = draw.randrange(keys)
        old, held[key] = held[key], value()
        yield [("", [([str(key % partitions), str(key), old], -1), *_insert((key % partitions, key, held[key]))])]


def _auction(_: Mapping[str, str]) -> Ticks:
    draw = random.Random(1)
    yield [
        ("organizations", _insert(*((number, f"organization {number}") for number in range(1, 11)))),
        ("users", _insert(*((number, number % 10 + 1, f"user {number}") for number in range(1, 101)))),
        ("accounts", _insert(*((number, number, draw.randrange(1000)) for number in range(1, 11)))),
    ]
    bid = 0
    for number in _counting():
        ends = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=10)
        bids = [(bid + nth, draw.randrange(1, 101), number, draw.randrange(1, 100), _now()) for nth in range(1, 11)]
        bid += 10
        yield [
            ("auctions", _insert((number, draw.randrange(1, 101), f"item {number}", ends.isoformat()))),
            ("bids", _insert(*bids)),
        ]


def _marketing(_: Mapping[str, str]) -> Ticks:
    draw = random.Random(1)
    yield [
        ("customers", _insert(*((number, f"c{number}@example.com", draw.randrange(1, 100) * 1000) for number in range(1, 101))))
    ]
    for number in _counting():
        customer = draw.randrange(1, 101)
        batch: Batch = [
            ("impressions", _insert((number, customer, draw.randrange(1, 10), _now()))),
            ("leads", _insert((number, customer, _now(), None, None))),
        ]
        if number % 2:
            batch += [("clicks", _insert((number, _now()))), ("coupons", _insert((number, _now(), draw.randrange(1, 50))))]
        yield [*batch, ("conversion_predictions", _insert((number, "control", _now(), draw.random())))]


def _tpch(options: Mapping[str, str]) -> Ticks:
    scale = float(options.get("SCALE FACTOR", 0.01))
    draw = random.Random(1)
    sizes = {
        name: max(1, int(count * scale)) for name, count in {"supplier": 10_000, "part": 200_000, "customer": 150_000}.items()
    }
    orders = sizes["customer"] * 10

    def day() -> str:
        return f"199{draw.randrange(2, 9)}-0{draw.randrange(1, 10)}-1{draw.randrange(10)}"

    yield [
        ("region", _insert(*((key, f"REGION {key}", "") for key in range(5)))),
        ("nation", _insert(*((key, f"NATION {key}", key % 5, "") for key in range(25)))),
        (
            "supplier",
            _insert(
                *((key, f"Supplier {key}", "", key % 25, "", draw.randrange(9999), "") for key in range(1, sizes["supplier"] + 1))
            ),
        ),
        (
            "part",
            _insert(
                *((key, f"part {key}", "", "", "", key % 50, "", 900 + key % 100, "") for key in range(1, sizes["part"] + 1))
            ),
        ),
        (
            "partsupp",
            _insert(*((key, draw.randrange(1, sizes["supplier"] + 1), 10, 1, "") for key in range(1, sizes["part"] + 1))),
        ),
        (
            "customer",
            _insert(*((key, f"Customer {key}", "", key % 25, "", 0, "", "") for key in range(1, sizes["customer"] + 1))),
        ),
        ("orders", _insert(*((key, key % sizes["customer"] + 1, "O", 1, day(), "", "", 0, "") for key in range(1, orders + 1)))),
        ("lineitem", _insert(*(_lineitem(key, day(), sizes) for key in range(1, orders + 1)))),
    ]
    while True:
        yield []


def _lineitem(order: int, day: str, sizes: Mapping[str, int]) -> tuple[object, ...]:
    return (order, order % sizes["part"] + 1, order % sizes["supplier"] + 1, 1, 1, 100, 0, 0, "N", "O", day, day, day, "", "", "")


def _counting() -> Iterator[int]:
    number = 0
    while True:
        number += 1
        yield number


_AUCTION = {
    "organizations": _shape("id bigint, name text", "id"),
    "users": _shape("id bigint, org_id bigint, name text", "id"),
    "accounts": _shape("id bigint, org_id bigint, balance bigint", "id"),
    "auctions": _shape("id bigint, seller bigint, item text, end_time timestamptz", "id"),
    "bids": _shape("id bigint, buyer bigint, auction_id bigint, amount integer, bid_time timestamptz", "id"),
}
_MARKETING = {
    "customers": _shape("id bigint, email text, income bigint", "id"),
    "impressions": _shape("id bigint, customer_id bigint, campaign_id bigint, impression_time timestamptz", "id"),
    "clicks": _shape("impression_id bigint, click_time timestamptz"),
    "leads": Shape((*_shape("id bigint, customer_id bigint, created_at timestamptz").columns,
                    *(dataclasses.replace(column, nullable=True)
                      for column in _shape("converted_at timestamptz, conversion_amount bigint").columns)), ("id",)),
    "coupons": _shape("lead_id bigint, created_at timestamptz, amount bigint"),
    "conversion_predictions": _shape("lead_id bigint, experiment_bucket text, predicted_at timestamptz, score double precision"),
}  # fmt: skip
_TPCH = {
    "region": _shape("r_regionkey integer, r_name text, r_comment text", "r_regionkey"),
    "nation": _shape("n_nationkey integer, n_name text, n_regionkey integer, n_comment text", "n_nationkey"),
    "supplier": _shape(
        "s_suppkey integer, s_name text, s_address text, s_nationkey integer, s_phone text, s_acctbal numeric, s_comment text",
        "s_suppkey",
    ),
    "part": _shape(
        "p_partkey integer, p_name text, p_mfgr text, p_brand text, p_type text, p_size integer, p_container text, "
        "p_retailprice numeric, p_comment text",
        "p_partkey",
    ),
    "partsupp": _shape("ps_partkey integer, ps_suppkey integer, ps_availqty integer, ps_supplycost numeric, ps_comment text"),
    "customer": _shape(
        "c_custkey integer, c_name text, c_address text, c_nationkey integer, c_phone text, c_acctbal numeric, "
        "c_mktsegment text, c_comment text",
        "c_custkey",
    ),
    "orders": _shape(
        "o_orderkey bigint, o_custkey integer, o_orderstatus text, o_totalprice numeric, o_orderdate date, "
        "o_orderpriority text, o_clerk text, o_shippriority integer, o_comment text",
        "o_orderkey",
    ),
    "lineitem": _shape(
        "l_orderkey bigint, l_partkey integer, l_suppkey integer, l_linenumber integer, l_quantity numeric, "
        "l_extendedprice numeric, l_discount numeric, l_tax numeric, l_returnflag text, l_linestatus text, l_shipdate date, "
        "l_commitdate date, l_receiptdate date, l_shipinstruct text, l_shipmode text, l_comment text"
    ),
}

GENERATORS: Mapping[str, Generator] = MappingProxyType(
    {
        "COUNTER": Generator("counter", {"": _shape("counter bigint")}, _counter),
        "CLOCK": Generator("clock", {"": _shape("time timestamptz")}, _clock),
        "DATUMS": Generator(
            "datums",
            {
                "": _shape(
                    "rowid bigint, bool boolean, int16 smallint, int32 integer, float64 double precision, text text, date date"
                )
            },
            _datums,
        ),
        "KEY VALUE": Generator("key_value", {"": _shape("partition uint8, key uint8, value bytea", "key")}, _key_value),
        "AUCTION": Generator("auction", _AUCTION, _auction),
        "MARKETING": Generator("marketing", _MARKETING, _marketing),
        "TPCH": Generator("tpch", _TPCH, _tpch),
    }
)
