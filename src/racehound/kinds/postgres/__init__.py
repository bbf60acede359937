"""The catalogue of PostgreSQL kinds.

SecurityLabel is not among them: it needs a label provider, a module that a server loads at its start and that none ships with.
"""

from __future__ import annotations

from racehound.kinds.postgres.access_method import AccessMethod
from racehound.kinds.postgres.annotation import Comment, LargeObject
from racehound.kinds.postgres.base import PostgresKind
from racehound.kinds.postgres.constraint import CheckConstraint, NotNull, UniqueConstraint
from racehound.kinds.postgres.database import Database, Tablespace
from racehound.kinds.postgres.datatype import CompositeType, Domain, EnumType, RangeType
from racehound.kinds.postgres.foreign import ForeignServer, ForeignTable, UserMapping
from racehound.kinds.postgres.foreign_key import ForeignKey
from racehound.kinds.postgres.index import Index
from racehound.kinds.postgres.lives import ELSEWHERE
from racehound.kinds.postgres.partition import Partition
from racehound.kinds.postgres.policy import Policy
from racehound.kinds.postgres.replication import Publication, ReplicationSlot
from racehound.kinds.postgres.role import DefaultPrivileges, Role
from racehound.kinds.postgres.routine import Aggregate, Cast, Function, Operator, Procedure
from racehound.kinds.postgres.schema import Extension, Language, Schema
from racehound.kinds.postgres.sequence import IdentityColumn, Sequence
from racehound.kinds.postgres.statistics import Statistics
from racehound.kinds.postgres.subscription import Subscription
from racehound.kinds.postgres.table import Table
from racehound.kinds.postgres.textual import Collation, Conversion, TextSearchConfig
from racehound.kinds.postgres.trigger import EventTrigger, Rule, Trigger
from racehound.kinds.postgres.view import MaterializedView, View

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

__all__ = ["ELSEWHERE", "KINDS", "PostgresKind"]
