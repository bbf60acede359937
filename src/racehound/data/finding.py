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
from racehound.data.schedule import Schedule
from racehound.errors import UserError

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


class Reproduction(msgspec.Struct, frozen=True):
    """How often the finding's program was run again, and how often it showed the finding."""

    tried: int
    reproduced: int


class FirstMet(msgspec.Struct, frozen=True):
    """When a finding was first met."""

    seconds: float
    """Since the run began."""
    repetition: int
    """Counted over the whole run, from 1. An exploration counts its schedules, a matrix its trials."""

    def __str__(self) -> str:
        return f"after {self.seconds:.1f} s, in repetition {self.repetition:,} of the run"


SerialOrders = Literal["not tried", "clean", "show it"]
"""Whether the same statements show the finding when one session begins after the other has ended. clean: in no such order."""

SERIAL_ORDERS: dict[SerialOrders, str] = {
    "not tried": "serial orders not tried",
    "clean": "no serial order of the same statements shows it",
    "show it": "no race needed: a serial order of the same statements shows it, too",
}
"""The same in words."""


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
    first_met: FirstMet | None = None
    """None in the files of earlier versions."""
    serial_orders: SerialOrders = "not tried"
    schedule: Schedule = ()
    """The turns that showed it in lock-step, as they were taken; empty where a storm showed it."""
    together: bool = False
    """Whether all sessions sent their statements at once: then `schedule` is the order in which they did."""
    consequences: tuple[str, ...] = ()
    """What follows from it, one line each (`consequence`): defects that were told with it and are no headlines of their own."""
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

    @property
    def needs_no_race(self) -> bool:
        """Whether it is told apart from what races bring about, since a serial order of the same statements gives it, too.

        Crashes, corruptions, wrong results and hangs are defects even so.
        """
        return self.serial_orders == "show it" and self.severity not in _DEFECTS_ALONE

    @property
    def is_headline(self) -> bool:
        """Whether it is neither a known weakness nor told apart because it needs no race."""
        return not self.is_weakness and not self.needs_no_race


_DEFECTS_ALONE: tuple[Severity, ...] = ("crash", "corruption", "wrong result", "hang")
"""Defects even where no race is needed."""


_DOUBT = "in the same repetition, "
_CONSEQUENCE = re.compile(rf"(?P<doubt>{_DOUBT})?[a-z ]+ (?P<id>[0-9a-f]{{10}}): ")
_ALONE = re.compile(r" \(met without it, too: \d+ times?\)$")


def consequence(finding: Finding, *, certain: bool) -> str:
    """The line of `Finding.consequences` for a finding that follows from another one, or that only came together with it."""
    return f"{'' if certain else _DOUBT}{finding.severity} {finding.id}: {finding.title}"


def consequence_ids(lines: Iterable[str], *, certain_only: bool = False) -> dict[str, str]:
    """The lines of `Finding.consequences`, by the id of the finding that each is about."""
    read = ((match, line) for line in lines if (match := _CONSEQUENCE.match(line)))
    return {match["id"]: line for match, line in read if not (certain_only and match["doubt"])}


def shown(identity: str, findings: Iterable[Finding]) -> bool:
    """Whether the finding of that id is among these, as one of its own or as a consequence."""
    return any(identity == each.id or identity in consequence_ids(each.consequences) for each in findings)


