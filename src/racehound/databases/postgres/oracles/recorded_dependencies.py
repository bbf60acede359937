"""The references between catalog rows that the server also records in `pg_depend` or `pg_shdepend`, and the conditions for that.

DROP finds dependent objects through these records. Without a record an object remains when the object that it refers to is
dropped. Therefore a missing record is a defect even while both objects exist. The tables follow the code by which the server
creates objects (`recordDependencyOn`, `recordDependencyOnOwner` and their callers in PostgreSQL 14 to 18). Each entry maps a
column to an SQL condition on its row, under which the record always exists. A column that is not listed may have no record.
The server never records references to pinned objects, and they are not checked.
"""

from __future__ import annotations

_ALWAYS = "true"
_OWN_RELATION = "relkind IN ('r', 'v', 'm', 'S', 'f', 'p')"
"""Indexes, TOAST tables and the relations of composite types depend on their table or type, and share its schema and owner."""
_OWN_TYPE = (
    "typtype <> 'm' AND typinput <> 'pg_catalog.array_in'::regproc AND (typrelid = 0 OR "
    "(SELECT k.relkind = 'c' FROM pg_catalog.pg_class k WHERE k.oid = typrelid))"
)
"""Array types, multiranges and the row types of tables depend on another type or table."""
_OWN_TRIGGER = "NOT tgisinternal"
_TABLE_COLUMN = (
    "attnum > 0 AND {column} >= 12000 AND "
    "(SELECT k.relkind NOT IN ('i', 'I', 't') FROM pg_catalog.pg_class k WHERE k.oid = attrelid)"
)
"""The comparison comes first: for most columns it makes the query of their relation unnecessary. It may let pinned types pass."""


def _all(catalog: str, *columns: str) -> dict[tuple[str, str], str]:
    return {(catalog, column): _ALWAYS for column in columns}


DEPENDENCIES: dict[tuple[str, str], str] = {
    ("pg_class", "relnamespace"): _OWN_RELATION,
    ("pg_class", "relam"): "relkind IN ('r', 'm', 'p')",
    ("pg_class", "reloftype"): _ALWAYS,
    ("pg_attribute", "atttypid"): _TABLE_COLUMN.format(column="atttypid"),
    ("pg_attribute", "attcollation"): _TABLE_COLUMN.format(column="attcollation"),
    ("pg_type", "typnamespace"): _OWN_TYPE,
    ("pg_type", "typrelid"): "(SELECT k.relkind <> 'c' FROM pg_catalog.pg_class k WHERE k.oid = typrelid)",
    **_all("pg_type", "typelem", "typbasetype", "typcollation", "typinput", "typoutput", "typreceive", "typsend"),
    **_all("pg_type", "typmodin", "typmodout", "typanalyze", "typsubscript"),
    **_all("pg_proc", "pronamespace", "prolang", "prosupport", "prorettype", "proargtypes", "proallargtypes"),
    **_all("pg_aggregate", "aggtransfn", "aggfinalfn", "aggcombinefn", "aggserialfn", "aggdeserialfn", "aggmtransfn"),
    **_all("pg_aggregate", "aggminvtransfn", "aggmfinalfn", "aggsortop"),
    **_all("pg_operator", "oprnamespace", "oprleft", "oprright", "oprresult", "oprcode", "oprrest", "oprjoin"),
    **_all("pg_opfamily", "opfnamespace", "opfmethod"),
    **_all("pg_opclass", "opcnamespace", "opcfamily", "opcintype", "opckeytype"),
    **_all("pg_amop", "amopopr", "amopsortfamily"),
    **_all("pg_amproc", "amproc"),
    **_all("pg_am", "amhandler"),
    **_all("pg_language", "lanplcallfoid", "laninline", "lanvalidator"),
    **_all("pg_cast", "castsource", "casttarget", "castfunc"),
    **_all("pg_collation", "collnamespace"),
    **_all("pg_conversion", "connamespace", "conproc"),
    **_all("pg_transform", "trftype", "trflang", "trffromsql", "trftosql"),
    **_all("pg_range", "rngsubtype", "rngcollation", "rngsubopc", "rngcanonical", "rngsubdiff"),
    **_all("pg_attrdef", "adrelid,adnum"),
    **_all("pg_constraint", "conrelid", "contypid", "confrelid", "conparentid", "conrelid,conkey", "confrelid,confkey"),
    ("pg_constraint", "conindid"): "contype = 'f'",
    **_all("pg_index", "indclass", "indcollation"),
    **_all("pg_inherits", "inhparent"),
    **_all("pg_partitioned_table", "partclass", "partcollation"),
    **_all("pg_rewrite", "ev_class"),
    ("pg_trigger", "tgrelid"): _OWN_TRIGGER,
    ("pg_trigger", "tgconstrrelid"): _OWN_TRIGGER,
    ("pg_trigger", "tgrelid,tgattr"): _OWN_TRIGGER,
    **_all("pg_trigger", "tgfoid"),
    **_all("pg_event_trigger", "evtfoid"),
    **_all("pg_policy", "polrelid"),
    **_all("pg_statistic_ext", "stxnamespace", "stxrelid", "stxrelid,stxkeys"),
    **_all("pg_ts_config", "cfgnamespace", "cfgparser"),
    **_all("pg_ts_config_map", "mapdict"),
    **_all("pg_ts_dict", "dictnamespace", "dicttemplate"),
    **_all("pg_ts_parser", "prsnamespace", "prsstart", "prstoken", "prsend", "prsheadline", "prslextype"),
    **_all("pg_ts_template", "tmplnamespace", "tmplinit", "tmpllexize"),
    **_all("pg_extension", "extnamespace"),
    **_all("pg_foreign_data_wrapper", "fdwhandler", "fdwvalidator"),
    **_all("pg_foreign_server", "srvfdw"),
    **_all("pg_foreign_table", "ftserver"),
    **_all("pg_user_mapping", "umserver"),
    **_all("pg_default_acl", "defaclnamespace"),
    **_all("pg_publication_rel", "prpubid", "prrelid"),
    **_all("pg_publication_namespace", "pnpubid", "pnnspid"),
}
"""(catalog, columns joined with a comma) -> condition under which `pg_depend` has a row for the reference."""

OWNERS: dict[tuple[str, str], str] = {
    ("pg_class", "relowner"): _OWN_RELATION,
    ("pg_type", "typowner"): _OWN_TYPE,
    **_all("pg_proc", "proowner"),
    **_all("pg_namespace", "nspowner"),
    **_all("pg_operator", "oprowner"),
    **_all("pg_opfamily", "opfowner"),
    **_all("pg_opclass", "opcowner"),
    **_all("pg_language", "lanowner"),
    **_all("pg_largeobject_metadata", "lomowner"),
    **_all("pg_statistic_ext", "stxowner"),
    **_all("pg_event_trigger", "evtowner"),
    **_all("pg_collation", "collowner"),
    **_all("pg_conversion", "conowner"),
    **_all("pg_database", "datdba"),
    **_all("pg_tablespace", "spcowner"),
    **_all("pg_ts_config", "cfgowner"),
    **_all("pg_ts_dict", "dictowner"),
    **_all("pg_extension", "extowner"),
    **_all("pg_foreign_data_wrapper", "fdwowner"),
    **_all("pg_foreign_server", "srvowner"),
    **_all("pg_user_mapping", "umuser"),
    **_all("pg_publication", "pubowner"),
    **_all("pg_subscription", "subowner"),
    **_all("pg_default_acl", "defaclrole"),
}
"""(catalog, column) -> condition under which `pg_shdepend` has an owner row ('o') for the role that the column names."""
