"""The columns of the relations in mz_catalog and mz_internal that racehound's kinds and checks read.

They are as a server of release v0.147 described them; `!` stands for NOT NULL.
"""

from __future__ import annotations

from racehound_zoo.catalog.model import Column
from racehound_zoo.datatypes import builtin

_TEXT = """
mz_catalog.mz_audit_events: id uint8!, event_type text!, object_type text!, details jsonb!, user text, occurred_at timestamp
    with time zone!
mz_catalog.mz_cluster_replica_frontiers: object_id text!, replica_id text!, write_frontier mz_timestamp
mz_catalog.mz_cluster_replica_sizes: size text!, processes uint8!, workers uint8!, cpu_nano_cores uint8!, memory_bytes
    uint8!, disk_bytes uint8, credits_per_hour numeric!
mz_catalog.mz_cluster_replicas: id text!, name text!, cluster_id text!, size text, availability_zone text, owner_id text!,
    disk boolean
mz_catalog.mz_clusters: id text!, name text!, owner_id text!, privileges mz_aclitem[]!, managed boolean!, size text,
    replication_factor uint4, disk boolean, availability_zones list, introspection_debugging boolean, introspection_interval
    interval
mz_catalog.mz_columns: id text!, name text!, position uint8!, nullable boolean!, type text!, default text, type_oid oid!,
    type_mod integer!
mz_catalog.mz_connections: id text!, oid oid!, schema_id text!, name text!, type text!, owner_id text!, privileges
    mz_aclitem[]!, create_sql text!, redacted_create_sql text!
mz_catalog.mz_databases: id text!, oid oid!, name text!, owner_id text!, privileges mz_aclitem[]!
mz_catalog.mz_default_privileges: role_id text!, database_id text, schema_id text, object_type text!, grantee text!,
    privileges text!
mz_catalog.mz_index_columns: index_id text!, index_position uint8!, on_position uint8, on_expression text, nullable boolean!
mz_catalog.mz_indexes: id text!, oid oid!, name text!, on_id text!, cluster_id text!, owner_id text!, create_sql text!,
    redacted_create_sql text!
mz_catalog.mz_kafka_connections: id text!, brokers text[]!, sink_progress_topic text!
mz_catalog.mz_kafka_sinks: id text!, topic text!
mz_catalog.mz_kafka_sources: id text!, group_id_prefix text!, topic text!
mz_catalog.mz_materialized_views: id text!, oid oid!, schema_id text!, name text!, cluster_id text!, definition text!,
    owner_id text!, privileges mz_aclitem[]!, create_sql text!, redacted_create_sql text!
mz_catalog.mz_objects: id text!, oid oid!, schema_id text!, name text!, type text!, owner_id text!, cluster_id text,
    privileges mz_aclitem[]
mz_catalog.mz_recent_storage_usage: object_id text!, size_bytes uint8
mz_catalog.mz_relations: id text!, oid oid!, schema_id text!, name text!, type text!, owner_id text!, cluster_id text,
    privileges mz_aclitem[]!
mz_catalog.mz_role_members: role_id text!, member text!, grantor text!
mz_catalog.mz_roles: id text!, oid oid!, name text!, inherit boolean!
mz_catalog.mz_schemas: id text!, oid oid!, database_id text, name text!, owner_id text!, privileges mz_aclitem[]!
mz_catalog.mz_secrets: id text!, oid oid!, schema_id text!, name text!, owner_id text!, privileges mz_aclitem[]!
mz_catalog.mz_sinks: id text!, oid oid!, schema_id text!, name text!, type text!, connection_id text, size text,
    envelope_type text, format text!, key_format text, value_format text!, cluster_id text!, owner_id text!, create_sql text!,
    redacted_create_sql text!
mz_catalog.mz_sources: id text!, oid oid!, schema_id text!, name text!, type text!, connection_id text, size text,
    envelope_type text, key_format text, value_format text, cluster_id text, owner_id text!, privileges mz_aclitem[]!,
    create_sql text, redacted_create_sql text
mz_catalog.mz_storage_usage: object_id text!, size_bytes uint8!, collection_timestamp timestamp with time zone!
mz_catalog.mz_system_privileges: privileges mz_aclitem!
mz_catalog.mz_tables: id text!, oid oid!, schema_id text!, name text!, owner_id text!, privileges mz_aclitem[]!, create_sql
    text, redacted_create_sql text, source_id text
mz_catalog.mz_types: id text!, oid oid!, schema_id text!, name text!, category text!, owner_id text!, privileges
    mz_aclitem[]!, create_sql text, redacted_create_sql text
mz_catalog.mz_views: id text!, oid oid!, schema_id text!, name text!, definition text!, owner_id text!, privileges
    mz_aclitem[]!, create_sql text!, redacted_create_sql text!
mz_internal.mz_cluster_replica_status_history: replica_id text!, process_id uint8!, status text!, reason text, occurred_at
    timestamp with time zone!
mz_internal.mz_cluster_replica_statuses: replica_id text!, process_id uint8!, status text!, reason text, updated_at
    timestamp with time zone!
mz_internal.mz_cluster_replica_utilization: replica_id text!, process_id uint8!, cpu_percent double precision,
    memory_percent double precision, disk_percent double precision
mz_internal.mz_comments: id text!, object_type text!, object_sub_id integer, comment text!
mz_internal.mz_compute_hydration_statuses: object_id text!, replica_id text!, hydrated boolean!, hydration_time interval
mz_internal.mz_frontiers: object_id text!, read_frontier mz_timestamp, write_frontier mz_timestamp
mz_internal.mz_hydration_statuses: object_id text!, replica_id text, hydrated boolean
mz_internal.mz_kafka_source_tables: id text!, topic text!, envelope_type text, key_format text, value_format text
mz_internal.mz_materialized_view_refresh_strategies: materialized_view_id text!, type text!, interval interval, aligned_to
    timestamp with time zone, at timestamp with time zone
mz_internal.mz_materialized_view_refreshes: materialized_view_id text!, last_completed_refresh mz_timestamp, next_refresh
    mz_timestamp
mz_internal.mz_mysql_source_tables: id text!, schema_name text!, table_name text!
mz_internal.mz_network_policies: id text!, name text!, owner_id text!, privileges mz_aclitem[]!, oid oid!
mz_internal.mz_notices: id text!, notice_type text!, message text!, hint text!, action text, redacted_message text,
    redacted_hint text, redacted_action text, action_type text, object_id text, created_at timestamp with time zone!
mz_internal.mz_object_dependencies: object_id text!, referenced_object_id text!
mz_internal.mz_object_fully_qualified_names: id text!, name text!, object_type text!, schema_id text!, schema_name text!,
    database_id text, database_name text, cluster_id text
mz_internal.mz_object_history: id text, cluster_id text, object_type text!, created_at timestamp with time zone, dropped_at
    timestamp with time zone
mz_internal.mz_object_lifetimes: id text, previous_id text, object_type text!, event_type text!, occurred_at timestamp with
    time zone!
mz_internal.mz_object_transitive_dependencies: object_id text!, referenced_object_id text!
mz_internal.mz_postgres_source_tables: id text!, schema_name text!, table_name text!
mz_internal.mz_postgres_sources: id text!, replication_slot text!, timeline_id uint8
mz_internal.mz_recent_activity_log: execution_id uuid!, sample_rate double precision!, cluster_id text, application_name
    text!, cluster_name text, database_name text!, search_path list!, transaction_isolation text!, execution_timestamp uint8,
    transient_index_id text, params text[]!, mz_version text!, began_at timestamp with time zone!, finished_at timestamp with
    time zone, finished_status text, error_message text, result_size bigint, rows_returned bigint, execution_strategy text,
    transaction_id uint8!, prepared_statement_id uuid!, sql_hash bytea!, prepared_statement_name text!, session_id uuid!,
    prepared_at timestamp with time zone!, statement_type text, throttled_count uint8!, initial_application_name text!,
    authenticated_user text!, sql text!
mz_internal.mz_sessions: id uuid!, connection_id uint4!, role_id text!, client_ip text, connected_at timestamp with time
    zone!
mz_internal.mz_show_sources: id text!, name text!, type text!, cluster text, schema_id text!, cluster_id text, comment text!
mz_internal.mz_sink_statistics: id text!, messages_staged uint8!, messages_committed uint8!, bytes_staged uint8!,
    bytes_committed uint8!
mz_internal.mz_sink_status_history: occurred_at timestamp with time zone!, sink_id text!, status text!, error text, details
    jsonb, replica_id text
mz_internal.mz_sink_statuses: id text!, name text!, type text!, last_status_change_at timestamp with time zone, status
    text!, error text, details jsonb
mz_internal.mz_source_references: source_id text!, namespace text, name text!, updated_at timestamp with time zone!, columns
    text[]
mz_internal.mz_source_statistics: id text!, messages_received uint8!, bytes_received uint8!, updates_staged uint8!,
    updates_committed uint8!, records_indexed uint8!, bytes_indexed uint8!, rehydration_latency interval, snapshot_records_known
    uint8, snapshot_records_staged uint8, snapshot_committed boolean!, offset_known uint8, offset_committed uint8
mz_internal.mz_source_status_history: occurred_at timestamp with time zone!, source_id text!, status text!, error text,
    details jsonb, replica_id text
mz_internal.mz_source_statuses: id text!, name text!, type text!, last_status_change_at timestamp with time zone, status
    text!, error text, details jsonb
mz_internal.mz_statement_lifecycle_history: statement_id uuid!, event_type text!, occurred_at timestamp with time zone!
mz_internal.mz_storage_shards: object_id text!, shard_id text!
mz_internal.mz_subscriptions: id text!, session_id uuid!, cluster_id text!, created_at timestamp with time zone!,
    referenced_object_ids list!
mz_internal.mz_type_pg_metadata: id text!, typinput oid!, typreceive oid!
mz_internal.mz_wallclock_global_lag: object_id text!, lag interval
mz_internal.mz_wallclock_lag_history: object_id text!, replica_id text, lag interval, occurred_at timestamp with time zone!
mz_internal.mz_webhook_sources: id text!, name text!, url text!
"""


def _column(text: str) -> Column:
    name, _, kind = text.strip().partition(" ")
    known = builtin(kind.rstrip("!"))
    assert known is not None, kind
    return Column(name, known, not kind.endswith("!"))


def _parsed() -> dict[tuple[str, str], tuple[Column, ...]]:
    found = {}
    for line in _TEXT.replace("\n    ", " ").strip().splitlines():
        name, _, columns = line.partition(": ")
        schema, _, relation = name.partition(".")
        found[schema, relation] = tuple(_column(column) for column in columns.split(","))
    return found


COLUMNS = _parsed()
"""The columns by schema and relation."""
