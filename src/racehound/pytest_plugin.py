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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from racehound.data.finding import Baseline, Finding
    from racehound.data.run_directory import RunDirectory
    from racehound.databases.database import Choice
    from racehound.loops.hunt import HuntOptions
    from racehound.run.session_script import Scripts
    from racehound.run.strategies import ExploreOptions

    Work = Callable[[Choice, RunDirectory], tuple[list[Finding], str]]

MARKER = "racehound(**options): what hunts of the test are called with, unless they say otherwise"
_OPTIONS = ("target", "release", "url", "runtime", "seed", "baseline")
"""What the command line may say for all tests."""
_SHOWN = 10
"""Findings, and lines of each, in a failure; the run directory has all."""
_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("racehound", "hunting for races (racehound)")
    group.addoption("--racehound-target", metavar="NAME", help="Hunt in this target, whatever the tests say.")
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
    """Where every hunt was clean, nothing is left (a worker of xdist leaves this to the process that started it)."""
    above = _above(session.config)
    if not hasattr(session.config, "workerinput") and above.is_dir() and not any(above.iterdir()):
        above.rmdir()


@pytest.fixture
def racehound(request: pytest.FixtureRequest) -> Iterator[Hunter]:
    """Hunts for races. The run directories of clean hunts are removed when the test is over."""
    hunter = Hunter(request.node)
    yield hunter
    hunter.tidy()


@dataclasses.dataclass(frozen=True)
class Hunted:
    """What a hunt or an exploration came to."""

    findings: tuple[Finding, ...]
    seed: int
    directory: Path
    """The run directory."""
    facts: str
    """In one line: where, how long, how much."""
    test: str
    """The test's id."""

    def assert_clean(self) -> None:
        """Fail the test if anything was found, with the seed and the commands that show it again."""
        __tracebackhide__ = True
        if self.findings:
            pytest.fail(self.told(), pytrace=False)

    def told(self) -> str:
        """The findings as text."""
        count = "1 finding" if len(self.findings) == 1 else f"{len(self.findings)} findings"
        lines = [f"racehound: {count} in {self.facts}"]
        for finding in self.findings[:_SHOWN]:
            lines += ["", *_told(finding, self.directory)]
        if len(self.findings) > _SHOWN:
            lines += ["", f"and {len(self.findings) - _SHOWN} more: racehound findings {self.directory}"]
        again = f"pytest '{self.test}' --racehound-seed {self.seed}"
        return "\n".join([*lines, "", f"report:     racehound report {self.directory}", f"same seed:  {again}"])


def _told(finding: Finding, directory: Path) -> list[str]:
    from racehound.data.finding import read_finding
    from racehound.data.run_directory import read_run
    from racehound.report.reproduction_command import reproduction_command

    _, program = read_finding(directory / "findings" / finding.id)
    times = "once" if finding.count == 1 else f"{finding.count} times"
    return [
        f"{finding.severity} {finding.id}, met {times}: {finding.title}",
        *(f"    {line}" for line in finding.detail[:_SHOWN]),
        f"    replay: {reproduction_command(directory, finding, program, read_run(directory))}",
    ]


class Hunter:
    """The fixture. What a call leaves out is taken from the test's markers (the nearest first); options of the command line
    stand above both."""

    def __init__(self, node: pytest.Item) -> None:
        self._node = node
        self._clean: list[Path] = []

    def hunt(
        self, *, target: str | None = None, kinds: Sequence[str] | None = None, runtime: float | None = None, **more: Any  # noqa: ANN401
    ) -> Hunted:  # fmt: skip
        """Hunt as `racehound run` does, for `runtime` seconds (10 unless something says otherwise).

        `more`: seed, url, release, baseline (a file), scenario, num_objects, tries, repetitions, reset, perturb (names),
        statement_limit.
        UserError for what the target cannot do, TargetError when it does not do its part, TypeError for an unknown option.
        """
        asked = self._asked({"target": target, "kinds": kinds, "runtime": runtime, **more}, _HUNT)
        options = _hunt_options(asked)
        words = tuple(asked["perturb"])
        return self._run(
            asked, options.seed, lambda choice, directory: _hunt(choice, options, words, self._baseline(asked), directory)
        )

    def explore(
        self, *scripts: str | Path, setup: str | Path | None = None, check: str | Path | None = None,
        teardown: str | Path | None = None, **more: Any,  # noqa: ANN401
    ) -> Hunted:  # fmt: skip
        """Run the interleavings of session scripts (`.td` or `.sql`, relative to the test's directory), as `racehound explore`.

        `more`: schedules, strategy, depth, seed, url, release, baseline, statement_limit. Errors as those of `hunt`.
        """
        asked = self._asked(more, _EXPLORE)
        read = _scripts(self._node.path.parent, scripts, setup, check, teardown)
        options = _explore_options(asked)
        return self._run(
            asked, options.seed, lambda choice, directory: _explore(choice, read, options, self._baseline(asked), directory)
        )

    def tidy(self) -> None:
        """Remove the directories of clean runs."""
        for directory in self._clean:
            shutil.rmtree(directory)

    def _asked(self, call: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
        unknown = [name for name in call if name not in defaults]
        if unknown:
            raise TypeError(f"racehound: unknown option {unknown[0]!r}; there are: {', '.join(defaults)}")
        marked = [dict(mark.kwargs) for mark in self._node.iter_markers("racehound")]
        line = {name: self._node.config.getoption(f"racehound_{name}") for name in _OPTIONS}
        asked = dict(defaults)
        for source in (*reversed(marked), call, line):
            asked.update({name: value for name, value in source.items() if value is not None and name in defaults})
        if line["url"]:
            asked["release"] = None
        if asked["target"] is None:
            from racehound.databases.registry import default_name

            asked["target"] = default_name()
        return asked

    def _baseline(self, asked: dict[str, Any]) -> Baseline:
        """Its file is named from where pytest's configuration is."""
        from racehound.data.finding import Baseline, read_baseline

        return read_baseline(self._node.config.rootpath / asked["baseline"]) if asked["baseline"] else Baseline()

    def _run(self, asked: dict[str, Any], seed: int, work: Work) -> Hunted:
        from racehound.data.run_directory import RunDirectory
        from racehound.databases.database import Choice

        choice = Choice(asked["target"], asked["release"], asked["url"])
        directory = RunDirectory(self._directory(seed))
        try:
            findings, facts = work(choice, directory)
        finally:
            directory.discard_unused()
        if not findings:
            self._clean.append(directory.path)
        self._node.user_properties.append(("racehound_seed", str(seed)))
        return Hunted(tuple(findings), seed, directory.path, f"{facts}, seed {seed}", self._node.nodeid)

    def _directory(self, seed: int) -> Path:
        """A new one for each call, whatever runs beside."""
        name = re.sub(r"\W+", "-", self._node.name)[:60].strip("-")
        return _above(self._node.config) / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}-{seed}-{os.getpid()}.{next(_numbers)}"


