"""The catalogue of Materialize kinds."""

from __future__ import annotations

from racehound.kinds.materialize.base import MaterializeKind
from racehound.kinds.materialize.cluster import Cluster, ClusterReplica
from racehound.kinds.materialize.comment import Comment
from racehound.kinds.materialize.connection import Connection, Secret
from racehound.kinds.materialize.copying import CopyToS3
from racehound.kinds.materialize.datatype import Type
from racehound.kinds.materialize.elsewhere import IcebergSink, SqlServerSource
from racehound.kinds.materialize.generator import AuctionSource, KeyValueSource, LoadGeneratorSource, MarketingSource, TpchSource
from racehound.kinds.materialize.index import DefaultIndex, Index
from racehound.kinds.materialize.kafka import KafkaSink, UpsertSource
from racehound.kinds.materialize.mysql import MySqlSource
from racehound.kinds.materialize.namespace import Database, Schema
from racehound.kinds.materialize.postgres import PostgresSource
from racehound.kinds.materialize.restarted import RestartedMySqlSource, RestartedPostgresSource, RestartedUpsertSource
from racehound.kinds.materialize.role import Role
from racehound.kinds.materialize.session import Subscription, TransactionalSource
from racehound.kinds.materialize.table import Table, WrittenTable
from racehound.kinds.materialize.view import MaterializedView, RefreshedView, ReplacedView, ReplicaView, View
from racehound.kinds.materialize.webhook import WebhookSource

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
