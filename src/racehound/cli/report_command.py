"""`racehound report`: a run as a page for a browser, and in formats for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from racehound.errors import UserError

if TYPE_CHECKING:
    from racehound.data.finding import Finding
    from racehound.data.program import Program
    from racehound.databases.database import Database

Format = Literal["html", "junit", "trace", "github"]

_FILES: dict[str, str] = {"html": "report.html", "junit": "junit.xml", "trace": "trace.json"}
"""Names of the files in the run directory, by format."""


@click.command("report")
@click.argument("path", metavar="RUN_DIR", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["html", "junit", "trace", "github"]), default="html",
        help="A page, JUnit's XML, a trace for ui.perfetto.dev, or annotations of a GitHub job (printed).")  # fmt: skip
@click.option("--out", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Where to write it.",
        show_default="report.html, junit.xml, trace.json in RUN_DIR")  # fmt: skip
@click.option("--plan", "plans", multiple=True, type=click.IntRange(1), metavar="N", show_default=False,
        help="html: show the timeline of the run's whole Nth plan, too.")  # fmt: skip
def command(*, path: Path, form: Format, out: Path | None, plans: tuple[int, ...]) -> None:
    """Report what is in RUN_DIR, also while the run goes on or after it was killed.

    The page is one file that needs no network: findings with timelines and the server's log, outcomes, rates.
    """
    if plans and form != "html":
        raise UserError(f"--plan shows a plan on the page, and --format {form} makes none: leave it out")
    if form == "github":
        if out:
            raise UserError("--format github prints: leave --out out")
        _github(path)
        return
    destination = out or path / _FILES[form]
    if out and not out.absolute().parent.is_dir():
        raise UserError(f"--out {out}: its directory does not exist")
    if form == "html":
        _html(path, destination, plans)
    elif form == "junit":
        _junit(path, destination)
    else:
        _trace(path, destination)
    click.echo(destination)


def _html(run: Path, out: Path, plans: tuple[int, ...]) -> None:
    from racehound.data.finding import write_atomically
    from racehound.report.html.contents import gather
    from racehound.report.html.page import page

    _, database = _read(run)
    _verify(run, database)
    write_atomically(out, page(gather(run, database.dialect, database.kinds(), plans)).encode())


def _verify(run: Path, database: Database) -> None:
    """Verify the kits that were not verified yet, or not to the end, and say what came of it."""
    from racehound.data.finding import finding_directories
    from racehound.data.verification import read_verification
    from racehound.loops.verification import verify_kit
    from racehound.report.handover import kit_of
    from racehound.report.summary import handover_text
    from racehound.services import scratch

    waiting = [directory for directory in finding_directories(run) if kit_of(directory).is_dir()]
    known = {directory: read_verification(kit_of(directory)) for directory in waiting}
    waiting = [directory for directory, verification in known.items() if verification is None or verification.hindered]
    if not waiting:
        return
    place = scratch.create("verify")
    try:
        for directory in waiting:
            if verify_kit(directory, database, place) is not None:
                click.echo(handover_text(directory, run), err=True)
    finally:
        scratch.remove(place)


def _trace(run: Path, out: Path) -> None:
    from racehound.report.recorded import repetitions
    from racehound.report.trace import write_trace

    facts, database = _read(run)
    partial = out.with_name(out.name + ".part")
    partial.touch(mode=0o600)
    with partial.open("wb") as sink:
        about = {"racehound": facts.get("racehound"), "target": database.title}
        write_trace(sink, repetitions(run), database.dialect, about)
    partial.replace(out)


def _junit(run: Path, out: Path) -> None:
    import msgspec

    from racehound.report.junit import write_hunt_junit
    from racehound.report.summary import finding_text

    facts, database = _read(run)
    summary = run / "summary.json"
    ended: dict[str, Any] = msgspec.json.decode(summary.read_bytes()) if summary.is_file() else {}
    shown = [(finding, finding_text(finding, run)) for finding, _ in _findings(run)]
    properties = {
        "seed": str(facts.get("options", {}).get("seed")),
        "release": str(facts.get("server_release")),
        "racehound": str(facts.get("racehound")),
    }
    write_hunt_junit(out, database.oracles, shown, ended.get("seconds", 0.0), properties)


def _github(run: Path) -> None:
    from racehound.report.github import annotation_lines
    from racehound.report.reproduction_command import reproduction_command

    facts, _ = _read(run)
    shown = [(finding, reproduction_command(run, finding, program, facts)) for finding, program in _findings(run)]
    click.echo(annotation_lines(shown), nl=False)


def _read(run: Path) -> tuple[dict[str, Any], Database]:
    """run.json, and the database that it names."""
    from racehound.data.run_directory import read_run
    from racehound.databases.registry import database

    facts = read_run(run)
    return facts, database(facts["target"])


def _findings(run: Path) -> list[tuple[Finding, Program]]:
    from racehound.data.finding import finding_directories, read_finding

    return [read_finding(directory) for directory in finding_directories(run)]
