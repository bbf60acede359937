"""Confirmation: the two statements that show a finding by themselves, in lock-step, are its culprits."""

from __future__ import annotations

from collections.abc import Sequence

from racehound.data.finding import Culprit, Finding
from racehound.data.program import Program
from racehound.data.scene import Scene
from racehound.databases.effects import EffectOf
from racehound.judge.shapes import shape_with_calls
from racehound.loops.reduce.guesses import culprit_of
from racehound.testdrive.parser import parse_fragment
from racehound.testdrive.script import Sql


def culprit_in_scene(scene: Scene, finding: Finding, effect: EffectOf) -> Culprit | None:
    """What a scene that shows the finding confirms; None where not exactly two sessions take part."""
    return _confirmed([[line.sql for line in scene.of(number)] for number in scene.sessions], finding, effect)


def culprit_in_program(program: Program, finding: Finding, effect: EffectOf) -> Culprit | None:
    """What a program that shows the finding in lock-step confirms; None where not exactly two sessions take part."""
    texts = [
        [command.text for step in session.steps for command in parse_fragment(step.fragment).commands if isinstance(command, Sql)]
        for session in program.sessions
    ]
    return _confirmed(texts, finding, effect)


def _confirmed(sessions: Sequence[Sequence[str]], finding: Finding, effect: EffectOf) -> Culprit | None:
    """The session that has the failed statement comes first; without one, the order of the alphabet decides."""
    told = [_shapes(texts, effect) for texts in sessions]
    if len(told) != 2 or not all(told):
        return None
    statement = culprit_of(finding)
    failed = shape_with_calls(statement.sql, effect(statement.sql)) if statement else ""
    likeness, at, shape = max((_likeness(failed, shape), at, shape) for at, shapes in enumerate(told) for shape in shapes)
    if not likeness:
        one, other = sorted("; ".join(shapes) for shapes in told)
        return Culprit(one, other, "confirmed")
    return Culprit(shape, "; ".join(told[1 - at]), "confirmed")


def _likeness(failed: str, shape: str) -> int:
    """How many words the shapes have in common, from the first one on; a reduction shortens statements."""
    words, others = failed.split(), shape.split()
    return len(set(words) & set(others)) if words[:1] == others[:1] else 0


def _shapes(texts: Sequence[str], effect: EffectOf) -> list[str]:
    """The shapes of what a session changes; of all that it reads, where it changes nothing."""
    does = [(text, effect(text)) for text in texts]
    changes = [shape_with_calls(text, each) for text, each in does if each.sort == "change"]
    return list(dict.fromkeys(changes or [shape_with_calls(text, each) for text, each in does if each.sort == "read"]))
