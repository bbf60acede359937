"""Finds and drops the schemas that dead runs have left on a server; their names begin with the run's id.

A run first creates the schema `ID_owner`. A view in it names the process of the run. Then the run creates its working schemas
`ID_1`, `ID_2` and so on. It drops `ID_owner` last.
"""

from __future__ import annotations

import dataclasses
import platform
from collections import defaultdict
from collections.abc import Iterable

import msgspec

from racehound.data.object_names import RUN_ID
from racehound.databases.pgwire.session import PgwireSession, literal, quoted
from racehound.errors import UserError
from racehound.services.owner import RunMark, myself
from racehound.session import Outcome

LIMIT_S = 60.0
"""Time limit for dropping one schema, since another session may still lock its objects."""
_VIEW = "racehound_owner"
_LISTS = ("SELECT schema_name FROM information_schema.schemata", "SHOW SCHEMAS")
"""Statements whose first column names the schemas. Some servers support only one of them."""


@dataclasses.dataclass(frozen=True)
class Leftover:
    """The schemas of a run, in the order in which they are to be dropped."""

    run_id: str
    schemas: tuple[str, ...]
    mark: RunMark | None
    """None if the run was killed before it left one, or if the server has no views."""

    @property
    def is_ours(self) -> bool:
        """Whether its run was started on this machine, so that its end can be detected."""
        return self.mark is not None and self.mark.is_ours

    @property
    def is_dead(self) -> bool:
        """Whether its run is known to be over."""
        return self.mark is not None and self.mark.is_dead


def owner_schema(run_id: str) -> str:
    """Name of the schema that names the run's process."""
    return f"{run_id}_owner"


def mark(session: PgwireSession, run_id: str) -> Outcome:
    """Create that schema, and its view if the server has views. Return the outcome of CREATE SCHEMA."""
    schema = quoted(owner_schema(run_id))
    made = session.execute(f"CREATE SCHEMA {schema}")
    if made.ok:
        text = literal(msgspec.json.encode(RunMark(myself(), platform.node())).decode())
        session.execute(f"CREATE VIEW {schema}.{_VIEW} AS SELECT {text} AS owner")
    return made


def runs(session: PgwireSession) -> list[Leftover]:
    """All runs with schemas on the server, live ones included. Raises UserError if the server lists no schemas."""
    schemas: dict[str, list[str]] = defaultdict(list)
    for name in _names(session):
        run_id, bar, _ = name.partition("_")
        if bar and RUN_ID.fullmatch(run_id):
            schemas[run_id].append(name)
    return [
        Leftover(run_id, tuple(sorted(names, key=lambda name: (name == owner_schema(run_id), name))), _mark_of(session, run_id))
        for run_id, names in sorted(schemas.items())
    ]


def drop(session: PgwireSession, schemas: Iterable[str], limit_s: float = LIMIT_S) -> list[str]:
    """Drop schemas and their contents. Return a line with the reason for each that was not dropped."""
    failures = []
    for schema in schemas:
        outcome = session.execute_within(f"DROP SCHEMA IF EXISTS {quoted(schema)} CASCADE", limit_s)
        if not outcome.ok:
            failures.append(f"schema {schema}: {outcome.error.message if outcome.error else outcome.status}")
    return failures


def _names(session: PgwireSession) -> list[str]:
    for statement in _LISTS:
        outcome = session.execute(statement)
        if outcome.rows is not None:
            return [row[0] or "" for row in outcome.rows.cells]
    raise UserError("racehound clean --url: the server does not list its schemas, so that what runs have left cannot be found")


def _mark_of(session: PgwireSession, run_id: str) -> RunMark | None:
    outcome = session.execute(f"SELECT owner FROM {quoted(owner_schema(run_id))}.{_VIEW}")
    if outcome.rows is None or not outcome.rows.cells:
        return None
    try:
        return msgspec.json.decode(outcome.rows.cells[0][0] or "", type=RunMark)
    except msgspec.MsgspecError:
        return None  # racehound did not write this
