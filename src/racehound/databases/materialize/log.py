"""Reads the log of a Materialize server while the server writes it."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

PANIC = re.compile(r"thread '[^']*' (?:\(\d+\) )?panicked at|fatal runtime error|SIGABRT|SIGSEGV|stack overflow", re.IGNORECASE)
"""A line that reports the death of a process or of one of its threads."""
ENDED = re.compile(r"(?:process|service|clusterd\S*) .*\b(?:exited|crashed|terminated by signal)\b|restarting", re.IGNORECASE)
"""A line in which environmentd reports that one of its processes has ended."""
_INTERNAL = re.compile(r"\binternal error\b|\bunexpected(?:ly)?\b.*\berror\b", re.IGNORECASE)
_AROUND = 30
_KEPT = 400

Read = Callable[[], str]
"""Returns what was logged since the last call."""


class LogReader:
    """Keeps the last lines as evidence and selects noteworthy ones. Safe to use from several threads."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._recent: deque[str] = deque(maxlen=_KEPT)
        self._rest = ""
        self._lock = threading.Lock()

    def new_lines(self) -> list[str]:
        """New lines that report a panic, the end of a process or an internal error."""
        return [line for line in self._fresh() if is_noteworthy(line)]

    def around(self) -> list[str]:
        """The last lines, and all noteworthy lines that are kept."""
        self._fresh()
        with self._lock:
            lines = list(self._recent)
        last = len(lines) - _AROUND
        return [line for number, line in enumerate(lines) if number >= last or is_noteworthy(line)]

    def _fresh(self) -> Iterable[str]:
        with self._lock:
            text = self._rest + self._read()
            whole, newline, self._rest = text.rpartition("\n")
            lines = [line for line in (whole + newline).splitlines() if line.strip()]
            self._recent.extend(lines)
        return lines


def is_noteworthy(line: str) -> bool:
    """Whether a line reports a panic, the end of a process or an internal error."""
    return bool(PANIC.search(line) or ENDED.search(line) or _INTERNAL.search(line))


class FileLog:
    """Reads what is appended to a file after this object was made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0

    def __call__(self) -> str:
        if not self._path.exists():
            return ""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            content = file.read()
        self._offset += len(content)
        return content.decode("utf-8", "replace")
