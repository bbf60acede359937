"""Record what racehound prints, to see whether a change that should not change it has done so.

Before the change: `python scripts/record_behaviour.py /tmp/before`; after it: the same with `/tmp/after`, then
`diff -r /tmp/before /tmp/after`. Recorded are the programs of many seeds, for every scenario and every installed database that
has kinds, the catalogues, the operations of the matrix, and the help of every command. Nothing is started.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import click
from click.testing import CliRunner

from racehound.cli.main import COMMANDS, cli
from racehound.data.plan import ScenarioName
from racehound.databases.registry import databases

WIDTH = "110"
"""Columns: help is wrapped."""


def output(*words: str) -> str:
    """What a command prints; for one that fails also with what."""
    ended = CliRunner().invoke(cli, list(words), prog_name="racehound", env={"COLUMNS": WIDTH})
    failure = ended.exception if not isinstance(ended.exception, SystemExit) else None
    return ended.output + (f"{failure!r}\n" if failure else "")


def helps(words: Sequence[str], command: click.Command) -> Iterator[tuple[str, str]]:
    """The help of a command and of the commands in it, each with the name of its file."""
    yield f"help/{'-'.join(words)}.txt", output(*words, "--help")
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), name)
            if found is not None:
                yield from helps([*words, name], found)


def recordings(seeds: int) -> Iterator[tuple[str, str]]:
    """File names and texts."""
    yield "help/racehound.txt", output("--help")
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        if command is not None:
            yield from helps([name], command)
    yield "targets.txt", output("targets")
    for database in databases().values():
        if not database.kinds():
            continue
        yield f"{database.name}/kinds.txt", output("kinds", database.name)
        if database.can_step:
            yield f"{database.name}/operations.txt", output("matrix", database.name, "operations")
        for scenario in get_args(ScenarioName):
            for seed in range(seeds):
                words = ("print", database.name, "--scenario", scenario, "--seed", str(seed))
                yield f"{database.name}/{scenario}/{seed}.txt", output(*words)


def main() -> None:
    parser = argparse.ArgumentParser(description="Record what racehound prints.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seeds", type=int, default=200)
    arguments = parser.parse_args()
    for name, text in recordings(arguments.seeds):
        path = arguments.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
