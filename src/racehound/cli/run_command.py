"""`racehound run`: the hunt."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from racehound.cli.matrix_command import run_matrix
from racehound.cli.options import option, program_options, scenario, statement_limit, target_argument
from racehound.cli.target_options import choice as chosen_target
from racehound.cli.target_options import require_stepping, target_options
from racehound.data.plan import seed_or_random
from racehound.errors import UserError

if TYPE_CHECKING:
    from racehound.data.run_directory import RunDirectory
    from racehound.loops.hunt import Summary
    from racehound.report.progress import Reporter

PAIRS = "pairs"
"""The scenario that runs the matrix instead of a hunt."""
_PAIRS_OPTIONS = ("target", "scenario", "release", "url", "kinds", "kinds_from", "runtime", "statement_limit", "out")


@click.command("run")
@target_argument
@target_options
@scenario(PAIRS)
@program_options
@option("--runtime", type=click.FloatRange(0, min_open=True), default=600.0, metavar="SECONDS", help="How long to hunt.")
@option("--repetitions", type=click.IntRange(1), metavar="N", help="Repetitions of each drawn plan.",
        show_default="as the database says: 100, or 5 where they are slow")  # fmt: skip
@option("--max-findings", type=click.IntRange(1), metavar="N", show_default="none",
        help="End as soon as there are that many, known weaknesses aside.")  # fmt: skip
@option("--reduce", type=click.FloatRange(0), default=60.0, metavar="SECONDS",
        help="How long at most findings are made smaller at the end, known weaknesses aside; 0: not at all.")  # fmt: skip
@option("--reset", type=click.Choice(["objects", "database", "services"]), default="objects",
        help="What is made new before a repetition: the objects in the database, the database, or the whole server.")  # fmt: skip
@statement_limit
@option("--out", metavar="DIR", help="The run directory.", show_default="racehound-runs/TIME-SEED")
@option("--baseline", metavar="FILE", help="Stay silent about the findings that this file names.")
@option("--quiet/--verbose", default=None, help="Findings and summary only, or a line per repetition.", show_default=False)
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:  # noqa: ANN401 click's values
    """Hunt for races in DATABASE (see racehound targets): draw plans from seeds, let their objects race until time is up.

    With --scenario pairs nothing is drawn: every operation meets every other one, as by racehound matrix, until all is done.

    Ends with a summary. Exit code 0: clean but for what needs no race, 1: findings, 2: bad input, 130: interrupted.
    """
    from racehound.cli.reduce_command import reduction_progress
    from racehound.data.finding import Baseline, read_baseline
    from racehound.data.run_directory import RunDirectory
    from racehound.databases.registry import database
    from racehound.loops.hunt import HuntOptions
    from racehound.loops.recorded_run import pace, record_hunt, require_kinds
    from racehound.run.perturbations.registry import PerturbationSet

    if options["scenario"] == PAIRS:
        return _run_pairs(ctx, options)
    perturb = options["perturb"] or ("default",)
    seed = seed_or_random(options["seed"])
    choice = chosen_target(options["target"], options)
    chosen = database(choice.name)
    require_kinds(choice, options["kinds"])
    repetitions, plan_limit_s = pace(chosen, options["repetitions"])
    baseline = read_baseline(Path(options["baseline"])) if options["baseline"] else Baseline()
    hunt_options = HuntOptions(
        seed=seed,
        runtime_s=options["runtime"],
        repetitions=repetitions,
        plan_limit_s=plan_limit_s,
        scenario=options["scenario"],
        num_objects=options["num_objects"],
        tries=options["tries"],
        reset=options["reset"],
        statement_limit_s=options["statement_limit"],
        kinds=options["kinds"],
        max_findings=options["max_findings"],
        perturb=PerturbationSet(chosen.perturbations()).named(perturb),
    )
    _interrupt_on_terminate()
    click.echo(f"--- Random seed is {seed}")
    directory = RunDirectory(Path(options["out"] or f"racehound-runs/{time.strftime('%Y%m%d-%H%M%S')}-{seed}"))
    try:
        summary = record_hunt(
            choice, hunt_options, perturb, directory, baseline, _reporter(quiet=options["quiet"]), _tell,
            reduce_s=options["reduce"], reduction_progress=reduction_progress(),
            conclude=lambda summary: click.echo(_summary_text(summary, directory)),
        )  # fmt: skip
    finally:
        directory.discard_unused()
    if summary.interrupted:
        return 130
    return 0 if all(finding.needs_no_race for finding in summary.findings) else 1


def _run_pairs(ctx: click.Context, options: Mapping[str, Any]) -> int:
    """Run the matrix. UserError for options on the command line that it does not have."""
    from racehound.loops.matrix.run import MatrixOptions

    require_stepping(options["target"], f"--scenario {PAIRS}")
    for name in options.keys() - _PAIRS_OPTIONS:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UserError(f"--{name.replace('_', '-')} means nothing with --scenario {PAIRS}: leave it out")
    until_done = ctx.get_parameter_source("runtime") is ParameterSource.DEFAULT
    asked = MatrixOptions(
        kinds=options["kinds"],
        runtime_s=float("inf") if until_done else options["runtime"],
        statement_limit_s=options["statement_limit"],
    )
    return run_matrix(chosen_target(options["target"], options), asked, options["out"])


def _tell(line: str) -> None:
    click.echo(f"--- {line}")


def _summary_text(summary: Summary, directory: RunDirectory) -> str:
    from racehound.report.summary import summary_text

    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in summary.outcomes.items() if count)
    facts = (
        f"{'interrupted after ' if summary.interrupted else ''}{summary.seconds:.0f} s, {summary.plans} plans, "
        f"{summary.repetitions} repetitions, {summary.statements} statements{f': {outcomes}' if outcomes else ''}"
    )
    return summary_text(summary.findings, facts, summary.silenced, directory.path)


def _reporter(*, quiet: bool | None) -> Reporter:
    from racehound.report.console import LiveReporter, PlainReporter

    verbosity = {True: 0, None: 1, False: 2}[quiet]
    return LiveReporter(verbosity) if sys.stdout.isatty() else PlainReporter(sys.stdout, verbosity)


def _interrupt_on_terminate() -> None:
    """Make SIGTERM end a run as Ctrl-C does, so that it is cleaned up and reported."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
