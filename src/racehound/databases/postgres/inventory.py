"""The names of the objects in a working database, and of the run's objects in the cluster, by the sort of object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from racehound.errors import TargetError
from racehound.session import Session

_OF_EXTENSION = (
    "NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = '{catalog}'::regclass AND d.objid = t.oid AND d.deptype = 'e')"
)
_CATALOGS = {
    "relation": ("pg_class", "relname", "t.relkind <> 't' AND t.relnamespace::regnamespace::text !~ '^pg_toast'"),
    "type": ("pg_type", "typname", "t.typtype IN ('c', 'd', 'e', 'r') AND t.typcategory <> 'A' AND t.typrelid = 0"),
    "function": ("pg_proc", "proname", "true"),
    "constraint": ("pg_constraint", "conname", "true"),
    "trigger": ("pg_trigger", "tgname", "NOT t.tgisinternal"),
    "rule": ("pg_rewrite", "rulename", "t.rulename <> '_RETURN'"),
    "policy": ("pg_policy", "polname", "true"),
    "operator": ("pg_operator", "oprname", "true"),
    "operator class": ("pg_opclass", "opcname", "true"),
    "operator family": ("pg_opfamily", "opfname", "true"),
    "collation": ("pg_collation", "collname", "true"),
    "conversion": ("pg_conversion", "conname", "true"),
    "statistics": ("pg_statistic_ext", "stxname", "true"),
    "text search configuration": ("pg_ts_config", "cfgname", "true"),
    "text search dictionary": ("pg_ts_dict", "dictname", "true"),
    "extension": ("pg_extension", "extname", "true"),
    "foreign data wrapper": ("pg_foreign_data_wrapper", "fdwname", "true"),
    "server": ("pg_foreign_server", "srvname", "true"),
    "language": ("pg_language", "lanname", "true"),
    "access method": ("pg_am", "amname", "true"),
    "publication": ("pg_publication", "pubname", "true"),
    "event trigger": ("pg_event_trigger", "evtname", "true"),
    "schema": ("pg_namespace", "nspname", "t.nspname !~ '^pg_'"),
}
"""Catalog, name column and condition for each sort of object in a database. Sorts whose objects have no names are left out."""
_SHARED = {
    "role": ("pg_roles", "rolname"),
    "database": ("pg_database", "datname"),
    "tablespace": ("pg_tablespace", "spcname"),
    "subscription": ("pg_subscription", "subname"),
    "replication slot": ("pg_replication_slots", "slot_name"),
}


def inventory(session: Session, run_id: str) -> Mapping[str, frozenset[str]]:
    """Names without schema, by sort of object, except members of extensions. TargetError when they cannot be read.

    `session`: one in the working database. All objects created there have a higher OID than the database itself.
    """
    parts = [
        f"SELECT '{sort}', t.{name}::text FROM {catalog} AS t WHERE t.oid > "
        f"(SELECT oid FROM pg_database WHERE datname = current_database()) AND {condition} AND "
        + _OF_EXTENSION.format(catalog=catalog)
        for sort, (catalog, name, condition) in _CATALOGS.items()
    ]
    parts += [
        f"SELECT '{sort}', {name}::text FROM {catalog} WHERE {name} LIKE '{run_id}\\_o\\_%'"
        for sort, (catalog, name) in _SHARED.items()
    ]
    outcome = session.execute(" UNION ALL ".join(parts))
    if outcome.rows is None:
        raise TargetError(f"the names in the database cannot be read: {outcome.error.message if outcome.error else 'no rows'}")
    found: dict[str, set[str]] = defaultdict(set)
    for sort, name in outcome.rows.cells:
        found[sort or ""].add(name or "")
    return {sort: frozenset(names) for sort, names in found.items()}
