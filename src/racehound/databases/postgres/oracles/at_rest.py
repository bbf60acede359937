"""The oracles for PostgreSQL at rest, which check the catalogs and search for leaks after a repetition."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import cast

from racehound.data.finding import Finding, consequence, normalise, with_consequences
from racehound.data.history import Statement
from racehound.data.object_names import names_in
from racehound.databases.postgres.oracles.catalog import CatalogOracle, Violation
from racehound.databases.postgres.oracles.catalog_queries import ROW_MISSING
from racehound.databases.postgres.oracles.dump import dump_error
from racehound.databases.postgres.oracles.growth import Size, grown, sizes
from racehound.databases.postgres.oracles.leaks import Leak, find_leaks
from racehound.databases.postgres.oracles.relation_files import FileViolation, check_relation_files
from racehound.databases.postgres.oracles.stored_expressions import DANGLING_CONSTANT
from racehound.databases.postgres.target import PostgresTarget
from racehound.databases.target import Target
from racehound.judge.dependencies import DependencyGraph, concerning
from racehound.judge.oracle import ObservedHistory, RestOracle, TargetAtRest
from racehound.session import Session

LEAK_GRACE_S = 5.0
"""A walsender or a worker's slot that is just ending has ended by then. Only what remains after it is a leak."""
_LOOK_S = 0.02
_WARM = 10
"""Number of the repetition after which a session's caches hardly grow."""


_SETUP_SESSION = "main"


class CatalogJudge(RestOracle):
    """Checks the references of new catalog rows after every repetition, and runs slow checks after the last one of a plan."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._oracle: CatalogOracle | None = None
        self._database = ""
        self._known: frozenset[tuple[str, str, str]] = frozenset()

    def begin(self, target: Target) -> None:
        """Prepare the check of this working database. Rows of shared catalogs that are broken already are not reported again."""
        postgres = cast("PostgresTarget", target)
        session, helper, _ = postgres.observers
        if self._session is not session:
            self._session, self._oracle = session, CatalogOracle(session, _oid_of_database(session), helper=helper)
        if self._database != postgres.database:
            # When only the sessions are new, as after a crash, broken rows are new, too.
            self._database = postgres.database
            self._known = frozenset(_identity(violation) for violation in self._on_session().check())

    def _on_session(self) -> CatalogOracle:
        assert self._oracle is not None
        return self._oracle

    def suspects(self, rest: TargetAtRest) -> bool:
        return bool(self._new(rest, self._on(rest).check()))

    def judge(self, rest: TargetAtRest) -> list[Finding]:
        violations = self._new(rest, self._on(rest).check())
        if violations and _touches_cluster(rest):
            _postgres(rest).note_broken_rows()
        return _violations(rest.history, violations)

    def judge_plan(self, rest: TargetAtRest) -> list[Finding]:
        """Check all rows, including the template's, run pg_dump, and check the files of the relations."""
        target = _postgres(rest)
        found = _violations(rest.history, self._new(rest, self._on(rest).check_everything()))
        data_dir, clients = target.data_dir(), target.location.clients()
        if data_dir is not None and _nobody_writes(target.observer):
            violations = check_relation_files(target.observer, data_dir)
            found += [_file(rest.history, violation) for violation in violations if not _left_by_crash(rest.history, violation)]
        if clients is not None and (error := dump_error(clients / "pg_dump", target.location.conninfo(target.database))):
            found.append(_dump(rest.history, error))
        return found

    def _on(self, rest: TargetAtRest) -> CatalogOracle:
        self.begin(rest.target)
        return self._on_session()

    def _new(self, rest: TargetAtRest, violations: list[Violation]) -> list[Violation]:
        return [
            violation
            for violation in violations
            if _identity(violation) not in self._known and not _written_as_number(rest.history, violation)
        ]


class LeakJudge(RestOracle):
    """Searches for what sessions still hold at rest, and for growth of their server processes over a plan."""

    def __init__(self) -> None:
        self._sizes: dict[int, Size] = {}

    def begin(self, target: Target) -> None:  # noqa: ARG002 only the call matters
        """Forget the sizes of the processes: a new database has new sessions."""
        self._sizes.clear()

    def suspects(self, rest: TargetAtRest) -> bool:
        return bool(self._leaks(rest))

    def judge(self, rest: TargetAtRest) -> list[Finding]:
        if rest.target.owned and rest.history.number == _WARM:
            self._sizes = sizes(rest.own_pids)
        deadline = time.monotonic() + LEAK_GRACE_S
        leaks = self._leaks(rest)
        while leaks and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
            leaks = self._leaks(rest)
        return [_leak(rest.history, leak) for leak in leaks]

    def judge_plan(self, rest: TargetAtRest) -> list[Finding]:
        """Report processes whose memory or open files have grown since their caches were filled."""
        after = sizes(self._sizes)
        over = f"between repetition {_WARM} and {rest.history.number}"
        return [
            rest.history.finding("leaks", "leak", f"{what} of a session", f"{what}: {how} {over}")
            for what, how in grown(self._sizes, after)
        ]

    def _leaks(self, rest: TargetAtRest) -> list[Leak]:
        target = _postgres(rest)
        *others, session = target.observers
        found = find_leaks(session, rest.own_pids, ignored_pids=[other.pid for other in others])
        return [leak for leak in found if _is_ours(rest, leak)]


