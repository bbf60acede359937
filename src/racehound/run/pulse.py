"""The pulse: asks the server every two seconds, through a new session, whether it answers at all.

A server that is stopped, or cut off without a word, answers nobody. Then a statement does not hang by its own fault, and the run
must not wait for the answer longer than the user allows.
"""

from __future__ import annotations

import threading
import time

from racehound.data.history import SILENT, STOPPED, Outage, Recorder
from racehound.databases.target import Condition, Target
from racehound.errors import TargetError, UnreachableError

PULSE_S = 2.0
"""Between an answer and the next question."""
SLOW_S = 5.0
"""A server that takes longer to answer a new session is unresponsive."""
_GAP_S = 1.0
"""After a longer time without an answer, the time of running statements is counted anew."""
_RETRY_S = 0.2


class Pulse:
    """A thread. When the server has not answered for as long as the user allows, it breaks all connections: nothing is to wait.

    Where the server may be silent because of a statement, it does nothing: then every statement's time counts.
    """

    def __init__(self, target: Target, recorder: Recorder) -> None:
        self.repetition = 0
        """The repetition that goes on now. Outages are recorded with it."""
        self._target = target
        self._recorder = recorder
        self._answering_since_ns = 0
        self._asking_since_ns = 0
        """When the first question without an answer was asked; 0 where there is none."""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="pulse", daemon=True)
        if target.answers_beside:
            self._thread.start()

    @property
    def silent_s(self) -> float:
        """For how many seconds the server has not answered; 0 as long as that is not unusual."""
        since_ns = self._asking_since_ns
        silent_s = (time.monotonic_ns() - since_ns) / 1e9 if since_ns else 0.0
        return silent_s if silent_s > SLOW_S else 0.0

    def age_s(self, start_ns: int) -> float:
        """For how many seconds a statement that began then has run on a server that answers; 0 while the server is silent."""
        if self.silent_s:
            return 0.0
        return (time.monotonic_ns() - max(start_ns, self._answering_since_ns)) / 1e9

    def stop(self) -> None:
        """End the thread, which may take as long as the server's answer to its last question."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def _loop(self) -> None:
        condition: Condition = "unknown"
        refused = abandoned = False
        wait_s = PULSE_S
        while not self._end.wait(wait_s):
            asked_ns = time.monotonic_ns()
            self._asking_since_ns = self._asking_since_ns or asked_ns
            if condition != "stopped":
                condition = self._target.condition()
            wait_s = _RETRY_S
            try:
                self._target.started()
            except UnreachableError as error:
                refused = refused or not error.silent
                if time.monotonic_ns() - self._asking_since_ns > self._target.reconnect_s * 1e9 and not abandoned:
                    abandoned = True
                    self._target.abandon()
            except TargetError:
                refused = True
            else:
                self._answered(condition, refused=refused)
                condition, refused, abandoned, wait_s = "unknown", False, False, PULSE_S

    def _answered(self, condition: Condition, *, refused: bool) -> None:
        """The server has answered; it had refused new sessions before, or given no answer at all."""
        now_ns = time.monotonic_ns()
        since_ns, self._asking_since_ns = self._asking_since_ns, 0
        silent_s = (now_ns - since_ns) / 1e9
        if silent_s > _GAP_S:
            self._answering_since_ns = now_ns
        if silent_s > SLOW_S and not refused:
            why = STOPPED if condition == "stopped" else SILENT
            self._recorder.append(Outage(self.repetition, "unresponsive", why, since_ns, round(silent_s, 1)))
