"""Rules for catalog rows that no foreign key expresses: about counts, flags, and rows that must exist together.

Each rule is a query over rows with an OID of at least `$first`. It returns (object OID, column number or 0) for each violation.
Some flags are cleared lazily, so they may be true without a row (`relhasindex`, `relhasrules`, `relhastriggers`,
`relhassubclass`: PostgreSQL documentation, "pg_class"). They must not be false when rows exist.
"""

from __future__ import annotations

import re
import string

import msgspec

from racehound.databases.postgres.oracles.catalog_map import CatalogMap

_FIRST_NORMAL = 16384
"""Objects that initdb made have an OID below `FirstNormalObjectId` (`access/transam.h`). Some rules do not apply to them."""


class CatalogRule(msgspec.Struct, frozen=True):
    """A rule; its query returns no row on a healthy database."""

    catalog: str
    column: str
    problem: str
    """The problem when the query returns a row. It follows "catalog.column: " in findings."""
    query: str
    subject: str = ""
    """The catalog of the object that the query returns, if it is not `catalog`."""
    since: int = 0
    """The first `server_version_num` for which the rule holds."""
    legal: bool = False
    """Whether a statement that failed or was cancelled may legally leave the state that the rule finds."""

    @property
    def ranged(self) -> str:
        """The catalog of which the query reads the rows from `$first` on; empty if it has no such condition."""
        bound = re.search(r"\b(\w+)\.\w+(?:::oid)? >= \$first", self.query)
        catalog = bound and re.search(rf"\bpg_catalog\.(\w+) {bound[1]}\b", self.query)
        return catalog[1] if catalog else ""

    def sql(self, first: int, catalog_map: CatalogMap) -> str:
        """The query over objects with an OID of at least `first` in the database of the map."""
        return string.Template(self.query).substitute(
            first=first, database=catalog_map.database, pinned=catalog_map.first_unpinned, normal=_FIRST_NORMAL
        )


def _flag(flag: str, catalog: str, relation: str, key: str) -> CatalogRule:
    return CatalogRule(
        "pg_class",
        flag,
        f"false where {catalog} has rows",
        f"SELECT c.oid, 0 FROM pg_catalog.{catalog} x JOIN pg_catalog.pg_class c ON c.oid = x.{relation} "
        f"WHERE x.{key} >= $first AND NOT c.{flag}",
    )


def _companion(catalog: str, column: str, value: str, other: str, key: str) -> CatalogRule:
    return CatalogRule(
        catalog,
        column,
        f"'{value}' without its row in {other}",
        f"SELECT c.oid, 0 FROM pg_catalog.{catalog} c WHERE c.oid >= $first AND c.{column} = '{value}' "
        f"AND NOT EXISTS (SELECT FROM pg_catalog.{other} x WHERE x.{key} = c.oid)",
    )


_FLAGS = (
    _flag("relhasindex", "pg_index", "indrelid", "indexrelid"),
    _flag("relhasrules", "pg_rewrite", "ev_class", "oid"),
    _flag("relhastriggers", "pg_trigger", "tgrelid", "oid"),
    _flag("relhassubclass", "pg_inherits", "inhparent", "inhrelid"),
)

_COMPANIONS = (
    _companion("pg_class", "relkind", "S", "pg_sequence", "seqrelid"),
    _companion("pg_class", "relkind", "p", "pg_partitioned_table", "partrelid"),
    _companion("pg_class", "relkind", "f", "pg_foreign_table", "ftrelid"),
    _companion("pg_class", "relkind", "i", "pg_index", "indexrelid"),
    _companion("pg_class", "relkind", "I", "pg_index", "indexrelid"),
    _companion("pg_class", "relkind", "v", "pg_rewrite", "ev_class"),
    _companion("pg_class", "relkind", "m", "pg_rewrite", "ev_class"),
    _companion("pg_type", "typtype", "r", "pg_range", "rngtypid"),
    _companion("pg_type", "typtype", "m", "pg_range", "rngmultitypid"),
    _companion("pg_proc", "prokind", "a", "pg_aggregate", "aggfnoid"),
)

