"""The server's log, which operators and racehound's crash oracle read."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path


class Log:
    """A file with one line for each event, in the format of environmentd's log."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def write(self, level: str, message: str) -> None:
        """Append a line."""
        moment = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        with self._lock:
            if not self._file.closed:
                self._file.write(f"{moment}  {level} zoo: {message}\n")
                self._file.flush()

    def panic(self, message: str) -> None:
        """Append a panic message, as a Rust process writes it."""
        with self._lock:
            self._file.write(f"thread 'coordinator' panicked at src/racehound/zoo:\n{message}\n")
            self._file.flush()

    def close(self) -> None:
        with self._lock:
            self._file.close()
