"""The map of the server's system catalogs: their names, their keys, and which column refers to which.

PostgreSQL 14 and later provide this map, in `pg_get_catalog_foreign_keys()` and in the primary keys of the catalogs ("System
Catalog Declarations and Initial Contents" in the PostgreSQL documentation). Therefore it is always up to date.
"""

from __future__ import annotations

import msgspec

from racehound.errors import TargetError
from racehound.session import Session

OLDEST_VERSION = 140000
"""`server_version_num` of the first release that has `pg_get_catalog_foreign_keys()`."""


FIRST_UNPINNED_OID = 12000
"""`FirstUnpinnedObjectId` of `access/transam.h`, PostgreSQL 15 and later."""


class CatalogCheckUnavailableError(TargetError):
    """The catalogs cannot be checked at all: the server is too old, or the session may not read every catalog."""


class Catalog(msgspec.Struct, frozen=True):
    """A system catalog."""

    name: str
    oid: int
    shared: bool
    """Whether all databases of the cluster share it."""
    key: tuple[str, ...]
    """The columns of its primary key; empty for `pg_depend` and `pg_shdepend`, which have none."""
    acls: tuple[str, ...]
    """Its columns of type `aclitem[]`."""
    trees: tuple[str, ...] = ()
    """Its columns of type `pg_node_tree`, which hold expressions."""


class ForeignKey(msgspec.Struct, frozen=True):
    """One row of `pg_get_catalog_foreign_keys()`."""

    catalog: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    is_array: bool
    """Whether the last column is an array of references."""
    is_opt: bool
    """Whether the last column may be 0, which refers to nothing."""


class CatalogMap(msgspec.Struct, frozen=True):
    """The map of one server and of the database that the session is connected to."""

    version: int
    """`server_version_num`, e.g. 180006."""
    database: int
    """OID of the current database."""
    first_unpinned: int
    """Objects with a lower OID are pinned, but for databases, large objects and the schema `public`: PostgreSQL drops none of
    them and records no dependency on them. From 15 on it is `FirstUnpinnedObjectId` (`IsPinnedObject` in `catalog.c`). 14 has a
    row of `pg_depend` or `pg_shdepend` for each pinned object; initdb makes all of them before it makes any other object."""
    catalogs: dict[str, Catalog]
    keys: tuple[ForeignKey, ...]


_SERVER = """
SELECT current_setting('server_version_num'), d.oid, current_setting('server_version'),
       (SELECT max(p.oid)::int8 + 1 FROM (SELECT max(refobjid) FROM pg_catalog.pg_depend WHERE deptype = 'p'
        UNION ALL SELECT max(refobjid) FROM pg_catalog.pg_shdepend WHERE deptype = 'p') p(oid))
FROM pg_catalog.pg_database d WHERE d.datname = current_database()"""

_CATALOGS = """
SELECT c.relname, c.oid, c.relisshared,
       (SELECT string_agg(a.attname, ',' ORDER BY k.position)
        FROM pg_catalog.pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, position), pg_catalog.pg_attribute a
        WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND a.attnum = k.attnum),
       (SELECT string_agg(a.attname, ',' ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.atttypid = 'pg_catalog.aclitem[]'::regtype),
       (SELECT string_agg(a.attname, ',' ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.atttypid = 'pg_catalog.pg_node_tree'::regtype)
FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND c.oid < 12000
ORDER BY c.relname"""

_KEYS = """
SELECT f.relname, array_to_string(k.fkcols, ','), t.relname, array_to_string(k.pkcols, ','), k.is_array, k.is_opt
FROM pg_catalog.pg_get_catalog_foreign_keys() k
JOIN pg_catalog.pg_class f ON f.oid = k.fktable JOIN pg_catalog.pg_class t ON t.oid = k.pktable
ORDER BY 1, 2, 3"""


def read_catalog_map(session: Session) -> CatalogMap:
    """Read the map from the server.

    Raises CatalogCheckUnavailableError before PostgreSQL 14, TargetError if the server does not answer.
    """
    version, database, release, first_unpinned = _cells(session, _SERVER)[0]
    if int(version) < OLDEST_VERSION:
        message = f"catalog integrity cannot be checked on PostgreSQL {release}: pg_get_catalog_foreign_keys() came with 14"
        raise CatalogCheckUnavailableError(message)
    return CatalogMap(
        version=int(version),
        database=int(database),
        first_unpinned=int(first_unpinned or FIRST_UNPINNED_OID),
        catalogs={row[0]: _catalog(row) for row in _cells(session, _CATALOGS)},
        keys=tuple(_foreign_key(row) for row in _cells(session, _KEYS)),
    )


def _cells(session: Session, sql: str) -> list[tuple[str, ...]]:
    outcome = session.execute(sql)
    if outcome.rows is None:
        reason = outcome.error.message if outcome.error else outcome.status
        raise TargetError(f"the map of the system catalogs could not be read: {reason}")
    return [tuple(cell or "" for cell in row) for row in outcome.rows.cells]


def _catalog(row: tuple[str, ...]) -> Catalog:
    name, oid, shared, key, acls, trees = row
    return Catalog(name, int(oid), shared == "t", _names(key), _names(acls), _names(trees))


def _foreign_key(row: tuple[str, ...]) -> ForeignKey:
    catalog, columns, target, target_columns, is_array, is_opt = row
    return ForeignKey(catalog, _names(columns), target, _names(target_columns), is_array == "t", is_opt == "t")


def _names(joined: str) -> tuple[str, ...]:
    return tuple(joined.split(",")) if joined else ()
