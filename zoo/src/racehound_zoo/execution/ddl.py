"""Changes of the catalog.

They are planned and installed under the catalog's lock, so that they have one order and no session sees a part of one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from racehound_zoo.catalog.catalog import Catalog
from racehound_zoo.catalog.state import Scope, State
from racehound_zoo.defect_hooks import ChangeResult
from racehound_zoo.dialect import statements as s
from racehound_zoo.errors import SqlError
from racehound_zoo.execution import altering, clusters, connecting, containers, creating, dropping, roles
from racehound_zoo.execution.engine import Engine
from racehound_zoo.execution.plan import NO_ANSWERS, CatalogPlan, UpstreamAnswers
from racehound_zoo.execution.upstream_checks import ask_upstream
from racehound_zoo.storage import Storage

Handler = Callable[[CatalogPlan, Any], str]

_HANDLERS: Mapping[type[s.Statement], Handler] = MappingProxyType(
    {
        s.CreateTable: creating.create_table,
        s.CreateTableFromSource: connecting.create_table_from_source,
        s.CreateView: creating.create_view,
        s.CreateMaterializedView: creating.create_materialized_view,
        s.CreateIndex: creating.create_index,
        s.CreateSource: connecting.create_source,
        s.CreateSink: connecting.create_sink,
        s.CreateConnection: creating.create_connection,
        s.CreateSecret: creating.create_secret,
        s.CreateSchema: containers.create_schema,
        s.CreateDatabase: containers.create_database,
        s.CreateRole: roles.create_role,
        s.CreateType: creating.create_type,
        s.CreateCluster: clusters.create_cluster,
        s.CreateReplica: clusters.create_replica,
        s.SetCluster: altering.set_cluster,
        s.AddColumn: altering.add_column,
        s.AlterSource: altering.alter_source,
        s.AlterSink: altering.alter_sink,
        s.ApplyReplacement: altering.apply_replacement,
        s.AlterSecret: altering.alter_secret,
        s.AlterRole: roles.alter_role,
        s.Comment: altering.comment,
        s.GrantRole: roles.grant_role,
        s.GrantPrivileges: roles.grant_privileges,
        s.DefaultPrivileges: roles.default_privileges,
        s.ReassignOwned: roles.reassign_owned,
        s.DropOwned: roles.drop_owned,
    }
)
_BY_KIND: Mapping[type[s.Statement], Mapping[str, Handler]] = MappingProxyType(
    {
        s.Drop: {
            "cluster": clusters.drop_clusters, "cluster replica": clusters.drop_replicas, "schema": containers.drop_schemas,
            "database": containers.drop_databases, "role": roles.drop_roles, "": dropping.drop_items,
        },
        s.Rename: {
            "cluster": clusters.rename_cluster, "cluster replica": clusters.rename_replica, "schema": containers.rename_schema,
            "": altering.rename,
        },
        s.SetOwner: {
            "cluster": clusters.own_cluster, "schema": containers.own_container, "database": containers.own_container,
            "": altering.set_owner,
        },
        s.Swap: {"cluster": clusters.swap_clusters, "": containers.swap_schemas},
        s.SetOptions: {"cluster": clusters.set_cluster_options, "": altering.set_options},
    }
)  # fmt: skip

CHANGING = (*_HANDLERS, *_BY_KIND)
"""The statements that change the catalog."""


@dataclasses.dataclass(frozen=True)
class _Change:
    """A `CatalogChange`: a statement, the facts about its session, and the answers of the upstream systems."""

    ddl: Ddl
    statement: s.Statement
    scope: Scope
    cluster: str
    answers: UpstreamAnswers
    interrupted: Callable[[], bool]

    @property
    def catalog(self) -> Catalog:
        return self.ddl.engine.catalog

    @property
    def storage(self) -> Storage:
        return self.ddl.engine.storage

    def plan(self, state: State) -> CatalogPlan:
        """See `CatalogChange`."""
        return self.ddl.plan(state, self.statement, self.scope, self.cluster, self.answers)

    def execute(self) -> ChangeResult:
        """See `CatalogChange`."""
        for _ in self.storage.altering_tries():
            with self.catalog.changing():
                plan = self.plan(self.catalog.state)
                if not plan.retry:
                    return plan.install()
        raise AssertionError("the tries end with an error")


class Ddl:
    """Changes the catalog of one engine, for all sessions."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def run(self, statement: s.Statement, scope: Scope, cluster: str, interrupted: Callable[[], bool]) -> ChangeResult:
        """Execute a statement. `cluster`: the name of the session's cluster.

        SqlError when the statement is refused; then nothing has changed.
        """
        answers = ask_upstream(CatalogPlan(self.engine, self.engine.catalog.state, scope), statement, cluster)
        return self.engine.defects.change_catalog(_Change(self, statement, scope, cluster, answers, interrupted))

    def plan(
        self, state: State, statement: s.Statement, scope: Scope, cluster: str, answers: UpstreamAnswers = NO_ANSWERS
    ) -> CatalogPlan:
        """Plan what a statement changes in a state. The relations that it creates exist in the storage afterwards."""
        plan = CatalogPlan(self.engine, state, scope, answers)
        plan.cluster = cluster
        try:
            plan.tag = handler_of(statement)(plan, statement)
        except SqlError:
            plan.undo()
            raise
        return plan

    def install_if_unchanged(self, plan: CatalogPlan, seen: State) -> bool:
        """Install a plan if the catalog has not changed since that state. Returns whether it was installed."""
        with self.engine.catalog.changing():
            if self.engine.catalog.state.revision != seen.revision:
                return False
            plan.install()
            return True


def handler_of(statement: s.Statement) -> Handler:
    by_kind = _BY_KIND.get(type(statement))
    if by_kind is not None:
        kind: str = getattr(statement, "kind")  # noqa: B009 mypy knows no common base class with the field kind
        return by_kind.get(kind, by_kind[""])
    return _HANDLERS[type(statement)]
