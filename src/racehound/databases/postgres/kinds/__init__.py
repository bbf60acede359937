"""The catalogue of PostgreSQL kinds.

SecurityLabel is not among them: it needs a label provider, a module that a server loads at its start and that none ships with.
"""

from __future__ import annotations

from racehound.databases.postgres.kinds.access_method import AccessMethod
from racehound.databases.postgres.kinds.annotation import Comment, LargeObject
from racehound.databases.postgres.kinds.base import PostgresKind
from racehound.databases.postgres.kinds.constraint import CheckConstraint, NotNull, UniqueConstraint
from racehound.databases.postgres.kinds.database import Database, Tablespace
from racehound.databases.postgres.kinds.datatype import CompositeType, Domain, EnumType, RangeType
from racehound.databases.postgres.kinds.foreign import ForeignServer, ForeignTable, UserMapping
from racehound.databases.postgres.kinds.foreign_key import ForeignKey
from racehound.databases.postgres.kinds.index import Index
from racehound.databases.postgres.kinds.partition import Partition
from racehound.databases.postgres.kinds.policy import Policy
from racehound.databases.postgres.kinds.replication import Publication, ReplicationSlot
from racehound.databases.postgres.kinds.role import DefaultPrivileges, Role
from racehound.databases.postgres.kinds.routine import Aggregate, Cast, Function, Operator, Procedure
from racehound.databases.postgres.kinds.schema import Extension, Language, Schema
from racehound.databases.postgres.kinds.sequence import IdentityColumn, Sequence
from racehound.databases.postgres.kinds.shared_operations import OTHER_SCHEMA
from racehound.databases.postgres.kinds.statistics import Statistics
from racehound.databases.postgres.kinds.subscription import Subscription
from racehound.databases.postgres.kinds.table import Table
from racehound.databases.postgres.kinds.textual import Collation, Conversion, TextSearchConfig
from racehound.databases.postgres.kinds.trigger import EventTrigger, Rule, Trigger
from racehound.databases.postgres.kinds.view import MaterializedView, View

KINDS: tuple[type[PostgresKind], ...] = (
    Table,
    Partition,
    View,
    MaterializedView,
    Index,
    ForeignKey,
    UniqueConstraint,
    CheckConstraint,
    NotNull,
    Sequence,
    IdentityColumn,
    EnumType,
    CompositeType,
    Domain,
    RangeType,
    Function,
    Procedure,
    Aggregate,
    Operator,
    Cast,
    Trigger,
    EventTrigger,
    Rule,
    Policy,
    Role,
    Schema,
    Database,
    Tablespace,
    Extension,
    Language,
    Publication,
    Subscription,
    ReplicationSlot,
    ForeignServer,
    UserMapping,
    ForeignTable,
    Statistics,
    Collation,
    Conversion,
    TextSearchConfig,
    AccessMethod,
    LargeObject,
    Comment,
    DefaultPrivileges,
)
"""Every kind. A seed draws by position: new ones go to the end."""

__all__ = ["KINDS", "OTHER_SCHEMA", "PostgresKind"]
