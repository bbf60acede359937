"""What the perturbations of a program will do, as text: beside the program, in comments."""

from __future__ import annotations

from racehound.data.program import Disturbance, Program
from racehound.run.perturbations.registry import PerturbationSet

_SHOWN = 3
"""Repetitions: enough to see that each draws anew."""


def print_draws(program: Program, perturbations: PerturbationSet) -> str:
    """The perturbations, and what is drawn for the first repetitions; nothing for a program without any."""
    if not program.perturbations:
        return ""
    explained = perturbations.summaries()
    lines = ["", "## perturbations", *(f"# {name}: {explained[name]}" for name in program.perturbations)]
    for repetition in range(1, _SHOWN + 1):
        drawn = [_words(each) for each in perturbations.draw(program, repetition)]
        lines += [f"# repetition {repetition}: {'nothing' if not drawn else ''}".rstrip(), *(f"#   {each}" for each in drawn)]
    return "\n".join(lines) + "\n"


def _words(drawn: Disturbance) -> str:
    where = f"session {drawn.session}, step {drawn.step + 1}, statement {drawn.statement + 1}"
    after = f", after {drawn.after_us} µs" if drawn.after_us else ""
    lasts = f", {drawn.lasts_us} µs" if drawn.lasts_us else ""
    return f"{drawn.perturbation}: {where}{after}{lasts}"
