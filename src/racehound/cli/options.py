"""Options that several commands share. Each can also be given as a variable `RACEHOUND_…`, or in a TOML file (`config`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from racehound.data.plan import SEED_LIMIT, ScenarioName
from racehound.databases.options import variable_of

_Command = TypeVar("_Command", bound=Callable[..., Any])


def option(name: str, *names: str, **settings: Any) -> Callable[[_Command], _Command]:  # noqa: ANN401 click's own settings
    """An option that can also be given as a variable: `--num-objects` is `RACEHOUND_NUM_OBJECTS`. `names`: more names."""
    return click.option(name, *names, envvar=variable_of(name), show_default=settings.pop("show_default", True), **settings)


def together(*options: Callable[[Any], Any]) -> Callable[[_Command], _Command]:
    """Several options as one decorator, in the order in which help lists them."""

    def decorate(command: _Command) -> _Command:
        for decorate_once in reversed(options):
            command = decorate_once(command)
        return command

    return decorate


def names(_ctx: click.Context, _parameter: click.Parameter, value: Any) -> tuple[str, ...]:  # noqa: ANN401 click's or TOML's
    """`--kinds Table,View --kinds Index`, or a list in the TOML file."""
    values = [value] if isinstance(value, str) else list(value or ())
    return tuple(part.strip() for text in values for part in str(text).split(",") if part.strip())


def default_target() -> str:
    """The database that a command uses when its user names none."""
    from racehound.databases.registry import default_name

    return default_name()


target_argument = click.argument("target", metavar="[DATABASE]", default=default_target, envvar="RACEHOUND_TARGET")
target_option = option("--target", metavar="NAME", default=default_target, show_default="the default one", help="The database.")

kinds_from_option = option(
    "--kinds-from",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    show_default=False,
    help="Add the kinds of a .py or .td file, or of all such files in a directory. Repeatable.",
)

program_options = together(
    option("--seed", type=click.IntRange(0, SEED_LIMIT - 1), help="Start with this seed.", show_default="random"),
    option("--num-objects", type=click.IntRange(1, 64), default=5, help="Objects besides the base object."),
    option("--kinds", multiple=True, callback=names, metavar="A,B,…", help="Draw only from these kinds.", show_default="all"),
    kinds_from_option,
    option(
        "--perturb",
        multiple=True,
        callback=names,
        metavar="A,B,…",
        show_default="default",
        help="What disturbs the timing: names of perturbations; default, all, none.",
    ),
    option("--tries", type=click.IntRange(1, 100_000), default=100, help="How often a session tries a step until it succeeds."),
)

statement_limit = option(
    "--statement-limit", type=click.FloatRange(0.1, 86_400), default=10.0, metavar="SECONDS",
    help="A statement that runs longer is looked into as a hang.",
)  # fmt: skip


def scenario(*others: str) -> Callable[[_Command], _Command]:
    """`--scenario`: the scenarios that make programs from plans. `others`: further ones that the command has."""
    choices = [*get_args(ScenarioName), *others]
    return option(
        "--scenario", type=click.Choice(choices), default="concurrent", help="How the operations are arranged in sessions."
    )
