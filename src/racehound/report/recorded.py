"""What a run directory holds of its run, read repetition by repetition: what reports are made from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from racehound.data.history import (
    ErrorClass,
    Event,
    PlanStarted,
    RepetitionEnded,
    RepetitionStarted,
    error_classes,
    read_history,
)
from racehound.data.program import Program


@dataclasses.dataclass(frozen=True)
class Repetition:
    """What was recorded from the start of one repetition to the start of the next."""

    plan: int
    """Number of its plan within the run, from 1."""
    program: Program
    number: int
    """0: what was done once, before the first repetition."""
    events: list[Event]
    error_classes: Mapping[int, ErrorClass] = dataclasses.field(default_factory=dict)
    """The classes of failed statements by the identity of the statement, as far as the history holds them."""

    @property
    def started(self) -> RepetitionStarted | None:
        return next((event for event in self.events if isinstance(event, RepetitionStarted)), None)

    @property
    def ended(self) -> RepetitionEnded | None:
        """None if the run was killed before the repetition ended."""
        return next((event for event in reversed(self.events) if isinstance(event, RepetitionEnded)), None)


def history_paths(run: Path) -> list[Path]:
    """The history files of a run, one for each plan, in the order in which they were written."""
    return sorted(path for path in (run / "history").glob("*.jsonl*") if path.suffix in (".jsonl", ".gz"))


def repetitions(run: Path) -> Iterator[Repetition]:
    """All repetitions that were recorded in a run, in order."""
    for number, path in enumerate(history_paths(run), 1):
        yield from repetitions_of_plan(number, read_history(path))


def repetitions_of_plan(number: int, events: Iterable[Event]) -> Iterator[Repetition]:
    """The repetitions of one history file. A file whose first line is missing because of a kill has none."""
    unjudged: list[Repetition] = []
    for repetition in _split(number, events):
        unjudged.append(repetition)
        # Statements from before the first repetition are judged with it.
        if repetition.ended is not None:
            yield from _with_error_classes(unjudged)
            unjudged = []
    yield from _with_error_classes(unjudged)


def _split(number: int, events: Iterable[Event]) -> Iterator[Repetition]:
    program: Program | None = None
    current: Repetition | None = None
    for event in events:
        if isinstance(event, PlanStarted):
            program = event.program
        if program is None or isinstance(event, PlanStarted):
            continue
        if current is None or isinstance(event, RepetitionStarted):
            if current is not None:
                yield current
            current = Repetition(number, program, event.repetition if isinstance(event, RepetitionStarted) else 0, [])
        current.events.append(event)
    if current is not None:
        yield current


def _with_error_classes(together: list[Repetition]) -> Iterator[Repetition]:
    classes = error_classes(event for repetition in together for event in repetition.events)
    for repetition in together:
        yield dataclasses.replace(repetition, error_classes=classes)


def kinds_of(program: Program) -> dict[str, str]:
    """The kind of each object, as the title of a program says: `Table o_base; View o_0 over o_base`."""
    words = [part.split() for part in program.title.split("; ")]
    return {part[1]: part[0] for part in words if len(part) > 1 and part[1].startswith("o_")}
