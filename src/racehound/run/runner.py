"""The runner: leads sessions, sessions and watchdog through a program, repetition by repetition, and returns what was observed."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterable
from pathlib import Path

from racehound.data.history import Event, Fault, Recorder, RepetitionStarted
from racehound.data.program import Disturbance, Program, Step
from racehound.databases.target import Reset, Target
from racehound.run.pacer import StormPacer, draw_offsets
from racehound.run.perturbations.controller import PerturbationController
from racehound.run.recorded_session import Place, RecordedSession
from racehound.run.session_thread import Client, SessionThread
from racehound.run.watchdog import Watchdog
from racehound.session import Session
from racehound.testdrive.state import Context
from racehound.wire.session import LibpqSession

REPETITION_LIMIT_S = 180.0
"""Seconds; a repetition takes a few hundredths of one, a statement that hangs is cancelled long before."""

DIRECTOR = "main"
"""Name of the session that does setup, verification and teardown."""


class Runner:
    """Runs programs against a started target. Used by one thread; the sessions' threads are its own."""

    def __init__(self, target: Target, recorder: Recorder, temp_dir: Path, statement_limit_s: float) -> None:
        self.target = target
        self.recorder = recorder
        self._temp_dir = temp_dir
        self._clients: dict[str, Client] = {}
        self._threads: dict[str, SessionThread] = {}
        self._over: dict[str, BaseException | None] = {}
        """The sessions that are done, and what stopped them."""
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        """Rings when one is."""
        self._watchdog = Watchdog(target, recorder, self._sessions, statement_limit_s)
        self._number = 0
        self._turbulence: PerturbationController | None = None

    def begin(self, program: Program) -> None:
        """A new working database for the program, and what it does once."""
        if self._turbulence is None or self._turbulence.program is not program:
            self._end_turbulence()
            self._turbulence = PerturbationController(self.target, self.recorder, program) if program.perturbations else None
        self.rebuild()
        self._serial(program.once, 0)

    def repetition(self, program: Program, number: int) -> list[Event]:
        """One repetition up to the moment when all sessions have come to rest and what is left was verified."""
        self._number = number
        offsets = draw_offsets(program, number)
        named = tuple((session, step, offset) for (session, step), offset in offsets.items())
        drawn = self._turbulence.draw(number) if self._turbulence else ()
        self.recorder.append(RepetitionStarted(number, time.monotonic_ns(), named, disturbances=drawn))
        self._serial(program.setup, number)
        self._race(program, StormPacer(program, offsets), number, drawn)
        if self._turbulence:
            self._forget(self._turbulence.settle(self._sessions(), number))
        self._serial(program.verify, number)
        return self.recorder.take()

    def finish(self, program: Program, number: int) -> list[Event]:
        """The end of a repetition: what the program does last."""
        self._serial(program.teardown, number)
        return self.recorder.take()

    def reset(self, kind: Reset) -> None:
        """Make the target as it was before the repetition. A reset that cannot remove everything becomes a rebuild."""
        if kind == "services":
            self.close_sessions()
            self.target.restart()
            self.rebuild()
        elif kind == "database" or any(client.session.lost for client in self._clients.values()):
            self.rebuild()
        elif not self.target.reset():
            self.note("the working database was rebuilt: not all that a repetition left in it could be dropped")
            self.rebuild()

    def rebuild(self) -> None:
        """A new working database, with new sessions."""
        self.close_sessions()
        self.target.rebuild()
        if self._turbulence:
            self._turbulence.prepare()

    def session(self, name: str) -> RecordedSession:
        """The session of a session, or of the director; opened when first asked for."""
        return self._client(name).session

    def pids(self) -> set[int]:
        """Server processes of all open sessions."""
        return {session.pid for session in self._sessions()}

    def note(self, text: str) -> None:
        """Record something that racehound did or noticed."""
        self.recorder.append(Fault(self._number, text, time.monotonic_ns()))

    def close_sessions(self) -> None:
        for client in self._clients.values():
            client.session.close()
        self._clients.clear()

    def close(self) -> None:
        """End sessions, threads and watchdog."""
        self._watchdog.stop()
        for thread in self._threads.values():
            thread.end()
        self._end_turbulence()
        self.close_sessions()

    def _end_turbulence(self) -> None:
        if self._turbulence:
            self._turbulence.close()
        self._turbulence = None

    def _forget(self, sessions: Iterable[RecordedSession]) -> None:
        """These are of no use any more: who needs one opens another."""
        for session in sessions:
            session.close()
            del self._clients[session.place.session]

    def _sessions(self) -> Iterable[RecordedSession]:
        return [client.session for client in list(self._clients.values())]

    def _client(self, name: str) -> Client:
        known = self._clients.get(name)
        if known is None:
            session = RecordedSession(self._open(name), self.recorder, Place(name), self.target.secrets)
            context = Context(
                session=session,
                variables=dict(self.target.variables()),
                connect=LibpqSession.connect,
                services=self.target.services,
                support=self.target.dialect.script_support,
                temp_dir=self._temp_dir,
                max_tries=1,  # a session tries whole steps again: no retry shall hide an error
                is_final=self.target.dialect.is_missing,  # nobody brings back what is gone: it is not waited for
            )
            known = self._clients[name] = Client(session, context, self.recorder, self.target.dialect.is_transient)
        return known

    def _open(self, name: str) -> Session:
        if self._turbulence and name != DIRECTOR:
            return self._turbulence.open(name)
        return self.target.open(name)

    def _serial(self, steps: tuple[Step, ...], number: int) -> None:
        client = self._client(DIRECTOR)
        client.session.place.repetition = number
        for index, step in enumerate(steps):
            client.run(index, step)
            if client.session.lost:
                return

    def _race(self, program: Program, pacer: StormPacer, number: int, drawn: tuple[Disturbance, ...]) -> None:
        self._over.clear()
        for session in program.sessions:
            client = self._client(session.name)
            client.session.place.repetition = number
            if session.name not in self._threads:
                self._threads[session.name] = SessionThread(session.name, self._leave)
        if self._turbulence:
            self._turbulence.begin(drawn, {session.name: self._clients[session.name].session for session in program.sessions})
        for session in program.sessions:
            self._threads[session.name].start(self._clients[session.name], session.steps, pacer)
        self._wait_for(len(program.sessions), pacer)

    def _leave(self, name: str, error: BaseException | None) -> None:
        """A session's thread says that it is done."""
        self._over[name] = error
        self._bell.put(None)

    def _stop_sessions(self, pacer: StormPacer) -> None:
        pacer.abandon()
        for session in self._sessions():
            session.cancel()

    def _wait_for(self, sessions: int, pacer: StormPacer) -> None:
        """Until all sessions are done. On Ctrl-C they are cancelled and waited for before the interrupt goes on.

        A repetition beyond its limit is abandoned: what runs is cancelled, nothing is tried again.
        """
        deadline = time.monotonic() + REPETITION_LIMIT_S
        interrupted: KeyboardInterrupt | None = None
        # An interrupt may come when the bell has been heard and nothing been done about it: the count is not in the bell.
        while len(self._over) < sessions:
            try:
                self._bell.get(timeout=1.0)
            except queue.Empty:
                if time.monotonic() > deadline:
                    self.note(f"abandoned after {REPETITION_LIMIT_S:g} s: {sessions - len(self._over)} sessions were not done")
                    self._stop_sessions(pacer)
            except KeyboardInterrupt as interrupt:
                interrupted = interrupt
                self._stop_sessions(pacer)
        if interrupted:
            raise interrupted
        for error in self._over.values():
            if error is not None:
                raise error
