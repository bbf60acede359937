"""The command `racehound-zoo`: runs the emulator in the foreground."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import click

from racehound.errors import RacehoundError, UserError
from racehound_zoo import __version__


@click.command("racehound-zoo", context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__, prog_name="racehound-zoo", message="%(prog)s %(version)s")
@click.option(
    "--port",
    envvar="RACEHOUND_ZOO_PORT",
    type=click.IntRange(0, 65532),
    default=0,
    metavar="PORT",
    help="Port for SQL. The three ports after it are for HTTP, internal SQL and internal HTTP. 0: free ports.",
)
@click.option(
    "--defect",
    "defects",
    envvar="RACEHOUND_ZOO_DEFECT",
    multiple=True,
    metavar="NAME",
    help="Switch a seeded race on. May be given several times.",
)
@click.option(
    "--release",
    envvar="RACEHOUND_ZOO_RELEASE",
    default="v26.16",
    metavar="NAME",
    help="The release of Materialize to emulate: v26.16 or v0.147, whose answers were recorded.",
)
@click.option("--list-defects", is_flag=True, help="List the seeded races and exit.")
def command(*, port: int, defects: tuple[str, ...], release: str, list_defects: bool) -> None:
    """Run an emulator of Materialize on loopback ports until Ctrl-C.

    Every option but the flags can also be given as an environment variable, such as RACEHOUND_ZOO_PORT.
    """
    if list_defects:
        _list()
        return
    try:
        from racehound_zoo.server import Zoo
    except ModuleNotFoundError as error:
        raise UserError(f"the package {error.name} is missing: pip install racehound-zoo") from error

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    with Zoo(port=port, defects=defects, release=release) as zoo:
        click.echo(f"sql            {zoo.url}")
        click.echo(f"internal sql   {zoo.internal_url}")
        click.echo(f"http           {zoo.http_url}")
        click.echo(f"internal http  {zoo.internal_http_url}")
        click.echo(f"log            {zoo.log_path}")
        _wait_for_interrupt()


def _list() -> None:
    from racehound_zoo.defects.registry import DEFECTS

    names = max(len(defect.name) for defect in DEFECTS)
    oracles = max(len(", ".join(defect.oracles)) for defect in DEFECTS)
    click.echo(f"{'defect':{names}}  {'oracle':{oracles}}  when it shows")
    for defect in DEFECTS:
        click.echo(f"{defect.name:{names}}  {', '.join(defect.oracles):{oracles}}  {defect.trigger}")


def _wait_for_interrupt() -> None:
    try:
        signal.pause()
    except KeyboardInterrupt:
        click.echo("stopping", err=True)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command and exit: with 2 and one line where the input is wrong, with 130 when start-up is interrupted."""
    try:
        command.main(prog_name="racehound-zoo", standalone_mode=False)
    except click.ClickException as error:
        sys.exit(_refusal(error.format_message()))
    except RacehoundError as error:
        sys.exit(_refusal(str(error)))
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


def _refusal(message: str) -> int:
    click.echo(f"racehound-zoo: {message}", err=True)
    return 2
