"""Builds the query that finds every broken row of the system catalogs, from the server's map of them.

A common table expression collects all references of all catalogs: foreign keys, `pg_depend`, ACLs and comments. Each of its rows
has the referring object and the address (catalog, OID, column number) that it refers to. Its column `bond` says whether the
reference must be recorded in `pg_depend` ('d') or `pg_shdepend` ('o'). The query then looks up each address and each record. The
rules of `catalog_rules` follow as a second half. The plan has one lookup for each catalog instead of one for each foreign key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from racehound.databases.postgres.oracles.catalog_map import Catalog, CatalogMap, ForeignKey
from racehound.databases.postgres.oracles.catalog_rules import RULES, CatalogRule
from racehound.databases.postgres.oracles.recorded_dependencies import DEPENDENCIES, OWNERS
from racehound.databases.postgres.oracles.stored_expressions import DANGLING_CONSTANT, WITHOUT_DEPENDENCIES, constants

ROW_MISSING = "row missing"
NO_DEPENDENCY = "no pg_depend row"
NO_OWNER = "no owner row in pg_shdepend"

_PROBLEMS = {"m": ROW_MISSING, "d": NO_DEPENDENCY, "o": NO_OWNER}

_TINY = frozenset({"pg_namespace", "pg_language", "pg_am", "pg_extension", "pg_default_acl", "pg_event_trigger"})
"""Catalogs of a few rows. Their rows from the template are also checked, since they may have been altered."""

_SUBJECTS: dict[str, tuple[str, str, str]] = {
    "pg_attribute": ("pg_class", "attrelid", "attnum"),
    "pg_statistic": ("pg_class", "starelid", "staattnum"),
    "pg_index": ("pg_class", "indexrelid", "0"),
    "pg_inherits": ("pg_class", "inhrelid", "0"),
    "pg_partitioned_table": ("pg_class", "partrelid", "0"),
    "pg_foreign_table": ("pg_class", "ftrelid", "0"),
    "pg_sequence": ("pg_class", "seqrelid", "0"),
    "pg_subscription_rel": ("pg_class", "srrelid", "0"),
    "pg_aggregate": ("pg_proc", "aggfnoid", "0"),
    "pg_range": ("pg_type", "rngtypid", "0"),
    "pg_statistic_ext_data": ("pg_statistic_ext", "stxoid", "0"),
    "pg_ts_config_map": ("pg_ts_config", "mapcfg", "0"),
    "pg_largeobject": ("pg_largeobject", "loid", "0"),
    "pg_largeobject_metadata": ("pg_largeobject", "oid", "0"),
    "pg_auth_members": ("pg_authid", "member", "0"),
    "pg_db_role_setting": ("pg_authid", "setrole", "0"),
}
"""Catalogs whose rows are part of another catalog's object: that catalog, and the columns with its OID and column number."""

_STALE = {("pg_attribute", "attcollation"): "CASE WHEN c.attisdropped THEN 0 ELSE c.attcollation END"}
"""Columns that may refer to a dropped object: a dropped column keeps its collation (`RemoveAttributeById`)."""

_ADDRESSES: dict[str, tuple[str, str, str]] = {
    "pg_description": ("classoid", "objoid", "objsubid"),
    "pg_shdescription": ("classoid", "objoid", "0"),
    "pg_seclabel": ("classoid", "objoid", "objsubid"),
    "pg_shseclabel": ("classoid", "objoid", "0"),
    "pg_init_privs": ("classoid", "objoid", "objsubid"),
}
"""Catalogs whose rows describe an object of any catalog: the columns with its catalog, OID and column number."""

_LARGE_OBJECTS = ("pg_largeobject", "pg_largeobject_metadata")
"""Catalogs of objects whose OIDs the user may choose, also below all others (`lo_create`)."""
_NEVER_PINNED = ("pg_database", *_LARGE_OBJECTS)
"""Catalogs of which no object is pinned, however low its OID (`IsPinnedObject` in `catalog.c`)."""

