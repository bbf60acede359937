"""Options that several commands share, and where they come from: the command line, `RACEHOUND_…` variables, a TOML file."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from racehound.errors import UserError
from racehound.plan import SEED_LIMIT, ScenarioName

DEFAULT_CONFIG = "racehound.toml"

_Command = TypeVar("_Command", bound=Callable[..., Any])


def option(name: str, **settings: Any) -> Callable[[_Command], _Command]:  # noqa: ANN401 click's own settings
    """An option that can also be given as a variable: `--num-objects` is `RACEHOUND_NUM_OBJECTS`."""
    variable = "RACEHOUND_" + name.partition("/")[0].removeprefix("--").upper().replace("-", "_")
    return click.option(name, envvar=variable, show_default=settings.pop("show_default", True), **settings)


def together(*options: Callable[[Any], Any]) -> Callable[[_Command], _Command]:
    """Several options as one decorator, in the order in which help shows them."""

    def decorate(command: _Command) -> _Command:
        for decorate_once in reversed(options):
            command = decorate_once(command)
        return command

    return decorate


def names(_ctx: click.Context, _parameter: click.Parameter, value: Any) -> tuple[str, ...]:  # noqa: ANN401 click's or TOML's
    """`--kinds Table,View --kinds Index`, or a list in the TOML file."""
    values = [value] if isinstance(value, str) else list(value or ())
    return tuple(part.strip() for text in values for part in str(text).split(",") if part.strip())


target_argument = click.argument("target", default="postgres", envvar="RACEHOUND_TARGET")

server_options = together(
    option("--release", metavar="X.Y", help="Start this release of the target instead of the embedded one."),
    option("--url", metavar="URL", help="Hunt in a server that runs already; only what racehound creates is touched."),
)

program_options = together(
    option("--seed", type=click.IntRange(0, SEED_LIMIT - 1), help="Start with this seed.", show_default="random"),
    option("--scenario", type=click.Choice(get_args(ScenarioName)), default="concurrent", help="How the lives are run."),
    option("--num-objects", type=click.IntRange(1, 64), default=5, help="Objects besides the base object."),
    option("--kinds", multiple=True, callback=names, metavar="A,B,…", help="Draw only from these kinds.", show_default="all"),
    option("--tries", type=click.IntRange(1, 100_000), default=100, help="How often an actor tries a step until it succeeds."),
)

statement_limit = option(
    "--statement-limit", type=click.FloatRange(0.1, 86_400), default=10.0, metavar="SECONDS",
    help="A statement that runs longer is looked into as a hang.",
)  # fmt: skip


def seed_or_random(seed: int | None) -> int:
    """The seed that was asked for, or a new one."""
    return random.SystemRandom().randrange(SEED_LIMIT) if seed is None else seed


def read_config(path: str | None, commands: Collection[str]) -> dict[str, Any]:
    """The defaults of all commands from a TOML file: keys at the top count for every command, tables for theirs.

    Keys are the options' names, with `-` or `_`. UserError for a file that cannot be read.
    """
    file = Path(path or DEFAULT_CONFIG)
    if path is None and not file.is_file():
        return {}
    try:
        content = tomllib.loads(file.read_text())
    except OSError as error:
        raise UserError(f"--config {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"--config {file}: {error}") from error
    shared = {key: value for key, value in content.items() if not isinstance(value, dict)}
    tables = {key: value for key, value in content.items() if isinstance(value, dict)}
    for name in tables:
        if name not in commands:
            raise UserError(f"--config {file}: there is no command {name!r}")
    _check_keys(file, shared, tables)
    return {command: _spelled({**shared, **tables.get(command, {})}) for command in commands}


def _check_keys(file: Path, shared: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]]) -> None:
    """A misspelt key must not be silently without effect."""
    from racehound.cli import run_command

    known = {parameter.name for parameter in run_command.command.params}
    for key in shared:
        if key.replace("-", "_") not in known:
            raise UserError(f"--config {file}: there is no option {key!r}")
    for name, table in tables.items():
        options = known if name == "run" else _options_of(name)
        for key in table:
            if key.replace("-", "_") not in options:
                raise UserError(f"--config {file}: {name} has no option {key!r}")


def _options_of(name: str) -> set[str | None]:
    import importlib

    command: click.Command = importlib.import_module(f"racehound.cli.{name}_command").command
    return {parameter.name for parameter in command.params}


def _spelled(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key.replace("-", "_"): value for key, value in table.items()}
