"""The options that say which server is the target, the same for every command that opens one, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from racehound.cli.options import option, together
from racehound.databases.registry import database, databases
from racehound.errors import UserError

if TYPE_CHECKING:
    from racehound.databases.database import Choice

_Command = TypeVar("_Command", bound=Callable[..., Any])


def server_options(command: _Command) -> _Command:
    """`--release`, `--url` and `--reconnect`."""
    names = [name for each in databases().values() for name in each.url_options()]
    decorate: Callable[[_Command], _Command] = together(
        option("--release", metavar="X.Y", help="Start this release of the target instead of the embedded one."),
        option(
            "--url", *names, metavar="URL", help="Hunt in a server that runs already; only what racehound creates is touched."
        ),
        option(
            "--reconnect",
            type=click.FloatRange(0),
            default=30.0,
            metavar="SECONDS",
            help="How long to try to come back to a server that was lost.",
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
    """The options that databases add to `racehound testdrive`."""
    return _with(command, (each for known in databases().values() for each in known.script_options()))


def clean_options(command: _Command) -> _Command:
    """The options that databases add to `racehound clean`."""
    return _with(command, (each for known in databases().values() for each in known.clean_options()))


def _with(command: _Command, options: Iterable[click.Option]) -> _Command:
    """The command with these options; one that several databases have is there once. UserError if they differ in it."""
    distinct: dict[str, click.Option] = {}
    for each in options:
        known = distinct.setdefault(str(each.name), each)
        if known.to_info_dict() != each.to_info_dict():
            raise UserError(f"two installed databases have different options called {each.opts[0]}: uninstall one of them")
    # Click collects the parameters of a command in reverse order, as decorators are applied.
    collected: list[click.Parameter] = command.__dict__.setdefault("__click_params__", [])
    collected.extend(reversed(distinct.values()))
    return command


def choice(name: str, values: Mapping[str, Any], release: str | None = None) -> Choice:
    """The server that the options describe, of the database of that name. `release`: the one to start if they name no server.

    UserError for options of another database.
    """
    from racehound.databases.database import Choice

    chosen = database(name)
    release = values["release"] or (None if values["url"] else release)
    options = chosen.read_options(own_options(name, values) | dict(values))
    return Choice(name, release, values["url"], options, tuple(values.get("kinds_from", ())), values["reconnect"])


def own_options(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the options of one database; the default of an option that the command does not have.

    UserError for an option of another database on the command line. Variables and files may hold them for other commands.
    """
    chosen = database(name)
    context = click.get_current_context()
    own = {str(each.name): each for each in chosen.options()}
    for other in databases().values():
        for foreign in other.options():
            typed = context.get_parameter_source(foreign.name or "") is ParameterSource.COMMANDLINE
            if typed and foreign.name not in own:
                raise UserError(f"{foreign.opts[0]} is an option of {other.title}, and the database here is {chosen.title}")
    return {each: values[each] if each in values else option.to_info_dict()["default"] for each, option in own.items()}


def require_stepping(name: str, what: str) -> None:
    """UserError where the database of that name cannot be run in lock-step, which `what` needs."""
    if not database(name).can_step:
        raise UserError(f"{database(name).title} cannot be run in lock-step, which {what} needs")
