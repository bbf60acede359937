"""The entry point: finds the command, and turns errors into one line and an exit code.

Exit codes: 0 clean, 1 findings, 2 bad input (or a target that cannot be used, or an early end without findings), 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from racehound.errors import TERMINATED, RacehoundError, TerminatedError, reason_of
from racehound.version import __version__

COMMANDS = {
    "run": "Hunt: draw objects, let them race, judge what happened.",
    "print": "Show the exact program of a seed without running it.",
    "explore": "Run the interleavings of a few session scripts, one after the other.",
    "matrix": "Try every operation of the catalogue against every other.",
    "replay": "Run a finding's program again and say how often it shows.",
    "reduce": "Make a finding's program as small as it will go.",
    "findings": "Show the findings of a run.",
    "report": "Write a run as a page, a trace, JUnit XML or annotations.",
    "baseline": "Print a run's findings as a baseline file.",
    "kinds": "List the kinds of objects of a database.",
    "targets": "List the databases that can be tested.",
    "testdrive": "Run scripts of the testdrive language.",
    "services": "Install, start and stop the real servers around a target.",
    "clean": "Remove what killed runs have left.",
}
_MOVED = ("zoo",)
"""Commands that only say where they went; help does not list them."""


class Commands(click.Group):
    """Loads the module of a command only when it is used: start-up is a feature."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 click's signature
        if cmd_name not in (*COMMANDS, *_MOVED):
            return None
        module = importlib.import_module(f"racehound.cli.{cmd_name}_command")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="racehound %(version)s")
@click.option(
    "--config", metavar="FILE", envvar="RACEHOUND_CONFIG", help="Options from TOML [default: racehound.toml, if there]."
)
@click.pass_context
def cli(ctx: click.Context, config: str | None) -> None:
    """racehound finds races in databases: it draws objects and operations from a seed, lets them race, judges what happened,
    and hands back what shows the defect."""
    from racehound.cli.config import read_config

    ctx.default_map = read_config(config, COMMANDS)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run the command line; the exit code."""
    try:
        result: Any = cli.main(args=arguments, prog_name="racehound", standalone_mode=False)
    except click.ClickException as error:
        return _refuse(error.format_message())
    except (click.Abort, KeyboardInterrupt) as interrupt:
        return _interrupted(interrupt)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except RacehoundError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(reason_of(error))
    return result if isinstance(result, int) else 0


def _interrupted(interrupt: BaseException) -> int:
    """Ctrl-C, or SIGTERM where a command reports that."""
    if isinstance(interrupt, TerminatedError):
        return _refuse(TERMINATED)
    click.echo("racehound: interrupted", err=True)
    return 130


def _refuse(message: str) -> int:
    first = message.strip().split("\n", 1)[0]
    click.echo(f"racehound: {first}", err=True)
    return 2
