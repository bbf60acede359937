"""`racehound matrix`: tries every operation of the catalogue against every other, and shows and compares the results."""

from __future__ import annotations

import dataclasses
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from racehound.cli.options import default_target, kinds_from_option, names, option, statement_limit
from racehound.cli.target_options import choice, require_stepping, stepping_options
from racehound.cli.termination import report_on_terminate
from racehound.databases.registry import clean_command, database, databases
from racehound.errors import UserError

if TYPE_CHECKING:
    from racehound.data.matrix import Matrix
    from racehound.databases.database import Choice
    from racehound.loops.matrix.journal import Asked, PairResult
    from racehound.loops.matrix.run import MatrixOptions
    from racehound.loops.matrix.worker_pool import MatrixProgress

_PRINT_EVERY_S = 10.0


class _Matrix(click.Group):
    """Takes the database as its first word besides options, unless that word is one of its commands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _, words, _ = self.make_parser(ctx).parse_args(list(args))
        if words and words[0] not in self.commands:
            if words[0] not in databases():
                known = f"a database ({', '.join(databases())}) nor a command ({', '.join(self.commands)})"
                raise UserError(f"racehound matrix: {words[0]!r} is neither {known}")
            before = args[: len(args) - len(words)]
            args = ["--target", words[0], *before, *words[1:]]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, "[DATABASE] [OPTIONS] [COMMAND [ARGS]...]")


@click.group("matrix", cls=_Matrix, invoke_without_command=True)
@option("--target", default=default_target, hidden=True)
@stepping_options
@option("--kinds", multiple=True, callback=names, metavar="A,B,…", help="Only operations of these kinds.", show_default="all")
@kinds_from_option
@option("--operations", multiple=True, callback=names, metavar="PATTERN,…", show_default="one of each sort",
        help="Only operations of these names; `Schema.*`, `*.destroy`.")  # fmt: skip
@option("--every", is_flag=True, help="Also operations that touch the same sorts of catalog rows as another one.")
@option("--runtime", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="Stop after that; --resume goes on.",
        show_default="until all is done")  # fmt: skip
@option("--servers", type=click.IntRange(1, 64), default=2, help="Embedded servers that work at the same time.")
@statement_limit
@option("--out", metavar="DIR", help="The run directory.", show_default="racehound-runs/TIME-matrix-RELEASE")
@option("--resume", metavar="DIR", help="Go on with the run in this directory.", show_default=False)
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int | None:  # noqa: ANN401 click's values
    """Try every operation of DATABASE's catalogue against every other on the same objects: started together, and each within the
    other's transaction, committed and rolled back.

    Exit code 0: nothing worse than known weaknesses, 1: findings, 2: bad input, or it ended early, 130: interrupted.
    """
    if ctx.invoked_subcommand is not None:
        return None
    import msgspec

    from racehound.loops.matrix.journal import Asked
    from racehound.loops.matrix.run import MatrixOptions

    resumed = _resumed(ctx, options) if options["resume"] else None
    if resumed:
        options |= {"target": resumed.target, "kinds_from": resumed.kinds_from}
    require_stepping(options["target"], "racehound matrix")
    narrowed = bool(options["operations"])
    asked = resumed.asked if resumed else Asked(options["kinds"], options["operations"], options["every"] or narrowed)
    matrix_options = MatrixOptions(
        **msgspec.structs.asdict(asked),
        runtime_s=options["runtime"] or float("inf"),
        servers=options["servers"],
        statement_limit_s=options["statement_limit"],
    )
    server = choice(options["target"], options, resumed.release if resumed else None)
    return run_matrix(server, matrix_options, options["resume"] or options["out"], goes_on=bool(resumed))


def run_matrix(choice: Choice, options: MatrixOptions, out: str | None, *, goes_on: bool = False) -> int:
    """Run the matrix and print its result; the exit code."""
    from racehound.data.finding import Baseline, Store
    from racehound.data.matrix import DEFECTS
    from racehound.data.run_directory import RunDirectory
    from racehound.databases.catalogue import nonempty_catalogue
    from racehound.loops.matrix.run import MatrixRun
    from racehound.report.sessions import write_sessions
    from racehound.report.summary import early_lines, outage_lines

    nonempty_catalogue(database(choice.name), choice.kinds_from)
    report_on_terminate()
    named = f"racehound-runs/{time.strftime('%Y%m%d-%H%M%S')}-matrix-{choice.release or 'own'}"
    directory = RunDirectory(Path(out or named), goes_on=goes_on)
    try:
        click.echo(f"--- race matrix, evidence in {directory.path}")
        store = Store(directory.findings, Baseline(), write_sessions)
        tell = lambda line: click.echo(f"--- {line}")  # noqa: E731 a name for a line of code
        matrix = MatrixRun(choice, options, directory, store, _ProgressLines(), tell).run()
    finally:
        directory.discard_unused()
    _print(matrix)
    for outage in matrix.outages:
        click.echo("\n" + "\n".join(outage_lines(outage)))
    if matrix.ended_early:
        click.echo("\n" + "\n".join(early_lines(matrix.ended_early, clean_command(choice))))
    click.echo(f"\nracehound matrix show {directory.path} X Y   shows a cell; it is all in {directory.path}")
    if not matrix.complete:
        click.echo(f"not all is done; go on with: racehound matrix --resume {shlex.quote(str(directory.path))}")
        if options.runtime_s == float("inf") and not matrix.ended_early:
            return 130
    crashed = any(outage.verdict == "server crashed" for outage in matrix.outages)
    if crashed or any(trial.outcome in DEFECTS for trial in matrix.trials):
        return 1
    return 2 if matrix.ended_early else 0


@dataclasses.dataclass(frozen=True)
class _Resumed:
    """A run that ended early and is to go on."""

    target: str
    release: str
    kinds_from: tuple[Path, ...]
    asked: Asked


def _resumed(ctx: click.Context, options: Mapping[str, Any]) -> _Resumed:
    """The run in `--resume`. UserError where there is no such run, and for options that it determines."""
    from racehound.data.run_directory import read_run
    from racehound.loops.matrix.journal import FILE, read_journal

    for name in ("kinds", "kinds_from", "operations", "every", "release", "out"):
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UserError(f"--resume {options['resume']} determines --{name.replace('_', '-')}: leave it out")
    directory = Path(options["resume"])
    run = read_run(directory)
    if ctx.get_parameter_source("target") is ParameterSource.COMMANDLINE and options["target"] != run["target"]:
        raise UserError(f"--resume {directory}: it is a matrix of {run['target']}, not of {options['target']}")
    header, _ = read_journal(directory / FILE)
    return _Resumed(run["target"], header.release, tuple(map(Path, run.get("kinds_from", ()))), header.asked)


class _ProgressLines:
    """Prints how far a run is, every few seconds."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def __call__(self, _result: PairResult, progress: MatrixProgress) -> None:
        if progress.seconds >= self._next_s or progress.over == progress.pairs:
            self._next_s = progress.seconds + _PRINT_EVERY_S
            rate = progress.trials / progress.seconds if progress.seconds else 0.0
            click.echo(f"{progress.over:,} of {progress.pairs:,} pairs, {rate:.0f} trials per second", err=True)


