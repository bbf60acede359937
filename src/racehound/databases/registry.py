"""The targets there are, and how a run opens one."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from racehound.databases.target import Dialect, Target
from racehound.errors import TargetError, UserError
from racehound.kinds.kind import Kind
from racehound.services import scratch

if TYPE_CHECKING:
    from racehound.databases.materialize.opening import Options
    from racehound.services.embedded.server import EmbeddedServer

DEFAULT = "postgres"
_SCRIPTS = "testdrive"
"""Name of the database that scripts run in."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which target a user wants: its name, and a release or an address of it."""

    name: str = DEFAULT
    release: str | None = None
    url: str | None = None
    materialize: Options | None = None
    """What else a user says of a Materialize."""

    def __post_init__(self) -> None:
        if self.release and self.url:
            raise UserError("--release starts a server of that release, --url names one that runs: give one of them")


@dataclasses.dataclass(frozen=True)
class Opened:
    """A started target and the scratch directory of the run."""

    target: Target
    scratch: Path


def dialects() -> tuple[Dialect, ...]:
    """All targets, by what can be known without a server."""
    from racehound.databases.materialize.dialect import MATERIALIZE
    from racehound.databases.postgres.dialect import POSTGRES

    register_actions()
    return (POSTGRES, MATERIALIZE)


@functools.cache
def register_actions() -> None:
    """Add the testdrive actions of all databases to the language."""
    from racehound.databases.materialize.actions import ACTION_SPECS as OF_MATERIALIZE
    from racehound.databases.postgres.actions import ACTION_SPECS as OF_POSTGRES
    from racehound.testdrive import actions

    actions.register(OF_POSTGRES)
    actions.register(OF_MATERIALIZE)


def dialect(name: str) -> Dialect:
    """The target of that name; UserError when there is none."""
    known = {each.name: each for each in dialects()}
    if name not in known:
        raise UserError(f"unknown target {name!r}; there are: {', '.join(known)}")
    return known[name]


def printable_kinds(choice: Choice) -> Sequence[type[Kind]]:
    """The kinds that an embedded server of the chosen release can have: what `print` draws from, without starting it."""
    if choice.name == "materialize":
        # What its services and its release make possible is asked when it runs.
        return dialect(choice.name).kinds
    from racehound.databases.postgres.target import EMBEDDED_CAPABILITIES, is_available
    from racehound.services.embedded import installation, releases

    major = releases.parse(choice.release or installation.wheel().version)[0]
    return [kind for kind in dialect(choice.name).kinds if is_available(kind, major, EMBEDDED_CAPABILITIES)]


@contextlib.contextmanager
def opened(choice: Choice, log_path: Path) -> Iterator[Opened]:
    """Start the chosen target; on leaving, remove what the run created in it and end a server of ours."""
    dialect(choice.name)
    run_id = f"rh{secrets.token_hex(4)}"
    directory = scratch.create(run_id)
    try:
        with _opened(choice, run_id, directory, log_path) as target:
            yield Opened(target, directory)
    finally:
        scratch.remove(directory)


@contextlib.contextmanager
def _opened(choice: Choice, run_id: str, directory: Path, log_path: Path) -> Iterator[Target]:
    if choice.name == "materialize":
        from racehound.databases.materialize import opening

        options = dataclasses.replace(choice.materialize or opening.Options(), url=choice.url, release=choice.release)
        with opening.opened(options, run_id, directory, log_path) as materialize:
            yield materialize
        return
    target = _postgres(choice, run_id, directory, log_path)
    try:
        target.start()
        yield target
    finally:
        target.stop()


class Databases:
    """A database on a server of our own, for scripts; `renew` empties it, under the same address."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server
        self.url = server.address.url(_SCRIPTS)

    def renew(self) -> None:
        """Drop and make it. Whoever is still connected is disconnected. TargetError when that fails."""
        from racehound.wire.session import LibpqSession

        session = LibpqSession.connect(self._server.address.conninfo())
        for sql in (f"DROP DATABASE IF EXISTS {_SCRIPTS} WITH (FORCE)", f"CREATE DATABASE {_SCRIPTS}"):
            outcome = session.execute(sql)
            if outcome.error:
                raise TargetError(f"{sql}: {outcome.error.message}")
        session.close()


@contextlib.contextmanager
def opened_databases(choice: Choice, log_path: Path) -> Iterator[Databases]:
    """A server of our own with an empty database for scripts; ended on leaving."""
    from racehound.services.embedded import releases
    from racehound.services.embedded.server import EmbeddedServer

    directory = scratch.create(f"rh{secrets.token_hex(4)}")
    try:
        server = EmbeddedServer(releases.find(choice.release), directory, log_path)
        server.start()
        try:
            databases = Databases(server)
            databases.renew()
            yield databases
        finally:
            server.stop()
    finally:
        scratch.remove(directory)


def _postgres(choice: Choice, run_id: str, directory: Path, log_path: Path) -> Target:
    from racehound.databases.postgres.place import EmbeddedPlace, RemotePlace
    from racehound.databases.postgres.target import PostgresTarget

    place = RemotePlace(choice.url) if choice.url else EmbeddedPlace(choice.release, directory, log_path)
    return PostgresTarget(place, run_id)
