"""The data that system relations are rendered from: the state of the catalog, and facts about sessions, sources and sinks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from racehound_zoo.catalog.catalog import Event
from racehound_zoo.catalog.state import State


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """The status of a source or sink. `since` is in milliseconds since 1970; None before the first change."""

    status: str = "running"
    error: str | None = None
    since: int | None = None
    received: int = 0
    """The number of messages that were read from or written to the external system."""
    staged: int = 0
    """The number of changed rows."""


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
    """The data at one moment."""

    state: State
    now: int
    events: Sequence[Event]
    sessions: Sequence[SessionFacts]
    subscriptions: Sequence[SubscriptionFacts]
    statuses: Mapping[str, Status]
    """The statuses of sources, sinks and the tables of sources, by id."""
    references: Callable[[str], Sequence[tuple[str, str, Sequence[str]]]]
    """The upstream relations that a source offers: namespace, name and columns."""
    webhook_url: Callable[[str], str]
    """The URL of a webhook source, by the source's id."""
    changed: Callable[[Sequence[str]], int]
