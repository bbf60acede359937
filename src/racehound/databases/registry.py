"""The databases that are installed, and how a run opens a target of one."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.metadata
import secrets
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from racehound.data.run_directory import redact
from racehound.databases.catalogue import catalogue
from racehound.databases.database import Choice, Database
from racehound.databases.target import Target
from racehound.errors import LeftBehindError, TargetError, UserError
from racehound.kinds.kind import Kind
from racehound.services import scratch
from racehound.session import Session
from racehound.testdrive import actions

GROUP = "racehound.databases"
"""The entry-point group; each entry names a subclass of `Database`, or a function that returns an instance."""


@dataclasses.dataclass(frozen=True)
class Opened:
    """A started target, its database, and the scratch directory of the run."""

    database: Database
    target: Target
    scratch: Path
    kinds_from: tuple[Path, ...] = ()

    @property
    def catalogue(self) -> tuple[type[Kind], ...]:
        """All kinds of the database, with those of `kinds_from` at the end. UserError when these cannot be used."""
        return catalogue(self.database, self.kinds_from)

    @property
    def kinds(self) -> list[type[Kind]]:
        """The kinds of the catalogue that this server can have."""
        return [kind for kind in self.catalogue if self.target.can_have(kind)]


@functools.cache
def databases() -> Mapping[str, Database]:
    """All installed databases by name, the default one first. The call also adds their actions to the testdrive language.

    UserError for a plug-in that cannot be loaded, and for two plug-ins with the same name.
    """
    found: dict[str, Database] = {}
    for entry in importlib.metadata.entry_points(group=GROUP):
        database = _loaded(entry)
        if found.setdefault(database.name, database) is not database:
            raise UserError(f"two installed databases are called {database.name!r}: uninstall one ({entry.value})")
        actions.register(database.actions)
    return dict(sorted(found.items(), key=lambda item: (not item[1].is_default, item[0])))


def _loaded(entry: importlib.metadata.EntryPoint) -> Database:
    try:
        database = entry.load()()
    except Exception as error:
        raise UserError(f"the database plug-in {entry.name} ({entry.value}) cannot be loaded: {error!r}") from error
    if not isinstance(database, Database):
        raise UserError(f"the database plug-in {entry.name} ({entry.value}) is no racehound.databases.database.Database")
    return database


def database(name: str) -> Database:
    """The database of this name; UserError when it is not installed."""
    known = databases()
    if name not in known:
        raise UserError(f"unknown database {name!r}; there are: {', '.join(known)}")
    return known[name]


def default_name() -> str:
    """The name of the database that commands use when the user names none. UserError when no database is the default one."""
    found = next((each.name for each in databases().values() if each.is_default), None)
    if found is None:
        raise UserError("no installed database is the default one: name one of " + (", ".join(databases()) or "(none installed)"))
    return found


def recognised(session: Session) -> Database:
    """The database whose plug-in recognises the server of a session; the default one when none does."""
    return next((each for each in databases().values() if each.recognises(session)), database(default_name()))


def require_possible(choice: Choice) -> None:
    """UserError when the user asks racehound to start a server, and the plug-in cannot start one."""
    if database(choice.name).can_start:
        return
    if choice.release:
        raise UserError(f"--release: racehound starts no server of {choice.name}; give the address of one that runs: --url")
    if not choice.url:
        raise UserError(f"{choice.name} needs the address of a server that runs: --url")


def clean_command(choice: Choice, run_id: str = "") -> str:
    """The command that removes what a run has left. A password in the address is left out."""
    words = ["racehound", "clean"]
    if choice.url:
        words += ["--url", redact(choice.url)]
        words += [] if choice.name == default_name() else ["--target", choice.name]
        words += ["--run", run_id] if run_id else []
    return shlex.join(words)


@contextlib.contextmanager
def opened(choice: Choice, log_path: Path, tell: Callable[[str], object] | None = None) -> Iterator[Opened]:
    """Start the chosen target. On exit, remove the run's objects, and stop the server if racehound started it.

    `tell` is called with a line about what could not be removed, and one with the command that removes it. Without it that is an
    error.
    """
    chosen = database(choice.name)
    require_possible(choice)
    catalogue(chosen, choice.kinds_from)  # errors in the files are reported before anything is started
    run_id = f"rh{secrets.token_hex(4)}"
    directory = scratch.create(run_id)
    try:
        with chosen.opened(choice, run_id, directory, log_path) as target:
            target.reconnect_s = choice.reconnect_s
            target.last_start = target.started()
            yield Opened(chosen, target, directory, choice.kinds_from)
    except LeftBehindError as error:
        command = clean_command(choice, run_id)
        if tell is None:
            raise TargetError(f"{error}; remove the rest: {command}") from error
        tell(str(error))
        named = f"{', '.join(error.left)}, and whatever else has {run_id} in its name"
        tell(f"left behind: {named}")
        tell(f"remove it when the server can be reached: {command}")
        if error.__context__ is not None and not isinstance(error.__context__, LeftBehindError):
            raise error.__context__ from None
    finally:
        scratch.remove(directory)
