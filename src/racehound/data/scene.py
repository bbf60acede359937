"""Scene: the statements of a few sessions in the order of their turns. A finding is reduced to one."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from racehound.data.program import Phase
from racehound.data.schedule import Schedule

SETUP = 0
"""Number of the session whose statements run alone, before those of the others."""


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A turn: one statement of a session, numbered from 1. `${…}` are the variables that fragments use."""

    session: int
    sql: str
    object: str = ""
    phase: Phase = "manipulate"


class Size(msgspec.Struct, frozen=True, order=True):
    """The size of a scene. Sizes are compared part by part, in this order."""

    statements: int
    """Of the sessions, without the setup."""
    sessions: int
    setup: int
    """Statements of the setup."""
    characters: int

    def __str__(self) -> str:
        setup = f" and {_count(self.setup, 'of setup')}" if self.setup else ""
        return f"{_count(self.statements, 'statement', 's')} in {_count(self.sessions, 'session', 's')}{setup}"


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun}{plural if number != 1 else ''}"


class Scene(msgspec.Struct, frozen=True, omit_defaults=True):
    """The lines of the setup come first, then those of the sessions in the order of their turns."""

    lines: tuple[Line, ...]
    refers_to: dict[str, str] = {}
    """As in the program that showed the finding."""
    seed: int = 0
    check: str = ""
    """A testdrive fragment that must succeed at the end, for findings about contents."""

    @property
    def setup(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.session == SETUP)

    @property
    def turns(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.session != SETUP)

    @property
    def sessions(self) -> tuple[int, ...]:
        """Numbers of the sessions, in the order of their first turns."""
        return tuple(dict.fromkeys(line.session for line in self.turns))

    @property
    def schedule(self) -> Schedule:
        return tuple(line.session for line in self.turns)

    @property
    def size(self) -> Size:
        turns = self.turns
        return Size(len(turns), len(self.sessions), len(self.lines) - len(turns), sum(len(line.sql) for line in self.lines))

    def of(self, session: int) -> tuple[Line, ...]:
        """One session's lines."""
        return tuple(line for line in self.lines if line.session == session)

    def taken_in(self, schedule: Schedule) -> Scene:
        """The scene with its turns in the order in which sessions took them; those that nobody took come last."""
        left = {number: list(self.of(number)) for number in self.sessions}
        taken = [left[number].pop(0) for number in schedule if left.get(number)]
        return self.with_lines([*self.setup, *taken, *(line for number in self.sessions for line in left[number])])

    def with_lines(self, lines: Iterable[Line]) -> Scene:
        """The scene with other lines: the setup's first, sessions numbered in the order of their first turns."""
        ordered = sorted(lines, key=lambda line: line.session != SETUP)
        numbers = {SETUP: SETUP}
        for line in ordered:
            numbers.setdefault(line.session, len(numbers))
        renumbered = tuple(msgspec.structs.replace(line, session=numbers[line.session]) for line in ordered)
        return msgspec.structs.replace(self, lines=renumbered)
