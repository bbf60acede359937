"""A run of the matrix: chooses operations, measures them, and tries all pairs on several servers. It can be resumed."""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from racehound.data.finding import Finding, Store, write_atomically
from racehound.data.footprint import Footprint
from racehound.data.history import Event, Outage
from racehound.data.matrix import LeftOut, Matrix, Operation
from racehound.data.program import Program
from racehound.data.run_directory import RunDirectory, redact
from racehound.databases import registry
from racehound.databases.database import Choice, Database, Footprints
from racehound.databases.registry import Opened
from racehound.databases.target import Target
from racehound.errors import TERMINATED, TargetError, TerminatedError, UserError, reason_of
from racehound.loops.matrix.journal import FILE, Asked, Header, Journal, PairResult, has_header, matrix_of, read_journal
from racehound.loops.matrix.selection import PairSelection, different, select
from racehound.loops.matrix.worker_pool import MatrixProgress, Report, WorkerPool, targets
from racehound.loops.outages import OnOutage, patiently
from racehound.loops.reduce.confirmation import culprit_in_program
from racehound.report.progress import outage_line
from racehound.scenarios.pairs import Catalogue
from racehound.testdrive.errors import CommandFailed

MATRIX = "matrix.json"
Tell = Callable[[str], object]


class MatrixOptions(msgspec.Struct, frozen=True):
    """What a user asks of a matrix."""

    kinds: tuple[str, ...] = ()
    """Empty for all."""
    operations: tuple[str, ...] = ()
    """Patterns of names, `Schema.*`; empty for all."""
    every: bool = False
    """Also operations that touch the same sorts of rows as an earlier one."""
    runtime_s: float = float("inf")
    servers: int = 2
    statement_limit_s: float = 10.0


class MatrixRun:
    """Runs, or goes on with, the matrix of one release in a run directory."""

    def __init__(
        self,
        choice: Choice,
        options: MatrixOptions,
        directory: RunDirectory,
        store: Store,
        report: Report,
        tell: Tell | None = None,
    ) -> None:
        """`tell` is called with lines about lost connections, and about what could not be removed at the end."""
        self._choice = choice
        self._options = options
        self._directory = directory
        self._store = store
        self._report = report
        self._tell = tell
        self._outages: list[Outage] = []
        self._terminated = False

    def run(self) -> Matrix:
        """Try all pairs that are left. Ctrl-C, the end of the time, or a lost server ends it early; what has been tried is kept.

        UserError for options that choose nothing, for a journal of another matrix, and for a database that cannot have one;
        TargetError when no server is to be had.
        """
        path = self._directory.path / FILE
        complete, ended_early = False, ""
        try:
            with registry.opened(self._choice, self._directory.server_log, self._tell) as opened:
                complete = self._go_on(opened, path)
        except (TargetError, OSError, TerminatedError) as error:
            if not has_header(path):
                raise
            ended_early = _reason(error)
        header, results = read_journal(path)
        matrix = msgspec.structs.replace(
            matrix_of(header, results, complete=complete),
            ended_early=ended_early or (TERMINATED if self._terminated else ""),
            outages=tuple(self._outages),
        )
        try:
            write_atomically(self._directory.path / MATRIX, msgspec.json.encode(matrix))
            self._store.flush()
        except OSError as error:
            return msgspec.structs.replace(matrix, ended_early=ended_early or reason_of(error))
        return matrix

    def _note_outage(self, outage: Outage) -> None:
        self._outages.append(outage)
        if self._tell is not None:
            self._tell(outage_line(outage))

    def _go_on(self, opened: Opened, path: Path) -> bool:
        """Whether all pairs have been tried."""
        target, database = opened.target, opened.database
        if not database.can_step:
            raise UserError(f"{database.title} cannot be run in lock-step, and the matrix needs that")
        facts: dict[str, object] = {"target": self._choice.name, "release": self._choice.release, "options": self._options}
        if self._choice.kinds_from:
            facts["kinds_from"] = [str(path) for path in self._choice.kinds_from]
        url = redact(self._choice.url) if self._choice.url else None
        self._directory.write_run(run_id=target.run_id, server_release=target.release, **facts, url=url)
        known, done = read_journal(path) if path.exists() else (None, [])
        catalogue = Catalogue(opened.kinds, opened.database.plain_table, opened.target.dialect.effect)
        chosen = choose(catalogue.operations(), self._options)
        header = self._header(opened, catalogue, chosen) if known is None else self._checked(known, target.release)
        journal = Journal(path)
        try:
            if known is None:
                journal.append(header)
            operations = [each for each in chosen if each.name in header.footprints]
            return self._try(select(catalogue, operations, header.footprints), done, opened, journal)
        finally:
            journal.close()

    @property
    def _asked(self) -> Asked:
        return Asked(self._options.kinds, self._options.operations, self._options.every)

    def _checked(self, header: Header, release: str) -> Header:
        """The header of the journal that is gone on with. UserError where it is of another release or of other options."""
        if (header.release, header.asked) != (release, self._asked):
            raise UserError(f"{self._directory.path} holds a matrix of {header.release} that was asked for in another way")
        return header

    def _header(self, opened: Opened, catalogue: Catalogue, chosen: Sequence[Operation]) -> Header:
        """The header of a new journal. All footprints are measured for it."""
        target = opened.target
        footprints = measure(opened.database, target, catalogue, chosen, every=self._options.every, on_outage=self._note_outage)
        operations = tuple(each for each in chosen if each.name in footprints)
        left = select(catalogue, operations, footprints).left_out
        if alike := len(chosen) - len(operations):
            left += (LeftOut(f"operations: {alike} touch the same sorts of rows as others", 0),)
        return Header(target.dialect.name, target.release, self._asked, operations, footprints, left)

    def _try(self, selection: PairSelection, done: Sequence[PairResult], opened: Opened, journal: Journal) -> bool:
        known = {result.key for result in done}
        left = [pair for pair in selection.pairs if pair.key not in known]
        progress = MatrixProgress(len(selection.pairs), len(selection.pairs) - len(left))
        limit_s = self._options.statement_limit_s
        workers = WorkerPool(journal, self._keep, self._report, progress, limit_s, self._note_outage)
        workers.run(targets(self._choice, opened, self._options.servers, self._directory.path), left, self._options.runtime_s)
        self._terminated = workers.terminated
        return progress.over == progress.pairs

    def _keep(self, finding: Finding, program: Program, events: list[Event]) -> None:
        culprit = culprit_in_program(program, finding, registry.database(self._choice.name).dialect.effect)
        self._store.add(msgspec.structs.replace(finding, culprits=(culprit,)) if culprit else finding, program, events)


