"""Finds and removes what killed runs have left in an environment and its services, for `racehound clean`.

The comment of a run's working database is its mark: it names the process of the run, and the settings before the run.
"""

from __future__ import annotations

import dataclasses
import platform
from collections import defaultdict

import msgspec

from racehound.data.object_names import RUN_ID
from racehound.databases.materialize.cleanup import remove_run
from racehound.databases.materialize.connected_services import ConnectedServices
from racehound.databases.materialize.service_cleanup import service_cleaners
from racehound.databases.materialize.session import MaterializeSession, literal, quoted
from racehound.databases.materialize.settings import restore
from racehound.services.owner import RunMark, myself

_LIMIT_S = 60.0
_NAMED = """
SELECT 'database', name FROM mz_catalog.mz_databases UNION ALL SELECT 'cluster', name FROM mz_catalog.mz_clusters
UNION ALL SELECT 'role', name FROM mz_catalog.mz_roles ORDER BY 1, 2
"""
_MARKS = """
SELECT d.name, c.comment FROM mz_internal.mz_comments AS c JOIN mz_catalog.mz_databases AS d ON d.id = c.id
WHERE c.object_type = 'database' AND c.comment LIKE '{"racehound":%'
"""


class Mark(RunMark, frozen=True):
    """The run to which a working database belongs."""

    settings: dict[str, str] = msgspec.field(default_factory=dict)
    """The former values of the settings that the run has changed."""


@dataclasses.dataclass(frozen=True)
class Leftover:
    """The objects in the environment whose names begin with the id of one run."""

    run_id: str
    names: tuple[str, ...]
    mark: Mark | None
    """None when the run was killed before it had marked its database."""

    @property
    def is_ours(self) -> bool:
        """Whether its run was started on this machine, so that this process can see whether the run has ended."""
        return self.mark is not None and self.mark.is_ours

    @property
    def is_dead(self) -> bool:
        """Whether its run is known to have ended."""
        return self.mark is not None and self.mark.is_dead


def mark_statement(database: str, settings: dict[str, str]) -> str:
    """The statement that marks a working database as one of this process."""
    text = msgspec.json.encode(Mark(myself(), platform.node(), settings)).decode()
    return f"COMMENT ON DATABASE {quoted(database)} IS {literal(text)}"


def runs(session: MaterializeSession) -> list[Leftover]:
    """All runs that have objects in the environment, including those that have not ended. TargetError."""
    names: dict[str, list[str]] = defaultdict(list)
    for sort, name in session.ask(_NAMED, _LIMIT_S):
        run_id, bar, _ = name.partition("_")
        if bar and RUN_ID.fullmatch(run_id):
            names[run_id].append(f"{sort} {name}")
    marks = {name.partition("_")[0]: msgspec.json.decode(comment, type=Mark) for name, comment in session.ask(_MARKS, _LIMIT_S)}
    return [Leftover(run_id, tuple(found), marks.get(run_id)) for run_id, found in sorted(names.items())]


def remove(operator: MaterializeSession, left: Leftover, connected: ConnectedServices) -> list[str]:
    """Drop the leftovers of a run, in the services, too, and restore the settings. Returns a line for each failed drop."""
    failures = remove_run(operator, left.run_id)
    if left.mark is not None:
        restore(operator, left.mark.settings)
    own = connected.in_database(f"{left.run_id}_source")
    for cleaner in service_cleaners(own, left.run_id, int(left.run_id.removeprefix("rh"), 16)):
        cleaner.connect()
        cleaner.close()
    return failures
