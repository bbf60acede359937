"""The server's own log: what operators, and those who look for panics, read."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path


class Log:
    """Appended to, a line for each thing, in the form of environmentd's log."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def write(self, level: str, message: str) -> None:
        """One line."""
        moment = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        with self._lock:
            if not self._file.closed:
                self._file.write(f"{moment}  {level} zoo: {message}\n")
                self._file.flush()

    def panic(self, message: str) -> None:
        """As a process says it that dies of one."""
        with self._lock:
            self._file.write(f"thread 'coordinator' panicked at src/racehound/zoo:\n{message}\n")
            self._file.flush()

    def close(self) -> None:
        with self._lock:
            self._file.close()
