"""Finding: one defect, with its signature; the store that keeps each defect once; and baselines of known defects."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

import msgspec

from racehound.data.history import Event, Statement
from racehound.data.older_files import decode
from racehound.data.program import Program
from racehound.errors import UserError
from racehound.session import ServerError

Severity = Literal["crash", "corruption", "wrong result", "hang", "internal error", "leak", "unexplained error", "known weakness"]

SEVERITIES: tuple[Severity, ...] = (
    "crash",
    "corruption",
    "wrong result",
    "hang",
    "internal error",
    "leak",
    "unexplained error",
    "known weakness",
)
"""Worst first. A known weakness is an internal error that the server raises while another session changes the object."""

_OBJECT = re.compile(r'"?(?:\brh[0-9a-f]{6,}_|\b)o_(?:base|\d+)\w*"?')
_RUN = re.compile(r"\brh[0-9a-f]{6,}\w*")
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\b[0-9A-F]+/[0-9A-F]+\b|\d+")


def normalise(text: str) -> str:
    """A message without all that differs from run to run: names of objects become `OBJECT`, of runs `RUN`, numbers `N`."""
    text = _RUN.sub("RUN", _OBJECT.sub("OBJECT", text))
    return _NUMBER.sub("N", text)


def same_error(one: Statement | ServerError, other: Statement | ServerError) -> bool:
    """Whether two errors have the same SQLSTATE and, apart from names and numbers, the same message."""
    return one.sqlstate == other.sqlstate and normalise(one.message) == normalise(other.message)


class Reproduction(msgspec.Struct, frozen=True):
    """How often the finding's program was run again, and how often it showed the finding."""

    tried: int
    reproduced: int


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One defect, with the evidence of the first repetition that showed it, or of the one with the fewest statements since."""

    oracle: str
    severity: Severity
    signature: str
    """Equal whenever this defect is found, on every machine."""
    title: str
    """One line for people, with the names of the run."""
    seed: int = 0
    repetition: int = 0
    count: int = 1
    """In how many repetitions it was found."""
    release: str = ""
    detail: tuple[str, ...] = ()
    statements: tuple[Statement, ...] = ()
    """The statements that brought it about, as far as that is known, of all sessions, by start."""
    log: tuple[str, ...] = ()
    pairs: dict[str, int] = {}
    """Pairs of statements that showed it (`X | Y`) and how often."""
    reproduction: Reproduction | None = None
    at_rest: Literal["", "lasting", "passing", "not retried"] = ""
    """For an error: what became of its statement when it was run again at rest (`data.history.Retried`)."""
    database: str = ""
    """The database that it was found in, as its makers spell it; `release` is the version."""
    id: str = ""
    """Made from oracle and signature."""

    def __post_init__(self) -> None:
        digest = hashlib.blake2b(f"{self.oracle}\n{self.signature}".encode(), digest_size=5)
        msgspec.structs.force_setattr(self, "id", digest.hexdigest())

    @property
    def is_weakness(self) -> bool:
        """Whether it is a known weakness; those are listed and counted apart."""
        return self.severity == "known weakness"


class Baseline(msgspec.Struct, frozen=True):
    """Known findings, which are not reported: by id, or by severity."""

    ids: frozenset[str] = frozenset()
    severities: frozenset[str] = frozenset()

    def knows(self, finding: Finding) -> bool:
        return finding.id in self.ids or finding.severity in self.severities


def read_baseline(path: Path) -> Baseline:
    """Read `known.toml`; UserError for a file that cannot be read or says something else."""
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise UserError(f"baseline {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"baseline {path}: {error}") from error
    known, severities = table.get("known", []), table.get("severities", [])
    if not isinstance(known, list) or not all(isinstance(e, dict) and isinstance(e.get("id"), str) for e in known):
        raise UserError(f"baseline {path}: every [[known]] entry needs an id")
    wrong = [s for s in severities if s not in SEVERITIES]
    if wrong:
        raise UserError(f"baseline {path}: unknown severity {wrong[0]!r}; there are {', '.join(SEVERITIES)}")
    return Baseline(frozenset(entry["id"] for entry in known), frozenset(severities))


def print_baseline(findings: Iterable[Finding]) -> str:
    """The findings as a baseline file, to be read, commented and kept beside the tests that use it."""
    blocks = [
        "# Findings that are known: `racehound run --baseline` stays silent about them.\n",
        '# severities = ["known weakness"]\n',
    ]
    for finding in findings:
        entry = {"id": finding.id, "severity": finding.severity, "signature": finding.signature}
        blocks.append("\n[[known]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in entry.items()))
    return "".join(blocks)


class Store:
    """The findings of a run, each defect once, in `findings/<id>/` of the run directory. Several threads may add to it.

    `accompany` is called with the directory of each finding that was written. It writes the files that belong beside it.
    """

    def __init__(self, directory: Path, baseline: Baseline, accompany: Callable[[Path, Finding], None] | None = None) -> None:
        self.directory = directory
        self.baseline = baseline
        self._accompany = accompany
        self._findings: dict[str, Finding] = {}
        self._dirty: set[str] = set()
        self._lock = threading.Lock()
        self.silenced: Counter[str] = Counter()

    @property
    def headlines(self) -> int:
        """How many findings there are, without known weaknesses."""
        return sum(not finding.is_weakness for finding in self._findings.values())

    def sorted(self) -> list[Finding]:
        """Worst first, then most frequent."""
        return sorted(self._findings.values(), key=lambda f: (SEVERITIES.index(f.severity), -f.count, f.id))

    def add(self, finding: Finding, program: Program, events: list[Event]) -> bool:
        """Keep a finding; True when it is new. Of several repetitions, the one with the fewest statements is kept as evidence."""
        with self._lock:
            return self._add(finding, program, events)

    def _add(self, finding: Finding, program: Program, events: list[Event]) -> bool:
        if self.baseline.knows(finding):
            self.silenced[finding.id] += 1
            return False
        known = self._findings.get(finding.id)
        if known is None:
            self._findings[finding.id] = finding
            self._write(finding, program, events)
            return True
        shorter = len(finding.statements) < len(known.statements)
        kept = finding if shorter else known
        pairs = dict(Counter(known.pairs) + Counter(finding.pairs))
        at_rest = "lasting" if "lasting" in (known.at_rest, finding.at_rest) else kept.at_rest
        merged = msgspec.structs.replace(kept, count=known.count + 1, pairs=pairs, at_rest=at_rest)
        self._findings[finding.id] = merged
        if shorter:
            self._write(merged, program, events)
        else:
            self._dirty.add(finding.id)
        return False

    def flush(self) -> None:
        """Write the counts that have grown since the last call."""
        for identity in sorted(self._dirty):
            write_finding(self.directory / identity, self._findings[identity])
        self._dirty.clear()

    def _write(self, finding: Finding, program: Program, events: list[Event]) -> None:
        directory = self.directory / finding.id
        directory.mkdir(parents=True, exist_ok=True)
        write_atomically(directory / "program.json", _pretty(program))
        write_atomically(directory / "history.jsonl", b"".join(msgspec.json.encode(event) + b"\n" for event in events))
        write_finding(directory, finding)
        if self._accompany:
            self._accompany(directory, finding)
        self._dirty.discard(finding.id)


def read_finding(directory: Path) -> tuple[Finding, Program]:
    """A finding and its program from `findings/<id>/`; UserError where there is none."""
    try:
        finding = decode((directory / "finding.json").read_bytes(), _FINDING)
        program = decode((directory / "program.json").read_bytes(), _PROGRAM)
    except OSError as error:
        raise UserError(f"{directory} holds no finding: {error.filename} cannot be read ({error.strerror})") from error
    except msgspec.MsgspecError as error:
        raise UserError(f"{directory} holds no finding that this version can read: {error}") from error
    return finding, program


_FINDING = msgspec.json.Decoder(Finding)
_PROGRAM = msgspec.json.Decoder(Program)


def write_finding(directory: Path, finding: Finding) -> None:
    """Write `finding.json` of a finding directory."""
    write_atomically(directory / "finding.json", _pretty(finding))


def finding_directories(path: Path) -> list[Path]:
    """The finding directories of a run directory (or the one that `path` itself is), worst finding first."""
    if (path / "finding.json").is_file():
        return [path]
    if not (path / "run.json").is_file():
        raise UserError(f"{path} is neither a run directory nor a finding of one")
    found = [directory for directory in (path / "findings").glob("*") if (directory / "finding.json").is_file()]
    return sorted(found, key=_rank)


def _rank(directory: Path) -> tuple[int, int, str]:
    finding = read_finding(directory)[0]
    return SEVERITIES.index(finding.severity), -finding.count, finding.id


def _pretty(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file at once: readers see the old content or the new one, also after a kill at any instant."""
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(content)
    partial.replace(path)
