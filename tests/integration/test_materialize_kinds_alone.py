"""Every Materialize kind alone on the zoo: each fragment does what it says when nobody races it, nothing is left behind."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from racehound.databases.materialize.connected_services import ConnectedServices, from_variables
from racehound.databases.materialize.kinds import KINDS, MaterializeKind
from racehound.databases.materialize.server_location import Addresses, RemoteServerLocation
from racehound.databases.materialize.target import MaterializeTarget, is_available
from racehound.services.backends.instance import Instance
from racehound.testdrive.errors import CommandFailed
from racehound.testdrive.interpreter import Interpreter
from racehound.testdrive.parser import parse
from racehound.testdrive.state import Context
from racehound.wire.session import LibpqSession
from racehound_zoo.server import Zoo

RUN = "rh00a10e00"
_COMBINATIONS_MAX = 6
_REFERABLE = [kind for kind in KINDS if kind.can_be_referenced and not kind.requires & {"kafka", "mysql", "postgres"}]
_SERVED = [kind for kind in KINDS if kind.enabled and kind.requires & {"kafka", "mysql", "postgres", "s3"}]
_ALONE = [kind for kind in KINDS if kind.enabled and kind not in _SERVED]
# What an object named o_0 has in the run's databases and, environment-wide, under the run's id.
_TRACES = f"""
SELECT o.type, s.name || '.' || o.name FROM mz_catalog.mz_objects AS o JOIN mz_catalog.mz_schemas AS s ON s.id = o.schema_id
  JOIN mz_catalog.mz_databases AS d ON d.id = s.database_id
  WHERE d.name LIKE '{RUN}%' AND (o.name LIKE 'o_0%' OR o.name LIKE '%idx%' OR s.name LIKE 'o_0%')
UNION ALL SELECT 'schema', s.name FROM mz_catalog.mz_schemas AS s JOIN mz_catalog.mz_databases AS d ON d.id = s.database_id
  WHERE d.name LIKE '{RUN}%' AND s.name LIKE 'o_0%'
UNION ALL SELECT 'cluster', name FROM mz_catalog.mz_clusters WHERE name LIKE '{RUN}_o_0%'
UNION ALL SELECT 'role', name FROM mz_catalog.mz_roles WHERE name LIKE '{RUN}_o_0%'
UNION ALL SELECT 'database', name FROM mz_catalog.mz_databases WHERE name LIKE '{RUN}_o_0%'
UNION ALL SELECT 'comment', comment FROM mz_internal.mz_comments WHERE comment LIKE 'o_0%'
ORDER BY 1, 2
"""


class Stage:
    """A working database of the target, on which lives are led one after the other."""

    def __init__(self, zoo: Zoo, connected: ConnectedServices) -> None:
        addresses = Addresses(zoo.url, zoo.internal_url, zoo.http_url, zoo.internal_http_url)
        self.target = MaterializeTarget(RemoteServerLocation(addresses), connected, RUN, records=500)
        self.target.start()
        self.target.rebuild()
        self.session = self.target.open("stage")
        self._interpreter = self._interpret()

    def _interpret(self) -> Interpreter:
        return Interpreter(
            Context(
                session=self.session, variables=self.target.variables(), connect=LibpqSession.connect,
                services=self.target.services, support=self.target.dialect.script_support, max_tries=1,
            )
        )  # fmt: skip

    def run(self, what: str, fragment: str) -> None:
        try:
            self._interpreter.run(parse(fragment, what))
        except CommandFailed as failure:
            pytest.fail(f"{what}\n{failure}", pytrace=False)

    def traces(self) -> list[tuple[str, ...]]:
        """What objects named o_0 have in the environment."""
        return self.session.ask(_TRACES)

    def clear(self) -> None:
        self.session.reset()
        assert self.target.reset()
        assert self.target.problems() == []

    def close(self) -> None:
        self._interpreter.close()
        self.session.close()
        self.target.stop()


@pytest.fixture(scope="module")
def zoo() -> Iterator[Zoo]:
    with Zoo() as zoo:
        yield zoo


@pytest.fixture(scope="module")
def stage(zoo: Zoo) -> Iterator[Stage]:
    stage = Stage(zoo, ConnectedServices())
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def served(zoo: Zoo, service: Callable[[str], Instance]) -> Iterator[Stage]:
    """The same with real Kafka, registry, PostgreSQL, MySQL and S3 around it."""
    instances = [service(name) for name in ("kafka", "schema-registry", "postgres", "mysql", "seaweedfs")]
    variables = {key: value for each in instances for key, value in each.service.variables(each.access).items()}
    stage = Stage(zoo, from_variables(variables))
    yield stage
    stage.close()


def _combinations(kind: type[MaterializeKind]) -> list[dict[str, Any]]:
    """All of them, or as many spread over all."""
    attributes = kind.attributes()
    every = [dict(zip(attributes, values, strict=True)) for values in itertools.product(*attributes.values())]
    return every[:: max(1, -(-len(every) // _COMBINATIONS_MAX))]


def _live(stage: Stage, made: MaterializeKind, base: MaterializeKind | None) -> None:
    """The whole life of an object, each manipulation followed by verify; then nothing of it is left but what prepare made."""
    if not is_available(type(made), stage.target.capabilities):
        pytest.skip(f"{type(made).__name__} needs {sorted(made.requires - stage.target.capabilities)}")
    title = f"{made} over {type(base).__name__ if base else 'nothing'}"
    if base:
        stage.run(f"{title}: prepare and create the base", base.prepare() + base.create())
    stage.run(f"{title}: prepare", made.prepare())
    before = stage.traces()
    stage.run(f"{title}: create", made.create())
    assert stage.traces() != before or not made.create_statements(), title
    stage.run(f"{title}: verify", made.verify())
    for manipulation in made.all_manipulations():
        stage.run(f"{title}: {manipulation}", made.manipulate(manipulation))
        stage.run(f"{title}: verify after {manipulation}", made.verify())
    if base:
        stage.run(f"{title}: verify the base", base.verify())
    assert stage.target.problems() == [], title
    stage.run(f"{title}: destroy", made.destroy())
    # A sink's materialized view is made where there is none, and stays.
    assert [each for each in stage.traces() if each[0] != "materialized-view"] == before, title
    if base:
        stage.run(f"{title}: destroy the base", base.destroy())


@pytest.mark.parametrize("kind", _ALONE, ids=lambda kind: kind.__name__)
def test_a_life_over_nothing(stage: Stage, kind: type[MaterializeKind]) -> None:
    for attributes in _combinations(kind):
        stage.clear()
        _live(stage, kind("o_0", **attributes), None)


@pytest.mark.parametrize("kind", _ALONE, ids=lambda kind: kind.__name__)
def test_a_life_over_every_referable_kind(stage: Stage, kind: type[MaterializeKind]) -> None:
    combinations = itertools.cycle(_combinations(kind))
    for other in _REFERABLE:
        if is_available(other, stage.target.capabilities):
            stage.clear()
            base = other("o_base")
            _live(stage, kind("o_0", base, **next(combinations)), base)


@pytest.mark.parametrize("kind", _SERVED, ids=lambda kind: kind.__name__)
def test_a_life_with_services(served: Stage, kind: type[MaterializeKind]) -> None:
    for base in (None, "Table", "View", "MaterializedView", "LoadGeneratorSource"):
        for attributes in _combinations(kind):
            served.clear()
            over = next((each("o_base") for each in KINDS if each.__name__ == base), None)
            _live(served, kind("o_0", over, **attributes), over)
