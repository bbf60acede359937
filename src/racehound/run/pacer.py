"""The pacer of a storm: sessions run as fast as they can, except for the rendezvous, offsets and windows of the program."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Mapping

from racehound.data.program import Program, Step

RETRY_PAUSE_S = 0.0005
"""Pause before the second try of a step. It grows with each try, up to the limit, and ends when another session succeeds."""
RETRY_PAUSE_LIMIT_S = 0.01


def draw_offsets(program: Program, repetition: int) -> dict[tuple[str, int], int]:
    """Microseconds after its rendezvous at which each step of each session starts, the same for the same seed and repetition."""
    rng = random.Random(program.seed * 1_000_003 + repetition)
    return {
        (session.name, number): rng.randint(0, step.jitter_us)
        for session in program.sessions
        for number, step in enumerate(session.steps)
        if step.jitter_us
    }


class StormPacer:
    """The rendezvous and retries of one repetition; shared by its sessions.

    Invariant, under the lock: `_missing[beat]` sessions have neither arrived at that beat nor left.
    """

    def __init__(self, program: Program, offsets: dict[tuple[str, int], int]) -> None:
        self._offsets = offsets
        self._lock = threading.Condition()
        self._missing = Counter(beat for session in program.sessions for beat in _beats(session.steps))
        self._progress: Counter[str] = Counter()
        self._abandoned = False
        self._ancestors = {session.name: ancestors(session.name, program.refers_to) for session in program.sessions}
        self._busy = {session.name for session in program.sessions}

    def before(self, session: str, number: int, step: Step) -> None:
        """Wait for the others where the step has a beat, then for the step's own offset."""
        with self._lock:
            if step.beat is not None:
                self._arrive(session, step.beat)
            self._busy.add(session)
        offset_us = self._offsets.get((session, number), 0)
        if offset_us:
            time.sleep(offset_us / 1e6)

    def hold(self, step: Step) -> None:
        """Keep the step's transaction open for others to run into."""
        if step.hold_us:
            time.sleep(step.hold_us / 1e6)

    def progressed(self, session: str) -> None:
        """A step of the session succeeded: steps on objects that depend on its object may succeed now."""
        with self._lock:
            self._progress[session] += 1
            self._busy.add(session)
            self._lock.notify_all()

    def progress(self, session: str) -> int:
        """How many steps have succeeded so far on the objects that the session's object depends on."""
        return sum(self._progress[ancestor] for ancestor in self._ancestors[session])

    def worth_another_try(self, session: str, attempt: int, seen: int, *, transient: bool) -> bool:
        """Wait a moment after a failed try; False when no other session can change its outcome any more.

        Only the sessions of objects that the session's object depends on can. `seen` was their progress when the try began. A
        session that itself tries again is not busy: it changes nothing until it succeeds. A transient error, such as a deadlock,
        is always worth another try.
        """
        ancestors = self._ancestors[session]
        pause_s = min(RETRY_PAUSE_S * attempt, RETRY_PAUSE_LIMIT_S)
        with self._lock:
            self._busy.discard(session)
            self._lock.notify_all()
            self._lock.wait_for(
                lambda: self.progress(session) != seen or not (transient or self._busy & ancestors), timeout=pause_s
            )
            return not self._abandoned and (transient or self.progress(session) != seen or bool(self._busy & ancestors))

    @property
    def abandoned(self) -> bool:
        """Whether the repetition takes too long, so that no step is begun any more."""
        return self._abandoned

    def abandon(self) -> None:
        """Called when the repetition takes too long: no session waits for another one any more, and no step is begun."""
        with self._lock:
            self._abandoned = True
            self._lock.notify_all()

    def leave(self, session: str, remaining: tuple[Step, ...]) -> None:
        """Called when the session has finished or failed: no session waits for it at the rendezvous of its remaining steps."""
        with self._lock:
            for beat in _beats(remaining):
                self._missing[beat] -= 1
            self._busy.discard(session)
            self._lock.notify_all()

    def _arrive(self, session: str, beat: int) -> None:
        self._missing[beat] -= 1
        self._busy.discard(session)
        self._lock.notify_all()
        self._lock.wait_for(lambda: self._abandoned or self._missing[beat] <= 0)


def ancestors(name: str, refers_to: Mapping[str, str]) -> frozenset[str]:
    """The objects that an object is built over, directly or not, without itself."""
    found = []
    while name in refers_to:
        name = refers_to[name]
        found.append(name)
    return frozenset(found)


def _beats(steps: tuple[Step, ...]) -> list[int]:
    return [step.beat for step in steps if step.beat is not None]