_RELATIONS = (
    CatalogRule(
        "pg_class",
        "relnatts",
        "differs from the number of pg_attribute rows",
        """SELECT c.oid, 0 FROM pg_catalog.pg_class c WHERE c.oid >= $first AND c.relnatts <>
           (SELECT count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0)""",
    ),
    CatalogRule(
        "pg_class",
        "relchecks",
        "differs from the number of CHECK rows in pg_constraint",
        """SELECT c.oid, 0 FROM pg_catalog.pg_class c WHERE c.oid >= $first AND c.relkind IN ('r', 'p', 'f') AND c.relchecks <>
           (SELECT count(*) FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c')""",
    ),
    CatalogRule(
        "pg_class",
        "relispartition",
        "true without a partitioned parent in pg_inherits",
        """SELECT c.oid, 0 FROM pg_catalog.pg_class c WHERE c.oid >= $first AND c.relispartition AND NOT EXISTS
           (SELECT FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
            WHERE i.inhrelid = c.oid AND p.relkind IN ('p', 'I'))""",
    ),
    CatalogRule(
        "pg_class",
        "relispartition",
        "false with a partitioned parent in pg_inherits",
        """SELECT c.oid, 0 FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
           JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
           WHERE i.inhrelid >= $first AND p.relkind IN ('p', 'I') AND NOT c.relispartition""",
    ),
    CatalogRule(
        "pg_class",
        "relpartbound",
        "does not agree with relispartition",
        """SELECT c.oid, 0 FROM pg_catalog.pg_class c WHERE c.oid >= $first AND c.relkind IN ('r', 'p', 'f')
           AND c.relispartition <> (c.relpartbound IS NOT NULL)""",
    ),
    CatalogRule(
        "pg_class",
        "reltoastrelid",
        "TOAST table without the table that it belongs to",
        """SELECT c.oid, 0 FROM pg_catalog.pg_class c
           WHERE c.oid >= $first AND c.oid >= $pinned AND c.relkind = 't' AND NOT EXISTS
           (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class p ON p.oid = d.refobjid
            WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
            AND d.refclassid = 'pg_catalog.pg_class'::regclass AND p.reltoastrelid = c.oid)""",
    ),
    CatalogRule(
        "pg_class",
        "relfilenode",
        "shared with another relation of the same tablespace",
        # The names of temporary relations' files contain the backend's number. Therefore they may share a file number.
        """SELECT c.oid, 0 FROM pg_catalog.pg_class c WHERE c.oid >= $first AND c.relfilenode <> 0 AND c.relpersistence <> 't'
           AND EXISTS (SELECT FROM pg_catalog.pg_class o WHERE o.reltablespace = c.reltablespace
           AND o.relfilenode = c.relfilenode AND o.oid <> c.oid AND o.relpersistence <> 't')""",
    ),
    CatalogRule(
        "pg_class",
        "relfilenode",
        "0 where the relation has storage",
        """SELECT c.oid, 0 FROM pg_catalog.pg_class c WHERE c.oid >= $first AND c.oid >= $normal
           AND c.relkind IN ('r', 'i', 'S', 't', 'm') AND c.relfilenode = 0""",
    ),
    CatalogRule(
        "pg_inherits",
        "inhdetachpending",
        "a detach that was never finished",
        "SELECT i.inhrelid, 0 FROM pg_catalog.pg_inherits i WHERE i.inhrelid >= $first AND i.inhdetachpending",
        subject="pg_class",
        legal=True,
    ),
)

