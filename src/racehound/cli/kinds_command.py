"""`racehound kinds`: lists the catalogue of a database, or checks kinds of it on a server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from racehound.cli.options import kinds_from_option, names, option, statement_limit, target_argument
from racehound.cli.target_options import choice, target_options

if TYPE_CHECKING:
    from racehound.kinds.kind import Kind


@click.command("kinds")
@target_argument
@option("--kinds", multiple=True, callback=names, metavar="A,B,…", help="Only these kinds.", show_default="all")
@kinds_from_option
@click.option("--check", is_flag=True, help="Use each kind alone and against itself on a server, and say what is wrong with it.")
@target_options
@statement_limit
def command(*, target: str, kinds: tuple[str, ...], kinds_from: tuple[Path, ...], check: bool, **options: Any) -> int:  # noqa: ANN401
    """List the kinds of DATABASE: what a seed draws for each, and its manipulations.

    With --check and --kinds-from, but without --kinds, the kinds of these files are checked. Exit code 1: something is wrong.
    """
    from racehound.databases.catalogue import catalogue, nonempty_catalogue
    from racehound.databases.registry import database
    from racehound.errors import UserError

    chosen = database(target)
    all_kinds = {kind.__name__.lower(): kind for kind in nonempty_catalogue(chosen, kinds_from)}
    if unknown := [name for name in kinds if name.lower() not in all_kinds]:
        raise UserError(f"unknown kind {unknown[0]!r}; `racehound kinds` lists those there are")
    wanted = {name.lower() for name in kinds}
    selected = [kind for name, kind in all_kinds.items() if not wanted or name in wanted]
    if not check:
        for kind in selected:
            _print(kind)
        return 0
    if kinds_from and not wanted:
        selected = [kind for kind in selected if kind not in catalogue(chosen)]
    return _check(target, selected, {**options, "kinds_from": kinds_from})


def _print(kind: type[Kind]) -> None:
    flags = [] if kind.can_be_referenced else ["cannot be referred to"]
    flags += [] if kind.enabled else ["only when named by --kinds"]
    summary = (kind.__doc__ or "").strip().split("\n")[0]
    click.echo(f"{kind.__name__}: {summary}" + (f" ({', '.join(flags)})" if flags else ""))
    for name, values in kind.attributes().items():
        click.echo(f"    {name}: {', '.join(map(str, values))}")
    click.echo(f"    manipulations: {', '.join(kind.all_manipulations())}")


def _check(target: str, kinds: list[type[Kind]], options: Mapping[str, Any]) -> int:
    """Check kinds and print what is wrong with each; the exit code."""
    import tempfile

    from racehound.databases.registry import opened
    from racehound.loops.check_kinds import check_kind

    wrong = 0
    with tempfile.TemporaryDirectory() as directory, opened(choice(target, options), Path(directory) / "server.log") as server:
        for kind in kinds:
            if not server.target.can_have(kind):
                click.echo(f"{kind.__name__}: not checked, since this server cannot have objects of it")
                continue
            complaints = check_kind(server, kind, options["statement_limit"])
            wrong += bool(complaints)
            click.echo(f"{kind.__name__}: {'something' if complaints else 'nothing'} is wrong")
            for complaint in complaints:
                click.echo(f"    {complaint}")
    return int(wrong > 0)
