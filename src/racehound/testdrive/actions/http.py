"""Plain HTTP requests."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from racehound.testdrive.errors import ActionError
from racehound.testdrive.state import Call, Handler, State
from racehound.testdrive.values import integer


def _request(call: Call, state: State) -> None:
    """Send the input as body and follow redirects. A status outside 2xx that is not accepted fails the action."""
    import httpx

    method, url = call["method"], state.context.services.url(call["url"])
    accepted = {integer(code.strip()) for code in call.get("accept-additional-status-codes").split(",") if code.strip()}
    headers = {"content-type": call["content-type"]} if "content-type" in call.arguments else {}
    try:
        response = httpx.request(
            method, url, content=call.text.encode(), headers=headers, timeout=state.policy.timeout, follow_redirects=True
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ActionError(f"{method} {url}: {describe(error)}") from error
    state.context.output(f"{response.status_code}\n{response.text}")
    if not response.is_success and response.status_code not in accepted:
        raise ActionError(f"{method} {url}: status {response.status_code}: {response.text}")


def describe(error: Exception) -> str:
    """A text for an error of a request: some timeouts of the client have none."""
    return str(error) or type(error).__name__


ACTIONS: Mapping[str, Handler] = MappingProxyType({"http-request": _request})
