"""Which server: the options that say it, the same for every command that opens a target, and the choice that they come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from racehound.cli.options import option, together
from racehound.databases.registry import database, databases
from racehound.errors import UserError

if TYPE_CHECKING:
    from racehound.databases.database import Choice, Database

_Command = TypeVar("_Command", bound=Callable[..., Any])


def server_options(command: _Command) -> _Command:
    """`--release` and `--url`."""
    names = [name for each in databases().values() for name in each.url_options()]
    decorate: Callable[[_Command], _Command] = together(
        option("--release", metavar="X.Y", help="Start this release of the target instead of the embedded one."),
        option(
            "--url", *names, metavar="URL", help="Hunt in a server that runs already; only what racehound creates is touched."
        ),
    )
    return decorate(command)


def url_option(command: _Command) -> _Command:
    """`--url` of `racehound testdrive`."""
    names = [name for each in databases().values() for name in each.url_options()]
    shown = "a server of the default database that is started for the occasion"
    decorate: Callable[[_Command], _Command] = option("--url", *names, metavar="URL", help="The target.", show_default=shown)
    return decorate(command)


def target_options(command: _Command) -> _Command:
    """`--release`, `--url`, and the options of every installed database."""
    return server_options(_with(command, (each for known in databases().values() for each in known.options())))


def stepping_options(command: _Command) -> _Command:
    """`--release`, `--url`, and the options of the databases that can be run in lock-step."""
    able = (known for known in databases().values() if known.can_step)
    return server_options(_with(command, (each for known in able for each in known.options())))


def script_options(command: _Command) -> _Command:
    """Those that databases add to `racehound testdrive`."""
    return _with(command, (each for known in databases().values() for each in known.script_options()))


def clean_options(command: _Command) -> _Command:
    """Those that databases add to `racehound clean`."""
    return _with(command, (each for known in databases().values() for each in known.clean_options()))


def _with(command: _Command, options: Iterable[click.Option]) -> _Command:
    """Click collects the parameters of a command in reverse order, as decorators are applied."""
    collected: list[click.Parameter] = command.__dict__.setdefault("__click_params__", [])
    collected.extend(reversed(list(options)))
    return command


def choice(name: str, values: Mapping[str, Any], release: str | None = None) -> Choice:
    """The server of the database of that name that the options describe. `release`: the one to start where they say nothing.

    UserError for options that say something of another database.
    """
    from racehound.databases.database import Choice

    chosen = database(name)
    _refuse_strangers(chosen)
    complete = {each.name: each.default for each in chosen.options()} | dict(values)
    release = values["release"] or (None if values["url"] else release)
    return Choice(name, release, values["url"], chosen.read_options(complete), tuple(values.get("kinds_from", ())))


def _refuse_strangers(chosen: Database) -> None:
    """What was typed for another database must not be silently without effect (variables and files serve several commands)."""
    context = click.get_current_context(silent=True)
    own = {each.name for each in chosen.options()}
    for other in databases().values():
        for stranger in other.options():
            typed = context and context.get_parameter_source(stranger.name or "") is ParameterSource.COMMANDLINE
            if typed and stranger.name not in own:
                raise UserError(f"{stranger.opts[0]} says something of {other.title}, and the target is {chosen.name}")


def require_stepping(name: str, what: str) -> None:
    """UserError where the database of that name cannot be run in lock-step, which `what` needs."""
    if not database(name).can_step:
        raise UserError(f"{what}: {database(name).title} cannot be run in lock-step, and that needs it")
