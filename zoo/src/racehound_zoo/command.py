"""`racehound-zoo`: the emulator of Materialize, in the foreground."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import click

from racehound.cli.options import option
from racehound.errors import RacehoundError, UserError


@click.command("racehound-zoo")
@option("--port", type=click.IntRange(0, 65532), default=0, metavar="PORT",
        help="SQL here, HTTP and the internal ports on the three behind it; 0: free ones.")  # fmt: skip
@option("--defect", "defects", multiple=True, metavar="NAME", help="Switch a seeded race on; may be given several times.")
@option("--release", default="v26.16", show_default=True, metavar="NAME",
        help="Which Materialize it is like: v26.16, or v0.147, whose answers were recorded.")  # fmt: skip
@option("--list-defects", is_flag=True, help="Say which seeded races there are, and end.")
def command(*, port: int, defects: tuple[str, ...], release: str, list_defects: bool) -> None:
    """Run an emulator of Materialize on loopback ports until Ctrl-C, to try racehound on."""
    if list_defects:
        _list()
        return
    try:
        from racehound_zoo.server import Zoo
    except ModuleNotFoundError as error:
        raise UserError(f"the zoo needs the package {error.name}: pip install 'racehound[services]'") from error

    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, _interrupt)
    with Zoo(port=port, defects=defects, release=release) as zoo:
        click.echo(f"sql            {zoo.url}")
        click.echo(f"internal sql   {zoo.internal_url}")
        click.echo(f"http           {zoo.http_url}")
        click.echo(f"internal http  {zoo.internal_http_url}")
        click.echo(f"log            {zoo.log_path}")
        _until_interrupted()


def _list() -> None:
    from racehound.report.columns import columns
    from racehound_zoo.defects import DEFECTS

    rows = [(defect.name, ", ".join(defect.oracles), defect.bites) for defect in DEFECTS]
    click.echo(columns(("defect", "oracle", "when it bites"), rows))


def _until_interrupted() -> None:
    try:
        signal.pause()
    except KeyboardInterrupt:
        click.echo("ending", err=True)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line and exit: with 2 where the input is wrong."""
    try:
        command.main(prog_name="racehound-zoo", standalone_mode=False)
    except click.ClickException as error:
        sys.exit(_refusal(error.format_message()))
    except RacehoundError as error:
        sys.exit(_refusal(str(error)))


def _refusal(message: str) -> int:
    click.echo(f"racehound-zoo: {message}", err=True)
    return 2
