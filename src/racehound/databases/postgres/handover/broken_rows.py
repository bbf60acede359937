"""Queries for the broken catalog rows that a finding of the catalog oracle is about, as a person would write them.

A title of that oracle is `catalog.column -> other.column: problem (object)` for a reference, else `catalog.column: problem`.
"""

from __future__ import annotations

import dataclasses
import re

from racehound.databases.postgres.oracles.catalog_map import CatalogMap
from racehound.databases.postgres.oracles.catalog_queries import NO_DEPENDENCY, NO_OWNER, ROW_MISSING
from racehound.databases.postgres.oracles.catalog_rules import RULES
from racehound.databases.postgres.oracles.recorded_dependencies import DEPENDENCIES, OWNERS

_REFERENCE = re.compile(
    r"(?P<catalog>pg_\w+)\.(?P<column>\w+(?:,\w+)?)(?P<acl> grant(?:or|ee))? -> (?P<other>pg_\w+)\.(?P<key>\w+(?:,\w+)?): "
    rf"(?P<problem>{ROW_MISSING}|{NO_DEPENDENCY}|{NO_OWNER})"
)
_CLASSES = {"refobjid": "refclassid", "objid": "classid", "objoid": "classoid"}
"""For columns that may refer to any catalog: the column that names the catalog."""
_SUBIDS = {"refobjid": "refobjsubid", "objid": "objsubid", "objoid": "objsubid"}
"""For the same columns: the one with the number of a column."""
_ARRAYS = frozenset((
    "conexclop", "conffeqop", "confkey", "conkey", "conpfeqop", "conppeqop", "extconfig", "indclass", "indcollation", "indkey",
    "partattrs", "partclass", "partcollation", "polroles", "proallargtypes", "proargtypes", "protrftypes",
    "prattrs", "stxkeys", "tgattr",
))  # fmt: skip
"""Columns that are arrays of references (`is_array` of `pg_get_catalog_foreign_keys()`)."""
_ANY_SERVER = CatalogMap(version=0, database=0, first_unpinned=12_000, catalogs={}, keys=())
"""The map that a query is written with which any server can run; 12,000 is `FirstUnpinnedObjectId` (`transam.h`)."""
_FIRST_NORMAL_OID = 16384
_NAMES = {
    "pg_am": "amname", "pg_authid": "rolname", "pg_class": "relname", "pg_collation": "collname", "pg_constraint": "conname",
    "pg_conversion": "conname", "pg_database": "datname", "pg_event_trigger": "evtname", "pg_extension": "extname",
    "pg_foreign_data_wrapper": "fdwname", "pg_foreign_server": "srvname", "pg_language": "lanname", "pg_namespace": "nspname",
    "pg_opclass": "opcname", "pg_operator": "oprname", "pg_opfamily": "opfname", "pg_policy": "polname", "pg_proc": "proname",
    "pg_publication": "pubname", "pg_rewrite": "rulename", "pg_statistic_ext": "stxname", "pg_subscription": "subname",
    "pg_tablespace": "spcname", "pg_trigger": "tgname", "pg_ts_config": "cfgname", "pg_ts_dict": "dictname", "pg_type": "typname",
}  # fmt: skip
"""Catalogs whose rows have an OID and a name."""
_SHOWN = {
    "pg_auth_members": "c.roleid, c.member::regrole, c.grantor::regrole",
    "pg_depend": "c.classid::regclass, c.objid, c.objsubid, c.refclassid::regclass, c.refobjid, c.refobjsubid, c.deptype",
    "pg_shdepend": "c.dbid, c.classid::regclass, c.objid, c.objsubid, c.refclassid::regclass, c.refobjid, c.deptype",
    "pg_description": "c.classoid::regclass, c.objoid, c.objsubid, c.description",
    "pg_shdescription": "c.classoid::regclass, c.objoid, c.description",
    "pg_attribute": "c.attrelid::regclass, c.attname",
    "pg_index": "c.indexrelid::regclass, c.indrelid::regclass",
    "pg_inherits": "c.inhrelid::regclass, c.inhparent::regclass",
}
"""What of a row a person wants to see."""


@dataclasses.dataclass(frozen=True)
class BrokenRows:
    """A sort of broken catalog rows."""

    query: str
    """Returns them."""
    removal: str
    """A statement that removes them, for what no DROP reaches; empty where dropping the objects is enough."""
    what: str
    """What is wrong, as a clause: `a row of pg_auth_members refers to …`."""


