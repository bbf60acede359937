"""`racehound print`: the program of a seed."""

from __future__ import annotations

from pathlib import Path

import click

from racehound.cli.options import option, program_options, scenario, target_argument
from racehound.data.plan import seed_or_random


@click.command("print")
@target_argument
@option("--release", metavar="X.Y", help="As this release of the target, instead of the embedded one.")
@scenario()
@program_options
@click.option("--json", "as_json", is_flag=True, help="The program as JSON, as `run` keeps it.")
def command(
    *, target: str, release: str | None, seed: int | None, scenario: str, num_objects: int, kinds: tuple[str, ...], tries: int,
    kinds_from: tuple[Path, ...], perturb: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Show the exact program of a seed for DATABASE without running it. Names that differ by run are shown as variables."""
    import msgspec

    from racehound.data.program import print_program
    from racehound.databases.catalogue import nonempty_catalogue, printable_kinds
    from racehound.databases.database import Choice
    from racehound.databases.registry import database
    from racehound.loops.hunt import choose_kinds, plan_and_program
    from racehound.run.perturbations.printing import print_draws
    from racehound.run.perturbations.registry import PerturbationSet

    known = database(target)
    choice = Choice(target, release, kinds_from=kinds_from)
    chosen = choose_kinds(nonempty_catalogue(known, kinds_from), printable_kinds(known, choice), kinds)
    perturbations = PerturbationSet(known.perturbations())
    names = perturbations.named(perturb or ("default",))
    _, program = plan_and_program(
        known.dialect, chosen, seed_or_random(seed), scenario, num_objects, tries, names,  # type: ignore[arg-type]
    )  # fmt: skip
    text = (
        msgspec.json.format(msgspec.json.encode(program), indent=1)
        if as_json
        else print_program(program) + print_draws(program, perturbations)
    )
    click.echo(text, nl=as_json)
