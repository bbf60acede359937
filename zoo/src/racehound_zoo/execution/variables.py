"""Session variables, and settings of the whole server."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from racehound_zoo.errors import SqlError
from racehound_zoo.release import RECORDED, Release


@dataclasses.dataclass(frozen=True, slots=True)
class Variable:
    default: str
    description: str
    reported: bool = False
    """Whether clients are told when it changes (message ParameterStatus)."""
    fixed: bool = False


SESSION: Mapping[str, Variable] = MappingProxyType(
    {
        "application_name": Variable("", "What the client calls itself.", True),
        "auto_route_catalog_queries": Variable("on", "Whether queries on the system alone run on its own cluster."),
        "client_encoding": Variable("UTF8", "The encoding that the client speaks.", True),
        "client_min_messages": Variable("notice", "Which notices are sent."),
        "cluster": Variable("quickstart", "Where queries run and things are made.", True),
        "cluster_replica": Variable("", "The one replica that queries run on."),
        "current_object_missing_warnings": Variable("on", "Whether missing databases and clusters are warned of."),
        "database": Variable("materialize", "The database of unqualified names.", True),
        "datestyle": Variable("ISO, MDY", "How dates are written.", True),
        "emit_introspection_query_notice": Variable("on", "Whether queries of one replica's own relations are noted."),
        "emit_timestamp_notice": Variable("off", "Whether the moment of a query is noted."),
        "emit_trace_id_notice": Variable("off", "Whether the trace of a statement is noted."),
        "enable_session_rbac_checks": Variable("off", "Whether this session's privileges are checked."),
        "extra_float_digits": Variable("3", "How exactly numbers are written."),
        "idle_in_transaction_session_timeout": Variable("2 min", "How long a transaction may idle."),
        "integer_datetimes": Variable("on", "Whether moments are whole numbers.", True, True),
        "intervalstyle": Variable("postgres", "How intervals are written.", True),
        "is_superuser": Variable("off", "Whether the session may do everything.", True, True),
        "max_query_result_size": Variable("1GB", "How large an answer may be."),
        "mz_version": Variable(RECORDED.mz_version, "The server's version.", True, True),
        "real_time_recency": Variable("off", "Whether a query waits for what is upstream now."),
        "search_path": Variable("public", "The schemas of unqualified names.", True),
        "server_version": Variable("9.5.0", "The PostgreSQL that the server is like.", True, True),
        "server_version_num": Variable("90500", "The same as a number.", False, True),
        "sql_safe_updates": Variable("off", "Whether dangerous statements are refused."),
        "standard_conforming_strings": Variable("on", "Whether a backslash in a string is one.", True),
        "statement_logging_sample_rate": Variable("0", "How many statements are logged."),
        "statement_timeout": Variable("1 min", "How long a write may take."),
        "timezone": Variable("UTC", "The time zone of the session.", True),
        "transaction_isolation": Variable("strict serializable", "How transactions are kept apart."),
        "welcome_message": Variable("off", "Whether a welcome is sent."),
    }
)

_LIMITS = {
    "max_aws_privatelink_connections": 0, "max_clusters": 25, "max_connections": 5000, "max_databases": 1000,
    "max_kafka_connections": 1000, "max_materialized_views": 500, "max_mysql_connections": 1000, "max_objects_per_schema": 1000,
    "max_postgres_connections": 1000, "max_replicas_per_cluster": 5, "max_roles": 1000, "max_schemas_per_database": 1000,
    "max_secrets": 100, "max_sinks": 1000, "max_sources": 200, "max_sql_server_connections": 1000, "max_tables": 200,
    "webhook_concurrent_request_limit": 500,
}  # fmt: skip
_FLAGS = (
    "enable_alter_swap", "enable_create_table_from_source", "enable_refresh_every_mvs", "enable_alter_table_add_column",
    "enable_rbac_checks", "enable_unsafe_functions", "unsafe_enable_unsafe_functions", "enable_cluster_schedule_refresh",
    "enable_copy_to_expr", "enable_multi_replica_sources", "enable_load_generator_datums", "enable_load_generator_key_value",
    "enable_zero_downtime_cluster_reconfiguration", "enable_connection_validation_syntax", "enable_envelope_materialize",
    "enable_kafka_sink_headers", "enable_create_source_denylist_with_options", "allow_real_time_recency",
)  # fmt: skip
SYSTEM: Mapping[str, str] = MappingProxyType(
    {**{name: str(limit) for name, limit in _LIMITS.items()}, **dict.fromkeys(_FLAGS, "on"), "allowed_cluster_replica_sizes": ""}
)
"""The settings of the whole server that every release has, with their defaults. ALTER SYSTEM changes them."""
UNKNOWN = "42704"


def unknown(name: str) -> SqlError:
    return SqlError(f'unrecognized configuration parameter "{name}"', UNKNOWN)


def of_server(release: Release) -> Mapping[str, str]:
    """The settings of the whole server in a release, with their defaults."""
    return MappingProxyType({**SYSTEM, **release.settings})


def canonical(name: str) -> str:
    """The canonical form of a variable's name."""
    return name.lower().replace(" ", "_") if name.lower() != "time zone" else "timezone"
