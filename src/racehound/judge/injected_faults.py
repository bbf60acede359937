"""Injected faults: which errors and lost sessions of a repetition racehound's own perturbations brought about."""

from __future__ import annotations

import re
from collections.abc import Iterable

from racehound.data.history import Disturbed, Event, Statement

_CANCELLED = "57014"
_SERVICE_UNREACHABLE = re.compile(
    r"connection (?:refused|reset|closed)|failed to connect|error (?:connecting|communicating)|transport fail|server closed"
    r"|unexpected eof|timed? ?out",
    re.IGNORECASE,
)
"""How errors tell that a service cannot be reached. They have no SQLSTATE of their own."""
_SERVER_IS_DOWN = re.compile(r"57P0[1-3]|08...")
"""SQLSTATEs of a server that shuts down, crashed, or is not up yet, and of connections that fail."""


class InjectedFaults:
    """The faults that perturbations injected in one repetition."""

    def __init__(self, events: Iterable[Event]) -> None:
        recorded = list(events)
        self._injected = [event for event in recorded if isinstance(event, Disturbed)]
        ended = [event.at_ns for event in self._injected if event.ends == "server"]
        self.server_ended_ns = min(ended, default=None)
        """When the server's processes were first ended; None where they were not."""
        self._cancelled = self._cancellations([event for event in recorded if isinstance(event, Statement)])

    def __bool__(self) -> bool:
        return bool(self._injected)

    def cover(self, statement: Statement) -> bool:
        """Whether a perturbation brought about the statement's error, or the loss of its connection."""
        if statement.status == "lost":
            return self._ended(statement)
        if statement.status != "error":
            return False
        if statement.sqlstate == _CANCELLED:
            return id(statement) in self._cancelled
        if self._server_was_ended(statement) and _SERVER_IS_DOWN.fullmatch(statement.sqlstate):
            return True
        return self._service_was_away(statement) and bool(_SERVICE_UNREACHABLE.search(f"{statement.message} {statement.detail}"))

    def killed(self, pid: int) -> bool:
        """Whether a perturbation killed this process of the server."""
        return any(event.ends == "server" and event.pid == pid for event in self._injected)

    def _ended(self, statement: Statement) -> bool:
        ended = (event for event in self._injected if event.ends == "session" and event.pid == statement.pid)
        return self._server_was_ended(statement) or any(event.at_ns <= statement.end_ns for event in ended)

    def _service_was_away(self, statement: Statement) -> bool:
        """Whether a service was away before the statement ended. Old connections to it fail even after its return."""
        return any(event.ends == "service" and event.at_ns <= statement.end_ns for event in self._injected)

    def _server_was_ended(self, statement: Statement) -> bool:
        return self.server_ended_ns is not None and self.server_ended_ns <= statement.end_ns

    def _cancellations(self, statements: list[Statement]) -> frozenset[int]:
        """Identities of the cancelled statements: for each request the first one that it may have cancelled, and no other."""
        failed = sorted((s for s in statements if s.sqlstate == _CANCELLED), key=lambda s: s.end_ns)
        met: set[int] = set()
        for request in (event for event in self._injected if event.ends == "statement"):
            for statement in failed:
                if statement.pid == request.pid and statement.end_ns >= request.at_ns and id(statement) not in met:
                    met.add(id(statement))
                    break
        return frozenset(met)
