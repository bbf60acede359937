"""pytest: hunts and explorations inside a database project's own test suite.

    def test_tables_and_views_race_in_peace(racehound):
        racehound.hunt(kinds=["Table", "View"], runtime=10).assert_clean()

pytest loads this module by itself once racehound is installed; everything heavy is imported when a test hunts.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from racehound.api import ExploreRun, HuntRun
    from racehound.data.finding import Finding

MARKER = "racehound(**options): what hunts of the test are called with, unless they say otherwise"
_OPTIONS = ("target", "release", "url", "runtime", "seed", "baseline")
"""Parameters that the command line can set for all tests."""
_SHOWN = 10
"""How many findings a failure shows, and how many lines of each. The run directory has all."""
_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("racehound", "hunting for races (racehound)")
    group.addoption("--racehound-target", metavar="NAME", help="Hunt in this database, whatever the tests say.")
    group.addoption("--racehound-release", metavar="X.Y", help="Start this release of the target.")
    group.addoption("--racehound-url", metavar="URL", help="Hunt in a server that runs already.")
    group.addoption("--racehound-runtime", metavar="SECONDS", type=float, help="How long each hunt takes.")
    group.addoption("--racehound-seed", metavar="N", type=int, help="The seed of every hunt: that of a failure shows it again.")
    group.addoption("--racehound-baseline", metavar="FILE", help="Stay silent about the findings that this file names.")
    group.addoption(
        "--racehound-out", metavar="DIR", default="racehound-runs", help="Where the runs that found something are kept."
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the directory of runs if it is empty; in xdist, the process that started the workers does that."""
    runs = _runs(session.config)
    if not hasattr(session.config, "workerinput") and runs.is_dir() and not any(runs.iterdir()):
        runs.rmdir()


@pytest.fixture
def racehound(request: pytest.FixtureRequest) -> Iterator[Hunter]:
    """Hunts for races. The run directories of runs without findings are removed at the end of the test."""
    hunter = Hunter(request.node)
    yield hunter
    hunter.remove_clean_runs()


@dataclasses.dataclass(frozen=True)
class Hunted:
    """The result of a hunt or an exploration."""

    findings: tuple[Finding, ...]
    seed: int
    directory: Path
    """The run directory."""
    facts: str
    """In one line: the server, how long it took, how much was run."""
    test: str
    """The test's id."""

    def assert_clean(self) -> None:
        """Fail the test if anything was found, with the seed and the commands that show it again."""
        __tracebackhide__ = True
        if self.findings:
            pytest.fail(self.text(), pytrace=False)

    def text(self) -> str:
        """The findings as text."""
        count = "1 finding" if len(self.findings) == 1 else f"{len(self.findings)} findings"
        lines = [f"racehound: {count} in {self.facts}"]
        for finding in self.findings[:_SHOWN]:
            lines += ["", *_finding_lines(finding, self.directory)]
        if len(self.findings) > _SHOWN:
            lines += ["", f"and {len(self.findings) - _SHOWN} more: racehound findings {self.directory}"]
        again = f"pytest '{self.test}' --racehound-seed {self.seed}"
        return "\n".join([*lines, "", f"report:     racehound report {self.directory}", f"same seed:  {again}"])


def _finding_lines(finding: Finding, directory: Path) -> list[str]:
    from racehound.data.finding import SERIAL_ORDERS, read_finding
    from racehound.data.run_directory import read_run
    from racehound.report.reproduction_command import reproduction_command

    _, program = read_finding(directory / "findings" / finding.id)
    times = "once" if finding.count == 1 else f"{finding.count} times"
    return [
        f"{finding.severity} {finding.id}, met {times}: {finding.title}",
        *(f"    {line}" for line in finding.detail[:_SHOWN]),
        *(f"    and then: {line}" for line in finding.consequences[:_SHOWN]),
        *([f"    first met {finding.first_met}"] if finding.first_met else []),
        f"    {SERIAL_ORDERS[finding.serial_orders]}",
        f"    replay: {reproduction_command(directory, finding, program, read_run(directory))}",
    ]


