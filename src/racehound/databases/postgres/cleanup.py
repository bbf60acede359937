"""Drops the objects that a repetition left in the working database, and in the cluster under names that begin with the run's id.

Usually the sessions have dropped all their objects, and one prepared query finds nothing. Therefore a reset takes only a
millisecond or two. Otherwise the query returns a statement for each object, and what cannot be dropped requires a rebuild.
"""

from __future__ import annotations

from racehound.session import Outcome, Session

_ROUNDS = 3
"""After one object was dropped, another one may be dropped that could not be before."""

SUBSCRIPTIONS = """
SELECT 20, s FROM pg_subscription, LATERAL (VALUES (format('ALTER SUBSCRIPTION %I DISABLE', subname)),
  (format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', subname)), (format('DROP SUBSCRIPTION %I', subname))) AS steps (s)
  WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
"""A query for the statements that drop the database's subscriptions, ordered by both columns. The slots are not dropped."""

# The number orders the drops. `first` is the OID of the working database: all objects created in it have a higher one.
_IN_DATABASE = """
SELECT 10, format('DROP EVENT TRIGGER IF EXISTS %I', evtname) FROM pg_event_trigger WHERE oid > {first}
UNION ALL
{subscriptions}
UNION ALL
SELECT 30, format('DROP PUBLICATION IF EXISTS %I', pubname) FROM pg_publication WHERE oid > {first}
UNION ALL
SELECT 40, format('DROP SCHEMA IF EXISTS %I CASCADE', nspname) FROM pg_namespace
  WHERE oid > {first} AND nspname !~ '^pg_(toast_)?temp_'
UNION ALL
SELECT 50, format('DROP %s IF EXISTS %s CASCADE', replace(i.type, ' object', ''), i.identity)
FROM (
  SELECT 'pg_class'::regclass AS class, oid FROM pg_class
    WHERE oid > {first} AND relkind IN ('r', 'v', 'm', 'f', 'p', 'S', 'i') AND relpersistence <> 't' AND NOT relispartition
  UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE oid > {first}
  UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type WHERE oid > {first} AND typtype IN ('e', 'd', 'r')
  UNION ALL SELECT 'pg_type'::regclass, t.oid FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
    WHERE t.oid > {first}
  UNION ALL SELECT 'pg_operator'::regclass, oid FROM pg_operator WHERE oid > {first}
  UNION ALL SELECT 'pg_opfamily'::regclass, oid FROM pg_opfamily WHERE oid > {first}
  UNION ALL SELECT 'pg_cast'::regclass, oid FROM pg_cast WHERE oid > {first}
  UNION ALL SELECT 'pg_collation'::regclass, oid FROM pg_collation WHERE oid > {first}
  UNION ALL SELECT 'pg_conversion'::regclass, oid FROM pg_conversion WHERE oid > {first}
  UNION ALL SELECT 'pg_statistic_ext'::regclass, oid FROM pg_statistic_ext WHERE oid > {first}
  UNION ALL SELECT 'pg_ts_config'::regclass, oid FROM pg_ts_config WHERE oid > {first}
  UNION ALL SELECT 'pg_ts_dict'::regclass, oid FROM pg_ts_dict WHERE oid > {first}
  UNION ALL SELECT 'pg_extension'::regclass, oid FROM pg_extension WHERE oid > {first}
  UNION ALL SELECT 'pg_foreign_server'::regclass, oid FROM pg_foreign_server WHERE oid > {first}
  UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid FROM pg_foreign_data_wrapper WHERE oid > {first}
  UNION ALL SELECT 'pg_language'::regclass, oid FROM pg_language WHERE oid > {first}
  UNION ALL SELECT 'pg_am'::regclass, oid FROM pg_am WHERE oid > {first}
) AS o, LATERAL pg_identify_object(o.class, o.oid, 0) AS i
WHERE i.identity IS NOT NULL
UNION ALL
SELECT 60, format('SELECT lo_unlink(%s)', oid) FROM pg_largeobject_metadata
UNION ALL
SELECT 70, 'public has another owner or privileges' FROM pg_namespace
  WHERE nspname = 'public' AND (nspowner, nspacl::text) IS DISTINCT FROM ROW ({public})
UNION ALL
SELECT 70, 'there are default privileges' FROM pg_default_acl
"""

_IN_CLUSTER = """
SELECT 80, format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts WHERE database = current_database() OR gid LIKE '{run}\\_%'
UNION ALL
SELECT 81, format('DROP OWNED BY %I CASCADE', rolname) FROM pg_roles WHERE rolname LIKE '{run}\\_o\\_%'
UNION ALL
SELECT 82, format('SELECT pg_drop_replication_slot(%L)', slot_name) FROM pg_replication_slots
  WHERE NOT active AND (slot_name LIKE '{run}\\_%' OR database = current_database())
UNION ALL
SELECT 83, d FROM pg_database, LATERAL (VALUES (format('ALTER DATABASE %I IS_TEMPLATE false', datname)),
  (format('DROP DATABASE IF EXISTS %I WITH (FORCE)', datname))) AS steps (d)
  WHERE datname LIKE '{run}\\_o\\_%'
UNION ALL
SELECT 84, format('DROP TABLESPACE IF EXISTS %I', spcname) FROM pg_tablespace WHERE spcname LIKE '{run}\\_o\\_%'
UNION ALL
SELECT 85, format('DROP ROLE IF EXISTS %I', rolname) FROM pg_roles WHERE rolname LIKE '{run}\\_o\\_%'
"""


class DatabaseCleaner:
    """Drops leftovers from one working database through one of its sessions.

    The query is prepared when the object is made. At that moment the database must be as a clone of the template.
    """

    def __init__(self, session: Session, run_id: str) -> None:
        self._session = session
        first = _cell(session.execute("SELECT oid FROM pg_database WHERE datname = current_database()"))
        public = _cell(
            session.execute("SELECT format('%s, %L', nspowner, nspacl::text) FROM pg_namespace WHERE nspname = 'public'")
        )
        union = " UNION ALL ".join(
            (_IN_DATABASE.format(first=first, public=public, subscriptions=SUBSCRIPTIONS), _IN_CLUSTER.format(run=run_id))
        )
        session.execute(f"PREPARE racehound_sweep AS {union} ORDER BY 1, 2")

    def leftovers(self) -> list[str]:
        """The statements that remove all leftovers, in order. A text that is no statement describes what cannot be removed."""
        outcome = self._session.execute("EXECUTE racehound_sweep")
        if outcome.rows is None:
            return [f"the catalog cannot be read: {outcome.error.message if outcome.error else 'connection lost'}"]
        return [row[1] or "" for row in outcome.rows.cells]

    def drop_leftovers(self) -> bool:
        """Drop all leftovers; False when something remains."""
        left = self.leftovers()
        for _ in range(_ROUNDS):
            if not left:
                return True
            for statement in left:
                self._session.execute(statement)  # the next query returns a failed statement again
            left = self.leftovers()
        return not left


def _cell(outcome: Outcome) -> str:
    if outcome.rows is None or not outcome.rows.cells:
        return "0"
    return outcome.rows.cells[0][0] or "0"
