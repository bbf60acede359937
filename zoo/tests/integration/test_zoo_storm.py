"""Many sessions change the catalog at once: a zoo without defects reports no internal error and stays consistent."""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter

import psycopg

from racehound_zoo.server import Zoo
from zoo_support.connections import connect
from zoo_support.recorded import request

_SECONDS = 6.0
_ACTORS = 5
_NAMES = ("x", "y", "z")
_STATEMENTS = (
    "CREATE TABLE {a} (a text, b text)",
    "CREATE VIEW {a} AS SELECT * FROM {b}",
    "CREATE MATERIALIZED VIEW {a} AS SELECT * FROM {b}",
    "CREATE MATERIALIZED VIEW {a} IN CLUSTER c{b} AS SELECT count(*) AS a FROM {c}",
    "CREATE DEFAULT INDEX ON {a}",
    "CREATE SOURCE {a} IN CLUSTER c{b} FROM LOAD GENERATOR COUNTER (TICK INTERVAL '1ms')",
    "CREATE CLUSTER c{a} (SIZE '1')",
    "DROP CLUSTER c{a} CASCADE",
    "ALTER CLUSTER c{a} SWAP WITH c{b}",
    "DROP TABLE {a} CASCADE",
    "DROP VIEW {a} CASCADE",
    "DROP MATERIALIZED VIEW {a}",
    "DROP SOURCE {a} CASCADE",
    "ALTER TABLE {a} RENAME TO {b}",
    "ALTER VIEW {a} RENAME TO {b}",
    "ALTER TABLE {a} ADD COLUMN c int",
    "GRANT SELECT ON {a} TO PUBLIC",
    "COMMENT ON TABLE {a} IS 'x'",
    "INSERT INTO {a} VALUES ('1', '2')",
    "UPDATE {a} SET b = b || '1'",
    "SELECT count(*) FROM {a}",
    "SELECT name, type FROM mz_objects WHERE id LIKE 'u%'",
    "BEGIN; SELECT count(*) FROM {a}; SELECT count(*) FROM {b}; COMMIT",
    "BEGIN; INSERT INTO {a} VALUES ('1', '2'); COMMIT",
    "BEGIN; DECLARE c CURSOR FOR SUBSCRIBE {a}; FETCH ALL c WITH (timeout='0.02s'); COMMIT",
    "BEGIN; ALTER TABLE {a} RENAME TO {a}_; ALTER TABLE {a}_ RENAME TO {a}; COMMIT",
    "CREATE SCHEMA s",
    "CREATE VIEW s.{a} AS SELECT * FROM public.{b}",
    "DROP SCHEMA s CASCADE",
    "CREATE OR REPLACE VIEW {a} AS SELECT * FROM {b}",
    "CREATE OR REPLACE MATERIALIZED VIEW {a} AS SELECT * FROM {b}",
    "CREATE MATERIALIZED VIEW {a} WITH (REFRESH EVERY '100ms') AS SELECT * FROM {b}",
    "CREATE REPLACEMENT MATERIALIZED VIEW {a}_ FOR {a} AS SELECT * FROM {b}",
    "ALTER MATERIALIZED VIEW {a} APPLY REPLACEMENT {a}_",
    "CREATE MATERIALIZED VIEW {a} IN CLUSTER c{b} REPLICA r1 AS SELECT 1 AS a",
    "ALTER CLUSTER c{a} SET (REPLICATION FACTOR 0)",
    "BEGIN; CREATE SOURCE {a} FROM LOAD GENERATOR AUCTION; CREATE TABLE {a}_ FROM SOURCE {a} (REFERENCE bids); COMMIT",
    "CREATE ROLE r{a}",
    "ALTER TABLE {b} OWNER TO r{a}",
    "DROP OWNED BY r{a} CASCADE",
    "DROP ROLE r{a}",
)
_FEATURES = ("enable_replacement_materialized_views", "enable_replica_targeted_materialized_views")


class _Storm:
    def __init__(self, zoo: Zoo) -> None:
        self.told: Counter[str] = Counter()
        self._zoo = zoo
        self._ends = time.monotonic() + _SECONDS
        self._lock = threading.Lock()

    def act(self, seed: int) -> None:
        draw = random.Random(seed)
        with connect(self._zoo.url) as session:
            while time.monotonic() < self._ends:
                a, b, c = (draw.choice(_NAMES) for _ in range(3))
                told = _told(session, draw.choice(_STATEMENTS).format(a=a, b=b, c=c))
                with self._lock:
                    self.told[told] += 1


def _told(session: psycopg.Connection[tuple[object, ...]], text: str) -> str:
    try:
        for part in text.split("; "):
            session.execute(part)
    except psycopg.Error as error:
        assert not session.closed, text
        message = re.sub(r"'[^']*'|\"[^\"]*\"", "…", error.diag.message_primary or str(error))
        if session.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            session.execute("ROLLBACK")
        return f"{error.sqlstate} {message}"
    return "ok"


def test_nothing_internal_is_said_and_the_catalog_stays_sound() -> None:
    with Zoo() as zoo:
        with connect(zoo.internal_url) as operator:
            for feature in _FEATURES:
                operator.execute(f"ALTER SYSTEM SET {feature} = on")
        storm = _Storm(zoo)
        sessions = [threading.Thread(target=storm.act, args=(seed,)) for seed in range(_ACTORS)]
        for session in sessions:
            session.start()
        while any(session.is_alive() for session in sessions):
            assert request(f"{zoo.internal_http_url}/api/coordinator/check") == (200, '""')
            sessions[0].join(0.2)
        assert "panicked" not in zoo.log_path.read_text()
    assert storm.told["ok"] > 100
    wrong = {told for told in storm.told if "internal" in told or "missing collection" in told}
    assert not wrong
