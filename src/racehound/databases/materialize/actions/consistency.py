"""The testdrive actions for Materialize's own consistency checks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from racehound.testdrive.errors import ActionError
from racehound.testdrive.state import Call, Handler, State
from racehound.tls import trusted

if TYPE_CHECKING:
    import httpx

_CONNECTING_RETRIES = 3
"""Further attempts to connect to a port that does not listen yet, within about two seconds."""
_SHARD = re.compile(r"s[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _check(_: Call, state: State) -> None:
    if state.context.services.internal_http is None:
        raise ActionError("check-consistency needs a target that checks itself, which is not configured")
    check(state)


def check(state: State) -> None:
    """Run the target's consistency checks, if its internal HTTP port is known and the script has not disabled the checks.

    Raises `ActionError` with the inconsistencies.
    """
    address = state.context.services.internal_http
    if address is None or state.consistency_skipped is not None:
        return
    wrong = _inconsistency(address, state.policy.timeout)
    if wrong:
        raise ActionError(f"the target is inconsistent: {wrong}")


def _inconsistency(address: str, limit: float) -> str:
    """The inconsistencies that Materialize reports on its internal HTTP port (`http://HOST:PORT`); "" if there are none.

    The coordinator must dump its state and find no inconsistency, and the catalog must be dumped as JSON. The catalog in memory
    is not compared with the one on disk, which only Materialize's own code can read. `limit`: seconds for each answer. Raises
    `ActionError` when the port does not answer.
    """
    import httpx

    transport = httpx.HTTPTransport(retries=_CONNECTING_RETRIES)
    try:
        with httpx.Client(base_url=address, timeout=limit, transport=transport, verify=trusted()) as client:
            found = [_of_coordinator_dump(client), _of_coordinator(client), _of_catalog(client)]
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ActionError(f"cannot ask the target at {address} for its consistency: {error}") from error
    return "; ".join(filter(None, found))


def _of_coordinator_dump(client: httpx.Client) -> str:
    response = client.get("/api/coordinator/dump")
    # Older releases do not have this path.
    return "" if response.is_success or response.status_code == 404 else f"coordinator: no dump: {_answer(response)}"


def _of_coordinator(client: httpx.Client) -> str:
    response = client.get("/api/coordinator/check")
    found = _json(response)
    return "" if response.is_success and found == "" else f"coordinator: {found or _answer(response)}"


def _of_catalog(client: httpx.Client) -> str:
    response = client.get("/api/catalog/dump")
    return "" if response.is_success and isinstance(_json(response), dict) else f"catalog: no dump: {_answer(response)}"


def _json(response: httpx.Response) -> object:
    """The body as JSON; None if it is not JSON."""
    try:
        body: object = response.json()
    except ValueError:
        return None
    return body


def _answer(response: httpx.Response) -> str:
    return f"status {response.status_code}: {' '.join(response.text.split())[:500]}"


def _skip(call: Call, state: State) -> None:
    state.consistency_skipped = call["reason"]


def _check_tombstone(call: Call, state: State) -> None:
    """Print that the check is not made. Materialize's own testdrive does the same when it does not know the target's stores."""
    if not _SHARD.fullmatch(call["shard-id"]):
        raise ValueError(f"{call['shard-id']!r} is not the id of a shard: s and a UUID")
    state.context.output(
        f"check-shard-tombstone: {call['shard-id']} is not checked: whether a shard is a tombstone stands in the target's "
        "consensus and blob stores, which only its own code can read"
    )


ACTIONS: Mapping[str, Handler] = MappingProxyType(
    {"check-consistency": _check, "skip-consistency-checks": _skip, "check-shard-tombstone": _check_tombstone}
)
