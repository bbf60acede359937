"""Findings of an exploration on a real server: replayed in their schedule, and reduced to what still needs a race."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from racehound.data.finding import Baseline, Store, read_finding
from racehound.data.run_directory import RunDirectory
from racehound.data.schedule import parse_schedule
from racehound.databases.database import Choice
from racehound.databases.registry import Opened, opened
from racehound.loops.explore import explore
from racehound.loops.reduction import Reduced, ReduceOptions, reduce
from racehound.loops.replay import replay
from racehound.run.session_script import Scripts, lengths, read_script, read_session
from racehound.run.strategies import ExploreOptions

ACCOUNT = "CREATE TABLE acct (id int PRIMARY KEY, bal int NOT NULL); INSERT INTO acct VALUES (1, 100);"
TAKE = """
SELECT set_config('my.seen', (SELECT bal::text FROM acct WHERE id = 1), false);
UPDATE acct SET bal = current_setting('my.seen')::int - 10 WHERE id = 1;
"""
FLAG = "CREATE TABLE flag (a int);"
RAISE_AND_LOWER = "INSERT INTO flag VALUES (1); DELETE FROM flag;"
CRASH = "DO $$ BEGIN IF EXISTS (SELECT FROM flag) THEN COPY (SELECT 1) TO PROGRAM 'kill -SEGV $PPID'; END IF; END $$;"
"""The shell that runs a program of COPY is a child of the server process."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    with opened(Choice("postgres"), tmp_path_factory.mktemp("log") / "server.log") as own:
        yield own


def explored(
    place: Opened, directory: Path, setup: str, *sessions: str, schedule: str, check: tuple[str, str] | None = None
) -> Path:
    """The directory of the only finding of one schedule. `check`: the name of its file, and its text."""
    paths = [directory / f"{number}.sql" for number in range(1, len(sessions) + 1)]
    for path, text in zip(paths, sessions, strict=True):
        path.write_text(text)
    (directory / "setup.sql").write_text(setup)
    if check:
        (directory / check[0]).write_text(check[1])
    scripts = Scripts(
        tuple(map(read_session, paths)),
        setup=read_script(directory / "setup.sql"),
        check=read_script(directory / check[0]) if check else None,
    )
    options = ExploreOptions(
        seed=1, schedules=1, strategy=None, depth=2, statement_limit_s=10.0,
        only=parse_schedule(schedule, lengths(scripts.sessions)),
    )  # fmt: skip
    run = RunDirectory(directory / "run")
    found = explore(scripts, options, place, run, Store(run.findings, Baseline())).findings
    assert len(found) == 1, found
    return run.findings / found[0].id


def reduced(place: Opened, finding: Path, limit_s: float = 20.0) -> Reduced:
    done = reduce(finding, place, ReduceOptions(limit_s, repetitions=10))
    assert done.finding.serial_orders == read_finding(finding)[0].serial_orders == "clean", done
    assert done.reduction is not None
    assert done.reduction.reproduction.reproduced == done.reduction.reproduction.tried == 10
    return done


@pytest.mark.parametrize(
    "check",
    [("check.td", "> SELECT bal FROM acct\n80\n"), ("check.sql", "SELECT 'not 80', bal FROM acct WHERE bal <> 80;")],
    ids=["testdrive", "SQL"],
)
def test_a_lost_update_keeps_both_updates_the_row_and_the_check(place: Opened, tmp_path: Path, check: tuple[str, str]) -> None:
    finding = explored(place, tmp_path, ACCOUNT, TAKE, TAKE, schedule="1 2 1 2", check=check)
    assert replay(finding, place, 20, 10.0)[1].reproduction.reproduced == 20
    reduction = reduced(place, finding).reduction
    assert reduction is not None
    assert reduction.scene is not None
    assert reduction.scene.size.sessions == 2
    texts = [line.sql for line in reduction.scene.lines]
    assert sum(text.startswith("UPDATE acct SET bal = current_setting") for text in texts) == 2
    assert sum(text.startswith("INSERT INTO acct") for text in texts) == 1
    assert check[1].rstrip(";\n") in reduction.scene.check or reduction.scene.check == check[1]


def test_what_three_sessions_lose_is_lost_by_three(place: Opened, tmp_path: Path) -> None:
    check = ("check.td", "> SELECT bal FROM acct\n70\n")
    finding = explored(place, tmp_path, ACCOUNT, TAKE, TAKE, TAKE, schedule="1 2 3 1 2 3", check=check)
    reduction = reduced(place, finding).reduction
    assert reduction is not None
    assert reduction.scene is not None
    assert sum(line.sql.startswith("UPDATE acct") for line in reduction.scene.lines) == 3


def test_a_crash_is_replayed_in_its_schedule_every_time(place: Opened, tmp_path: Path) -> None:
    finding = explored(place, tmp_path, FLAG, RAISE_AND_LOWER, CRASH, schedule="1 2 1")
    assert read_finding(finding)[0].severity == "crash"
    assert replay(finding, place, 5, 10.0)[1].reproduction.reproduced == 5
