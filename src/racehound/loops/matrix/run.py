"""A run of the matrix: what is to meet, in which order, on how many servers at once; resumable at any instant."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path

import msgspec

from racehound.data.finding import Finding, Store, write_atomically
from racehound.data.footprint import Footprint
from racehound.data.history import Event
from racehound.data.matrix import LeftOut, Matrix, Operation
from racehound.data.program import Program
from racehound.data.run_directory import RunDirectory, redact
from racehound.databases.database import Choice, Database
from racehound.databases.registry import Opened, opened
from racehound.databases.target import Target
from racehound.errors import UserError
from racehound.loops.matrix.crew import Crew, Progress, Report, places
from racehound.loops.matrix.journal import FILE, Asked, Header, Journal, Met, matrix_of, read_journal
from racehound.loops.matrix.order import Order, different, order
from racehound.scenarios.pairs import Catalogue

MATRIX = "matrix.json"


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

    def __init__(self, choice: Choice, options: MatrixOptions, directory: RunDirectory, store: Store, report: Report) -> None:
        self._choice = choice
        self._options = options
        self._directory = directory
        self._store = store
        self._report = report

    def run(self) -> Matrix:
        """Hold all meetings that are left. Ctrl-C, or the end of the time, ends it early; what is over is kept.

        UserError for options that choose nothing, or a journal of something else; TargetError when no server is to be had.
        """
        path = self._directory.path / FILE
        with opened(self._choice, self._directory.server_log) as place:
            complete = self._go_on(place, path)
        header, met = read_journal(path)
        matrix = matrix_of(header, met, complete=complete)
        write_atomically(self._directory.path / MATRIX, msgspec.json.encode(matrix))
        self._store.flush()
        return matrix

    def _go_on(self, place: Opened, path: Path) -> bool:
        """Whether all is done."""
        target = place.target
        if not place.database.can_step:
            raise UserError(f"{place.database.title} cannot be run in lock-step, and the matrix needs that")
        facts = {"target": self._choice.name, "release": self._choice.release, "options": self._options}
        url = redact(self._choice.url) if self._choice.url else None
        self._directory.write_run(run_id=target.run_id, server_release=target.release, **facts, url=url)
        known, over = read_journal(path) if path.exists() else (None, [])
        catalogue = Catalogue(target.kinds(), place.database.plain_table)
        chosen = choose(catalogue.operations(), self._options)
        header = self._begun(place.database, target, catalogue, chosen, known)
        journal = Journal(path)
        try:
            if known is None:
                journal.append(header)
            planned = order(catalogue, [each for each in chosen if each.name in header.footprints], header.footprints)
            return self._hold(planned, over, place, journal)
        finally:
            journal.close()

    def _begun(
        self, database: Database, target: Target, catalogue: Catalogue, chosen: Sequence[Operation], header: Header | None
    ) -> Header:
        """The header of the journal: of the run that is gone on with, or a new one after a survey."""
        asked = Asked(self._options.kinds, self._options.operations, self._options.every)
        if header is not None:
            if (header.release, header.asked) != (target.release, asked):
                raise UserError(f"{self._directory.path} holds a matrix of {header.release} that was asked for in another way")
            return header
        footprints = survey(database, target, catalogue, chosen, every=self._options.every)
        names = set(footprints)
        operations = tuple(each for each in chosen if each.name in names)
        planned = order(catalogue, operations, footprints)
        alike = len(chosen) - len(names)
        left = planned.left_out + ((LeftOut(f"operations: {alike} touch the same sorts of rows as others", 0),) if alike else ())
        return Header(target.dialect.name, target.release, asked, operations, footprints, left)

    def _hold(self, planned: Order, over: Sequence[Met], place: Opened, journal: Journal) -> bool:
        known = {met.key for met in over}
        left = [pair for pair in planned.pairs if pair.key not in known]
        progress = Progress(len(planned.pairs), len(planned.pairs) - len(left))
        crew = Crew(journal, self._keep, self._report, progress, self._options.statement_limit_s)
        crew.work(places(self._choice, place, self._options.servers, self._directory.path), left, self._options.runtime_s)
        return progress.over == progress.meetings

    def _keep(self, finding: Finding, program: Program, events: list[Event]) -> None:
        self._store.add(finding, program, events)


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


def survey(
    database: Database, target: Target, catalogue: Catalogue, chosen: Sequence[Operation], *, every: bool
) -> dict[str, Footprint]:
    """What each operation touches; without those that do it as another one does, unless every one is wanted."""
    surveyor = database.footprints(target)
    try:
        measured = {each.name: surveyor.measure(catalogue.alone(each)) for each in chosen}
    finally:
        surveyor.close()
    kept = chosen if every else different(chosen, measured)
    return {each.name: measured[each.name] for each in kept}
