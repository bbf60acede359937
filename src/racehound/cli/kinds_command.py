"""`racehound kinds`: the catalogue, and whether its kinds do what they say."""

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
    from racehound.databases.catalogue import catalogue
    from racehound.databases.registry import database
    from racehound.errors import UserError

    known = database(target)
    there = catalogue(known, kinds_from)
    names_there = {kind.__name__.lower() for kind in there}
    if unknown := [name for name in kinds if name.lower() not in names_there]:
        raise UserError(f"unknown kind {unknown[0]!r}; `racehound kinds` lists those there are")
    wanted = {name.lower() for name in kinds}
    chosen = [kind for kind in there if not wanted or kind.__name__.lower() in wanted]
    if not check:
        for kind in chosen:
            _show(kind)
        return 0
    if kinds_from and not wanted:
        chosen = [kind for kind in there if kind not in catalogue(known)]
    return _check(target, chosen, {**options, "kinds_from": kinds_from})


def _show(kind: type[Kind]) -> None:
    flags = [] if kind.can_be_referenced else ["cannot be referred to"]
    flags += [] if kind.enabled else ["only when named by --kinds"]
    summary = (kind.__doc__ or "").strip().split("\n")[0]
    click.echo(f"{kind.__name__}: {summary}" + (f" ({', '.join(flags)})" if flags else ""))
    for name, values in kind.attributes().items():
        click.echo(f"    {name}: {', '.join(map(str, values))}")
    click.echo(f"    manipulations: {', '.join(kind.all_manipulations())}")


def _check(target: str, kinds: list[type[Kind]], options: Mapping[str, Any]) -> int:
    """A line per kind and one per complaint; 1 where there is any."""
    import tempfile

    from racehound.databases.registry import opened
    from racehound.loops.check_kinds import check_kind

    wrong = 0
    with tempfile.TemporaryDirectory() as directory, opened(choice(target, options), Path(directory) / "server.log") as place:
        for kind in kinds:
            if not place.target.can_have(kind):
                click.echo(f"{kind.__name__}: not checked, since this server cannot have objects of it")
                continue
            complaints = check_kind(place, kind, options["statement_limit"])
            wrong += bool(complaints)
            click.echo(f"{kind.__name__}: {'nothing is wrong' if not complaints else f'{len(complaints)} complaints'}")
            for complaint in complaints:
                click.echo(f"    {complaint}")
    return int(wrong > 0)
