"""The catalog of a new environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from racehound_zoo.catalog.model import PUBLIC, ROOT, SYSTEM_ROLE, Acl, Cluster, Database, Item, Replica, Role, Schema
from racehound_zoo.catalog.state import State, name_key

_SCHEMAS = (
    "mz_catalog",
    "pg_catalog",
    "mz_internal",
    "information_schema",
    "mz_introspection",
    "mz_unsafe",
    "mz_catalog_unstable",
)
_CLUSTERS = (
    ("s1", "mz_system", 1),
    ("s2", "mz_catalog_server", 1),
    ("s3", "mz_probe", 1),
    ("s4", "mz_support", 0),
    ("s5", "mz_analytics", 0),
)
_ROLES = (("s1", "mz_system"), ("s2", "mz_support"), ("s3", "mz_analytics"), ("u1", "materialize"), ("u2", "anonymous_http_user"))

SystemItems = Callable[[Mapping[str, str], str], dict[str, Item]]


def initial_state(system_items: SystemItems) -> State:
    """The database, schemas, roles and clusters of a new environment. `system_items` creates the system relations."""
    system_schemas = {name: f"s{number}" for number, name in enumerate(_SCHEMAS, start=1)}
    schemas = {
        key: Schema(key, 30_000 + number, None, name, SYSTEM_ROLE, _usable("U"))
        for number, (name, key) in enumerate(system_schemas.items())
    }
    schemas["u1"] = Schema("u1", 30_100, "u1", "public", SYSTEM_ROLE, _of_root("UC"))
    system = system_items(system_schemas, SYSTEM_ROLE)
    return State(
        databases={"u1": Database("u1", 30_101, "materialize", SYSTEM_ROLE, _of_root("UC"))},
        schemas=schemas,
        items={},
        roles={key: Role(key, 30_200 + number, name) for number, (key, name) in enumerate(_ROLES)},
        clusters=_clusters(),
        system=system,
        names={name_key(item): key for key, item in system.items()},
        default_privileges=((PUBLIC, None, None, "type", PUBLIC, frozenset("U")),),
        system_acls=(Acl(SYSTEM_ROLE, frozenset("RBNP"), SYSTEM_ROLE), Acl(ROOT, frozenset("RBNP"), SYSTEM_ROLE)),
    )


def _usable(letters: str) -> tuple[Acl, ...]:
    return (Acl(SYSTEM_ROLE, frozenset("UC"), SYSTEM_ROLE), Acl(PUBLIC, frozenset(letters), SYSTEM_ROLE))


def _of_root(letters: str) -> tuple[Acl, ...]:
    """Privileges that give the first user all rights, and USAGE to everyone."""
    return (*_usable("U"), Acl(ROOT, frozenset(letters), SYSTEM_ROLE))


def _clusters() -> dict[str, Cluster]:
    clusters = {}
    for key, name, factor in _CLUSTERS:
        replicas = tuple(Replica(f"{key}", "r1", "1", SYSTEM_ROLE) for _ in range(factor))
        acls = _usable("U" if name == "mz_catalog_server" else "")
        acls = tuple(acl for acl in acls if acl.privileges)
        clusters[key] = Cluster(key, name, SYSTEM_ROLE, acls, True, "1", replicas)
    quickstart = Replica("u1", "r1", "1", SYSTEM_ROLE)
    clusters["u1"] = Cluster("u1", "quickstart", SYSTEM_ROLE, _of_root("UC"), True, "1", (quickstart,))
    return clusters