def _reason(error: BaseException) -> str:
    if isinstance(error, TerminatedError):
        return TERMINATED
    return reason_of(error) if isinstance(error, OSError) else str(error)


def choose(known: Sequence[Operation], options: MatrixOptions) -> list[Operation]:
    """The operations that the options name. UserError where they name none."""
    kinds = {each.kind for each in known}
    if unknown := [name for name in options.kinds if name not in kinds]:
        raise UserError(f"unknown kind {unknown[0]!r}; with operations there are: {', '.join(sorted(kinds))}")
    patterns = options.operations or ("*",)
    for pattern in patterns:
        if not any(matches(each.name, pattern) for each in known):
            raise UserError(f"no operation is called {pattern!r}; `racehound matrix operations` lists them")
    return [
        each
        for each in known
        if (not options.kinds or each.kind in options.kinds) and any(matches(each.name, p) for p in patterns)
    ]


def matches(name: str, pattern: str) -> bool:
    """As a shell matches; `[` means itself, since operations have it in their names."""
    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def measure(
    database: Database,
    target: Target,
    catalogue: Catalogue,
    chosen: Sequence[Operation],
    *,
    every: bool,
    on_outage: OnOutage = lambda _outage: None,
) -> dict[str, Footprint]:
    """The footprint of each operation, without operations that touch the same as an earlier one, unless every one is wanted."""
    surveyor: Footprints | None = None

    def footprint(each: Operation) -> Footprint:
        nonlocal surveyor
        surveyor = surveyor or database.footprints(target)
        try:
            return surveyor.measure(catalogue.alone(each))
        except (TargetError, CommandFailed):
            surveyor.close()
            surveyor = None  # its sessions may be lost
            raise

    try:
        measured = {each.name: patiently(target, functools.partial(footprint, each), on_outage) for each in chosen}
    finally:
        if surveyor is not None:
            surveyor.close()
    kept = chosen if every else different(chosen, measured)
    return {each.name: measured[each.name] for each in kept}
