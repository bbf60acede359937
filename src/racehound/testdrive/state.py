"""What a run of the language is given (`Context`), and what it keeps while it goes on (`State`)."""

from __future__ import annotations

import dataclasses
import os
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar, cast

from racehound.session import Outcome, ServerError, Session
from racehound.testdrive.errors import ActionError
from racehound.testdrive.judgement import Rewrite
from racehound.testdrive.retry import Policy, until_success
from racehound.testdrive.script import Script, Sql
from racehound.testdrive.services import Services
from racehound.testdrive.values import boolean


@dataclass(frozen=True)
class Call:
    """An action about to run: arguments and input with their variables substituted."""

    name: str
    arguments: Mapping[str, str]
    input: tuple[str, ...] = ()

    def __getitem__(self, key: str) -> str:
        return self.arguments[key]

    def get(self, key: str, default: str = "") -> str:
        """The value of an argument that may be absent."""
        return self.arguments.get(key, default)

    def flag(self, key: str, default: bool) -> bool:
        """An argument that is `true` or `false`."""
        return boolean(self.arguments[key]) if key in self.arguments else default

    @property
    def text(self) -> str:
        """The input lines as one text, without a newline at the end."""
        return "\n".join(self.input)


def _nowhere(_: str) -> None:
    """Where what is printed goes when nobody listens."""


def _never(_: ServerError) -> bool:
    return False


@dataclass(frozen=True)
class Context:
    """What a script is run with; it says nothing about one script rather than another.

    `session` runs `>`, `!` and `?`. `variables` are the predefined ones and `arg.NAME` for what the command line gave.
    `connect` opens a session for a postgres:// URL. `timeout` and `initial_backoff` (seconds),
    `backoff_factor` and `max_tries` are where a script starts: with `max_tries` 1, statements are neither tried again nor
    cancelled, since whoever races them watches over them. `url` and `psql` are the target's address
    and the client's path for psql-execute. `version` is the target's version number where it is known beforehand, else it
    is asked for. `services` are the addresses of what else scripts talk to. `check_consistency` returns what is wrong with the
    target, "" if nothing; with `checks_statements` it is asked after every `>` too. `amend` is shown every result that differs
    from the expected one, and says whether the script may go on as if it did not. `is_final` says of an error that no further
    try helps: none, for a script that may be ahead of what it waits for.
    """

    session: Session
    variables: Mapping[str, str] = field(default_factory=dict)
    connect: Callable[[str], Session] | None = None
    timeout: float = 10.0
    initial_backoff: float = 0.05
    backoff_factor: float = 1.5
    max_tries: int | None = None
    temp_dir: Path | None = None
    url: str | None = None
    psql: str | None = None
    seed: int = 0
    version: int | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    output: Callable[[str], object] = _nowhere
    check_consistency: Callable[[], str] | None = None
    checks_statements: bool = False
    amend: Callable[[Mismatch], bool] | None = None
    services: Services = field(default_factory=Services)
    is_final: Callable[[ServerError], bool] = _never

    @property
    def policy(self) -> Policy:
        """How statements are tried until the script says otherwise."""
        return Policy(self.timeout, self.initial_backoff, self.backoff_factor, self.max_tries)


@dataclass(frozen=True)
class Mismatch:
    """A statement of a script that the server answered with another result than the expected one."""

    script: Script
    command: Sql
    """As the script has it; `substitute` replaces the variables in a part of it."""
    outcome: Outcome
    rewrite: Rewrite | None
    """What `set-regex` does to cells."""
    substitute: Callable[[str], str]


class Closable(Protocol):
    """Something that a script opened and that is closed with it."""

    def close(self) -> object: ...


_Resource = TypeVar("_Resource", bound=Closable)
_Value = TypeVar("_Value")