_GRANTORS = ("pg_auth_members", ("grantor",))
_GRANTORS_KEPT_SINCE = 160000
"""Before this release DROP ROLE ignored who had granted memberships (release notes of PostgreSQL 16)."""
_RESOLVED_FIRST = ("pg_class", "pg_type", "pg_proc", "pg_namespace", "pg_authid")
_ROLES_IN_INIT_PRIVS_SINCE = 170000
"""Before this release DROP ROLE ignored `pg_init_privs` (release notes of PostgreSQL 17)."""


class Check(msgspec.Struct, frozen=True):
    """The meaning of a number in the query's first column."""

    catalog: str
    column: str
    """The column of `catalog`, or several joined with a comma."""
    target: str = ""
    """The column referred to, e.g. `pg_namespace.oid`; empty for a rule, or if the row itself names the catalog."""
    problem: str = ""
    """The problem that a rule finds; empty for a reference, whose problem the query returns."""


class Scope(msgspec.Struct, frozen=True):
    """The rows that are checked, and the references that are followed."""

    first_oid: int
    """Rows of objects with a lower OID are not checked, except in catalogs of a few rows, and large objects."""
    pinned_below: int
    """References to lower OIDs are not followed: PostgreSQL drops no pinned object (`CatalogMap.first_unpinned`)."""
    occupied: frozenset[str] | None = None
    """Catalogs that have rows in scope. The query omits the others. None: unknown, and the query has all catalogs."""
    settled: frozenset[str] | None = None
    """Catalogs that have rows from the template which are neither pinned nor in scope. None: unknown, any may have such rows."""

    def bounds(self, catalog: Catalog) -> bool:
        """Whether only its rows from `first_oid` on are checked."""
        return bool(self.first_oid) and bool(catalog.key) and not catalog.shared and catalog.name not in _TINY

    def first_of(self, catalog: Catalog) -> int:
        """The lowest OID whose rows are checked, in a catalog of which not all rows are."""
        return 1 if catalog.name in _LARGE_OBJECTS else self.first_oid

    def leaves_out(self, catalog: Catalog) -> bool:
        """Whether the catalog is known to have no row in scope."""
        return self.occupied is not None and self.bounds(catalog) and catalog.name not in self.occupied

    def holds_nothing(self, catalog: Catalog) -> bool:
        """Whether the catalog is known to have only pinned rows. Then every other reference to it is broken."""
        return self.leaves_out(catalog) and self.settled is not None and catalog.name not in self.settled


EVERYTHING = Scope(first_oid=0, pinned_below=0)


class CatalogQuery(msgspec.Struct, frozen=True):
    """The query, in two halves that can run separately or as one, and the meaning of its result.

    Its columns: check number, problem letter (`m`, `d`, `o`, or `r` for a rule), then catalog, OID and column number of the
    object that is wrong, then catalog, OID and column number of the object that it refers to (0 for a rule).
    """

    references: str
    rules: str
    checks: tuple[Check, ...]

    @property
    def sql(self) -> str:
        """Both halves as one query."""
        return f"{self.references}\nUNION ALL\n{self.rules}"

    def problem(self, check: int, letter: str) -> str:
        """The problem of a row that the query returned, in words."""
        return self.checks[check].problem or _PROBLEMS[letter]


class _Builder:
    """Numbers the checks, and gives parts of the query's SELECT statements (its arms)."""

    def __init__(self, catalog_map: CatalogMap, scope: Scope) -> None:
        self.map = catalog_map
        self.scope = scope
        self.checks: list[Check] = []

    def number(self, check: Check) -> int:
        self.checks.append(check)
        return len(self.checks) - 1

    def class_oid(self, name: str) -> int:
        return self.map.catalogs[name].oid

    def subject(self, catalog: Catalog) -> tuple[int | str, str, str]:
        """SQL expressions over a row of the catalog: the class, OID and column number of the object that it belongs to."""
        if catalog.key == ("oid",) and catalog.name not in _SUBJECTS:
            return catalog.oid, "c.oid", "0"
        name, oid, column = _SUBJECTS.get(catalog.name, (catalog.name, "0" if not catalog.key else catalog.key[0], "0"))
        return self.class_oid(name), oid if oid == "0" else f"c.{oid}", column if column == "0" else f"c.{column}"

    def rows(self, catalog: Catalog) -> str:
        """FROM and WHERE for the rows of a catalog that are in scope, for a range scan of its primary key."""
        where = f"c.{catalog.key[0]}::oid >= {self.scope.first_of(catalog)}" if self.scope.bounds(catalog) else "true"
        return f"FROM pg_catalog.{catalog.name} c WHERE {where}"