class Hunter:
    """The fixture `racehound`. It hunts and explores as `racehound.hunt` and `racehound.explore` do.

    An option of pytest's command line comes before an argument of the call, that before a marker of the test (the nearest one
    first), and that before the defaults.
    """

    def __init__(self, node: pytest.Item) -> None:
        self._node = node
        self._clean: list[Path] = []

    def hunt(
        self, *, target: str | None = None, kinds: Sequence[str] | None = None, runtime: float | None = None, **more: Any  # noqa: ANN401
    ) -> Hunted:  # fmt: skip
        """Hunt as `racehound run` does, for `runtime` seconds (10 unless something says otherwise).

        `more`: further parameters of `racehound.hunt` but `out` and `tell`. Files are named from the directory of the test,
        the baseline from where pytest's configuration is. UserError for what the target cannot do, TargetError when racehound
        cannot go on with it, TypeError for an unknown option.
        """
        from racehound import api

        asked = self._asked({"target": target, "kinds": kinds, "runtime": runtime, **more}, _HUNT)
        asked["kinds_from"] = [self._node.path.parent / path for path in asked["kinds_from"]]
        run = api.hunt(**asked, out=self._directory(asked["seed"]), tell=print)
        summary = run.summary
        if summary.interrupted:
            raise KeyboardInterrupt
        from racehound.errors import TargetError

        if summary.ended_early and not run.findings:
            raise TargetError(summary.ended_early)
        did = f"{summary.plans} plans, {summary.repetitions} repetitions, {summary.statements} statements"
        return self._hunted(run, f"{summary.seconds:.0f} s, {did}")

    def explore(
        self, *scripts: str | Path, setup: str | Path | None = None, check: str | Path | None = None,
        teardown: str | Path | None = None, **more: Any,  # noqa: ANN401
    ) -> Hunted:  # fmt: skip
        """Run the interleavings of session scripts (`.td` or `.sql`, named from the test's directory) as `racehound explore`.

        `more`: further parameters of `racehound.explore` but `out` and `tell`. Errors as those of `hunt`.
        """
        from racehound import api

        asked = self._asked(more, _EXPLORE)
        above = self._node.path.parent
        asked |= {"setup": setup and above / setup, "check": check and above / check, "teardown": teardown and above / teardown}
        run = api.explore(
            *(above / script for script in scripts),
            **asked,
            out=self._directory(asked["seed"]),
            tell=print,
        )
        explored = run.exploration
        if explored.interrupted:
            raise KeyboardInterrupt
        from racehound.errors import TargetError

        if explored.ended_early and not run.findings:
            raise TargetError(explored.ended_early)
        return self._hunted(run, f"{explored.schedules} schedules of {explored.interleavings} interleavings")

    def remove_clean_runs(self) -> None:
        """Remove the run directories of runs without findings."""
        for directory in self._clean:
            shutil.rmtree(directory)

    def _asked(self, call: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
        """All parameters, with a seed."""
        from racehound.data.plan import seed_or_random

        unknown = [name for name in call if name not in defaults]
        if unknown:
            raise TypeError(f"racehound: unknown option {unknown[0]!r}; there are: {', '.join(defaults)}")
        marked = [dict(mark.kwargs) for mark in self._node.iter_markers("racehound")]
        for name in (name for mark in marked for name in mark if name not in {**_HUNT, **_EXPLORE}):
            raise TypeError(f"racehound: neither hunts nor explorations have the option {name!r} of the marker")
        line = {name: self._node.config.getoption(f"racehound_{name}") for name in _OPTIONS}
        asked = dict(defaults)
        for source in (*reversed(marked), call, line):
            asked.update({name: value for name, value in source.items() if value is not None and name in defaults})
        if line["url"]:
            asked["release"] = None
        if asked["baseline"]:
            asked["baseline"] = self._node.config.rootpath / asked["baseline"]
        asked["seed"] = seed_or_random(asked["seed"])
        return asked

    def _hunted(self, run: HuntRun | ExploreRun, facts: str) -> Hunted:
        from racehound.data.run_directory import read_run
        from racehound.databases.registry import database

        findings = tuple(finding for finding in run.findings if not finding.needs_no_race)
        if not findings:
            self._clean.append(run.directory)
        self._node.user_properties.append(("racehound_seed", str(run.seed)))
        ran = read_run(run.directory)
        where = f"{database(ran['target']).title} {ran['server_release']}"
        return Hunted(findings, run.seed, run.directory, f"{where}: {facts}, seed {run.seed}", self._node.nodeid)

    def _directory(self, seed: int) -> Path:
        """A new one for each call, also beside other processes."""
        name = re.sub(r"\W+", "-", self._node.name)[:60].strip("-")
        return _runs(self._node.config) / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}-{seed}-{os.getpid()}.{next(_numbers)}"


def _runs(config: pytest.Config) -> Path:
    """The directory of all run directories."""
    return config.rootpath / str(config.getoption("racehound_out"))


_COMMON: dict[str, Any] = {
    "target": None, "release": None, "url": None, "options": None, "seed": None, "baseline": None, "statement_limit": 10.0,
    "reconnect": 30.0,
}  # fmt: skip
_HUNT: dict[str, Any] = {
    **_COMMON, "kinds": (), "kinds_from": (), "runtime": 10.0, "scenario": "concurrent", "num_objects": 5, "tries": 100,
    "repetitions": None, "reset": "objects", "perturb": ("default",), "max_findings": None, "reduce": 0.0,
}  # fmt: skip
_EXPLORE: dict[str, Any] = {
    **_COMMON, "schedules": None, "strategy": None, "depth": 3, "schedule": None, "servers": 1,
}  # fmt: skip
