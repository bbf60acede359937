"""Excuses: errors and losses that racehound's own perturbations brought about, there and then, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable

from racehound.data.history import Disturbed, Event, Statement

_CANCELLED = "57014"
_REACHES_OUT = re.compile(
    r"connection (?:refused|reset|closed)|failed to connect|error (?:connecting|communicating)|transport fail|server closed"
    r"|unexpected eof|timed? ?out",
    re.IGNORECASE,
)
"""What is said of a service that cannot be reached. It has no SQLSTATE of its own."""
_SERVER_ENDS = re.compile(r"57P0[1-3]|08...")
"""Shut down, crashed, not up yet; whatever has to do with a connection."""


class InjectedFaults:
    """Of one repetition."""

    def __init__(self, events: Iterable[Event]) -> None:
        noted = list(events)
        self._done = [event for event in noted if isinstance(event, Disturbed)]
        ended = [event.at_ns for event in self._done if event.ends == "server"]
        self.server_ended_ns = min(ended, default=None)
        """When the server's processes were first ended; None where they were not."""
        self._cancelled = self._cancellations([event for event in noted if isinstance(event, Statement)])

    def __bool__(self) -> bool:
        return bool(self._done)

    def cover(self, statement: Statement) -> bool:
        """Whether what became of a statement is racehound's own doing."""
        if statement.status == "lost":
            return self._ended(statement)
        if statement.status != "error":
            return False
        if statement.sqlstate == _CANCELLED:
            return id(statement) in self._cancelled
        if self._server_was_ended(statement) and _SERVER_ENDS.fullmatch(statement.sqlstate):
            return True
        return self._service_was_away(statement) and bool(_REACHES_OUT.search(f"{statement.message} {statement.detail}"))

    def killed(self, pid: int) -> bool:
        """Whether racehound ended this process of the server."""
        return any(event.ends == "server" and event.pid == pid for event in self._done)

    def _ended(self, statement: Statement) -> bool:
        ended = (event for event in self._done if event.ends == "session" and event.pid == statement.pid)
        return self._server_was_ended(statement) or any(event.at_ns <= statement.end_ns for event in ended)

    def _service_was_away(self, statement: Statement) -> bool:
        """Or has come back in this repetition: whoever had a connection learns of its end at the next use."""
        return any(event.ends == "service" and event.at_ns <= statement.end_ns for event in self._done)

    def _server_was_ended(self, statement: Statement) -> bool:
        return self.server_ended_ns is not None and self.server_ended_ns <= statement.end_ns

    def _cancellations(self, statements: list[Statement]) -> frozenset[int]:
        """By identity, the statements that were cancelled: of each request the first that it may have met, and no second one."""
        failed = sorted((s for s in statements if s.sqlstate == _CANCELLED), key=lambda s: s.end_ns)
        met: set[int] = set()
        for request in (event for event in self._done if event.ends == "statement"):
            for statement in failed:
                if statement.pid == request.pid and statement.end_ns >= request.at_ns and id(statement) not in met:
                    met.add(id(statement))
                    break
        return frozenset(met)
