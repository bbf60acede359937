"""Running files: which failed, which are written wrongly, what is done when a service dies, and the report of it all."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from racehound.errors import TargetError
from racehound.report.junit import write_junit
from racehound.session import Outcome, ServerError, Session
from racehound.testdrive.runner import Result, Settings, Surroundings, read_script, run_scripts
from racehound.testdrive.script import Script


class EchoSession:
    """Succeeds without rows, unless the statement says `fail`."""

    pid = 0

    def __init__(self) -> None:
        self.closed = False

    def execute(self, sql: str) -> Outcome:
        return Outcome("error", error=ServerError("XX000", "it failed")) if "fail" in sql else Outcome("ok", "DONE")

    def cancel(self) -> None:
        """Nothing runs for long."""

    def reset(self) -> Outcome:
        return Outcome("ok")

    def close(self) -> None:
        self.closed = True


class Place:
    """Surroundings that remember what was done in them."""

    def __init__(self, tmp_path: Path) -> None:
        self.directory = tmp_path
        self.sessions: list[EchoSession] = []
        self.prepared: list[str] = []
        self.deaths: list[str] = []
        self.opened = 0

    def connect(self, _url: str) -> Session:
        self.sessions.append(EchoSession())
        return self.sessions[-1]

    def around(self) -> Surroundings:
        self.opened += 1
        return Surroundings(
            "postgres://x", self.connect, self.prepare, self.directory, {"testdrive.x": "y"}, deaths=lambda: self.deaths
        )

    def prepare(self, script: Script) -> None:
        self.prepared.append(Path(script.file).name)
        if "unprepared" in script.file:
            raise TargetError("cannot be cleaned")

    def write(self, name: str, text: str) -> str:
        (self.directory / name).write_bytes(text.encode())
        return str(self.directory / name)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def settings(**fields: object) -> Settings:
    given = {"timeout": 60.0, "initial_backoff": 0.0, "backoff_factor": 1.0, "max_errors": 10, "arguments": {"a": "b"}, **fields}
    return Settings(seed=7, **given)  # type: ignore[arg-type]


def run(place: Place, *files: str, tell: Callable[[str], object] = lambda _: None, **fields: object) -> list[Result]:
    scripts = [read_script(file, io.BytesIO(b"> SELECT 1\n")) for file in files]
    return list(run_scripts(scripts, settings(**fields), place.around, tell))


def verdicts(results: list[Result]) -> list[str]:
    return [result.verdict for result in results]


def test_each_file_runs_on_a_session_of_its_own_in_a_prepared_place(place: Place) -> None:
    said: list[str] = []
    files = place.write("a.td", "> SELECT '${testdrive.seed}${testdrive.x}${arg.a}'\n"), place.write("b.td", "> DROP fail\n")
    results = run(place, *files, tell=said.append)
    assert verdicts(results) == ["passed", "failed"]
    assert said == [f"{files[0]}: ok", results[1].text]
    assert "b.td:1:1: it failed" in results[1].text
    assert place.prepared == ["a.td", "b.td"]
    assert [session.closed for session in place.sessions] == [True, True]


def test_a_file_that_is_written_wrongly_stops_only_itself(place: Place) -> None:
    files = (place.write("a.td", "$ nope\n"), str(place.directory / "absent.td"), place.write("b.td", "> SELECT 1\n"),
             place.write("c.td", "> SELECT ${nope}\n"), place.write("d.td", "text before a command\n"))  # fmt: skip
    results = run(place, *files)
    assert verdicts(results) == ["broken", "broken", "passed", "broken", "broken"]
    assert "unknown action nope" in results[0].text
    assert "absent.td: No such file" in results[1].text
    assert place.prepared == ["b.td", "c.td"]


def test_nothing_is_started_for_files_that_cannot_run(place: Place) -> None:
    run(place, place.write("a.td", "$ nope\n"))
    assert place.opened == 0


def test_standard_input_is_a_file_too(place: Place) -> None:
    assert [(result.file, result.verdict) for result in run(place, "-")] == [("<stdin>", "passed")]


def test_so_many_failures_end_the_run(place: Place) -> None:
    said: list[str] = []
    files = [place.write(f"{n}.td", "> DROP fail\n") for n in range(4)]
    assert verdicts(run(place, *files, tell=said.append, max_errors=2)) == ["failed", "failed"]
    assert said[-1] == "stopped after 2 failed files"


def test_the_death_of_a_service_is_not_the_failure_of_the_target(place: Place) -> None:
    files = place.write("a.td", "> SELECT 1\n"), place.write("b.td", "> DROP fail\n"), place.write("c.td", "> SELECT 1\n")
    place.deaths = ["kafka has died: exit code 137"]
    results = run(place, *files)
    assert verdicts(results) == ["passed", "died"]
    assert results[1].text.split("\n")[:2] == [f"{files[1]}: stopped, because a service has died:", place.deaths[0]]
    assert "it failed" in results[1].text


def test_a_place_that_cannot_be_prepared_fails_the_file(place: Place) -> None:
    (result,) = run(place, place.write("unprepared.td", "> SELECT 1\n"))
    assert (result.verdict, result.text.split(": ", 1)[1]) == ("failed", "cannot be cleaned")
    assert place.sessions == []


def test_rewriting_keeps_links_permissions_and_the_rest_of_the_file(place: Place) -> None:
    file = Path(place.write("a.td", "\ufeff> SELECT 1\r\n1\r\n\r\n> SELECT 2\n> DROP fail\n"))
    file.chmod(0o640)
    link = place.directory / "link.td"
    link.symlink_to(file)
    (result,) = run(place, str(link), rewrites=True, timeout=0.05)
    assert result.verdict == "failed"
    assert result.text.endswith("link.td: rewrote what is expected at line 1")
    assert file.read_bytes() == "\ufeff> SELECT 1\r\n\r\n> SELECT 2\n> DROP fail\n".encode()
    assert (link.is_symlink(), file.stat().st_mode & 0o777) == (True, 0o640)
    assert sorted(path.name for path in place.directory.iterdir()) == ["a.td", "link.td"]


def test_the_report_has_a_case_for_each_file(place: Place) -> None:
    results = [
        Result("a.td", "passed", 1.25),
        Result("b.td", "failed", 0.5, "b.td:1:1: rows differ\n-1\n+\x00<&>\n"),
        Result("c.td", "broken", 0.0, "c.td: no"),
        Result("d.td", "died", 0.0, "d.td: dead"),
    ]
    path = place.directory / "report.xml"
    write_junit(path, results, {"seed": "7"})
    suite = ET.parse(path).getroot().find("testsuite")
    assert suite is not None
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "time")} == {
        "tests": "4", "failures": "1", "errors": "2", "time": "1.750",
    }  # fmt: skip
    assert [(each.get("name"), each.get("value")) for each in suite.iter("property")] == [("seed", "7")]
    a, b, c, d = suite.iter("testcase")
    assert (a.get("name"), a.get("time"), len(a)) == ("a.td", "1.250", 0)
    (failure,) = b
    assert (failure.tag, failure.get("message"), failure.text) == ("failure", "b.td:1:1: rows differ",
                                                                   "b.td:1:1: rows differ\n-1\n+\ufffd<&>\n")  # fmt: skip
    assert [(case[0].tag, case[0].get("type")) for case in (c, d)] == [("error", "broken"), ("error", "died")]