def build_catalog_query(catalog_map: CatalogMap, scope: Scope, *, legal_leftovers: bool = False) -> CatalogQuery:
    """The query over the rows in scope. `legal_leftovers`: include the rules for what failed statements may legally leave."""
    builder = _Builder(catalog_map, scope)
    stream = [
        *_foreign_key_arms(builder),
        *_acl_arms(builder),
        *_address_arms(builder),
        *_dependency_arms(builder),
        *_expression_arms(builder),
    ]
    rules = [rule for rule in RULES if _applies(rule, catalog_map, scope) and (legal_leftovers or not rule.legal)]
    judged = _judge(builder, "\nUNION ALL\n".join(stream))
    return CatalogQuery(judged, "\nUNION ALL\n".join(_rule_arms(builder, rules)), tuple(builder.checks))


def build_occupancy_query(catalog_map: CatalogMap, scope: Scope, *, settled: bool = False) -> str:
    """The query for the names of the catalogs that have rows in scope, as one text with spaces between them.

    `settled`: the catalogs that have rows which are neither pinned nor in scope, instead.
    """
    names = []
    for catalog in catalog_map.catalogs.values():
        if not scope.bounds(catalog):
            continue
        key, first = f"{catalog.key[0]}::oid", scope.first_of(catalog)
        wanted = [f"{key} >= {scope.pinned_below} AND {key} < {first}" if settled else f"{key} >= {first}"]
        if catalog.name in _ADDRESSES and not settled:
            wanted.append(_of_large_objects(catalog, catalog_map, scope).replace("c.", ""))
        exist = " OR ".join(f"EXISTS (SELECT FROM pg_catalog.{catalog.name} WHERE {each})" for each in wanted)
        names.append(f"CASE WHEN {exist} THEN '{catalog.name}' END")
    return f"SELECT pg_catalog.concat_ws(' ', {', '.join(names)})"


def _of_large_objects(catalog: Catalog, catalog_map: CatalogMap, scope: Scope) -> str:
    """An SQL condition on a row that describes an object: it is a large object with an OID below all others in scope."""
    class_column, oid_column, _ = _ADDRESSES[catalog.name]
    return f"c.{class_column} = {catalog_map.catalogs['pg_largeobject'].oid} AND c.{oid_column} < {scope.first_oid}"


def _applies(rule: CatalogRule, catalog_map: CatalogMap, scope: Scope) -> bool:
    """Whether the rule holds for the release, and the catalog that it reads may have rows in scope."""
    ranged = catalog_map.catalogs.get(rule.ranged)
    return catalog_map.version >= rule.since and not (ranged and scope.leaves_out(ranged))


def _foreign_key_arms(builder: _Builder) -> Iterator[str]:
    for catalog in builder.map.catalogs.values():
        if builder.scope.leaves_out(catalog):
            continue
        keys = [key for key in builder.map.keys if key.catalog == catalog.name and catalog.key and _always_holds(builder, key)]
        scalars = [key for key in keys if not key.is_array]
        if scalars:
            yield _scalar_arm(builder, catalog, scalars)
        yield from (_array_arm(builder, catalog, key) for key in keys if key.is_array)


def _always_holds(builder: _Builder, key: ForeignKey) -> bool:
    """Whether the server never leaves the reference without its object, except in a race."""
    return builder.map.version >= _GRANTORS_KEPT_SINCE or (key.catalog, key.columns) != _GRANTORS


def _scalar_arm(builder: _Builder, catalog: Catalog, keys: list[ForeignKey]) -> str:
    """An arm for all scalar columns of a catalog in one scan: it unnests arrays of equal length in parallel."""
    numbers = [_number_key(builder, key) for key in keys]
    classes = [_address_class(builder, key) for key in keys]
    oids = [_value(_STALE.get((catalog.name, key.columns[0]), f"c.{key.columns[0]}"), optional=key.is_opt) for key in keys]
    columns = [f"c.{key.columns[1]}::int" if len(key.columns) > 1 else "0" for key in keys]
    records = [_record(key) for key in keys]
    return _arm(
        *builder.subject(catalog),
        number=f"unnest('{{{_list(numbers)}}}'::int[])",
        target=f"unnest('{{{_list(classes)}}}'::oid[])",
        oid=f"unnest(ARRAY[{_list(oids)}])",
        column=f"unnest(ARRAY[{_list(columns)}])",
        record=f"unnest(ARRAY[{_list(records)}]::text[])",
        rows=builder.rows(catalog),
    )