_TYPES = (
    CatalogRule(
        "pg_class",
        "reltype",
        "is not the row type of the relation",
        """SELECT c.oid, 0 FROM pg_catalog.pg_class c WHERE c.oid >= $first AND c.relkind IN ('r', 'v', 'm', 'c', 'f', 'p')
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid = c.reltype AND t.typrelid = c.oid)""",
    ),
    CatalogRule(
        "pg_type",
        "typrelid",
        "row type of a relation that has another one",
        """SELECT t.oid, 0 FROM pg_catalog.pg_type t WHERE t.oid >= $first AND t.typrelid <> 0
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.reltype = t.oid)""",
    ),
    CatalogRule(
        "pg_type",
        "typarray",
        "is not an array of the type",
        """SELECT t.oid, 0 FROM pg_catalog.pg_type t WHERE t.oid >= $first AND t.typarray <> 0
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_type a WHERE a.oid = t.typarray AND a.typelem = t.oid)""",
    ),
    CatalogRule(
        "pg_type",
        "typelem",
        "array type of an element that has another one",
        """SELECT t.oid, 0 FROM pg_catalog.pg_type t
           WHERE t.oid >= $first AND t.typinput = 'pg_catalog.array_in'::regproc AND t.typelem <> 0
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid)""",
    ),
)

_COLUMNS = (
    CatalogRule(
        "pg_attribute",
        "atthasdef",
        "true without a row in pg_attrdef",
        """SELECT a.attrelid, a.attnum FROM pg_catalog.pg_attribute a WHERE a.attrelid >= $first AND a.atthasdef AND NOT EXISTS
           (SELECT FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum)""",
        subject="pg_class",
    ),
    CatalogRule(
        "pg_attribute",
        "atthasdef",
        "false with a row in pg_attrdef",
        """SELECT a.attrelid, a.attnum FROM pg_catalog.pg_attrdef d
           JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
           WHERE d.oid >= $first AND NOT a.atthasdef""",
        subject="pg_class",
    ),
    CatalogRule(
        "pg_attribute",
        "attinhcount",
        "inherited from no parent in pg_inherits",
        """SELECT a.attrelid, a.attnum FROM pg_catalog.pg_attribute a
           WHERE a.attrelid >= $first AND a.attinhcount > 0 AND NOT a.attisdropped
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = a.attrelid)""",
        subject="pg_class",
    ),
    CatalogRule(
        "pg_attribute",
        "attnotnull",
        "false for a column of the primary key",
        """SELECT a.attrelid, a.attnum FROM pg_catalog.pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) AS k(attnum)
           JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
           WHERE i.indexrelid >= $first AND i.indrelid >= $normal AND i.indisprimary AND NOT a.attnotnull
           AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = i.indrelid AND c.relkind IN ('r', 'p'))""",
        subject="pg_class",
    ),
    CatalogRule(
        "pg_attribute",
        "attnotnull",
        "true without a NOT NULL row in pg_constraint",
        """SELECT a.attrelid, a.attnum FROM pg_catalog.pg_attribute a
           WHERE a.attrelid >= $first AND a.attrelid >= $normal AND a.attnotnull AND a.attnum > 0
           AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'f'))
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                           WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey[1] = a.attnum)""",
        subject="pg_class",
        since=180000,
    ),
    CatalogRule(
        "pg_attribute",
        "attnotnull",
        "false with a NOT NULL row in pg_constraint",
        """SELECT a.attrelid, a.attnum FROM pg_catalog.pg_constraint k
           JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
           WHERE k.oid >= $first AND k.contype = 'n' AND k.conrelid <> 0 AND NOT a.attnotnull""",
        subject="pg_class",
        since=180000,
    ),
)

_CONSTRAINTS = (
    CatalogRule(
        "pg_constraint",
        "conrelid",
        "constraint of neither a table nor a domain",
        "SELECT k.oid, 0 FROM pg_catalog.pg_constraint k WHERE k.oid >= $first AND k.conrelid = 0 AND k.contypid = 0",
    ),
    CatalogRule(
        "pg_constraint",
        "conindid",
        "is not an index of the constraint's table",
        """SELECT k.oid, 0 FROM pg_catalog.pg_constraint k WHERE k.oid >= $first AND k.contype IN ('p', 'u', 'x') AND NOT EXISTS
           (SELECT FROM pg_catalog.pg_index i WHERE i.indexrelid = k.conindid AND i.indrelid = k.conrelid)""",
    ),
    CatalogRule(
        "pg_constraint",
        "confrelid",
        "foreign key to no table",
        "SELECT k.oid, 0 FROM pg_catalog.pg_constraint k WHERE k.oid >= $first AND k.contype = 'f' AND k.confrelid = 0",
    ),
    CatalogRule(
        "pg_constraint",
        "coninhcount",
        "inherited from no parent in pg_inherits",
        """SELECT k.oid, 0 FROM pg_catalog.pg_constraint k
           WHERE k.oid >= $first AND k.contype IN ('c', 'n') AND k.conrelid <> 0 AND k.coninhcount > 0
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = k.conrelid)""",
    ),
)

