"""Every change of the catalog: planned and done under its lock, so that all of them have one order and none is seen by halves."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from racehound_zoo.catalog.state import Scope, State
from racehound_zoo.dialect import statements as s
from racehound_zoo.errors import Notice, SqlError
from racehound_zoo.execution import altering, clusters, connecting, containers, creating, dropping, roles
from racehound_zoo.execution.engine import Engine
from racehound_zoo.execution.plan import NOTHING_PREPARED, Plan, Prepared
from racehound_zoo.execution.preparing import prepare

Handler = Callable[[Plan, Any], str]

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
class Done:
    """What a change says of itself."""

    tag: str
    notices: tuple[Notice, ...]


class Ddl:
    """Changes one catalog, for all sessions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def run(self, statement: s.Statement, scope: Scope, cluster: str, interrupted: Callable[[], bool]) -> Done:
        """Do it. `cluster`: the session's. SqlError when it cannot be done; nothing has changed then."""
        prepared = prepare(Plan(self._engine, self._engine.catalog.state, scope), statement, cluster)
        if self._engine.switches.any_on:
            from racehound_zoo.defects.racing import Racing

            return Racing(self._engine, self, interrupted).run(statement, scope, cluster, prepared)
        return self.honestly(statement, scope, cluster, prepared)

    def honestly(self, statement: s.Statement, scope: Scope, cluster: str, prepared: Prepared = NOTHING_PREPARED) -> Done:
        """Plan and do it while nobody else changes anything."""
        for _ in self._engine.storage.altering_tries():
            with self._engine.catalog.changing():
                plan, tag = self.plan(self._engine.catalog.state, statement, scope, cluster, prepared)
                if not plan.retry:
                    return self.install(plan, tag)
        raise AssertionError("the tries end with an error")

    def plan(
        self, state: State, statement: s.Statement, scope: Scope, cluster: str, prepared: Prepared = NOTHING_PREPARED
    ) -> tuple[Plan, str]:
        """What it would change in a state, and its tag. What it has made in the storage is there already."""
        plan = Plan(self._engine, state, scope, prepared)
        plan.cluster = cluster
        try:
            return plan, handler_of(statement)(plan, statement)
        except SqlError:
            plan.undo()
            raise

    def install(self, plan: Plan, tag: str) -> Done:
        """Make the plan's state the catalog's. Under its lock."""
        if plan.state is not self._engine.catalog.state:
            self._engine.catalog.replace(plan.state)
        plan.finish()
        return Done(tag, tuple(plan.notices))

    def install_if_unchanged(self, plan: Plan, seen: State) -> bool:
        """The same, but only if nothing has changed since a state."""
        with self._engine.catalog.changing():
            if self._engine.catalog.state.revision != seen.revision:
                return False
            self.install(plan, "")
            return True


def handler_of(statement: s.Statement) -> Handler:
    by_kind = _BY_KIND.get(type(statement))
    if by_kind is not None:
        kind: str = getattr(statement, "kind")  # noqa: B009 mypy knows no common base with a kind
        return by_kind.get(kind, by_kind[""])
    return _HANDLERS[type(statement)]