def _array_arm(builder: _Builder, catalog: Catalog, key: ForeignKey) -> str:
    oid, column = f"unnest(c.{key.columns[-1]}::oid[])", "0"
    if len(key.columns) > 1:
        oid, column = f"c.{key.columns[0]}::oid", f"unnest(c.{key.columns[1]}::int2[])::int"
    return _arm(
        *builder.subject(catalog),
        number=str(_number_key(builder, key)),
        target=f"{_address_class(builder, key)}::oid",
        oid=oid,
        column=column,
        record=_record(key),
        rows=builder.rows(catalog),
        # Elements of 0 are checked, too, unless the server allows them.
        wanted="" if not key.is_opt else "WHERE attnum <> 0" if len(key.columns) > 1 else "WHERE value <> 0",
    )


def _acl_arms(builder: _Builder) -> Iterator[str]:
    role = builder.class_oid("pg_authid")
    for catalog in builder.map.catalogs.values():
        for column in catalog.acls:
            if builder.scope.leaves_out(catalog):
                continue
            if catalog.name == "pg_init_privs" and builder.map.version < _ROLES_IN_INIT_PRIVS_SINCE:
                continue
            sides = (f"{column} grantor", f"{column} grantee")
            numbers = [builder.number(Check(catalog.name, side, "pg_authid.oid")) for side in sides]
            class_oid, oid, subid = builder.subject(catalog)
            if catalog.name in _ADDRESSES:
                class_oid, oid, subid = (f"c.{name}" if name != "0" else name for name in _ADDRESSES[catalog.name])
            rows = builder.rows(catalog).replace(" WHERE", f" CROSS JOIN LATERAL pg_catalog.aclexplode(c.{column}) x WHERE")
            yield _arm(
                class_oid,
                oid,
                subid,
                number=f"unnest('{{{_list(numbers)}}}'::int[])",
                target=f"{role}::oid",
                oid="unnest(ARRAY[x.grantor, NULLIF(x.grantee, 0)])",
                column="0",
                record="''::text",
                rows=f"{rows} AND c.{column} IS NOT NULL",
            )


def _address_arms(builder: _Builder) -> Iterator[str]:
    for name, (class_column, oid_column, sub_column) in _ADDRESSES.items():
        if name not in builder.map.catalogs:
            continue
        catalog = builder.map.catalogs[name]
        if builder.scope.leaves_out(catalog):
            continue
        subid = "0" if sub_column == "0" else f"c.{sub_column}"
        number = builder.number(Check(name, oid_column))
        sources = [builder.rows(catalog)]
        if builder.scope.bounds(catalog):
            sources.append(f"FROM pg_catalog.{name} c WHERE {_of_large_objects(catalog, builder.map, builder.scope)}")
        for rows in sources:
            yield _arm(
                f"c.{class_column}",
                f"c.{oid_column}",
                subid,
                number=str(number),
                target=f"c.{class_column}",
                oid=f"c.{oid_column}",
                column=subid,
                record="''::text",
                rows=rows,
            )


def _expression_arms(builder: _Builder) -> Iterator[str]:
    """One arm for the constants in all expressions that name an object by its OID: a scan for each catalog, taken apart once."""
    scans = []
    for catalog in builder.map.catalogs.values():
        columns = [column for column in catalog.trees if (catalog.name, column) not in WITHOUT_DEPENDENCIES]
        if not columns or builder.scope.leaves_out(catalog):
            continue
        numbers = [builder.number(Check(catalog.name, column, problem=DANGLING_CONSTANT)) for column in columns]
        class_oid, oid, subid = builder.subject(catalog)
        trees = _list(f"c.{column}::text" for column in columns)
        scans.append(
            f"SELECT unnest('{{{_list(numbers)}}}'::int[]), {class_oid}::oid, {oid}::oid, {subid}::int, unnest(ARRAY[{trees}]) "
            + builder.rows(catalog)
        )
    if scans:
        oids = {catalog.name: catalog.oid for catalog in builder.map.catalogs.values()}
        yield f"SELECT *, 0, ''::text FROM ({constants(' UNION ALL '.join(scans), oids)}) a"


