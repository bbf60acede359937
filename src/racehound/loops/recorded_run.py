"""A hunt or an exploration from its options to its run directory: the command line, pytest and the Python API share it."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from racehound.data.finding import Baseline, Store, read_finding
from racehound.data.run_directory import RunDirectory, redact
from racehound.databases import registry
from racehound.databases.catalogue import nonempty_catalogue, printable_kinds
from racehound.databases.database import Choice, Database
from racehound.databases.registry import Opened, database
from racehound.errors import UserError, reason_of
from racehound.loops.explore import Exploration, explore
from racehound.loops.hunt import Hunt, HuntOptions, Summary, choose_kinds
from racehound.loops.reduce.search import Teller, say_nothing
from racehound.loops.reduction import ReduceOptions, confirm_culprits, reduce_all
from racehound.loops.verification import verify_first
from racehound.report.progress import Reporter, outage_line
from racehound.report.sessions import write_sessions
from racehound.run.perturbations.registry import PerturbationSet
from racehound.run.session_script import Scripts, read_script, read_session
from racehound.run.strategies import ExploreOptions

Tell = Callable[[str], object]
"""Is called with each line that a person is to read while a hunt or an exploration goes on."""


def record_hunt(
    choice: Choice,
    options: HuntOptions,
    perturb: Sequence[str],
    directory: RunDirectory,
    baseline: Baseline,
    reporter: Reporter,
    tell: Tell,
    *,
    reduce_s: float = 0.0,
    reduction_progress: Teller = say_nothing,
    conclude: Callable[[Summary], object] = lambda _summary: None,
) -> Summary:
    """Hunt as the options say, and reduce the findings for up to `reduce_s` seconds.

    perturb: the words of `--perturb`. conclude: called with the summary before the server is left, whatever happens then.
    UserError for what the target cannot do, TargetError when racehound cannot go on with the target.
    """
    with contextlib.closing(reporter):
        require_kinds(choice, options.kinds)
        with registry.opened(choice, directory.server_log, tell) as opened:
            names, hindered = PerturbationSet(opened.database.perturbations()).possible(perturb, opened.target)
            for name, reason in hindered.items():
                tell(f"without {name}: {reason}")
            options = msgspec.structs.replace(options, perturb=names)
            _write_run(directory, choice, opened, options=options)
            tell(f"{choice.name} {opened.target.release}, run {opened.target.run_id}, evidence in {directory.path}")
            store = Store(directory.findings, baseline, write_sessions)
            summary = Hunt(options, opened, directory, store, reporter).run()
            reporter.close()
            if reduce_s and not summary.interrupted and not summary.ended_early:
                worth = [directory.findings / finding.id for finding in summary.findings if not finding.is_weakness]
                asked = ReduceOptions(reduce_s, statement_limit_s=options.statement_limit_s, verify=False)
                began = time.monotonic()
                left_out = reduce_all(worth, opened, asked, reduction_progress).left_out
                if not left_out:
                    others = [directory.findings / finding.id for finding in summary.findings if finding.is_weakness]
                    left_s = began + reduce_s - time.monotonic()
                    left_out = confirm_culprits(others, opened, left_s, options.statement_limit_s)
                if left_out:
                    tell(left_out)
                summary = _known_by_now(summary, directory)
                verify_first(worth, opened)
            conclude(summary)
            return summary


def _known_by_now(summary: Summary, directory: RunDirectory) -> Summary:
    """The summary with what the reductions have found out about its findings; it is also kept."""
    known = msgspec.structs.replace(
        summary, findings=[read_finding(directory.findings / finding.id)[0] for finding in summary.findings]
    )
    directory.write_summary(known)
    return known


def pace(database: Database, repetitions: int | None) -> tuple[int, float | None]:
    """How many repetitions a plan has, and after how many seconds its next one is the last.

    Where a user asks for no number of repetitions, both are those that suit the database.
    """
    if repetitions is None:
        return database.dialect.repetitions, database.dialect.plan_limit_s
    return repetitions, None


def require_kinds(choice: Choice, kinds: Sequence[str]) -> None:
    """UserError for kinds that no server of that choice can have, as far as that is known before one is started."""
    chosen = database(choice.name)
    known = nonempty_catalogue(chosen, choice.kinds_from)
    if choice.url is None:
        choose_kinds(known, printable_kinds(chosen, choice), kinds)


def read_scripts(
    sessions: Sequence[Path], setup: Path | None = None, check: Path | None = None, teardown: Path | None = None
) -> Scripts:
    """The scripts of an exploration. UserError for fewer than two sessions and for a file that cannot be read or run."""
    if len(sessions) < 2:
        raise UserError("explore needs two or more session scripts: one alone has nothing to interleave with")
    before, at_end, behind = (read_script(path) if path else None for path in (setup, check, teardown))
    return Scripts(tuple(map(read_session, sessions)), before, at_end, behind)


def record_exploration(
    choice: Choice,
    scripts: Scripts,
    options: ExploreOptions,
    directory: RunDirectory,
    baseline: Baseline,
    tell: Tell,
    servers: int = 1,
) -> Exploration:
    """Explore the interleavings of the scripts, on up to `servers` servers at the same time where racehound can start them.

    UserError for what the target cannot do and for a failing setup, TargetError when racehound cannot go on with the target.
    """
    with registry.opened(choice, directory.server_log, tell) as opened:
        read = (*scripts.sessions, scripts.setup, scripts.check, scripts.teardown)
        _write_run(directory, choice, opened, options=options, scripts=[script.file for script in read if script])
        target = opened.target
        tell(f"{choice.name} {target.release}, run {target.run_id}, seed {options.seed}, evidence in {directory.path}")
        further = range(2, servers + 1 if opened.database.can_start and not choice.url else 1)
        others = [functools.partial(registry.opened, choice, directory.path / f"server-{number}.log") for number in further]
        store = Store(directory.findings, baseline, write_sessions)
        exploration = explore(scripts, options, opened, directory, store, others, lambda outage: tell(outage_line(outage)))
        try:
            directory.write_summary(exploration)
        except OSError as error:
            tell(f"summary.json was not written: {reason_of(error)}")
        return exploration


def _write_run(directory: RunDirectory, choice: Choice, opened: Opened, **facts: Any) -> None:  # noqa: ANN401 whatever the run tells
    where = {"target": choice.name, "release": choice.release, "url": redact(choice.url) if choice.url else None}
    if choice.kinds_from:
        facts["kinds_from"] = [str(path) for path in choice.kinds_from]
    directory.write_run(run_id=opened.target.run_id, server_release=opened.target.release, **where, **facts)
