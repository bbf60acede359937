"""Options from a TOML file: keys at the top count for every command, tables for theirs."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import click

from racehound.errors import UserError

DEFAULT_CONFIG = "racehound.toml"
_GROUPS = ("matrix", "services")
"""Commands that have commands of their own; the others need not be imported to know."""


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
    return {command: _defaults(command, _spelled({**shared, **tables.get(command, {})})) for command in commands}


def _defaults(name: str, table: dict[str, Any]) -> dict[str, Any]:
    """In the form that click takes: a command with subcommands has its own defaults, and those of each subcommand."""
    command = _command(name) if name in _GROUPS else None
    return table | dict.fromkeys(command.commands, table) if isinstance(command, click.Group) else table


def _check_keys(file: Path, shared: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]]) -> None:
    """UserError for a key that no option has: a misspelt one must not be without effect."""
    known = _options_of("run")
    for key in shared:
        if key.replace("-", "_") not in known:
            raise UserError(f"--config {file}: there is no option {key!r}")
    for name, table in tables.items():
        options = _options_of(name)
        for key in table:
            if key.replace("-", "_") not in options:
                raise UserError(f"--config {file}: {name} has no option {key!r}")


def _options_of(name: str) -> set[str | None]:
    command = _command(name)
    commands = command.commands.values() if isinstance(command, click.Group) else ()
    return {parameter.name for each in (command, *commands) for parameter in each.params}


def _command(name: str) -> click.Command:
    command: click.Command = importlib.import_module(f"racehound.cli.{name}_command").command
    return command


def _spelled(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key.replace("-", "_"): value for key, value in table.items()}