def _identity(violation: Violation) -> tuple[str, str, str]:
    return violation.normalised, violation.row, violation.refers_to


def _touches_cluster(rest: TargetAtRest) -> bool:
    """Whether a statement names something that the run has in the cluster, outside of its working database."""
    return any(rest.target.run_id in statement.sql for statement in rest.history.statements if statement.status == "ok")


def _written_as_number(history: ObservedHistory, violation: Violation) -> bool:
    """Whether a statement wrote the OID itself, as `'99999'::regclass` does: then there need never have been such an object."""
    if violation.check != DANGLING_CONSTANT:
        return False
    number = re.compile(rf"(?<!\d){violation.refers_to.split()[1]}(?!\d)")
    return any(number.search(statement.sql) for statement in history.statements)


def _oid_of_database(session: Session) -> int:
    """The OID of the database. All objects made in a database cloned from the template have a higher one."""
    outcome = session.execute("SELECT oid FROM pg_database WHERE datname = current_database()")
    assert outcome.rows is not None
    return int(outcome.rows.cells[0][0] or 0)


def _nobody_writes(session: Session) -> bool:
    """Whether no transaction is open or prepared. Only then every file belongs to a visible row."""
    running = "SELECT FROM pg_stat_activity WHERE backend_xid IS NOT NULL UNION ALL SELECT FROM pg_prepared_xacts"
    outcome = session.execute(running)
    return outcome.rows is not None and not outcome.rows.cells


def _is_ours(rest: TargetAtRest, leak: Leak) -> bool:
    """Whether the leak is not a session or slot of another program, nor held by an object that could not be destroyed."""
    run_id = rest.target.run_id
    if _made_by_setup(rest.history, leak):
        return False
    if leak.sort == "temporary object" and rest.history.injected_faults.server_ended_ns is not None:
        return False  # it is dropped when another session gets the number of the killed one
    if leak.sort == "backend":
        return f"racehound {run_id}" in leak.detail or "walsender" in leak.detail or "parallel worker" in leak.detail
    if leak.sort == "replication slot":
        ours = leak.name.startswith(f"{run_id}_") or rest.target.owned
        return ours and not names_in(leak.name) - _destroyed(rest.history)
    return True


_MAKES = {
    "replication slot": re.compile(r"_replication_slot\s*\(|\bCREATE\s+SUBSCRIPTION\b", re.IGNORECASE),
    "prepared transaction": re.compile(r"\bPREPARE\s+TRANSACTION\b", re.IGNORECASE),
}
"""What statements say that make such a thing, which outlives their session."""


def _made_by_setup(history: ObservedHistory, leak: Leak) -> bool:
    """Whether the setup made it, so that no session left it: such a statement names it, or only the setup has such statements."""
    if leak.sort not in _MAKES:
        return False
    makers = [s for s in history.statements if s.status == "ok" and _MAKES[leak.sort].search(s.sql)]
    in_setup = [s for s in makers if s.session == _SETUP_SESSION and s.phase in ("prepare", "create")]
    return any(leak.name in s.sql for s in in_setup) or (bool(in_setup) and len(in_setup) == len(makers))


def _destroyed(history: ObservedHistory) -> set[str]:
    """The objects of which all destroying statements succeeded."""
    steps = [s for s in history.statements if s.phase == "destroy"]
    return {s.object for s in steps} - {s.object for s in steps if s.status != "ok"}


def _leak(history: ObservedHistory, leak: Leak) -> Finding:
    return history.finding(
        "leaks",
        "leak",
        f"{leak.sort}: {normalise(leak.detail)}",
        f"{leak.sort} {leak.name} is still there {LEAK_GRACE_S:g} s after every session has left: {leak.detail}",
        statements=_culprits(history, names_in(leak.name)),
    )


