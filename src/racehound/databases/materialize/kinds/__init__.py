"""The catalogue of Materialize kinds."""

from __future__ import annotations

from racehound.databases.materialize.kinds.base import MaterializeKind
from racehound.databases.materialize.kinds.cluster import Cluster, ClusterReplica
from racehound.databases.materialize.kinds.comment import Comment
from racehound.databases.materialize.kinds.connection import Connection, Secret
from racehound.databases.materialize.kinds.datatype import Type
from racehound.databases.materialize.kinds.external_services import IcebergSink, SqlServerSource
from racehound.databases.materialize.kinds.generator import (
    AuctionSource,
    KeyValueSource,
    LoadGeneratorSource,
    MarketingSource,
    TpchSource,
)
from racehound.databases.materialize.kinds.index import DefaultIndex, Index
from racehound.databases.materialize.kinds.kafka import KafkaSink, UpsertSource
from racehound.databases.materialize.kinds.mysql import MySqlSource
from racehound.databases.materialize.kinds.namespace import Database, Schema
from racehound.databases.materialize.kinds.postgres import PostgresSource
from racehound.databases.materialize.kinds.restarted import RestartedMySqlSource, RestartedPostgresSource, RestartedUpsertSource
from racehound.databases.materialize.kinds.role import Role
from racehound.databases.materialize.kinds.s3 import CopyToS3
from racehound.databases.materialize.kinds.session import Subscription, TransactionalSource
from racehound.databases.materialize.kinds.table import Table, WrittenTable
from racehound.databases.materialize.kinds.view import MaterializedView, RefreshedView, ReplacedView, ReplicaView, View
from racehound.databases.materialize.kinds.webhook import WebhookSource

KINDS: tuple[type[MaterializeKind], ...] = (
    UpsertSource,
    Table,
    PostgresSource,
    MySqlSource,
    LoadGeneratorSource,
    WebhookSource,
    KafkaSink,
    View,
    MaterializedView,
    DefaultIndex,
    WrittenTable,
    Index,
    Secret,
    Connection,
    Schema,
    Database,
    Role,
    Cluster,
    ClusterReplica,
    Type,
    RefreshedView,
    ReplicaView,
    ReplacedView,
    AuctionSource,
    MarketingSource,
    TpchSource,
    KeyValueSource,
    Subscription,
    Comment,
    TransactionalSource,
    SqlServerSource,
    IcebergSink,
    CopyToS3,
    RestartedPostgresSource,
    RestartedMySqlSource,
    RestartedUpsertSource,
)
"""Every kind. A seed draws by position: new ones go to the end."""

__all__ = ["KINDS", "MaterializeKind"]
