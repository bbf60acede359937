"""The journal of a matrix. Its first line holds what was asked and measured; each pair that has been tried adds a line.

A last line that a kill has cut off is left out when the journal is read, and its pair is tried again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path

import msgspec

from racehound.data.footprint import Footprint
from racehound.data.matrix import LeftOut, Matrix, Mode, Operation, Outcome, Relationship, Trial
from racehound.errors import UserError
from racehound.scenarios.pairs import mirrored

FILE = "matrix.jsonl"


class Asked(msgspec.Struct, frozen=True):
    """The options that choose operations (`MatrixOptions`)."""

    kinds: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    every: bool = False


class Header(msgspec.Struct, frozen=True):
    """What a matrix is about."""

    target: str
    release: str
    asked: Asked
    operations: tuple[Operation, ...]
    footprints: dict[str, Footprint]
    left_out: tuple[LeftOut, ...]


class PairTrial(msgspec.Struct, frozen=True, array_like=True):
    """A trial of a pair: one order and one mode."""

    y_first: bool
    mode: Mode
    outcome: Outcome
    signature: str
    schedule: tuple[int, ...]


class PairResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """The trials of a pair that has been tried."""

    x: str
    y: str
    relationship: Relationship = msgspec.field(name="ground")  # as version 0.1 writes it
    setup: tuple[str, ...]
    x_does: tuple[str, ...]
    y_does: tuple[str, ...]
    trials: tuple[PairTrial, ...] = msgspec.field(default=(), name="notes")  # as version 0.1 writes it
    seconds: float = 0.0
    trouble: str = ""
    """Why there are not all trials."""

    @property
    def key(self) -> tuple[str, str, Relationship]:
        return self.x, self.y, self.relationship


class Journal:
    """Appends to the file. Several threads may use it at the same time."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        _drop_torn_line(path)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def append(self, entry: Header | PairResult) -> None:
        """Keep an entry; OSError when the disk is full."""
        line = msgspec.json.encode(entry) + b"\n"
        with self._lock:
            written = os.write(self._fd, line)
        if written != len(line):
            raise OSError(f"the journal took only {written} of {len(line)} bytes")

    def close(self) -> None:
        os.close(self._fd)


def _drop_torn_line(path: Path) -> None:
    if path.exists():
        content = path.read_bytes()
        if not content.endswith(b"\n"):
            os.truncate(path, content.rfind(b"\n") + 1)


def has_header(path: Path) -> bool:
    """Whether a file is a journal as far as its first line is there."""
    return path.is_file() and b"\n" in path.read_bytes()


def read_journal(path: Path) -> tuple[Header, list[PairResult]]:
    """What there is so far. UserError for a file that is no journal."""
    try:
        lines = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        if not lines:
            raise UserError(f"{path}: there is nothing in it to resume")
        return msgspec.json.decode(lines[0], type=Header), [_RESULT.decode(line) for line in lines[1:]]
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise UserError(f"{path} holds no journal that this version can read: {error}") from error


_RESULT = msgspec.json.Decoder(PairResult)


def matrix_of(header: Header, results: Iterable[PairResult], *, complete: bool) -> Matrix:
    """The journal as a matrix. In it, the operation that comes first is the x of each trial."""
    texts: dict[tuple[str, ...], int] = {}

    def number(text: tuple[str, ...]) -> int:
        return texts.setdefault(text, len(texts))

    trials: list[Trial] = []
    troubles, seconds = 0, 0.0
    for result in results:
        troubles += bool(result.trouble)
        seconds += result.seconds
        for trial in result.trials:
            names, does = (result.x, result.y), (result.x_does, result.y_does)
            (x, y), (first, second) = (names[::-1], does[::-1]) if trial.y_first else (names, does)
            relationship = mirrored(result.relationship) if trial.y_first else result.relationship
            sessions = number(session_text(trial.mode, first)), number(second)
            what = trial.mode, trial.outcome, trial.signature, trial.schedule
            trials.append(Trial(x, y, relationship, *what, number(result.setup), sessions))
    trouble = (LeftOut("they could not be brought to meet (see the journal)", troubles),) if troubles else ()
    return Matrix(
        target=header.target,
        release=header.release,
        operations=header.operations,
        texts=tuple(texts),
        trials=tuple(trials),
        left_out=(*header.left_out, *trouble),
        seconds=round(seconds, 1),
        complete=complete,
    )


def session_text(mode: Mode, does: tuple[str, ...]) -> tuple[str, ...]:
    """The statements of the session that comes first."""
    return does if mode == "together" else ("BEGIN", *does, mode.upper())
