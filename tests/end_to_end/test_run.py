"""`racehound run` and what follows it, as a user types it, on the embedded server."""

from __future__ import annotations

import gzip
import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from racehound.data.finding import Finding, finding_directories, read_finding
from racehound.data.history import RepetitionEnded, Statement, read_history
from racehound.services.embedded.server import EmbeddedServer
from racehound.wire.session import LibpqSession
from tests.end_to_end.command import COMMAND, racehound


@pytest.fixture(scope="module")
def hunted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One hunt of 20 s, looked at from several sides."""
    directory = tmp_path_factory.mktemp("hunt")
    return directory / "out", racehound("run", "--seed", "1", "--runtime", "20", "--out", "out", cwd=directory)


def findings(run: Path) -> list[Finding]:
    return [read_finding(directory)[0] for directory in finding_directories(run)]


def test_it_finds_real_races_and_says_so(hunted: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    run, ended = hunted
    assert ended.returncode == 1, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0] == "--- Random seed is 1"
    assert "--- Scenario to run (--seed=1)" in lines
    assert re.search(r"s left · plan \d+, repetition \d+/100", ended.stdout)
    found = findings(run)
    assert found
    for finding in found:
        assert finding.id in ended.stdout
        assert finding.statements, finding
        sessions = (run / "findings" / finding.id / "sessions.sql").read_text()
        assert finding.statements[-1].sql.rstrip(";") in sessions


def test_one_finding_per_defect(hunted: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    found = findings(hunted[0])
    assert len({finding.id for finding in found}) == len(found)
    assert max(finding.count for finding in found) > 1


def test_every_statement_is_in_the_history(hunted: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    run, _ = hunted
    summary = json.loads((run / "summary.json").read_bytes())
    statements = repetitions = 0
    for path in sorted((run / "history").iterdir()):
        for event in read_history(path):
            statements += isinstance(event, Statement)
            repetitions += isinstance(event, RepetitionEnded)
            if isinstance(event, Statement):
                assert event.start_ns <= event.end_ns
                assert event.pid
    assert repetitions == summary["repetitions"]
    assert statements >= summary["statements"] > 1000
    assert sum(summary["outcomes"].values()) == summary["statements"]


def test_a_baseline_of_all_that_was_found_makes_the_same_hunt_quieter(
    hunted: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    run, _ = hunted
    baseline = racehound("baseline", run, cwd=tmp_path)
    assert baseline.returncode == 0
    (tmp_path / "known.toml").write_text(baseline.stdout)
    # The plan that showed most comes first, so that it has the time to show it again.
    most = max(findings(run), key=lambda finding: finding.count)
    arguments = ("run", "--seed", str(most.seed), "--runtime", "15", "--baseline", "known.toml", "--out", "again", "--quiet")
    racehound(*arguments, cwd=tmp_path)
    known = {finding.id for finding in findings(run)}
    assert not known & {finding.id for finding in findings(tmp_path / "again")}
    assert json.loads((tmp_path / "again" / "summary.json").read_bytes())["silenced"] > 0


def test_a_finding_is_replayed_and_its_rate_kept(hunted: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    run, _ = hunted
    most = max(findings(run), key=lambda finding: finding.count)
    ended = racehound("replay", run / "findings" / most.id, "--repetitions", "40", cwd=tmp_path)
    kept = read_finding(run / "findings" / most.id)[0]
    assert kept.reproduction is not None
    assert kept.reproduction.tried == 40
    assert ended.returncode == (1 if kept.reproduction.reproduced else 0)
    assert f"{kept.reproduction.reproduced} of 40 repetitions" in ended.stdout


def test_findings_are_listed_and_shown(hunted: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    run, _ = hunted
    listed = racehound("findings", run, cwd=tmp_path).stdout.splitlines()
    assert [line.split()[0] for line in listed] == [finding.id for finding in findings(run)]
    first = findings(run)[0]
    shown = racehound("findings", run / "findings" / first.id, cwd=tmp_path).stdout
    assert first.title in shown
    assert "racehound replay" in shown
    as_json = [json.loads(line) for line in racehound("findings", run, "--json", cwd=tmp_path).stdout.splitlines()]
    assert [entry["id"] for entry in as_json] == [finding.id for finding in findings(run)]


@pytest.mark.usefixtures("nothing_left")
def test_an_interrupt_ends_with_a_report_and_leaves_nothing(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [*COMMAND, "run", "--runtime", "100", "--out", "out"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    for line in running.stdout:
        if "s left" in line:
            break
    running.send_signal(signal.SIGINT)
    rest, errors = running.communicate(timeout=30)
    assert running.returncode == 130, errors
    assert "=== Summary\ninterrupted after" in rest
    assert (tmp_path / "out" / "summary.json").exists()
    assert not servers_of(tmp_path / "out")


def servers_of(run: Path) -> list[str]:
    """Command lines of processes that still use the run's scratch directory."""
    run_id = json.loads((run / "run.json").read_bytes())["run_id"]
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if run_id in command:
            found.append(command)
    return found