def _violations(history: ObservedHistory, violations: Iterable[Violation]) -> list[Finding]:
    """One finding for each defect, with the rows that show it. Its other sorts of violations are told as its consequences.

    Each of these is a defect of its own where it comes alone: a row in pg_depend may be that of a default, which no reference of
    another catalog shows.
    """
    by_defect: dict[str, list[Violation]] = {}
    for group in one_defect_each(violations):
        by_defect.setdefault(_signature(group[0]), []).extend(group)
    return [_defect(history, rows) for rows in by_defect.values()]


def _defect(history: ObservedHistory, rows: Iterable[Violation]) -> Finding:
    by_sort: dict[str, list[Violation]] = {}
    for violation in rows:
        by_sort.setdefault(_signature(violation), []).append(violation)
    first, *others = (_corruption(history, signature, each) for signature, each in by_sort.items())
    return with_consequences(first, [consequence(each, certain=False) for each in others])


def _signature(violation: Violation) -> str:
    """What is equal for one defect. PostgreSQL records what the constants of any expression name in one place, whichever column
    the expression is in and whichever catalog the constants name (`find_expr_references_walker` in `dependency.c`)."""
    return f"stored expression: {DANGLING_CONSTANT}" if violation.check == DANGLING_CONSTANT else violation.normalised


_ROWS_TOLD = 20
_TOLD_FIRST = ("pg_class", "pg_range", "pg_type", "pg_proc")
"""Catalogs of objects that have rows in others, too: a table has a row type, a range type has functions."""
_TOLD_LAST = ("pg_depend", "pg_shdepend", "pg_description", "pg_shdescription", "pg_seclabel", "pg_shseclabel", "pg_init_privs")
"""Catalogs with a row for an object that has one of its own in another catalog."""


def one_defect_each(violations: Iterable[Violation]) -> list[list[Violation]]:
    """The violations in groups, those of one defect in each: they are about the same row, or about the same missing row.

    First in a group is the object itself, not what is only recorded about it: an orphaned function before its row in pg_depend.
    """
    groups: list[tuple[set[str], list[Violation]]] = []
    for violation in violations:
        rows = {violation.row, *([violation.refers_to] if violation.check == ROW_MISSING else [])}
        members = [violation]
        for known in [group for group in groups if group[0] & rows]:
            groups.remove(known)
            rows |= known[0]
            members = [*known[1], *members]
        groups.append((rows, members))
    return [sorted(members, key=_place) for _, members in groups]


def _place(violation: Violation) -> tuple[int, str]:
    if violation.catalog in _TOLD_FIRST:
        return _TOLD_FIRST.index(violation.catalog), violation.normalised
    return len(_TOLD_FIRST) + (violation.catalog in _TOLD_LAST), violation.normalised


def _corruption(history: ObservedHistory, signature: str, rows: list[Violation]) -> Finding:
    names = names_in(" ".join(row.describe for row in rows))
    what = f" ({rows[0].describe})" if rows[0].describe else ""
    return history.finding(
        "catalog",
        "corruption",
        signature,
        f"{rows[0].normalised}{what}",
        detail=tuple(_in_words(row) for row in rows[:_ROWS_TOLD]),
        statements=_culprits(history, names),
    )


def _in_words(violation: Violation) -> str:
    described = f" ({violation.describe})" if violation.describe else ""
    refers = f" refers to {violation.refers_to}" if violation.refers_to else ""
    return f"{violation.row}{described}{refers}: {violation.check}"


def _file(history: ObservedHistory, violation: FileViolation) -> Finding:
    return history.finding(
        "catalog",
        "corruption",
        f"{violation.problem}: {normalise(violation.relation)}",
        f"{violation.problem}: {violation.path} {violation.relation}".rstrip(),
        statements=_culprits(history, names_in(violation.relation)),
    )


def _left_by_crash(history: ObservedHistory, violation: FileViolation) -> bool:
    """Whether a crash has left the file: recovery keeps files of relations created by aborted transactions (see storage.c)."""
    return violation.problem == "file orphaned" and history.injected_faults.server_ended_ns is not None


def _dump(history: ObservedHistory, error: str) -> Finding:
    lines = error.splitlines()
    return history.finding(
        "catalog", "corruption", f"pg_dump: {normalise(lines[0])}", f"pg_dump fails: {lines[0]}", detail=tuple(lines[:10]),
        statements=_culprits(history, names_in(error)),
    )  # fmt: skip


def _culprits(history: ObservedHistory, names: frozenset[str]) -> tuple[Statement, ...]:
    return concerning(history.statements, DependencyGraph(history.program), names, history.dialect.effect)


def _postgres(rest: TargetAtRest) -> PostgresTarget:
    return cast("PostgresTarget", rest.target)
