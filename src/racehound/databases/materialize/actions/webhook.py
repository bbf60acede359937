"""The testdrive action that posts to webhook sources of Materialize."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from racehound.testdrive.actions.http import describe
from racehound.testdrive.errors import ActionError
from racehound.testdrive.state import Call, Handler, State, configured
from racehound.testdrive.values import integer

if TYPE_CHECKING:
    import httpx

_OWN = frozenset({"name", "database", "schema", "status"})
_NOT_YET = frozenset({404, 429, 503})
"""Statuses of requests that had no effect, and are repeated: no such source yet, too many requests, not ready."""
# Names in scripts are parts of URL paths. Therefore %2F and / are not encoded again.
_KEPT_IN_PATH = "/%!$&'()*+,;=:@"


def _append(call: Call, state: State) -> None:
    """Post the input, with other arguments as headers. The request is repeated after a status in `_NOT_YET`."""
    import httpx

    address = configured(state.context.services.http, call, "the target's HTTP port", "give --materialize-http-url")
    status = integer(call.get("status", "200"))
    request = _request(call, f"{address.rstrip('/')}{_path(call)}")
    # Test servers have self-signed certificates.
    with httpx.Client(timeout=state.policy.timeout, trust_env=False, verify=False) as client:  # noqa: S501
        state.wait_for(lambda: _refusal(client, request, status, state))


def _path(call: Call) -> str:
    names = (call.get("database", "materialize"), call.get("schema", "public"), call["name"])
    return "/api/webhook/" + "/".join(urllib.parse.quote(name, safe=_KEPT_IN_PATH) for name in names)


def _request(call: Call, url: str) -> httpx.Request:
    """The request. It has few headers, since a source may include them in its rows: the script's, `accept` and those of HTTP."""
    import httpx

    given = [(name.encode(), value.encode()) for name, value in call.arguments.items() if name not in _OWN]
    body = call.text.encode()
    try:
        request = httpx.Request("POST", url, content=body, headers=[(b"accept", b"*/*"), *given])
    except httpx.InvalidURL as error:
        raise ActionError(f"POST {url}: {error}") from error
    request.headers["content-length"] = str(len(body))
    return request


def _refusal(client: httpx.Client, request: httpx.Request, status: int, state: State) -> str | None:
    """None if the answer has the expected status; the reason to retry if it had no effect. `ActionError` for any other answer."""
    import httpx

    try:
        response = client.send(request)
    except httpx.ConnectError as error:
        return f"POST {request.url}: {error}"
    except httpx.HTTPError as error:
        raise ActionError(f"POST {request.url}: {describe(error)}") from error
    state.context.output(f"{response.status_code}\n{response.text}")
    if response.status_code == status:
        return None
    wrong = f"POST {request.url}: status {response.status_code}, not {status}: {response.text}"
    if response.status_code in _NOT_YET:
        return wrong
    raise ActionError(wrong)


ACTIONS: Mapping[str, Handler] = MappingProxyType({"webhook-append": _append})
