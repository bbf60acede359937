"""What scripts are run with (`Context`), and what they change while they run (`State`)."""

from __future__ import annotations

import dataclasses
import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar, cast

from racehound.data.addresses import ServiceAddresses
from racehound.session import Outcome, ServerError, Session
from racehound.testdrive.errors import ActionError
from racehound.testdrive.judgement import Rewrite
from racehound.testdrive.retry import Policy, until_success
from racehound.testdrive.script import Script, Sql
from racehound.testdrive.support import ScriptSupport
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


def _ignore(_: str) -> None:
    return None


def _never(_: ServerError) -> bool:
    return False


@dataclass(frozen=True)
class Context:
    """What a script is run with. One context serves any number of scripts."""

    session: Session
    """Runs the statements of `>`, `!` and `?`."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """The predefined variables, and `arg.NAME` for each variable that the user has set."""
    connect: Callable[[str], Session] | None = None
    """Opens a session with another server, by its URL."""
    timeout: float = 10.0
    """Seconds that a statement may take, with all its tries, until the script says otherwise."""
    initial_backoff: float = 0.05
    """Seconds between the first try and the second."""
    backoff_factor: float = 1.5
    max_tries: int | None = None
    """1: statements are neither tried again nor cancelled after the timeout; the caller watches over them."""
    temp_dir: Path | None = None
    url: str | None = None
    """The target's address, for client programs."""
    programs: Mapping[str, str] = field(default_factory=dict)
    """Paths of client programs by name. A program that is not listed is looked up in PATH."""
    seed: int = 0
    version: int | None = None
    """The target's version number, where it is known beforehand. Otherwise `support` asks for it."""
    support: ScriptSupport = field(default_factory=ScriptSupport)
    """What the target's database provides for scripts."""
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    output: Callable[[str], object] = _ignore
    checks_statements: bool = False
    """Whether the target checks its consistency after every `>`, too."""
    amend: Callable[[UnexpectedResult], bool] | None = None
    """Called with every result that differs from the expected one; says whether the script goes on as if it did not differ."""
    services: ServiceAddresses = field(default_factory=ServiceAddresses)
    is_final: Callable[[ServerError], bool] = _never
    """Whether an error ends the tries of a statement at once. By default none does: the script may wait for what is missing."""

    @property
    def policy(self) -> Policy:
        """How statements are tried until the script says otherwise."""
        return Policy(self.timeout, self.initial_backoff, self.backoff_factor, self.max_tries)


@dataclass(frozen=True)
class UnexpectedResult:
    """The result of a statement, which differs from the result that the script expects."""

    script: Script
    command: Sql
    """The command of the script; `substitute` replaces the variables in a part of it."""
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
    """What the commands of a script change. Not thread-safe."""

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
        self.consistency_skipped: str | None = None
        """The reason that the script gave for turning the consistency checks off; None while they are on."""
        self._resources: dict[str, Closable] = {}

    def resource(self, key: str, make: Callable[[], _Resource]) -> _Resource:
        """The resource of this key (a client, a named connection). `make` creates it at first; it is closed with the script."""
        if key not in self._resources:
            self._resources[key] = make()
        return cast("_Resource", self._resources[key])

    def replace_resource(self, key: str, resource: Closable) -> None:
        """Store a resource under this key, after closing the one that had the key before."""
        if key in self._resources:
            self._resources[key].close()
        self._resources[key] = resource

    def wait_for(self, attempt: Callable[[], str | None]) -> None:
        """Call `attempt` until it returns None. Raises `ActionError` with its last reason when the timeout is over.

        The number of tries is not limited, even where that of statements is: servers do some things only later.
        """

        def refusal() -> _Refusal | None:
            reason = attempt()
            return None if reason is None else _Refusal(reason)

        policy = dataclasses.replace(self.policy, max_tries=None)
        refused = until_success(refusal, policy, self.context.clock, self.context.sleep)
        if refused is not None:
            raise ActionError(refused.reason)

    def close(self) -> None:
        """Close all resources: clients, named connections, batches that still run in the background."""
        for resource in self._resources.values():
            resource.close()
        self._resources.clear()


Handler: TypeAlias = Callable[[Call, State], None]
"""The function of an action. It raises `ActionError`, `TargetError` or `UserError` when it fails."""


@dataclass(frozen=True)
class _Refusal:
    reason: str
    is_final: bool = False


def configured(value: _Value | None, call: Call, service: str, how: str) -> _Value:
    """The address of a service. `ActionError`, with what to do, where it is not configured."""
    if value is None:
        raise ActionError(f"{call.name} needs {service}, which is not configured: {how}, or `racehound services up`")
    return value


def error_text(outcome: Outcome) -> str:
    """The server's message, or the status of an outcome without one."""
    return outcome.error.message if outcome.error is not None else outcome.status


def limited(policy: Policy, max_tries: int) -> Policy:
    """The same policy with another number of tries."""
    return dataclasses.replace(policy, max_tries=max_tries)