def _above(config: pytest.Config) -> Path:
    return config.rootpath / str(config.getoption("racehound_out"))


_COMMON: dict[str, Any] = {
    "target": None, "release": None, "url": None, "seed": None, "baseline": None, "statement_limit": 10.0,
}  # fmt: skip
_HUNT: dict[str, Any] = {
    **_COMMON, "kinds": (), "runtime": 10.0, "scenario": "concurrent", "num_objects": 5, "tries": 100, "repetitions": None,
    "reset": "objects", "perturb": ("default",),
}  # fmt: skip
_EXPLORE: dict[str, Any] = {**_COMMON, "schedules": 1000, "strategy": None, "depth": 3}


def _seed(asked: dict[str, Any]) -> int:
    from racehound.cli.options import seed_or_random

    return seed_or_random(asked["seed"])


def _hunt_options(asked: dict[str, Any]) -> HuntOptions:
    from racehound.databases.registry import database
    from racehound.loops.hunt import HuntOptions
    from racehound.run.perturbations.registry import PerturbationSet

    chosen = database(asked["target"])
    known = chosen.dialect
    repetitions, limit_s = asked["repetitions"] or known.repetitions, None if asked["repetitions"] else known.plan_limit_s
    return HuntOptions(
        seed=_seed(asked), runtime_s=float(asked["runtime"]), repetitions=repetitions, scenario=asked["scenario"],
        num_objects=asked["num_objects"], tries=asked["tries"], reset=asked["reset"],
        statement_limit_s=float(asked["statement_limit"]), kinds=tuple(asked["kinds"]),
        perturb=PerturbationSet(chosen.perturbations()).named(asked["perturb"]), plan_limit_s=limit_s,
    )  # fmt: skip


def _explore_options(asked: dict[str, Any]) -> ExploreOptions:
    from racehound.run.strategies import ExploreOptions

    return ExploreOptions(
        seed=_seed(asked), schedules=asked["schedules"], strategy=asked["strategy"], depth=asked["depth"],
        statement_limit_s=float(asked["statement_limit"]),
    )  # fmt: skip


def _scripts(above: Path, sessions: Sequence[str | Path], *lone: str | Path | None) -> Scripts:
    from racehound.loops.recorded_run import read_scripts

    return read_scripts([above / name for name in sessions], *(above / name if name else None for name in lone))


def _hunt(
    choice: Choice, options: HuntOptions, words: tuple[str, ...], baseline: Baseline, directory: RunDirectory
) -> tuple[list[Finding], str]:
    import sys

    from racehound.loops.recorded_run import record_hunt
    from racehound.report.console import PlainReporter

    summary = record_hunt(choice, options, words, directory, baseline, PlainReporter(sys.stdout, 0), _say_nothing)
    if summary.interrupted:
        raise KeyboardInterrupt
    did = f"{summary.plans} plans, {summary.repetitions} repetitions, {summary.statements} statements"
    return summary.findings, f"{_where(choice, directory)}: {summary.seconds:.0f} s, {did}"


def _explore(
    choice: Choice, scripts: Scripts, options: ExploreOptions, baseline: Baseline, directory: RunDirectory
) -> tuple[list[Finding], str]:
    from racehound.loops.recorded_run import record_exploration

    exploration = record_exploration(choice, scripts, options, directory, baseline, _say_nothing)
    if exploration.interrupted:
        raise KeyboardInterrupt
    return (
        exploration.findings,
        f"{_where(choice, directory)}: {exploration.schedules} schedules of {exploration.interleavings} interleavings",
    )


def _where(choice: Choice, directory: RunDirectory) -> str:
    from racehound.data.run_directory import read_run
    from racehound.databases.registry import database

    return f"{database(choice.name).title} {read_run(directory.path)['server_release']}"


def _say_nothing(_line: str) -> None:
    """A test's report tells it all."""
