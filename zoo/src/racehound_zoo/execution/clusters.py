"""Executes statements on clusters and their replicas."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from racehound_zoo.catalog.model import Acl, Cluster, Replica
from racehound_zoo.catalog.privileges import all_of, require, require_member, require_owner
from racehound_zoo.dialect.parts import Options, Value, option, spell
from racehound_zoo.dialect.statements import CreateCluster, CreateReplica, Drop, Rename, SetOptions, SetOwner, Swap
from racehound_zoo.errors import SqlError
from racehound_zoo.execution.dropping import CASCADE_HINT, notice_cascades
from racehound_zoo.execution.plan import CatalogPlan
from racehound_zoo.sizes import NAMES

_REPLICAS_MAX = 64


def create_cluster(plan: CatalogPlan, statement: CreateCluster) -> str:
    name = statement.name[-1]
    if name.startswith(("mz_", "pg_")):
        raise SqlError(
            f'cluster name "{name}" is reserved', detail='The prefixes "mz_" and "pg_" are reserved for system clusters.'
        )
    if any(cluster.name == name for cluster in plan.state.clusters.values()):
        raise SqlError(f"cluster '{name}' already exists")
    require(plan.state, plan.scope, "system", "", plan.state.system_acls, "CREATECLUSTER")
    role = plan.scope.role
    replicas: tuple[Replica, ...]
    if statement.replicas is not None:
        replicas = tuple(_replica(plan, each, _size(options)) for each, options in statement.replicas)
        size, managed = None, False
    else:
        size, managed = _size(statement.options), True
        replicas = _replicas(plan, size, _factor(option(statement.options, "REPLICATION FACTOR")))
    key = plan.context.catalog.allocate("cluster")
    acls = (Acl(role, all_of("cluster"), role),)
    workload = option(statement.options, "WORKLOAD CLASS")
    cluster = Cluster(key, name, role, acls, managed, size, replicas, workload.text if workload else None)
    plan.state = plan.state.with_cluster(cluster)
    plan.record("create", "cluster", name, key)
    return "CREATE CLUSTER"


def _size(options: Options) -> str:
    given = option(options, "SIZE")
    if given is None:
        raise SqlError("SIZE must be specified for managed clusters")
    if given.text not in NAMES:
        raise SqlError(f"unknown cluster replica size {given.text}", hint=f"Valid cluster replica sizes are: {', '.join(NAMES)}")
    return given.text


def _factor(given: Value | None) -> int:
    if given is None:
        return 1
    if not given.text.isdigit() or int(given.text) > _REPLICAS_MAX:
        raise SqlError(f"invalid REPLICATION FACTOR: {given.text}")
    return int(given.text)


def _replicas(plan: CatalogPlan, size: str, count: int) -> tuple[Replica, ...]:
    return tuple(_replica(plan, f"r{number}", size) for number in range(1, count + 1))


def _replica(plan: CatalogPlan, name: str, size: str) -> Replica:
    key = plan.context.catalog.allocate("replica")
    plan.record("create", "cluster-replica", name, key)
    return Replica(key, name, size, plan.scope.role)


def drop_clusters(plan: CatalogPlan, statement: Drop) -> str:
    for name in statement.names:
        try:
            cluster = plan.state.cluster_named(name[-1])
        except SqlError as error:
            plan.skip("cluster", name, quiet=statement.if_exists, error=error)
            continue
        inside = [item.id for item in plan.state.items.values() if item.cluster == cluster.id]
        if inside and not statement.cascade:
            raise SqlError(f'cannot drop cluster "{cluster.name}" because other objects depend on it', hint=CASCADE_HINT)
        require_owner(plan.state, plan.scope, "cluster", cluster.name, cluster.owner)
        dropped = plan.state.with_dependents(inside)
        plan.drop(dropped)
        plan.state = plan.state.without("clusters", cluster.id)
        plan.record("drop", "cluster", cluster.name, cluster.id)
        notice_cascades(plan, len(dropped) + len(cluster.replicas))
    return "DROP CLUSTER"


def rename_cluster(plan: CatalogPlan, statement: Rename) -> str:
    cluster = _cluster(plan, statement.name[-1], quiet=statement.if_exists)
    if cluster is None:
        return "ALTER CLUSTER"
    require_owner(plan.state, plan.scope, "cluster", cluster.name, cluster.owner)
    if any(other.name == statement.to for other in plan.state.clusters.values()):
        raise SqlError("uniqueness violation")
    plan.state = plan.state.with_cluster(dataclasses.replace(cluster, name=statement.to))
    plan.record("alter", "cluster", statement.to, cluster.id)
    return "ALTER CLUSTER"


def _cluster(plan: CatalogPlan, name: str, *, quiet: bool) -> Cluster | None:
    try:
        return plan.state.cluster_named(name)
    except SqlError as error:
        plan.skip("cluster", (name,), quiet=quiet, error=error)
        return None


def swap_clusters(plan: CatalogPlan, statement: Swap) -> str:
    one = plan.state.cluster_named(statement.name[-1])
    other = plan.state.cluster_named(statement.other)
    for cluster in (one, other):
        require_owner(plan.state, plan.scope, "cluster", cluster.name, cluster.owner)
    plan.state = plan.state.with_cluster(dataclasses.replace(one, name=other.name))
    plan.state = plan.state.with_cluster(dataclasses.replace(other, name=one.name))
    return "ALTER CLUSTER"


def set_cluster_options(plan: CatalogPlan, statement: SetOptions) -> str:
    cluster = _cluster(plan, statement.name[-1], quiet=statement.if_exists)
    if cluster is None:
        return "ALTER CLUSTER"
    require_owner(plan.state, plan.scope, "cluster", cluster.name, cluster.owner)
    managed = option(statement.options, "MANAGED")
    is_managed = managed.truth if managed is not None else cluster.managed
    if not is_managed:
        if statement.options and managed is None:
            raise SqlError(f"cannot change SIZE or REPLICATION FACTOR of unmanaged cluster {cluster.name}")
        changed = dataclasses.replace(cluster, managed=False, size=None)
    else:
        changed = _resized(plan, cluster, statement)
    plan.state = plan.state.with_cluster(changed)
    plan.record("alter", "cluster", cluster.name, cluster.id)
    _drop_work_of(plan, [replica for replica in cluster.replicas if replica not in changed.replicas])
    return "ALTER CLUSTER"


def _resized(plan: CatalogPlan, cluster: Cluster, statement: SetOptions) -> Cluster:
    old_size = cluster.size or (cluster.replicas[0].size if cluster.replicas else NAMES[0])
    size = _size(statement.options) if option(statement.options, "SIZE") else old_size
    wanted = option(statement.options, "REPLICATION FACTOR")
    count = 1 if "REPLICATION FACTOR" in statement.reset else _factor(wanted) if wanted else len(cluster.replicas)
    kept = cluster.replicas[:count] if size == old_size else ()
    missing = [_replica(plan, f"r{number}", size) for number in range(len(kept) + 1, count + 1)]
    return dataclasses.replace(cluster, managed=True, size=size, replicas=(*kept, *missing))


def own_cluster(plan: CatalogPlan, statement: SetOwner) -> str:
    role = plan.state.role_named(statement.role)
    cluster = _cluster(plan, statement.name[-1], quiet=statement.if_exists)
    if cluster is not None:
        require_owner(plan.state, plan.scope, "cluster", cluster.name, cluster.owner)
        require_member(plan.state, plan.scope, role.id)
        acls = (Acl(role.id, all_of("cluster"), role.id), *(acl for acl in cluster.acls if acl.grantee != cluster.owner))
        plan.state = plan.state.with_cluster(dataclasses.replace(cluster, owner=role.id, acls=acls))
    return "ALTER CLUSTER"


def create_replica(plan: CatalogPlan, statement: CreateReplica) -> str:
    cluster = plan.state.cluster_named(statement.name[0])
    name = statement.name[-1]
    size = _size(statement.options)
    if cluster.managed:
        raise SqlError(f"cannot modify managed cluster {cluster.name}")
    if any(replica.name == name for replica in cluster.replicas):
        raise SqlError(f"cannot create multiple replicas named '{name}' on cluster '{cluster.name}'")
    require_owner(plan.state, plan.scope, "cluster", cluster.name, cluster.owner)
    replicas = (*cluster.replicas, _replica(plan, name, size))
    plan.state = plan.state.with_cluster(dataclasses.replace(cluster, replicas=replicas))
    return "CREATE CLUSTER REPLICA"


def rename_replica(plan: CatalogPlan, statement: Rename) -> str:
    cluster = plan.state.cluster_named(statement.name[0])
    replica = replica_named(cluster, statement.name[-1])
    require_owner(plan.state, plan.scope, "cluster", cluster.name, cluster.owner)
    if any(other.name == statement.to for other in cluster.replicas):
        raise SqlError("uniqueness violation")
    renamed = tuple(dataclasses.replace(each, name=statement.to) if each is replica else each for each in cluster.replicas)
    plan.state = plan.state.with_cluster(dataclasses.replace(cluster, replicas=renamed))
    return "ALTER CLUSTER REPLICA"


def replica_named(cluster: Cluster, name: str) -> Replica:
    """The replica of that name. SqlError if there is none."""
    for replica in cluster.replicas:
        if replica.name == name:
            return replica
    raise SqlError(f'CLUSTER {cluster.name} has no CLUSTER REPLICA named "{name}"')


def drop_replicas(plan: CatalogPlan, statement: Drop) -> str:
    for name in statement.names:
        try:
            cluster = plan.state.cluster_named(name[0])
            replica = replica_named(cluster, name[-1])
        except SqlError:
            if not statement.if_exists:
                raise
            plan.notice(f'CLUSTER REPLICA "{spell(name)}" does not exist, skipping', "42704")
            continue
        if cluster.managed:
            raise SqlError("cannot drop replica of managed cluster")
        require_owner(plan.state, plan.scope, "cluster", cluster.name, cluster.owner)
        replicas = tuple(each for each in cluster.replicas if each is not replica)
        plan.state = plan.state.with_cluster(dataclasses.replace(cluster, replicas=replicas))
        plan.record("drop", "cluster-replica", replica.name, replica.id)
        _drop_work_of(plan, [replica])
    return "DROP CLUSTER REPLICA"


def _drop_work_of(plan: CatalogPlan, gone: Sequence[Replica]) -> None:
    """Drop the materialized views that were maintained by these replicas only (MaterializeInc/materialize#36471)."""
    keys = {replica.id for replica in gone}
    alone = [item.id for item in plan.state.items.values() if getattr(item.definition, "replica", None) in keys]
    dropped = plan.state.with_dependents(alone)
    if dropped:
        plan.drop(dropped)
        notice_cascades(plan, len(dropped))
