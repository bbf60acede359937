"""The log of a Materialize that racehound started, read as it grows."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

PANIC = re.compile(r"thread '[^']*' (?:\(\d+\) )?panicked at|fatal runtime error|SIGABRT|SIGSEGV|stack overflow", re.IGNORECASE)
"""How a death of a process or of one of its threads is told."""
ENDED = re.compile(r"(?:process|service|clusterd\S*) .*\b(?:exited|crashed|terminated by signal)\b|restarting", re.IGNORECASE)
"""How environmentd tells that one of the processes that it runs has ended."""
_INTERNAL = re.compile(r"\binternal error\b|\bunexpected(?:ly)?\b.*\berror\b", re.IGNORECASE)
_AROUND = 30
_KEPT = 400

Read = Callable[[], str]
"""What was logged since the last call."""


class LogReader:
    """Keeps the last lines for evidence and picks out those that tell something. Safe to use from several threads."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._recent: deque[str] = deque(maxlen=_KEPT)
        self._rest = ""
        self._lock = threading.Lock()

    def new_lines(self) -> list[str]:
        """Lines since the last call that tell of a panic, a process that ended or an internal error."""
        return [line for line in self._fresh() if is_noteworthy(line)]

    def around(self) -> list[str]:
        """The last lines; of those that tell something, all that are kept."""
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
    """Whether a line is of interest to somebody who looks for defects."""
    return bool(PANIC.search(line) or ENDED.search(line) or _INTERNAL.search(line))


class FileLog:
    """Reads a file from where it ended when this was made."""

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
