"""What PostgreSQL's statements change, as their text tells.

A query changes something if it calls a function that does. PostgreSQL lets no stable or immutable function change anything
(PostgreSQL documentation, "Function Volatility Categories"); the volatile ones that only read are listed here. A function that is
not the server's own may do anything. `tests/integration/test_statement_effects.py` compares these lists with the server's.
"""

from __future__ import annotations

import re

from racehound.databases.effects import StatementRules, words_of

_NEVER_VOLATILE = words_of(
    """
    abbrev abs acldefault aclexplode acos acosd acosh age any_value area array_agg array_append array_cat array_dims
    array_fill array_length array_lower array_ndims array_position array_positions array_prepend array_remove
    array_replace array_reverse array_sort array_to_json array_to_string array_to_tsvector array_upper ascii asin asind
    asinh atan atan2 atan2d atand atanh avg bit bit_and bit_count bit_length bit_or bit_xor bool bool_and bool_or box
    bpchar broadcast btrim bytea cardinality casefold cbrt ceil ceiling center char char_length character_length chr cidr
    circle col_description concat concat_ws convert convert_from convert_to corr cos cosd cosh cot cotd count covar_pop
    covar_samp crc32 crc32c cume_dist current_database current_schema current_schemas current_setting current_user
    database_to_xml database_to_xml_and_xmlschema database_to_xmlschema date date_add date_bin date_part date_subtract
    date_trunc datemultirange daterange decode degrees dense_rank diagonal diameter div encode enum_first enum_last
    enum_range every exp extract factorial family first_value float4 float8 floor format format_type gamma gcd
    generate_series generate_subscripts get_bit get_byte get_current_ts_config getdatabaseencoding getpgusername
    has_any_column_privilege has_column_privilege has_database_privilege has_foreign_data_wrapper_privilege
    has_function_privilege has_language_privilege has_largeobject_privilege has_parameter_privilege has_schema_privilege
    has_sequence_privilege has_server_privilege has_table_privilege has_tablespace_privilege has_type_privilege height
    host hostmask icu_unicode_version inet_client_addr inet_client_port inet_server_addr inet_server_port initcap int2
    int4 int4multirange int4range int8 int8multirange int8range interval is_normalized isclosed isempty isfinite
    ishorizontal isopen isparallel isperp isvertical json_agg json_agg_strict json_array_element json_array_elements
    json_array_elements_text json_array_length json_build_array json_build_object json_each json_each_text
    json_extract_path json_extract_path_text json_object json_object_agg json_object_agg_strict json_object_agg_unique
    json_object_agg_unique_strict json_object_field json_object_keys json_populate_record json_populate_recordset
    json_strip_nulls json_to_record json_to_recordset json_to_tsvector json_typeof jsonb_agg jsonb_agg_strict
    jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_concat
    jsonb_contained jsonb_contains jsonb_delete jsonb_delete_path jsonb_each jsonb_each_text jsonb_exists jsonb_exists_all
    jsonb_exists_any jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_agg
    jsonb_object_agg_strict jsonb_object_agg_unique jsonb_object_agg_unique_strict jsonb_object_keys jsonb_path_exists
    jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz jsonb_path_query jsonb_path_query_array
    jsonb_path_query_array_tz jsonb_path_query_first jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record
    jsonb_populate_record_valid jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls
    jsonb_to_record jsonb_to_recordset jsonb_to_tsvector jsonb_typeof justify_days justify_hours justify_interval lag
    last_value lcm lead left length lgamma like line ln log log10 lower lower_inc lower_inf lpad lseg ltrim macaddr
    macaddr8 macaddr8_set7bit make_date make_interval make_time make_timestamp make_timestamptz makeaclitem max md5 min
    min_scale mod mode money multirange mxid_age name netmask network normalize now npoints nth_value ntile num_nonnulls
    num_nulls numeric nummultirange numnode numrange obj_description octet_length oid overlaps overlay parse_ident path
    percent_rank percentile_cont percentile_disc phraseto_tsquery pi plainto_tsquery point polygon position pow power
    querytree quote_ident quote_literal quote_nullable radians radius range_agg range_intersect_agg range_merge rank
    regclass regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array
    regexp_split_to_table regexp_substr regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy
    regr_syy repeat replace reverse right round row_number row_security_active row_to_json rpad rtrim
    satisfies_hash_partition scale schema_to_xml schema_to_xml_and_xmlschema schema_to_xmlschema session_user set_bit
    set_byte set_masklen setweight sha224 sha256 sha384 sha512 shobj_description sign sin sind sinh slope split_part sqrt
    starts_with statement_timestamp stddev stddev_pop stddev_samp string_agg string_to_array string_to_table strip strpos
    substr substring sum system_user table_to_xml table_to_xml_and_xmlschema table_to_xmlschema tan tand tanh text textlen
    time timestamp timestamptz timetz timezone to_ascii to_bin to_char to_date to_hex to_json to_jsonb to_number to_oct
    to_regclass to_regcollation to_regnamespace to_regoper to_regoperator to_regproc to_regprocedure to_regrole to_regtype
    to_regtypemod to_timestamp to_tsquery to_tsvector transaction_timestamp translate trim_array trim_scale trunc ts_debug
    ts_delete ts_filter ts_headline ts_lexize ts_parse ts_rank ts_rank_cd ts_token_type tsmultirange tsquery_phrase
    tsrange tstzmultirange tstzrange tsvector_to_array txid_current txid_current_if_assigned txid_current_snapshot
    txid_snapshot_xip txid_snapshot_xmax txid_snapshot_xmin txid_visible_in_snapshot unicode_assigned unicode_version
    unistr unnest upper upper_inc upper_inf uuid_extract_timestamp uuid_extract_version var_pop var_samp varbit varchar
    variance version websearch_to_tsquery width width_bucket xid xml xml_is_well_formed xml_is_well_formed_content
    xml_is_well_formed_document xmlagg xmlcomment xmlexists xmltext xmlvalidate xpath xpath_exists
    """
)
"""Functions of `pg_catalog` that no overload of is volatile, without those whose names begin with `pg_`, and without those that
only implement an operator, a type, an index or an aggregate."""
_VOLATILE_READERS = words_of(
    """
    amvalidate array_sample array_shuffle clock_timestamp currtid2 currval gen_random_uuid inet_client_addr lastval
    lo_close lo_export lo_get lo_lseek lo_lseek64 lo_open lo_tell lo_tell64 loread random random_normal set_config setseed
    timeofday txid_status uuidv4 uuidv7
    """
)
"""Volatile functions that change nothing that another session can see. `set_config` concerns its own session."""
_SYSTEM_CHANGING = re.compile(
    r"""pg_(?:
        (?:create|copy|drop)_\w*replication_slot | replication_slot_advance | sync_replication_slots | logical_slot_get_\w+
      | logical_emit_message | log_standby_snapshot | replication_origin_(?:create|drop|advance|(?:session|xact)_(?:re)?set\w*)
      | (?:try_)?advisory_\w+ | (?:cancel|terminate)_backend | notify
      | stat(?!_get_)\w*_reset\w* | (?:restore|clear)_\w+_stats
      | import_system_collations | extension_config_dump | nextoid | stop_making_pinned_objects | truncate_visibility_map
      | promote | reload_conf | rotate_logfile | switch_wal | wal_replay_(?:pause|resume) | create_restore_point
      | backup_(?:start|stop) | (?:start|stop)_backup
    )""",
    re.VERBOSE,
)
"""Functions whose names begin with `pg_`, which is the system's own prefix, and that change something. Locks count: what holds
one decides what another session meets."""
_CHECKS = re.compile(
    r"verify_heapam|bt_index_(?:parent_)?check|gin_index_check|pgstat\w+|heap_page_\w+|get_raw_page|bt_\w+|brin_page_\w+|dblink_get_\w+"
    r"|dblink_(?:is_busy|error_message|build_\w+)"
)
"""Functions of the extensions that come with the server, which read only."""
_SYSTEM_SCHEMAS = ("", "pg_catalog", "racehound")
"""The last one is the schema in which a run keeps its extensions."""


def is_harmless(schema: str, name: str) -> bool:
    """Whether a function changes nothing. `schema`: as the call names it, or empty."""
    if schema not in _SYSTEM_SCHEMAS:
        return False
    if name.startswith("pg_"):
        return not _SYSTEM_CHANGING.fullmatch(name)
    return name in _NEVER_VOLATILE or name in _VOLATILE_READERS or bool(_CHECKS.fullmatch(name))


RULES = StatementRules(
    reads=frozenset({"SHOW"}),
    session=frozenset({"SET", "RESET", "DISCARD", "LISTEN", "UNLISTEN", "LOAD", "DECLARE", "CLOSE", "PREPARE", "DEALLOCATE"}),
    harmless=is_harmless,
)
"""FETCH, MOVE and EXECUTE count as changes: what they run stands in another statement."""