class State:
    """What the commands of a script change. Not thread-safe, but for `run_in_background`."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.session = context.session
        self.variables = {"testdrive.seed": str(context.seed), **context.variables}
        if context.temp_dir is not None:
            self.variables.setdefault("testdrive.temp-dir", str(context.temp_dir))
        self.policy = context.policy
        self.rewrite: Rewrite | None = None
        self.skipping = False
        self.version = context.version
        self.random = random.Random(context.seed)
        self.connections: dict[str, Session] = {}
        self.consistency_skipped: str | None = None
        """The reason that skip-consistency-checks gave; None while they are to be made."""
        self._background: list[_Background] = []
        self._resources: dict[str, Closable] = {}

    def connect(self, url: str) -> Session:
        """A new session for a postgres:// URL; the caller closes it. Raises `ActionError` where none can be opened."""
        if self.context.connect is None:
            raise ActionError("no PostgreSQL is configured to connect to")
        return self.context.connect(self.context.services.url(url))

    def resource(self, key: str, make: Callable[[], _Resource]) -> _Resource:
        """What was made under this key (a client, a named connection), or a new one; closed when the script is over."""
        if key not in self._resources:
            self._resources[key] = make()
        return cast("_Resource", self._resources[key])

    def replace_resource(self, key: str, resource: Closable) -> None:
        """Keep it under this key; what had the key before is closed."""
        if key in self._resources:
            self._resources[key].close()
        self._resources[key] = resource

    def has_resource(self, key: str) -> bool:
        """Whether something was made under this key."""
        return key in self._resources

    def remember(self, name: str, session: Session) -> None:
        """Keep a named connection until the end; one of the same name is closed first."""
        if name in self.connections:
            self.connections[name].close()
        self.connections[name] = session

    def connection(self, name: str) -> Session:
        """The connection that postgres-connect gave this name. Raises `ActionError`."""
        if name not in self.connections:
            raise ActionError(f"there is no connection named {name}")
        return self.connections[name]

    def wait_for(self, attempt: Callable[[], str | None]) -> None:
        """Try until `attempt` returns None; raises `ActionError` with the last reason it gave when the timeout is over.

        However few tries statements have: servers do later what they said they would.
        """

        def refusal() -> _Refusal | None:
            reason = attempt()
            return None if reason is None else _Refusal(reason)

        policy = dataclasses.replace(self.policy, max_tries=None)
        refused = until_success(refusal, policy, self.context.clock, self.context.sleep)
        if refused is not None:
            raise ActionError(refused.reason)

    def run_in_background(self, session: Session, batches: tuple[str, ...]) -> None:
        """Run batches on a session of their own while the script goes on; an error is only printed."""
        self._background.append(_Background(session, batches, self.context.output))

    def close(self) -> None:
        """End what the script left: batches in the background are cancelled, named connections closed."""
        for background in self._background:
            background.stop()
        self._background.clear()
        for resource in self._resources.values():
            resource.close()
        self._resources.clear()
        for session in self.connections.values():
            session.close()
        self.connections.clear()


Handler: TypeAlias = Callable[[Call, State], None]
"""An action: raises `ActionError`, `TargetError` or `UserError` when it cannot do its work."""


@dataclass(frozen=True)
class _Refusal:
    reason: str
    is_final: bool = False


class _Background:
    """A thread that runs batches on a session which it closes when they are done."""

    def __init__(self, session: Session, batches: tuple[str, ...], output: Callable[[str], object]) -> None:
        self._session = session
        self._batches = batches
        self._output = output
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="testdrive-background", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            for batch in self._batches:
                if self._stopped.is_set() or not self._report(self._session.execute(batch)):
                    return
        finally:
            self._session.close()

    def _report(self, outcome: Outcome) -> bool:
        if not outcome.ok and not self._stopped.is_set():
            self._output(f"in the background: {error_text(outcome)}")
        return outcome.ok

    def stop(self) -> None:
        """Cancel what runs, again and again: a cancel that comes between two batches has no effect."""
        self._stopped.set()
        while self._thread.is_alive():
            self._session.cancel()
            self._thread.join(timeout=0.05)


def configured(value: _Value | None, call: Call, service: str, how: str) -> _Value:
    """The address of a service; `ActionError` when it has none, with what to do about it."""
    if value is None:
        raise ActionError(f"{call.name} needs {service}, which is not configured: {how}, or `racehound services up`")
    return value


def error_text(outcome: Outcome) -> str:
    """What a server said, in one line."""
    return outcome.error.message if outcome.error is not None else outcome.status


def limited(policy: Policy, max_tries: int) -> Policy:
    """The same policy with another number of tries."""
    return dataclasses.replace(policy, max_tries=max_tries)