def with_consequences(finding: Finding, lines: Iterable[str]) -> Finding:
    """The finding with further consequences; of two lines about the same one, the first is kept."""
    merged = {**consequence_ids(lines), **consequence_ids(finding.consequences)}
    order = dict.fromkeys((*consequence_ids(finding.consequences), *merged))
    return msgspec.structs.replace(finding, consequences=tuple(merged[each] for each in order if each != finding.id))


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

    A finding that certainly follows from another one is listed under that, also where it is met without it: then the other one
    was not to be seen any more. If it was met first, its directory is moved to `consequences/` beside `findings/`.

    `accompany` is called with the directory of each finding that was written. It writes the files that belong beside it.
    """

    def __init__(self, directory: Path, baseline: Baseline, accompany: Callable[[Path, Finding], None] | None = None) -> None:
        self.directory = directory
        self.baseline = baseline
        self._accompany = accompany
        self._findings: dict[str, Finding] = {}
        self._dirty: set[str] = set()
        self._causes: dict[str, str] = {}
        """What each finding that certainly follows from another one follows from, by id."""
        self._alone: Counter[str] = Counter()
        """How often each of these was met without the other one."""
        self._lock = threading.Lock()
        self.silenced: Counter[str] = Counter()

    @property
    def headlines(self) -> int:
        """How many findings there are, without known weaknesses and what needs no race."""
        return sum(finding.is_headline for finding in self._findings.values())

    def sorted(self) -> list[Finding]:
        """Worst first, then most frequent."""
        return sorted(self._findings.values(), key=lambda f: (SEVERITIES.index(f.severity), -f.count, f.id))

    def add(self, finding: Finding, program: Program, events: list[Event]) -> bool:
        """Keep a finding; True when it is new. Of several repetitions, the one with the fewest statements is kept as evidence."""
        with self._lock:
            return self._add(finding, program, events)

    def _add(self, finding: Finding, program: Program, events: list[Event]) -> bool:
        cause = self._first_cause(finding.id)
        if cause != finding.id and not finding.is_weakness:
            self._met_without_cause(finding, cause)
            return False
        follows = consequence_ids(finding.consequences, certain_only=True)
        self._causes |= {each: finding.id for each in follows if each not in self._causes and each != finding.id}
        if self.baseline.knows(finding):
            self.silenced[finding.id] += 1
            return False
        known = self._findings.get(finding.id)
        self._findings[finding.id] = merged = finding if known is None else _merged(known, finding)
        if known is None or merged.statements is not known.statements:
            self._write(merged, program, events)
        else:
            self._dirty.add(finding.id)
        for each in follows:
            self._put_under(each, finding.id)
        return known is None

    def _first_cause(self, identity: str) -> str:
        """The finding that another one follows from, directly or through others; the same one if it follows from none."""
        while identity in self._causes:
            identity = self._causes[identity]
        return identity

    def _met_without_cause(self, finding: Finding, cause: str) -> None:
        self._alone[finding.id] += 1
        if cause in self._findings:
            self._tell_alone(finding.id, cause)
            self._dirty.add(cause)
        else:
            self.silenced[cause] += 1

    def _put_under(self, identity: str, cause: str) -> None:
        """List a finding, which was kept as one of its own so far, under another one."""
        known = self._findings.get(identity)
        if known is None or known.is_weakness or self._causes.get(identity) != cause:
            return
        del self._findings[identity]
        self._dirty.discard(identity)
        self._alone[identity] += known.count
        self._findings[cause] = with_consequences(self._findings[cause], known.consequences)
        self._causes |= {each: cause for each in consequence_ids(known.consequences, certain_only=True) if each != cause}
        self._tell_alone(identity, cause)
        self._dirty.add(cause)
        beside = self.directory.parent / CONSEQUENCES
        beside.mkdir(exist_ok=True)
        (self.directory / identity).rename(beside / identity)

    def _tell_alone(self, identity: str, cause: str) -> None:
        finding, count = self._findings[cause], self._alone[identity]
        lines = consequence_ids(finding.consequences)
        if identity in lines:
            times = "1 time" if count == 1 else f"{count} times"
            lines[identity] = f"{_ALONE.sub('', lines[identity])} (met without it, too: {times})"
            self._findings[cause] = msgspec.structs.replace(finding, consequences=tuple(lines.values()))

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


def _merged(known: Finding, new: Finding) -> Finding:
    """The same finding, met again. The evidence is that of the meeting that needs a race, and else that with fewer statements."""
    better = len(new.statements) < len(known.statements)
    if (known.serial_orders, new.serial_orders) in (("show it", "clean"), ("clean", "show it")):
        better = new.serial_orders == "clean"
    kept = new if better else known
    return msgspec.structs.replace(
        with_consequences(kept, known.consequences if better else new.consequences),
        count=known.count + 1,
        pairs=dict(Counter(known.pairs) + Counter(new.pairs)),
        first_met=known.first_met,
    )


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


CONSEQUENCES = "consequences"
"""Directory, in that of a run, of findings that were met before the one that they follow from."""


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
