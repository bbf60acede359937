"""`racehound explore` as a user types it, on the embedded server."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from racehound.data.history import PlanStarted, RepetitionEnded, Statement, read_history
from tests.end_to_end.command import racehound

SCRIPTS = {
    "migration.sql": "BEGIN;\nALTER TABLE account ADD COLUMN total int; -- not null; later\n"
    "UPDATE account SET total = amount;\nCOMMIT;\n",
    "workload.sql": "UPDATE account SET amount = amount + 1;\nSELECT amount FROM account;\n",
    "setup.sql": "CREATE TABLE account (id int, amount int);\nINSERT INTO account VALUES (1, 10);\n",
    "check.td": "> SELECT total, amount FROM account\n11 11\n",
    "sound.td": "> SELECT amount FROM account\n11\n",
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explore")
    for name, text in SCRIPTS.items():
        (path / name).write_text(text)
    return path


def explore(directory: Path, *arguments: str, out: str) -> subprocess.CompletedProcess[str]:
    return racehound("explore", *arguments, "--out", out, cwd=directory)


@pytest.fixture(scope="module")
def wrong(directory: Path) -> subprocess.CompletedProcess[str]:
    """The migration copies an amount that the workload goes on to change."""
    arguments = ("migration.sql", "workload.sql", "--setup", "setup.sql", "--check", "check.td", "--seed", "4")
    return explore(directory, *arguments, out="wrong")


def test_it_says_which_interleavings_are_fine_and_which_are_wrong(wrong: subprocess.CompletedProcess[str]) -> None:
    assert wrong.returncode == 1, wrong.stderr
    lines = wrong.stdout.splitlines()
    assert "15 schedules of 15 interleavings (all)" in wrong.stdout
    rows = {line.split()[0]: int(line.split()[1]) for line in lines if re.match(r"(wrong|fine) +\d", line)}
    assert set(rows) == {"wrong", "fine"}
    assert sum(rows.values()) == 15


def test_the_first_schedule_of_an_outcome_is_shown_statement_by_statement(wrong: subprocess.CompletedProcess[str]) -> None:
    shown = wrong.stdout.split("--- fine")[1].splitlines()
    assert shown[1].split() == ["1:", "migration.sql", "2:", "workload.sql", "outcome"]
    assert [line.split()[0] for line in shown[2:8]] == ["1", "2", "3", "4", "5", "6"]
    became = r"(ok|blocked by 1 → released by line \d → ok)$"
    assert re.search(rf"UPDATE account SET amount = amount \+ 1 +{became}", wrong.stdout, re.M)


def test_the_command_that_it_prints_shows_the_same_again(directory: Path, wrong: subprocess.CompletedProcess[str]) -> None:
    schedule = re.findall(r"again: racehound explore .*--check check\.td --replay '([12 ]+)'", wrong.stdout)[0]
    arguments = ("migration.sql", "workload.sql", "--setup", "setup.sql", "--check", "check.td", "--replay", schedule)
    again = explore(directory, *arguments, "--schedules", "20", out="again")
    assert again.returncode == 1
    assert re.search(r"^wrong +20 ", again.stdout, re.M)


def test_the_run_directory_holds_the_evidence(directory: Path, wrong: subprocess.CompletedProcess[str]) -> None:
    (history,) = (directory / "wrong" / "history").iterdir()
    events = list(read_history(history))
    assert isinstance(events[0], PlanStarted)
    assert events[0].program.sessions[0].steps[0].fragment == "> BEGIN\n"
    ended = [event for event in events if isinstance(event, RepetitionEnded)]
    assert len({event.schedule for event in ended}) <= len(ended) == 15
    for event in ended:
        statements = [s for s in events if isinstance(s, Statement) and s.repetition == event.repetition and s.session in "12"]
        assert [int(s.session) for s in sorted(statements, key=lambda s: s.start_ns)] == list(event.schedule)
    summary = json.loads((directory / "wrong" / "summary.json").read_bytes())
    assert summary["seed"] == 4
    assert summary["schedules"] == 15
    (finding,) = (directory / "wrong" / "findings").iterdir()
    assert "schedule: " in (finding / "finding.json").read_text()


def test_an_sql_check_must_return_no_row(directory: Path) -> None:
    """A seat is sold twice where both look before one has sold it."""
    sell = "BEGIN;\nINSERT INTO seat SELECT 1, '{0}' WHERE NOT EXISTS (SELECT FROM seat WHERE no = 1);\nCOMMIT;\n"
    for name in "ab":
        (directory / f"{name}.sql").write_text(sell.format(name))
    (directory / "seats.sql").write_text("CREATE TABLE seat (no int, who text);\n")
    (directory / "twice.sql").write_text("SELECT no, count(*) FROM seat GROUP BY no HAVING count(*) > 1;\n")
    ended = explore(directory, "a.sql", "b.sql", "--setup", "seats.sql", "--check", "twice.sql", out="twice")
    assert ended.returncode == 1, ended.stdout
    assert re.search(r"^wrong +12 ", ended.stdout, re.M)
    assert re.search(r"^\*\*\* wrong result, met 12 times: .*: got 1 2$", ended.stdout, re.M)
    assert "+1 2" in ended.stdout
    assert re.search(
        r"first met after [\d.]+ s, in repetition \d+ of the run; no serial order of the same statements", ended.stdout
    )


def test_what_a_serial_order_answers_needs_no_race(directory: Path) -> None:
    """PostgreSQL says 23505 on an index of its catalogs, in place of "already exists"."""
    for name in "cd":
        (directory / f"{name}.sql").write_text("BEGIN;\nCREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple);\nCOMMIT;\n")
    ended = explore(directory, "c.sql", "d.sql", out="dictionary")
    assert ended.returncode == 0, ended.stdout
    assert re.search(r"^no race needed +20 +23505 ", ended.stdout, re.M)
    assert "0 findings and 1 that need no race" in ended.stdout
    again = explore(directory, "c.sql", "d.sql", "--replay", "1 1 2 1 2 2", out="dictionary-again")
    assert again.returncode == 0, again.stdout
    assert re.search(r"^no race needed +1 +23505 ", again.stdout, re.M)
    listed = racehound("findings", "dictionary", cwd=directory)
    assert re.search(r"no race needed: 23505 .* \(first met after [\d.]+ s, in repetition 1 of the run\)", listed.stdout)


def test_nothing_worse_than_an_expected_error_is_a_success(directory: Path) -> None:
    around = ("--setup", "setup.sql", "--check", "sound.td", "--teardown", "setup.sql")
    ended = explore(directory, "migration.sql", "workload.sql", *around, out="ok")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "0 findings" in ended.stdout


@pytest.mark.parametrize("strategy", ["random", "pct"])
def test_the_same_seed_draws_the_same_schedules(directory: Path, strategy: str) -> None:
    def taken(out: str) -> list[tuple[int, ...]]:
        arguments = ("migration.sql", "workload.sql", "--setup", "setup.sql", "--strategy", strategy, "--schedules", "6")
        ended = explore(directory, *arguments, "--seed", "7", out=out)
        assert ended.returncode == 0, ended.stderr
        (history,) = (directory / out / "history").iterdir()
        return [event.schedule for event in read_history(history) if isinstance(event, RepetitionEnded)]

    first = taken(f"{strategy}-1")
    assert len(first) == 6
    assert taken(f"{strategy}-2") == first


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("migration.sql",), "explore needs two or more session scripts"),
        (("migration.sql", "none.sql"), "none.sql: No such file"),
        (("migration.sql", "meta.sql"), r"meta.sql:2:1: \c is a command of psql"),
        (("migration.sql", "workload.sql", "--replay", "1 2"), "has 1 turns for session 1, which has 4"),
        (("migration.sql", "workload.sql", "--strategy", "all", "--schedules", "3"), "there are 15 interleavings"),
        (("migration.sql", "workload.sql", "--setup", "bad.sql"), "--setup: bad.sql:1:1: "),
    ],
)
def test_bad_input_is_told_in_one_line(directory: Path, arguments: tuple[str, ...], words: str) -> None:
    (directory / "meta.sql").write_text("SELECT 1;\n\\c other\n")
    (directory / "bad.sql").write_text("SELEC 1")
    ended = explore(directory, *arguments, out="refused")
    assert ended.returncode == 2
    assert words in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_many_schedules_are_shared_by_two_servers(directory: Path) -> None:
    arguments = ("migration.sql", "workload.sql", "--setup", "setup.sql", "--check", "check.td", "--replay", "1 1 1 2 1 2")
    ended = explore(directory, *arguments, "--schedules", "600", out="shared")
    assert ended.returncode == 1, ended.stderr
    assert "600 schedules of 15 interleavings" in ended.stdout
    assert re.search(r"^wrong +600 ", ended.stdout, re.M)
    histories = sorted((directory / "shared" / "history").iterdir())
    numbers = [
        [event.repetition for event in read_history(history) if isinstance(event, RepetitionEnded)] for history in histories
    ]
    assert len(numbers) == 2
    assert all(numbers)
    assert sorted(numbers[0] + numbers[1]) == list(range(1, 601))
    (finding,) = (directory / "shared" / "findings").iterdir()
    assert json.loads((finding / "finding.json").read_bytes())["count"] == 600
