"""A lost connection is told as what it was, and whatever ends a hunt early, it ends with its summary and leaves nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from racehound.services import proc, scratch
from racehound.services.embedded import releases
from racehound.services.embedded.server import EmbeddedServer
from racehound.services.faults import Cut, Links
from racehound.services.service import Endpoint
from racehound.wire.session import LibpqSession
from tests.end_to_end.command import COMMAND, racehound
from tests.integration.own_composition import own_composition

LIMIT_S = 30.0
"""In which a hunt has begun, or ended after its time."""
LEFT = "SELECT datname FROM pg_database WHERE datname ~ '^rh' UNION ALL SELECT rolname FROM pg_roles WHERE rolname ~ '^rh'"


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server of the user's."""
    directory = scratch.create("tests.lost")
    started = EmbeddedServer(releases.find(None), directory, tmp_path_factory.mktemp("server") / "server.log")
    started.start()
    yield started
    started.stop()
    scratch.remove(directory)


class Hunt:
    """A hunt that goes on until it is disturbed, or its time is up."""

    def __init__(self, directory: Path, *arguments: str, file_kib: int | None = None) -> None:
        """`file_kib`: how large a file may get that it writes."""
        self.out = directory / "out"
        command = [*COMMAND, "run", "--runtime", "8", "--reduce", "0", "--quiet", "--out", str(self.out), *arguments]
        if file_kib is not None:
            command = ["bash", "-c", f"ulimit -f {file_kib} && exec {shlex.join(command)}"]
        self.process = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.text = ""

    def begin(self) -> None:
        """Wait until statements are recorded."""
        deadline = time.monotonic() + LIMIT_S
        while not any(path.stat().st_size > 50_000 for path in (self.out / "history").glob("*")):
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def end(self) -> int:
        self.text, _ = self.process.communicate(timeout=LIMIT_S + 30)
        assert "Traceback" not in self.text
        return self.process.returncode

    @property
    def summary(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.out / "summary.json").read_text())
        return found

    @property
    def verdicts(self) -> list[str]:
        outages = self.summary["outages"]
        assert isinstance(outages, list)
        return [each["verdict"] for each in outages]

    @property
    def severities(self) -> set[str]:
        files = (self.out / "findings").glob("*/finding.json")
        return {json.loads(file.read_text())["severity"] for file in files}


def left_in(server: EmbeddedServer) -> list[tuple[str | None, ...]]:
    with contextlib.closing(LibpqSession.connect(server.address.conninfo())) as session:
        rows = session.execute(LEFT).rows
    assert rows is not None
    return rows.cells


def postmaster_of(process: int) -> int:
    for pid in proc.tree(process):
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        if words[0].endswith("/postgres") and "-D" in words:
            return pid
    raise AssertionError("there is no server")


@pytest.mark.usefixtures("nothing_left")
def test_a_server_that_somebody_kills_has_not_crashed_and_the_hunt_goes_on(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path)
    hunt.begin()
    os.kill(postmaster_of(hunt.process.pid), signal.SIGKILL)
    assert hunt.end() in (0, 1)
    assert hunt.verdicts == ["ended from outside"]
    assert "the server itself was ended by SIGKILL" in hunt.text
    assert "crash" not in hunt.severities
    assert hunt.summary["ended_early"] == ""


@pytest.mark.usefixtures("nothing_left")
def test_a_hunt_that_is_cut_off_for_good_ends_with_its_summary_and_the_command_that_cleans_up(
    tmp_path: Path, server: EmbeddedServer
) -> None:
    with own_composition("toxiproxy") as composition, Links(composition) as links:
        link = links.open_to("postgres", Endpoint(server.address.host, server.address.port))
        address = dataclasses.replace(server.address, host=link.endpoint.host, port=link.endpoint.port)
        hunt = Hunt(tmp_path, "--url", address.url(), "--reconnect", "1")
        hunt.begin()
        link.impose(Cut())
        code = hunt.end()
        assert code == (1 if hunt.severities else 2)
        assert hunt.verdicts == ["network"]
        assert not hunt.severities & {"crash", "hang"}
        assert "=== Summary" in hunt.text
        assert "ended early: network: " in hunt.text
        assert f"everything is in {hunt.out}" in hunt.text
        run_id = json.loads((hunt.out / "run.json").read_text())["run_id"]
        assert f"role {run_id}_owner, database {run_id}_template" in hunt.text
        assert left_in(server), "the server is in perfect health, and racehound cannot reach it"
        link.lift()
        (command,) = [line.partition(": ")[2] for line in hunt.text.splitlines() if line.startswith("--- remove it when")]
        cleaned = racehound(*shlex.split(command)[1:], cwd=tmp_path)
        assert cleaned.returncode == 0, cleaned.stderr
        assert left_in(server) == []


def test_a_process_that_dies_by_a_signal_behind_a_url_is_a_crash_and_the_hunt_goes_on(
    tmp_path: Path, server: EmbeddedServer
) -> None:
    hunt = Hunt(tmp_path, "--url", server.address.url())
    hunt.begin()
    query = "SELECT pid FROM pg_stat_activity WHERE application_name ~ '^racehound rh.* o_' LIMIT 1"
    with contextlib.closing(LibpqSession.connect(server.address.conninfo())) as session:
        deadline = time.monotonic() + LIMIT_S
        while not ((rows := session.execute(query).rows) and rows.cells):
            assert time.monotonic() < deadline
    os.kill(int(rows.cells[0][0] or 0), signal.SIGSEGV)
    assert hunt.end() == 1
    assert hunt.verdicts == ["server crashed"]
    assert "crash" in hunt.severities
    assert hunt.summary["ended_early"] == ""
    assert left_in(server) == []


@pytest.mark.usefixtures("nothing_left")
def test_a_hunt_that_is_asked_to_end_reports(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path, "--runtime", "100")
    hunt.begin()
    hunt.process.send_signal(signal.SIGTERM)
    code = hunt.end()
    assert code == (1 if hunt.severities else 2)
    assert "ended early: the process was asked to end (SIGTERM)" in hunt.text
    assert "racehound clean" in hunt.text


def test_a_hunt_that_cannot_write_any_more_reports(tmp_path: Path, server: EmbeddedServer) -> None:
    hunt = Hunt(tmp_path, "--url", server.address.url(), file_kib=200)
    code = hunt.end()
    assert code == (1 if hunt.severities else 2)
    assert "ended early: " in hunt.text
    assert re.search("File too large|could be written", hunt.text)
    assert "=== Summary" in hunt.text
    assert left_in(server) == []