def broken_rows(title: str) -> BrokenRows | None:
    """The broken rows that a title is about; None for a title that is about something else."""
    said = _REFERENCE.match(title)
    if said is None:
        return _by_rule(title)
    catalog, column, other = said["catalog"], said["column"], said["other"]
    what = f"a row of {catalog} refers by {column} to a row of {other} that does not exist"
    if said["problem"] == ROW_MISSING and said["acl"]:
        side = said["acl"].strip()
        condition = (
            f"EXISTS (SELECT FROM aclexplode(c.{column}) AS a WHERE a.{side} <> 0\n  "
            f"AND NOT EXISTS (SELECT FROM pg_authid AS o WHERE o.oid = a.{side}))"
        )
        removal = f"UPDATE {catalog} AS c SET {column} = NULL\nWHERE {condition}"
        what = f"the privileges in {catalog}.{column} name as {side} a role that does not exist"
        return BrokenRows(_select(catalog, column, condition), removal, what)
    if said["problem"] == ROW_MISSING:
        condition = _leads_nowhere(column, other, said["key"])
        removal = f"DELETE FROM {catalog} AS c\nWHERE {condition}"
        return BrokenRows(_select(catalog, column, condition), removal, what)
    return _unrecorded(catalog, column, other, owner=said["problem"] == NO_OWNER)


def _select(catalog: str, column: str, condition: str) -> str:
    name = _NAMES.get(catalog)
    shown = _SHOWN.get(catalog) or (f"c.oid, c.{name}, c.{column.rpartition(',')[2]}" if name else "c.*")
    return f"SELECT {shown}\nFROM {catalog} AS c\nWHERE {condition}"


def _leads_nowhere(column: str, other: str, key: str) -> str:
    """The condition on a row `c` that its reference leads nowhere."""
    columns, keys = column.split(","), key.split(",")
    of_kind = f"c.{_CLASSES[column]} = '{_catalog_of(other, keys)}'::regclass\n  AND " if column in _CLASSES else ""
    last = columns[-1]
    array = last in _ARRAYS
    value = "r.value" if array else f"c.{last}"
    if len(keys) == 1:
        missing = f"{value} <> 0\n  AND NOT EXISTS (SELECT FROM {other} AS o WHERE o.{key} = {value})"
    else:
        first, second = (f"c.{column}", f"c.{_SUBIDS[column]}") if column in _SUBIDS else (f"c.{columns[0]}", value)
        missing = (
            f"{second} <> 0\n  AND NOT EXISTS (SELECT FROM {other} AS o WHERE o.{keys[0]} = {first} AND o.{keys[1]} = {second})"
        )
    return f"{of_kind}EXISTS (SELECT FROM unnest(c.{last}) AS r(value) WHERE {missing})" if array else f"{of_kind}{missing}"


def _catalog_of(other: str, keys: list[str]) -> str:
    """The catalog that an address names: a column's address names its relation."""
    return "pg_class" if len(keys) > 1 else other


def _unrecorded(catalog: str, column: str, other: str, *, owner: bool) -> BrokenRows | None:
    conditions = OWNERS if owner else DEPENDENCIES
    condition = conditions.get((catalog, column))
    if condition is None or "," in column or column in _ARRAYS:
        return None
    records = "pg_shdepend" if owner else "pg_depend"
    here = (
        "d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) AND d.deptype = 'o' AND "
        if owner
        else ""
    )
    row = "c.oid" if catalog in _NAMES else None
    if row is None:
        return None
    unrecorded = (
        f"c.oid >= {_FIRST_NORMAL_OID} AND c.{column} >= {_FIRST_NORMAL_OID} AND ({condition})\n  AND NOT EXISTS ("
        f"SELECT FROM {records} AS d WHERE {here}d.classid = '{catalog}'::regclass AND d.objid = c.oid "
        f"AND d.refclassid = '{other}'::regclass AND d.refobjid = c.{column})"
    )
    what = f"{records} has no row for the reference of a row of {catalog} by {column} to {other}"
    return BrokenRows(_select(catalog, column, unrecorded), "", what)


def _by_rule(title: str) -> BrokenRows | None:
    rule = next((rule for rule in RULES if title.startswith(f"{rule.catalog}.{rule.column}: {rule.problem}")), None)
    if rule is None:
        return None
    text = rule.sql(_FIRST_NORMAL_OID, _ANY_SERVER).replace(
        "IN (0, 0)", "IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))"
    )
    query = " ".join(text.replace("pg_catalog.", "").split())
    return BrokenRows(query, "", f"{rule.catalog}.{rule.column}: {rule.problem}")