def _dependency_arms(builder: _Builder) -> Iterator[str]:
    """Arms for both sides of `pg_depend` and `pg_shdepend`, which have no primary key, but an index for each side."""
    first = builder.scope.first_oid
    classes = _list(catalog.oid for catalog in _resolvable(builder.map))
    depender = f"c.classid = ANY ('{{{classes}}}'::oid[]) AND c.objid >= {first}"
    reference = f"c.refclassid = ANY ('{{{classes}}}'::oid[]) AND c.refobjid >= {first} AND c.objid < {first}"
    shared = f"c.dbid IN (0, {builder.map.database})"
    if not first:
        yield _dependency_arm(builder, "pg_depend", "true")
    else:
        yield _dependency_arm(builder, "pg_depend", depender)
        yield _dependency_arm(builder, "pg_depend", reference)
    yield _dependency_arm(builder, "pg_shdepend", shared)


def _dependency_arm(builder: _Builder, name: str, where: str) -> str:
    numbers = [builder.number(Check(name, column)) for column in ("objid", "refobjid")]
    referenced_column = "c.refobjsubid" if name == "pg_depend" else "0"
    return _arm(
        "c.classid",
        "c.objid",
        "c.objsubid",
        number=f"unnest('{{{_list(numbers)}}}'::int[])",
        target="unnest(ARRAY[c.classid, c.refclassid])",
        # 14 says by a row of deptype 'p', which has no dependent object, that the other object is pinned.
        oid="unnest(ARRAY[CASE WHEN c.deptype <> 'p' THEN c.objid END, c.refobjid])",
        column=f"unnest(ARRAY[c.objsubid, {referenced_column}])",
        record="''::text",
        rows=f"FROM pg_catalog.{name} c WHERE {where}",
    )


def _arm(
    class_oid: int | str,
    object_oid: str,
    subid: str,
    *,
    number: str,
    target: str,
    oid: str,
    column: str,
    record: str,
    rows: str,
    wanted: str = "",
) -> str:
    return (
        f"SELECT * FROM (SELECT {number} AS n, {class_oid}::oid AS class, {object_oid}::oid AS obj, {subid}::int AS sub, "
        f"{target} AS target, {oid} AS value, {column} AS attnum, {record} AS bond {rows}) a {wanted}"
    )


def _rule_arms(builder: _Builder, rules: Iterable[CatalogRule]) -> Iterator[str]:
    for rule in rules:
        number = builder.number(Check(rule.catalog, rule.column, problem=rule.problem))
        subject = builder.class_oid(rule.subject or rule.catalog)
        query = rule.sql(builder.scope.first_oid, builder.map)
        yield f"SELECT {number}, 'r', {subject}::oid, r.obj, r.sub::int, 0::oid, 0::oid, 0 FROM ({query}) r(obj, sub)"


def _judge(builder: _Builder, stream: str) -> str:
    """A query for the references whose object is missing, and those that are not recorded but should be.

    Dependencies of and on pinned objects are never recorded. MATERIALIZED and OFFSET 0 prevent the planner from copying the
    lookups into every arm. The casts to int8 prevent it from using the index on the referenced side: a schema may have a
    thousand references to it, while an object has only a few references to others.
    """
    return f"""WITH refs AS MATERIALIZED (SELECT * FROM (
{stream}
) s WHERE s.value IS NOT NULL AND {_unpinned(builder)})
SELECT n, problem, class, obj, sub, target, value, attnum FROM (SELECT refs.*, CASE
WHEN ({_resolver(builder)}) IS NULL THEN 'm'
WHEN {_pinned(builder, "class", "obj")} OR {_pinned(builder, "target", "value")} THEN NULL
WHEN bond = 'd' AND (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = class AND d.objid = obj AND d.objsubid = sub
 AND d.refclassid::int8 = target AND d.refobjid::int8 = value AND (attnum = 0 OR d.refobjsubid = attnum) LIMIT 1) IS NULL THEN 'd'
WHEN bond = 'o' AND (SELECT 1 FROM pg_catalog.pg_shdepend d WHERE d.dbid = {_database_of(builder)}
 AND d.classid = class AND d.objid = obj AND d.objsubid = 0
 AND d.refclassid::int8 = target AND d.refobjid::int8 = value AND d.deptype = 'o' LIMIT 1) IS NULL THEN 'o'
END AS problem FROM refs OFFSET 0) j WHERE problem IS NOT NULL"""


