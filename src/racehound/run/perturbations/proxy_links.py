"""A link through the fault proxy for each session, for perturbations of the network."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from racehound.databases.target import Target
from racehound.errors import TargetError
from racehound.services import installation, scratch
from racehound.services.service import Endpoint

if TYPE_CHECKING:
    from racehound.services.faults import Link, Links

PROXY = "toxiproxy"


class ProxyLinks:
    """Starts a proxy of its own when the first link is asked for. Used by one thread at a time."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._stack = contextlib.ExitStack()
        self._links: Links | None = None
        self._behind: Endpoint | None = None
        self._by_session: dict[str, Link] = {}

    @staticmethod
    def obstacle(target: Target) -> str:
        """Why there can be no links to that target; empty if there can."""
        if target.endpoint is None:
            return "the server has no TCP address"
        lacking = installation.missing([PROXY])
        return f"{PROXY} is not installed: {lacking[0].reason}" if lacking else ""

    def to(self, session: str) -> Link:
        """The session's link, without any fault at first. TargetError when the proxy does not work."""
        behind = self._target.endpoint
        if behind is None:
            raise TargetError("the server has no TCP address any more")
        if behind != self._behind:
            # A server that was restarted may listen elsewhere.
            self.close()
            self._behind = behind
        if session not in self._by_session:
            self._by_session[session] = self._proxy().open_to(session, behind)
        return self._by_session[session]

    def close(self) -> None:
        """End the links, and the proxy."""
        self._by_session.clear()
        self._links = None
        self._stack.close()

    def _proxy(self) -> Links:
        if self._links is None:
            from racehound.services.composition import Composition, ServiceRequest
            from racehound.services.faults import Links

            directory = scratch.create(f"{self._target.run_id}.links")
            self._stack.callback(scratch.remove, directory)
            composition = Composition("links", directory)
            self._stack.callback(composition.down, lambda _name, _what: None)
            composition.up([ServiceRequest(PROXY)], lambda _name, _what: None)
            self._links = self._stack.enter_context(Links(composition))
        return self._links
