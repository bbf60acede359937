"""A session that records each of its statements, and knows which one is running."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from racehound.data.history import Recorder, Statement
from racehound.data.program import Phase
from racehound.session import Outcome, Session
from racehound.testdrive.redaction import HIDDEN, redact, scrub_outcome


@dataclasses.dataclass(frozen=True)
class Running:
    """A statement that has no answer yet."""

    sql: str
    start_ns: int


@dataclasses.dataclass
class StepPosition:
    """The step of a program that a session is at. Its statements are recorded with it."""

    session: str
    repetition: int = 0
    object: str = ""
    phase: Phase = "prepare"
    step: int = 0
    attempt: int = 1


class StatementObserver(Protocol):
    """Is called for every statement of a session, in the thread that sends it."""

    def before(self, session: RecordedSession) -> None:
        """Called before the statement counts as running; may wait."""

    def sending(self, session: RecordedSession) -> None:
        """Called right before it is sent."""


class RecordedSession:
    """Implements `Session` over another one. `running` may be read from any thread."""

    def __init__(self, inner: Session, recorder: Recorder, position: StepPosition, secrets: tuple[str, ...] = ()) -> None:
        self.inner = inner
        self.position = position
        self.running: Running | None = None
        self.lost = False
        self.observer: StatementObserver | None = None
        self.failed: Statement | None = None
        """The last statement that the server refused."""
        self.on_error: Callable[[Statement], object] | None = None
        """Is called with each statement that the server refused, in the thread that records it."""
        self._recorder = recorder
        self._secrets = secrets
        self._pid = inner.pid

    @property
    def pid(self) -> int:
        return self._pid

    def execute(self, sql: str) -> Outcome:
        observer = self.observer
        if observer is not None:
            observer.before(self)
        start_ns = time.monotonic_ns()
        self.running = Running(sql, start_ns)
        if observer is not None:
            observer.sending(self)
        outcome = self.inner.execute(sql)
        self._record(sql, outcome, start_ns)
        return outcome

    def cancel(self) -> None:
        self.inner.cancel()

    def reset(self) -> Outcome:
        return self.inner.reset()

    def close(self) -> None:
        self.inner.close()

    def _record(self, sql: str, outcome: Outcome, start_ns: int) -> None:
        """The statement has ended just now."""
        end_ns = time.monotonic_ns()
        self.running = None
        if outcome.status == "lost":
            self.lost = True
        event = self._event(self._clean(redact(sql)), scrub_outcome(outcome, sql), start_ns, end_ns)
        self._recorder.append(event)
        if event.status == "error":
            self.failed = event
            if self.on_error is not None:
                self.on_error(event)

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def _event(self, sql: str, outcome: Outcome, start_ns: int, end_ns: int) -> Statement:
        position, error = self.position, outcome.error
        done = Statement(
            position.repetition, position.session, position.object, position.phase, position.step, position.attempt, sql,
            start_ns, end_ns, outcome.status, outcome.tag, outcome.count, pid=self._pid,
        )  # fmt: skip
        if error is None:
            return done
        return msgspec.structs.replace(
            done,
            sqlstate=error.sqlstate,
            message=self._clean(error.message),
            detail=self._clean(error.detail),
            hint=error.hint,
            context=self._clean(error.context),
            constraint=error.constraint,
            relation=".".join(filter(None, (error.schema, error.table))),
            source=error.source,
        )
