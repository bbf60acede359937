"""`racehound findings`: the findings of a run as text or JSON."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("findings")
@click.argument("path", metavar="RUN_DIR|FINDING")
@click.option("--json", "as_json", is_flag=True, help="One finding per line, as JSON.")
def command(path: str, *, as_json: bool) -> None:
    """List the findings of RUN_DIR, worst first; for one FINDING (its directory) all that is known about it."""
    import msgspec

    from racehound.data.finding import finding_directories, read_finding
    from racehound.data.run_directory import read_run
    from racehound.report.summary import finding_text

    if not (Path(path) / "finding.json").is_file():
        read_run(Path(path))  # a directory that is none of a run is refused
    directories = finding_directories(Path(path))
    for directory in directories:
        finding, _ = read_finding(directory)
        if as_json:
            click.echo(msgspec.json.encode(finding))
        elif [directory] == [Path(path)]:
            click.echo(finding_text(finding, directory.parent.parent))
        else:
            apart = "no race needed: " if finding.needs_no_race else ""
            met = f" (first met {finding.first_met})" if finding.first_met else ""
            click.echo(f"{finding.id}  {finding.severity:17} {finding.count:6} ×  {apart}{finding.title}{met}")
    if not directories:
        click.echo("no findings", err=True)
