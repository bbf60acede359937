"""The constants of reg… types in stored expressions, such as `'cfg'::regconfig` in a default: each names an object by its OID.

PostgreSQL stores an expression as text of type `pg_node_tree`: defaults, checks, expressions and predicates of indexes, rules and
views, policies, conditions of triggers, statistics, filters of publications, bodies and default arguments of functions. A
constant in it looks like this, with the bytes of the value as signed numbers in the order of the server's machine:

    {CONST :consttype 3734 … :constvalue 4 [ 2 64 0 0 0 0 0 0 ]}

When an expression is stored, PostgreSQL records a dependency for each such constant whose object exists then
(`find_expr_references_walker` in `dependency.c`). Thus DROP fails without CASCADE, and drops the expression with CASCADE.
A race leaves the constant without the object, and every later use of the expression fails. These are not looked at, since
statements without any race may leave them without their object, as PostgreSQL records no dependency for them:

- bounds of partitions (`pg_class.relpartbound`);
- the elements of an array constant;
- a constant that a user wrote as a number, of which there never was an object (see `at_rest.CatalogJudge`).

Constants of type regrole are not allowed in stored expressions.
"""

from __future__ import annotations

from collections.abc import Mapping

DANGLING_CONSTANT = "a constant names an object that does not exist"

WITHOUT_DEPENDENCIES = frozenset({("pg_class", "relpartbound")})
"""Columns of type `pg_node_tree` for whose constants PostgreSQL records no dependencies."""

CATALOG_OF_TYPE = {
    24: "pg_proc",  # regproc
    2202: "pg_proc",  # regprocedure
    2203: "pg_operator",  # regoper
    2204: "pg_operator",  # regoperator
    2205: "pg_class",  # regclass
    2206: "pg_type",  # regtype
    3734: "pg_ts_config",  # regconfig
    3769: "pg_ts_dict",  # regdictionary
    4089: "pg_namespace",  # regnamespace
    4191: "pg_collation",  # regcollation
}
"""OID of a reg… type (`pg_type.dat`) -> the catalog of the objects that its values name."""

_MARK = "{CONST :consttype "
"""It does not occur in names and texts: a node tree has a backslash before each space and brace of these."""


def constants(trees: str, class_oids: Mapping[str, int]) -> str:
    """A query for the constants in node trees: number, class, OID and column of the object, and class and OID that it names.

    `trees`: a query for number, class, OID, column and node tree. `class_oids`: OIDs of the catalogs.
    """
    types = ", ".join(f"'{oid}'" for oid in CATALOG_OF_TYPE)
    cases = " ".join(f"WHEN '{oid}' THEN {class_oids[catalog]}" for oid, catalog in CATALOG_OF_TYPE.items())
    # A value of four bytes is at the beginning of the eight on a machine with the lowest byte first, else at their end.
    lowest_first = "b[1] + b[2] * 256 + b[3] * 65536 + b[4] * 16777216"
    highest_first = "b[8] + b[7] * 256 + b[6] * 65536 + b[5] * 16777216"
    return f"""SELECT n, class, obj, sub, (CASE type {cases} END)::oid AS target,
 NULLIF(CASE WHEN b[1:4] = '{{0,0,0,0}}' THEN {highest_first} ELSE {lowest_first} END, 0)::oid AS value
FROM (SELECT e.n, e.class, e.obj, e.sub, pg_catalog.split_part(p.part, ' ', 1) AS type,
 ARRAY(SELECT (b::int8 + 256) % 256 FROM pg_catalog.string_to_table(
  pg_catalog.substring(p.part, ':constvalue 4 \\[ ([-0-9 ]+) \\]'), ' ') WITH ORDINALITY t(b, i) ORDER BY i) AS b
 FROM ({trees} OFFSET 0) e(n, class, obj, sub, tree) CROSS JOIN LATERAL pg_catalog.string_to_table(e.tree, '{_MARK}') p(part)
 WHERE pg_catalog.split_part(p.part, ' ', 1) IN ({types}) OFFSET 0) v"""
