"""`racehound testdrive`: runs scripts of the testdrive language."""

from __future__ import annotations

import contextlib
import functools
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from racehound.cli import addresses
from racehound.cli.options import option
from racehound.cli.target_options import script_options, url_option
from racehound.errors import TargetError, UserError

if TYPE_CHECKING:
    from racehound.data.addresses import ServiceAddresses
    from racehound.databases.database import Database, ScriptServer
    from racehound.testdrive.runner import Result, Settings, Surroundings
    from racehound.testdrive.script import Script

_CHECKS = ("file", "statement", "disable")


def _seconds(_ctx: click.Context, _parameter: click.Parameter, value: Any) -> float:  # noqa: ANN401 click's or TOML's
    from racehound.testdrive.values import duration

    try:
        return duration(str(value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("testdrive")
@click.argument("files", nargs=-1, required=True, metavar="FILES…")
@option("--var", multiple=True, metavar="NAME=VALUE", callback=addresses.pairs, help="Set the variable arg.NAME.")
@option("--target", metavar="NAME", help="The database.", show_default="what answers at --url, else the default one")
@url_option
@script_options
@addresses.address_options
@option("--release", metavar="X.Y", help="Start this release of the target.", show_default=False)
@option("--seed", type=click.IntRange(0, 2**32 - 1), help="Value of testdrive.seed.", show_default="random")
@option("--default-timeout", default="10s", metavar="DURATION", callback=_seconds, help="How long a statement is tried.")
@option("--initial-backoff", default="50ms", metavar="DURATION", callback=_seconds, help="Pause before the second try.")
@option("--backoff-factor", type=click.FloatRange(1), default=1.5, help="By how much each further pause is longer.")
@option("--max-errors", type=click.IntRange(1), default=10, help="Stop after so many failed files.")
@option("--max-tests", type=click.IntRange(1), help="Run so many files at most.", show_default=False)
@option("--shuffle-tests", is_flag=True, help="Run the files in an order drawn from the seed.")
@option("--no-reset", is_flag=True, help="Do not clean the target (nor Kafka) before each file.")
@option("--rewrite-results", is_flag=True, help="Rewrite what the files expect where it is not what comes.")
@option(
    "--consistency-checks", type=click.Choice(_CHECKS), help="When a target that can check itself does so.", show_default="file"
)
@option("--junit-report", metavar="FILE", type=click.Path(dir_okay=False, writable=True), help="Write the results there as XML.",
        show_default=False)  # fmt: skip
@option("--temp-dir", metavar="DIR", help="Where scripts put their files.", show_default="a new one")
def command(*, files: tuple[str, ...], **options: Any) -> int:  # noqa: ANN401 click's values
    """Run the testdrive scripts FILES (`-`: standard input) against a target.

    Unless --no-reset is given, a target that racehound starts is made anew before each file, and another one is cleaned if
    its database can be cleaned. Exit code 0: all passed, 1: a file failed, 2: a file is written wrongly, or a service died.
    """
    from racehound.testdrive.runner import read_script, run_scripts

    _require_possible(files, options)
    settings = _settings(options)
    scripts = [read_script(file, sys.stdin.buffer) for file in files]
    if options["shuffle_tests"]:
        random.Random(settings.seed).shuffle(scripts)
    results: list[Result] = []
    with _report(options, settings, results), contextlib.ExitStack() as stack:
        around = functools.cache(lambda: stack.enter_context(_surroundings(options, settings)))
        for result in run_scripts(scripts[: options["max_tests"]], settings, around, click.echo):
            results.append(result)  # noqa: PERF402 the report has the results there are, whatever happens
    return _conclude(results, settings.seed)


def _require_possible(files: Sequence[str], options: Mapping[str, Any]) -> None:
    """UserError for options that cannot go together, before anything is started."""
    from racehound.databases.database import Choice
    from racehound.databases.registry import database
    from racehound.testdrive.runner import STANDARD_INPUT

    if options["target"]:
        database(options["target"])
    Choice(options["target"] or "", release=options["release"], url=options["url"])
    if options["rewrite_results"] and STANDARD_INPUT in files:
        raise UserError("--rewrite-results rewrites files, and standard input is no file")
    if options["junit_report"] and not Path(options["junit_report"]).absolute().parent.is_dir():
        raise UserError(f"--junit-report {options['junit_report']}: its directory does not exist")


def _settings(options: Mapping[str, Any]) -> Settings:
    from racehound.testdrive.runner import Settings

    return Settings(
        seed=options["seed"] if options["seed"] is not None else random.SystemRandom().randrange(2**32),
        arguments=options["var"],
        timeout=options["default_timeout"],
        initial_backoff=options["initial_backoff"],
        backoff_factor=options["backoff_factor"],
        max_errors=options["max_errors"],
        consistency=options["consistency_checks"] or "file",
        rewrites=options["rewrite_results"],
    )


@contextlib.contextmanager
def _report(options: Mapping[str, Any], settings: Settings, results: Sequence[Result]) -> Iterator[None]:
    """Write the JUnit report at the end, also after an error, with the results there are by then."""
    from racehound.data.run_directory import redact

    try:
        yield
    finally:
        if options["junit_report"]:
            from racehound.report.junit import write_junit

            target = redact(options["url"] or "") or f"{_database(options).title} {options['release'] or ''}".strip()
            write_junit(Path(options["junit_report"]), results, {"seed": str(settings.seed), "target": target})


def _conclude(results: Sequence[Result], seed: int) -> int:
    """The last line, and the exit code. TargetError when a service has died, UserError for files that are written wrongly."""
    failed, broken, died = ([each for each in results if each.verdict == verdict] for verdict in ("failed", "broken", "died"))
    wrong = f", {len(broken)} written wrongly" if broken else ""
    click.echo(f"{len(results)} files, {len(failed)} failed{wrong} (--seed={seed})")
    if died:
        raise TargetError(died[0].text)
    if broken:
        raise UserError(broken[0].text)
    return 1 if failed else 0


@contextlib.contextmanager
def _surroundings(options: Mapping[str, Any], settings: Settings) -> Iterator[Surroundings]:
    from racehound.databases.registry import databases
    from racehound.services import daemon_client
    from racehound.services.embedded.installation import wheel
    from racehound.testdrive.runner import Surroundings
    from racehound.wire.session import LibpqSession

    running = daemon_client.asked_for(options["composition"])
    services = addresses.services(options, running)
    known = {**(running.variables if running else {}), **addresses.variables(services)}
    for database in databases().values():
        services, named = database.script_addresses(options, services)
        known |= named
    chosen = _database(options)
    with _directory(options["temp_dir"]) as temp_dir, _server(chosen, options, services) as target:
        support = chosen.dialect.script_support
        can_check = support.check_consistency is not None and target.services.internal_http is not None
        if options["consistency_checks"] in {"file", "statement"} and not can_check:
            raise UserError("--consistency-checks: the target has no internal HTTP port that could be asked")
        yield Surroundings(
            url=target.url,
            connect=LibpqSession.connect,
            prepare=functools.partial(_prepare, options, target, settings.seed),
            temp_dir=temp_dir,
            variables={**known, **target.variables, "testdrive.temp-dir": str(temp_dir)},
            services=target.services,
            support=support,
            programs={"psql": str(wheel().clients / "psql")},
            deaths=running.deaths if running else list,
        )


def _prepare(options: Mapping[str, Any], target: ScriptServer, seed: int, script: Script) -> None:
    """Clean the target, and remove what an earlier script has left in Kafka."""
    from racehound.testdrive import leftovers

    if options["no_reset"]:
        return
    target.renew()
    if leftovers.uses_kafka(script):
        leftovers.remove(target.services, seed)


@contextlib.contextmanager
def _server(chosen: Database, options: Mapping[str, Any], services: ServiceAddresses) -> Iterator[ScriptServer]:
    """The server at the address that was given, or one that racehound starts and makes anew for each file."""
    from racehound.databases.database import Choice
    from racehound.databases.registry import require_possible

    choice = Choice(chosen.name, options["release"], options["url"])
    require_possible(choice)
    with chosen.script_server(choice, options, services) as server:
        yield server


def _database(options: Mapping[str, Any]) -> Database:
    """The one that was named, else the one that answers at --url, else the default one."""
    from racehound.databases.registry import database, default_name, recognised
    from racehound.wire.session import LibpqSession

    if options["target"] or not options["url"]:
        return database(options["target"] or default_name())
    try:
        session = LibpqSession.connect(options["url"])
    except UserError as error:
        raise UserError(f"--url: {error}") from error
    with contextlib.closing(session):
        return recognised(session)


@contextlib.contextmanager
def _directory(path: str | None) -> Iterator[Path]:
    if path is None:
        with tempfile.TemporaryDirectory(prefix="racehound-testdrive-") as directory:
            yield Path(directory)
        return
    Path(path).mkdir(parents=True, exist_ok=True)
    yield Path(path).absolute()