def _unpinned(builder: _Builder) -> str:
    """An SQL condition: the referenced object is not pinned, or all references are followed."""
    if not builder.scope.pinned_below:
        return "true"
    return f"(s.value = 0 OR NOT {_pinned(builder, 's.target', 's.value')})"


def _pinned(builder: _Builder, class_oid: str, oid: str) -> str:
    """An SQL condition: the object is pinned. Databases, large objects and the schema `public` never are."""
    never = _list(builder.class_oid(name) for name in _NEVER_PINNED)
    public = f"{class_oid} = {builder.class_oid('pg_namespace')} AND {oid} = 2200"
    return f"({oid} < {builder.map.first_unpinned} AND {class_oid} NOT IN ({never}) AND NOT ({public}))"


def _resolver(builder: _Builder) -> str:
    """An SQL expression: 1 if the address exists, else NULL. For EXISTS, the planner would hash a whole catalog."""
    relation = (
        "CASE WHEN attnum = 0 THEN (SELECT 1 FROM pg_catalog.pg_class t WHERE t.oid = value) ELSE (SELECT 1 FROM "
        "pg_catalog.pg_attribute t WHERE t.attrelid = value AND t.attnum = refs.attnum AND NOT t.attisdropped) END"
    )
    cases = [f"WHEN {builder.class_oid('pg_class')} THEN {relation}"]
    for catalog in _resolvable(builder.map):
        # Large objects are of the class `pg_largeobject`, but the catalog that has a row for each is another one.
        table = "pg_largeobject_metadata" if catalog.name == "pg_largeobject" else catalog.name
        if catalog.name != "pg_class" and not builder.scope.holds_nothing(builder.map.catalogs.get(table, catalog)):
            cases.append(f"WHEN {catalog.oid} THEN (SELECT 1 FROM pg_catalog.{table} t WHERE t.oid = value)")
    return f"CASE target::int8 {' '.join(cases)} END"


def _resolvable(catalog_map: CatalogMap) -> list[Catalog]:
    """The catalogs that an address can name: those with an OID, and `pg_largeobject`, the class of large objects."""
    named = [c for c in catalog_map.catalogs.values() if c.key == ("oid",) or c.name == "pg_largeobject"]
    return sorted(named, key=lambda c: (c.name not in _RESOLVED_FIRST, c.name))


def _database_of(builder: _Builder) -> str:
    shared = _list(catalog.oid for catalog in builder.map.catalogs.values() if catalog.shared)
    return f"CASE WHEN class IN ({shared}) THEN 0 ELSE {builder.map.database} END"


def _number_key(builder: _Builder, key: ForeignKey) -> int:
    return builder.number(Check(key.catalog, ",".join(key.columns), f"{key.target}.{','.join(key.target_columns)}"))


def _address_class(builder: _Builder, key: ForeignKey) -> int:
    """The OID of the catalog in the address of a key's target: as in `pg_depend`, a column's address has its relation's."""
    return builder.class_oid("pg_class" if key.target == "pg_attribute" else key.target)


def _record(key: ForeignKey) -> str:
    where = (key.catalog, ",".join(key.columns))
    for letter, conditions in (("d", DEPENDENCIES), ("o", OWNERS)):
        if where in conditions:
            return f"CASE WHEN {conditions[where]} THEN '{letter}' ELSE '' END"
    return "''::text"


def _value(column: str, *, optional: bool) -> str:
    return f"NULLIF({column}::oid, 0)" if optional else f"{column}::oid"


def _list(items: Iterable[object]) -> str:
    return ", ".join(str(item) for item in items)