_INDEXES = (
    CatalogRule(
        "pg_index",
        "indisvalid",
        "flags that no state of an index has",
        """SELECT i.indexrelid, 0 FROM pg_catalog.pg_index i WHERE i.indexrelid >= $first AND
           (i.indisvalid AND NOT i.indisready OR i.indisready AND NOT i.indislive OR i.indisprimary AND NOT i.indisunique)""",
        subject="pg_class",
    ),
    CatalogRule(
        "pg_index",
        "indisvalid",
        "false: an index left invalid",
        # An index on a partitioned table is invalid until all its partitions have the index.
        """SELECT i.indexrelid, 0 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
           WHERE i.indexrelid >= $first AND c.relkind = 'i' AND NOT i.indisvalid""",
        subject="pg_class",
        legal=True,
    ),
    CatalogRule(
        "pg_index",
        "indnatts",
        "differs from relnatts of the index",
        """SELECT i.indexrelid, 0 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
           WHERE i.indexrelid >= $first AND c.relnatts <> i.indnatts""",
        subject="pg_class",
    ),
    CatalogRule(
        "pg_index",
        "indrelid",
        "depends on neither its table nor a constraint",
        """SELECT i.indexrelid, 0 FROM pg_catalog.pg_index i
           WHERE i.indexrelid >= $first AND i.indexrelid >= $pinned AND i.indrelid >= $pinned AND NOT EXISTS
           (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
            AND (d.refclassid = 'pg_catalog.pg_constraint'::regclass
                 OR d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid))""",
        subject="pg_class",
    ),
    CatalogRule(
        "pg_index",
        "indisprimary",
        "primary key or exclusion without a constraint",
        # The index of a TOAST table is marked primary and has no constraint.
        """SELECT i.indexrelid, 0 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
           WHERE i.indexrelid >= $first AND i.indexrelid >= $pinned AND (i.indisprimary OR i.indisexclusion)
           AND c.relkind <> 't' AND NOT EXISTS
           (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
            AND d.refclassid = 'pg_catalog.pg_constraint'::regclass)""",
        subject="pg_class",
    ),
)

_SHARED = (
    CatalogRule(
        "pg_shdepend",
        "deptype",
        "does not fit the catalog that it refers to",
        """SELECT s.objid, 0 FROM pg_catalog.pg_shdepend s WHERE s.dbid IN (0, $database)
           AND s.refclassid <> CASE s.deptype WHEN 't' THEN 'pg_catalog.pg_tablespace'::regclass
                               ELSE 'pg_catalog.pg_authid'::regclass END""",
    ),
    CatalogRule(
        "pg_shdepend",
        "refobjid",
        "two owners of one object",
        """SELECT s.objid, 0 FROM pg_catalog.pg_shdepend s WHERE s.dbid IN (0, $database) AND s.deptype = 'o'
           GROUP BY s.dbid, s.classid, s.objid, s.objsubid HAVING count(*) > 1""",
    ),
    CatalogRule(
        "pg_replication_origin",
        "roname",
        "origin of a subscription that is gone",
        """SELECT o.roident, 0 FROM pg_catalog.pg_replication_origin o WHERE o.roname ~ '^pg_[0-9]+$$' AND NOT EXISTS
           (SELECT FROM pg_catalog.pg_subscription s WHERE s.oid = substr(o.roname, 4)::oid)""",
    ),
)

RULES: tuple[CatalogRule, ...] = (
    *_FLAGS,
    *_COMPANIONS,
    *_RELATIONS,
    *_TYPES,
    *_COLUMNS,
    *_CONSTRAINTS,
    *_INDEXES,
    *_SHARED,
)
"""All rules, including those that find states which are legal after a failed statement."""
