"""The state that all sessions share: the catalog, the storage, sources and sinks, and the list of sessions."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from racehound_zoo.catalog.bootstrap import initial_state
from racehound_zoo.catalog.catalog import Catalog
from racehound_zoo.catalog.model import Item, SourceDefinition
from racehound_zoo.catalog.state import State
from racehound_zoo.defect_hooks import NoDefects, SeededDefects
from racehound_zoo.errors import SqlError
from racehound_zoo.execution.refreshing import Refresher
from racehound_zoo.execution.variables import of_server
from racehound_zoo.log import Log
from racehound_zoo.relations.rendering import system_items
from racehound_zoo.relations.snapshot import SessionFacts, SubscriptionFacts, SystemSnapshot
from racehound_zoo.release import RECORDED, Release
from racehound_zoo.sources.facts import source_facts, system_of
from racehound_zoo.sources.manager import Manager
from racehound_zoo.sources.registry import connector
from racehound_zoo.storage import Storage


class ConnectedSession(Protocol):
    """What the engine knows of a session."""

    uuid: str
    role: str
    secret: bytes
    connected_at: int
    """Milliseconds since 1970."""

    def cancel(self) -> None: ...


class Engine:
    """One environment. Its methods may be called from any thread."""

    def __init__(self, storage: Storage, log: Log, release: Release = RECORDED, defects: SeededDefects | None = None) -> None:
        """`defects`: the seeded defects; without them the engine has none."""
        self.storage = storage
        self.release = release
        self.settings = of_server(release)
        """The settings of the whole server, with their defaults."""
        self.defects: SeededDefects = NoDefects() if defects is None else defects
        self.log = log
        self.catalog = Catalog(initial_state(system_items))
        self.manager = Manager(self.catalog, storage, self.defects)
        self.refresher = Refresher(self.catalog, storage, log)
        self.webhook_address = ""
        """The host and port that webhooks are posted to."""
        self._numbers = itertools.count(1)
        self._sessions: dict[int, ConnectedSession] = {}
        self._subscriptions: dict[int, SubscriptionFacts] = {}
        self._lock = threading.Lock()
        self.on_panic: Callable[[str], None] = lambda _: None
        """The function that is called at a panic. It disconnects every client."""

    def start(self) -> None:
        self.refresher.start()

    def stop(self) -> None:
        """Stop the sources, the sinks and the refresh thread."""
        self.refresher.stop()
        self.manager.stop()

    def setting(self, state: State, name: str) -> str:
        """The value of a setting of the whole server."""
        return state.settings.get(name, self.settings[name])

    # Sessions and subscriptions

    def register(self, session: ConnectedSession) -> int:
        """Register a session. Returns its number."""
        with self._lock:
            number = next(self._numbers)
            self._sessions[number] = session
        return number

    def unregister(self, number: int) -> None:
        with self._lock:
            self._sessions.pop(number, None)

    def cancel(self, number: int, secret: bytes) -> None:
        """Cancel the statement of a session, if the secret is that session's."""
        with self._lock:
            session = self._sessions.get(number)
        if session is not None and session.secret == secret:
            session.cancel()

    def subscribed(self, number: int, facts: SubscriptionFacts | None) -> None:
        """Register a subscription under its number, or with None remove it."""
        with self._lock:
            if facts is None:
                self._subscriptions.pop(number, None)
            else:
                self._subscriptions[number] = facts

    # Data for system relations

    def snapshot(self) -> SystemSnapshot:
        """The data for system relations, as of now."""
        with self._lock:
            sessions = [SessionFacts(each.uuid, number, each.role, each.connected_at) for number, each in self._sessions.items()]
            subscriptions = [*self._subscriptions.values()]
        state = self.catalog.state
        return SystemSnapshot(
            state, int(time.time() * 1000), [*self.catalog.events], sessions, subscriptions, self.manager.statuses(),
            self._references, self.webhook_url, self.storage.changed,
        )  # fmt: skip

    def webhook_url(self, key: str) -> str:
        """The URL to post to for a webhook source; "" if it does not exist."""
        state = self.catalog.state
        item = state.item(key)
        return self.url_of(state.full_name(item)) if item is not None else ""

    def url_of(self, name: Sequence[str]) -> str:
        return f"https://{self.webhook_address}/api/webhook/{'/'.join(name)}"

    def _references(self, key: str) -> Sequence[tuple[str, str, Sequence[str]]]:
        state = self.catalog.state
        item: Item | None = state.item(key)
        if item is None or not isinstance(item.definition, SourceDefinition) or not system_of(item.definition):
            return []
        try:
            offers = connector(system_of(item.definition)).offers(source_facts(state, item))
        except SqlError:
            # The upstream system does not answer. The query that reads the relation must not fail for that.
            return []
        return sorted((".".join(offer.name[:-1]), offer.name[-1], offer.columns) for offer in offers)
