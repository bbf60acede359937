"""`racehound reduce`: the smallest program that shows a finding."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from racehound.cli.options import option, statement_limit
from racehound.cli.target_options import choice, target_options
from racehound.cli.termination import ending_early, tell

if TYPE_CHECKING:
    from racehound.loops.reduce.search import Teller
    from racehound.loops.reduction import Reduced


@click.command("reduce")
@click.argument("path", metavar="RUN_DIR|FINDING")
@option("--runtime", type=click.FloatRange(0, min_open=True), default=120.0, metavar="SECONDS",
        help="How long for all findings together. Then the last kit is verified, in a few seconds.")  # fmt: skip
@option("--floor", type=click.FloatRange(0, 1), default=0.9, metavar="SHARE",
        help="What shows the finding less often is no reduction, where a larger one shows it as often.")  # fmt: skip
@option("--repetitions", type=click.IntRange(1), default=20, help="How often the result is tried at the end.")
@target_options
@statement_limit
def command(
    *,
    path: str,
    runtime: float,
    floor: float,
    repetitions: int,
    statement_limit: float,
    **options: Any,  # noqa: ANN401 click's
) -> int:
    """Make the program of each finding of RUN_DIR (or of one FINDING, its directory) as small as it will go.

    It is shown, and kept as `reduction.json` beside the finding. The worst findings come first, known weaknesses last; each gets
    an equal share of the time that is left. Ctrl-C ends with the smallest that is known by then.
    Exit code 1 when something smaller shows a finding, 0 when nothing does, 2 when it ended early and nothing had.
    """
    from racehound.data.finding import SERIAL_ORDERS, finding_directories
    from racehound.data.run_directory import read_run
    from racehound.databases.registry import opened
    from racehound.loops.reduction import ReduceOptions, reduce_all
    from racehound.report.scenes import reduction_text
    from racehound.report.summary import handover_text

    directories = finding_directories(Path(path))
    if not directories:
        click.echo("no findings", err=True)
        return 0
    run_directory = directories[0].parent.parent
    run = read_run(run_directory)
    chosen = choice(run["target"], options, run.get("release"))
    reduce_options = ReduceOptions(runtime, floor, repetitions, statement_limit)
    reduced: list[str] = []

    def show(done: Reduced) -> None:
        click.echo(f"--- {done.finding.id}  {done.finding.severity}: {done.finding.title}")
        if done.finding.serial_orders != "not tried" and done.reduction is not None:
            click.echo(SERIAL_ORDERS[done.finding.serial_orders])
        click.echo(reduction_text(done.reduction) if done.reduction else f"not reduced: {done.tried}\n")
        if done.reduction is not None:
            reduced.append(done.finding.id)
            if handed_over := handover_text(run_directory / "findings" / done.finding.id, run_directory):
                click.echo(f"{handed_over}\n")

    interrupted = False
    with opened(chosen, run_directory / "reduce-server.log", tell) as server, ending_early(chosen, run_directory) as early:
        ended = reduce_all(directories, server, reduce_options, reduction_progress(), show)
        interrupted = ended.interrupted
        if ended.left_out:
            click.echo(ended.left_out)
    if interrupted:
        return 130
    return 1 if reduced else 2 * early.ended


def reduction_progress() -> Teller:
    """Shows on a terminal how far a reduction is, in one line that is overwritten; elsewhere it shows nothing."""
    from racehound.loops.reduce.search import say_nothing

    def show(doing: str, tried: int, best: str) -> None:
        click.echo(f"\r\033[K{doing}: {tried} tried, {best}", err=True, nl=False)

    return show if sys.stderr.isatty() else say_nothing
