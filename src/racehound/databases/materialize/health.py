"""Problems that the environment itself reports at rest: by its consistency check, and in the states of sources and sinks.

They are errors whatever the sessions did, since all sessions have ended their statements.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Literal

from racehound.databases.materialize.session import MaterializeSession, literal
from racehound.errors import TargetError
from racehound.tls import trusted

GRACE_S = 10.0
"""Seconds that a source or sink may take to recover without help."""
_LOOK_S = 0.2
_ANSWER_LIMIT_S = 30.0
_STATES = """
SELECT '{sort}', o.name, s.type, s.status, coalesce(s.error, '') FROM mz_internal.mz_{sort}_statuses AS s
JOIN mz_catalog.mz_objects AS o ON o.id = s.id JOIN mz_catalog.mz_schemas AS c ON c.id = o.schema_id
JOIN mz_catalog.mz_databases AS d ON d.id = c.database_id
WHERE d.name = {database} AND s.status IN ('stalled', 'failed')
"""

Severity = Literal["corruption", "wrong result", "leak"]


@dataclasses.dataclass(frozen=True)
class Problem:
    """A problem of the environment at rest."""

    severity: Severity
    what: str
    """The sort of problem, without names of objects."""
    title: str


def catalog_problems(internal_http: str | None) -> list[Problem]:
    """The problems that the coordinator's own check finds; none when its port is unknown. TargetError when it does not answer."""
    if internal_http is None:
        return []
    import httpx

    try:
        with httpx.Client(base_url=internal_http, timeout=_ANSWER_LIMIT_S, trust_env=False, verify=trusted()) as client:
            response = client.get("/api/coordinator/check")
    except httpx.HTTPError as error:
        raise TargetError(f"GET {internal_http}/api/coordinator/check: {error}") from None
    if response.is_success and response.text.strip() in {"", '""'}:
        return []
    said = " ".join(response.text.split())[:1000] or f"status {response.status_code}"
    return [Problem("corruption", "the coordinator's own check", f"/api/coordinator/check says {said}")]


def state_problems(session: MaterializeSession, database: str) -> list[Problem]:
    """A problem for each source and sink of the database that remains stalled or failed."""
    query = " UNION ALL ".join(_STATES.format(sort=sort, database=literal(database)) for sort in ("source", "sink"))
    deadline = time.monotonic() + GRACE_S
    while (wrong := session.ask(query, _ANSWER_LIMIT_S)) and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    return [
        Problem("wrong result", f"{sort} {status}: {error}", f"{sort} {name} ({type_}) is {status}: {error or 'no reason given'}")
        for sort, name, type_, status, error in wrong
    ]
