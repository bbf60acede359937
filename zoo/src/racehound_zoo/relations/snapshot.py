"""What the relations are rendered from: the state, and what the running parts say of themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from racehound_zoo.catalog.catalog import Event
from racehound_zoo.catalog.state import State


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """Of a source or sink. `since`: milliseconds since 1970, None before anything happened."""

    status: str = "running"
    error: str | None = None
    since: int | None = None
    received: int = 0
    """Messages taken from outside, or brought there."""
    staged: int = 0
    """Updates of rows."""


@dataclasses.dataclass(frozen=True, slots=True)
class SessionFacts:
    """A session, as mz_sessions shows it."""

    id: str
    number: int
    role: str
    connected_at: int


@dataclasses.dataclass(frozen=True, slots=True)
class SubscriptionFacts:
    id: str
    session: str
    cluster: str
    created_at: int
    relations: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class SystemSnapshot:
    """One moment of the server."""

    state: State
    now: int
    events: Sequence[Event]
    sessions: Sequence[SessionFacts]
    subscriptions: Sequence[SubscriptionFacts]
    statuses: Mapping[str, Status]
    """Of sources, sinks and the tables of sources, by id."""
    references: Callable[[str], Sequence[tuple[str, str, Sequence[str]]]]
    """What a source offers: namespace, name, columns."""
    webhook_url: Callable[[str], str]
    """The address to post to, by the source's id."""
    changed: Callable[[Sequence[str]], int]
