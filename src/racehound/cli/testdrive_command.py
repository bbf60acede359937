"""`racehound testdrive`: scripts of the language, as they stand."""

from __future__ import annotations

import contextlib
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from racehound.cli.options import option

if TYPE_CHECKING:
    from racehound.testdrive.runner import Surroundings


@click.command("testdrive")
@click.argument("files", nargs=-1, required=True, metavar="FILES…")
@click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="Set the variable arg.NAME.")
@option("--url", metavar="URL", help="The target.", show_default="a PostgreSQL server started for the occasion")
@option("--materialize-url", metavar="URL", help="The same as --url.", show_default=False)
@option("--release", metavar="X.Y", help="Start this release of PostgreSQL.", show_default=False)
@option("--seed", type=click.IntRange(0, 2**32 - 1), help="Value of testdrive.seed.", show_default="random")
@option("--default-timeout", default="10s", metavar="DURATION", help="How long a statement is tried.")
@option("--initial-backoff", default="50ms", metavar="DURATION", help="Pause before the second try.")
@option("--backoff-factor", type=click.FloatRange(1), default=1.5, help="By how much each further pause is longer.")
@option("--max-errors", type=click.IntRange(1), default=10, help="Stop after so many failed files.")
@option("--max-tests", type=click.IntRange(1), help="Run so many files at most.", show_default=False)
@option("--shuffle-tests", is_flag=True, help="Run the files in an order drawn from the seed.")
@option("--no-reset", is_flag=True, help="Do not empty the database before each file. (At --url it never is.)")
@option("--temp-dir", metavar="DIR", help="Where scripts put their files.", show_default="a new one")
def command(*, files: tuple[str, ...], **options: Any) -> int:  # noqa: ANN401 click's values
    """Run the testdrive scripts FILES (`-`: standard input) against a target. Exit code 1 when one fails."""
    from racehound.testdrive.runner import Settings, read_scripts, run_scripts
    from racehound.testdrive.values import duration

    seed = options["seed"] if options["seed"] is not None else random.SystemRandom().randrange(2**32)
    settings = Settings(
        seed=seed,
        arguments=_arguments(options["variables"]),
        timeout=_duration("--default-timeout", options["default_timeout"], duration),
        initial_backoff=_duration("--initial-backoff", options["initial_backoff"], duration),
        backoff_factor=options["backoff_factor"],
        max_errors=options["max_errors"],
    )
    scripts = read_scripts(files, sys.stdin)
    if options["shuffle_tests"]:
        random.Random(seed).shuffle(scripts)
    scripts = scripts[: options["max_tests"]]
    with _directory(options["temp_dir"]) as temp_dir, _surroundings(options, temp_dir) as around:
        failures = run_scripts(scripts, settings, around, click.echo)
    click.echo(f"{len(scripts)} files, {failures} failed (--seed={seed})")
    return 1 if failures else 0


def _arguments(variables: tuple[str, ...]) -> dict[str, str]:
    wrong = [text for text in variables if "=" not in text]
    if wrong:
        raise click.UsageError(f"--var {wrong[0]}: write NAME=VALUE")
    return dict(text.split("=", 1) for text in variables)


def _duration(name: str, text: str, read: Any) -> float:  # noqa: ANN401 a function that is imported late
    try:
        return float(read(text))
    except ValueError as error:
        raise click.UsageError(f"{name}: {error}") from error


@contextlib.contextmanager
def _surroundings(options: dict[str, Any], temp_dir: Path) -> Iterator[Surroundings]:
    """Around the address that was given, where nothing is cleaned, or a server of our own, clean for each file."""
    from racehound.targets.postgres.installation import wheel
    from racehound.targets.postgres.session import PostgresSession
    from racehound.targets.registry import Choice, opened_databases
    from racehound.testdrive.runner import Surroundings

    url = options["url"] or options["materialize_url"]
    variables = {"testdrive.temp-dir": str(temp_dir)}
    psql = str(wheel().clients / "psql")
    if url:
        yield Surroundings(url, PostgresSession.connect, lambda: None, psql, temp_dir, variables)
        return
    with tempfile.TemporaryDirectory() as directory:
        choice = Choice(release=options["release"])
        with opened_databases(choice, Path(directory) / "server.log") as databases:
            renew = (lambda: None) if options["no_reset"] else databases.renew
            yield Surroundings(databases.url, PostgresSession.connect, renew, psql, temp_dir, variables)


@contextlib.contextmanager
def _directory(path: str | None) -> Iterator[Path]:
    if path is None:
        with tempfile.TemporaryDirectory(prefix="racehound-testdrive-") as directory:
            yield Path(directory)
        return
    Path(path).mkdir(parents=True, exist_ok=True)
    yield Path(path)