def test_options_come_from_variables_and_toml(tmp_path: Path) -> None:
    (tmp_path / "racehound.toml").write_text('seed = 5\n[print]\nnum-objects = 2\nkinds = ["Table", "View"]\n')
    from_file = racehound("print", cwd=tmp_path).stdout
    assert from_file == racehound("print", "--seed", "5", "--num-objects", "2", "--kinds", "Table,View", cwd=tmp_path).stdout
    assert "o_1" in from_file
    assert "o_2" not in from_file
    overridden = racehound("print", cwd=tmp_path, variables={"RACEHOUND_NUM_OBJECTS": "3", "RACEHOUND_SEED": "5"}).stdout
    assert "o_2" in overridden


def test_a_server_of_the_users_is_left_as_it_was(embedded_server: EmbeddedServer, tmp_path: Path) -> None:
    url = embedded_server.address.conninfo()
    session = LibpqSession.connect(url)
    names = (
        "SELECT datname::text FROM pg_database UNION ALL SELECT rolname FROM pg_roles "
        "UNION ALL SELECT spcname FROM pg_tablespace UNION ALL SELECT slot_name FROM pg_replication_slots ORDER BY 1"
    )
    before = session.execute(names)
    ended = racehound("run", "--seed", "3", "--runtime", "8", "--url", url, "--out", "out", "--quiet", cwd=tmp_path)
    assert ended.returncode in (0, 1), ended.stderr
    assert session.execute(names) == before


def test_a_password_in_the_address_goes_nowhere(url_with_password: str, tmp_path: Path) -> None:
    url, kinds = url_with_password, ("--kinds", "Subscription,Publication,Table")
    ended = racehound("run", "--seed", "3", "--runtime", "5", "--url", url, "--out", "out", *kinds, cwd=tmp_path)
    # The mappings of foreign servers have no password, so that these kinds would only fail to connect.
    refused = racehound("run", "--runtime", "5", "--url", url, "--kinds", "ForeignServer", "--out", "no", cwd=tmp_path)
    assert ended.returncode in (0, 1), ended.stderr
    assert "CREATE SUBSCRIPTION" in ended.stdout
    assert "sekret" not in ended.stdout + ended.stderr
    assert (refused.returncode, "cannot have ForeignServer objects" in refused.stderr) == (2, True), refused
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            assert b"sekret" not in content, path


@pytest.mark.leftovers
def test_what_a_killed_run_left_on_a_users_server_is_removed_by_clean(embedded_server: EmbeddedServer, tmp_path: Path) -> None:
    url = embedded_server.address.conninfo()
    session = LibpqSession.connect(url)
    ours = "SELECT datname::text FROM pg_database WHERE datname ~ '^rh[0-9a-f]{8}_' ORDER BY 1"
    running = subprocess.Popen([*COMMAND, "run", "--url", url, "--out", "out"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    for line in running.stdout:
        if "s left" in line:
            break
    running.kill()
    running.wait()
    running.stdout.close()
    left = session.execute(ours)
    assert left.rows
    assert left.rows.cells
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        cleaned = racehound("clean", "--url", url, cwd=tmp_path)
        assert cleaned.returncode == 0, cleaned.stderr
        if "removed database" in cleaned.stdout:
            break
    after = session.execute(ours)
    assert after.rows
    assert after.rows.cells == []