def _print(matrix: Matrix) -> None:
    from racehound.report.grid import defects_text, grid_text, totals_text

    click.echo(grid_text(matrix, colour=sys.stdout.isatty()))
    click.echo(
        f"\n{matrix.target} {matrix.release}, {len(matrix.operations)} operations, {matrix.seconds:,.0f} s of one server\n"
    )
    click.echo(totals_text(matrix))
    if defects := defects_text(matrix):
        click.echo(f"\n{defects}")


@command.command("grid")
@click.argument("run")
def grid(run: str) -> int:
    """The matrix of RUN (a run directory or matrix.json) on the terminal."""
    from racehound.data.matrix import read_matrix

    _print(read_matrix(Path(run)))
    return 0


@command.command("show")
@click.argument("run")
@click.argument("x")
@click.argument("y")
def show(run: str, x: str, y: str) -> int:
    """The cell of the operations X and Y in RUN: statements, schedule, outcome of every mode, and how to try it again."""
    from racehound.data.matrix import read_matrix
    from racehound.report.grid import cell_text

    matrix = read_matrix(Path(run))
    text = cell_text(matrix, x, y)
    if not text:
        raise UserError(f"{x} and {y} were not tried against each other in {run}")
    click.echo(text)
    database = [] if matrix.target == default_target() else [matrix.target]
    click.echo(f"\nagain: {shlex.join(['racehound', 'matrix', *database, 'again', x, y, '--release', matrix.release])}")
    return 0


@command.command("diff")
@click.argument("old")
@click.argument("new")
def diff(old: str, new: str) -> int:
    """Which cells of OLD and NEW (run directories or matrix.json) differ."""
    from racehound.data.matrix import read_matrix
    from racehound.report.grid import diff_text

    click.echo(diff_text(read_matrix(Path(old)), read_matrix(Path(new))))
    return 0


@command.command("operations")
def operations() -> int:
    """List the operations of the catalogue with their statements."""
    from racehound.databases.catalogue import nonempty_catalogue
    from racehound.report.columns import columns
    from racehound.scenarios.pairs import Catalogue

    chosen = database(_of_group("target"))
    known = Catalogue(nonempty_catalogue(chosen, _of_group("kinds_from")), chosen.plain_table, chosen.dialect.effect).operations()
    click.echo(columns(("operation", "what"), [(each.name, each.shape) for each in known]))
    return 0


@command.command("again")
@click.argument("x")
@click.argument("y")
@stepping_options
@kinds_from_option
@option("--times", type=click.IntRange(1), default=1, help="How often.")
@option(
    "--relationship", "--ground", type=click.Choice(["same", "y over x", "x over y", "common"]),
    show_default="all that there are", help="How their objects are related.",
)  # fmt: skip
@statement_limit
def again(x: str, y: str, **options: Any) -> int:  # noqa: ANN401 click's values
    """Try the operations X and Y against each other again, in all modes, and say how often each outcome came."""
    from racehound.databases.catalogue import nonempty_catalogue
    from racehound.loops.matrix.again import try_again
    from racehound.report.columns import columns

    require_stepping(_of_group("target"), "racehound matrix again")
    options["kinds_from"] = (*_of_group("kinds_from"), *options["kinds_from"])
    server = choice(_of_group("target"), options)
    nonempty_catalogue(database(server.name), server.kinds_from)
    counts = try_again(server, x, y, options["relationship"], options["times"], options["statement_limit"])
    rows = [(relation, f"{first} first", mode, o, str(n), sig) for (relation, first, mode, o, sig), n in counts.items()]
    click.echo(columns(("objects", "order", "mode", "outcome", "times", "why"), rows))
    return 0


def _of_group(name: str) -> Any:  # noqa: ANN401 click's values
    """The value of a parameter that stands before the command."""
    context = click.get_current_context().parent
    assert context is not None
    return context.params[name]
