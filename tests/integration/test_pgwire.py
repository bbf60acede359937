"""Any server that speaks the PostgreSQL protocol: a PostgreSQL as an ordinary user, and the emulator of Materialize."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from racehound.services import credentials
from racehound.services.embedded.server import EmbeddedServer
from racehound.wire.session import LibpqSession
from tests.end_to_end.command import COMMAND, racehound

MUCH = 10_000
"""Bytes of history after which an exploration is in its midst."""
_numbers = itertools.count(1)

SETUP = (
    "CREATE TABLE account (id int, amount int);\nINSERT INTO account VALUES (1, 10);\nCREATE TABLE seen (who int, amount int);\n"
)
READ = "INSERT INTO seen SELECT {n}, amount FROM account;\n"
WRITE = "UPDATE account SET amount = (SELECT amount + 1 FROM seen WHERE who = {n});\n"
FILES = {
    "setup.sql": SETUP,
    "teardown.sql": "DROP TABLE account;\nDROP TABLE seen;\n",
    "add1.sql": (READ + WRITE).format(n=1),
    "add2.sql": (READ + WRITE).format(n=2),
    "added.td": "> SELECT amount FROM account\n12\n",
    "transaction.sql": "BEGIN;\nUPDATE account SET amount = amount + 1;\nCOMMIT;\n",
    "update.sql": "UPDATE account SET amount = amount + 1;\n",
    "zero.sql": "UPDATE account SET amount = 0;\nUPDATE account SET amount = 10;\n",
    "divide.sql": "SELECT 100 / amount FROM account;\n",
    "sleep.sql": "BEGIN;\nUPDATE account SET amount = 0;\nSELECT pg_sleep(600);\n",
    "nap.sql": "SELECT pg_sleep(0.7);\n",
    "subscribe.sql": "SUBSCRIBE TO account;\n",
    "end.sql": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'racehound % 2';\n",
    "select.sql": "SELECT amount FROM account;\nSELECT amount FROM account;\n",
}


@dataclasses.dataclass(frozen=True)
class Server:
    """A server as its user sees it, and who sees all that is on it."""

    url: str
    schemas: Callable[[], list[str]]

    def execute(self, sql: str) -> list[tuple[str | None, ...]]:
        """A statement as the user."""
        with contextlib.closing(LibpqSession.connect(self.url)) as session:
            outcome = session.execute(sql)
        assert outcome.ok, outcome
        return outcome.rows.cells if outcome.rows else []

    def left(self) -> list[str]:
        """What bears the id of a run."""
        return [name for name in self.schemas() if re.match("rh[0-9a-f]{8}_", name)]


@contextlib.contextmanager
def ordinary_user(server: EmbeddedServer, database: str, privilege: str) -> Iterator[Server]:
    """A user who is nothing but one with a privilege in a database. Afterwards nothing of a run may be there."""
    name = f"rider_{os.getpid()}_{next(_numbers)}"
    with contextlib.closing(LibpqSession.connect(database)) as admin:

        def must(sql: str) -> list[tuple[str | None, ...]]:
            outcome = admin.execute(sql)
            assert outcome.ok, outcome
            return outcome.rows.cells if outcome.rows else []

        password = credentials.draw()
        must(f"CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{password}'")
        must(f"GRANT CREATE ON {privilege} TO {name}")
        url = make_conninfo(database, user=name, password=password)
        found = Server(url, lambda: [row[0] or "" for row in must("SELECT nspname FROM pg_namespace")])
        yield found
        assert found.left() == []
        must(f"DROP OWNED BY {name} CASCADE")
        must(f"DROP ROLE {name}")


@pytest.fixture
def postgres(embedded_server: EmbeddedServer, fresh_database: str) -> Iterator[Server]:
    """A PostgreSQL, as a user who may make schemas."""
    with contextlib.closing(LibpqSession.connect(fresh_database)) as session:
        rows = session.execute("SELECT current_database()").rows
    assert rows is not None
    with ordinary_user(embedded_server, fresh_database, f"DATABASE {rows.cells[0][0]}") as found:
        yield found


@pytest.fixture
def restricted(embedded_server: EmbeddedServer, fresh_database: str) -> Iterator[Server]:
    """A PostgreSQL, as a user who may make tables in a schema that is there, and no schemas."""
    with ordinary_user(embedded_server, fresh_database, "SCHEMA public") as found:
        yield found


@pytest.fixture(scope="module")
def running_zoo() -> Iterator[str]:
    """The address of an emulator of Materialize."""
    with subprocess.Popen([sys.executable, "-m", "racehound_zoo"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield next(iter(process.stdout)).split()[-1]
        finally:
            process.send_signal(signal.SIGINT)


@pytest.fixture
def zoo(running_zoo: str) -> Iterator[Server]:
    """An emulator of Materialize, whose errors all have the same SQLSTATE. Afterwards nothing of a run may be there."""
    found = Server(running_zoo, lambda: [row[0] or "" for row in found.execute("SHOW SCHEMAS")])
    yield found
    assert found.left() == []


@pytest.fixture(params=["postgres", "zoo"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each of them."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A directory with all scripts."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def explore(cwd: Path, server: Server, *arguments: str, out: str = "out") -> subprocess.CompletedProcess[str]:
    around = ("--target", "pgwire", "--url", server.url, "--setup", "setup.sql", "--out", out)
    return racehound("explore", *arguments, *around, cwd=cwd)


def findings(cwd: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in sorted((cwd / "out" / "findings").glob("*/finding.json"))]


def classes(ended: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """How many schedules came to which outcome."""
    rows = re.findall(r"^(wrong|fine|fail|hang|unexplained|crash) +(\d+) ", ended.stdout, re.MULTILINE)
    counts: Counter[str] = Counter()
    for outcome, count in rows:
        counts[outcome] += int(count)
    return dict(counts)


def test_a_lost_update_is_found(server: Server, scripts: Path) -> None:
    ended = explore(scripts, server, "add1.sql", "add2.sql", "--check", "added.td")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert classes(ended) == {"wrong": 4, "fine": 2}, "both have read before one of them writes"
    assert [found["severity"] for found in findings(scripts)] == ["wrong result"]
    schedule = re.findall(r"wrong, .*?again: [^\n]* --replay '([12 ]+)'", ended.stdout, re.DOTALL)[0]
    again = explore(
        scripts, server, "add1.sql", "add2.sql", "--check", "added.td", "--replay", schedule, "--schedules", "5", out="again"
    )
    assert classes(again) == {"wrong": 5}


def test_a_statement_that_is_blocked_lets_the_others_go_on_and_is_no_hang(postgres: Server, scripts: Path) -> None:
    ended = explore(scripts, postgres, "transaction.sql", "update.sql", "--statement-limit", "2")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "4 schedules of 4 interleavings" in ended.stdout
    assert classes(ended) == {"fine": 4}
    again = explore(scripts, postgres, "transaction.sql", "update.sql", "--replay", "1 1 2 1", out="again")
    assert re.search(r"UPDATE account SET amount = amount \+ 1  blocked → ok$", again.stdout, re.MULTILINE), again.stdout


def test_a_slow_statement_of_a_slow_server_is_not_taken_for_blocked(postgres: Server, fresh_database: str, scripts: Path) -> None:
    took = re.compile(r"SELECT pg_sleep\(0\.7\) +(.*)$", re.MULTILINE)
    quick = explore(scripts, postgres, "nap.sql", "update.sql", "--replay", "1 2")
    assert took.findall(quick.stdout) == ["blocked → ok"]
    with contextlib.closing(LibpqSession.connect(fresh_database)) as admin:
        for sql in (
            "CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.2); END'",
            "CREATE EVENT TRIGGER slow ON ddl_command_start EXECUTE FUNCTION slow()",
        ):
            outcome = admin.execute(sql)
            assert outcome.ok, outcome
    slow = explore(scripts, postgres, "nap.sql", "update.sql", "--replay", "1 2", out="slow")
    assert took.findall(slow.stdout) == ["ok"]


def test_an_error_that_no_serial_order_gives_is_a_finding(postgres: Server, scripts: Path) -> None:
    ended = explore(scripts, postgres, "zero.sql", "divide.sql")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert classes(ended) == {"unexplained": 1, "fine": 2}
    assert [found["title"].split(",")[0] for found in findings(scripts)] == ["22012 division by zero"]


def test_where_all_errors_are_of_one_class_such_an_error_is_only_told(zoo: Server, scripts: Path) -> None:
    ended = explore(scripts, zoo, "zero.sql", "divide.sql")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert classes(ended) == {"fail": 1, "fine": 2}
    assert "session 2: XX000 division by zero" in ended.stdout


@pytest.mark.parametrize("other", ["update.sql", "nap.sql"])
def test_a_statement_that_hangs_is_one_finding_also_where_others_wait_for_it(postgres: Server, scripts: Path, other: str) -> None:
    ended = explore(scripts, postgres, "sleep.sql", other, "--statement-limit", "0.4", "--replay", "1 1 1 2")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    (found,) = findings(scripts)
    assert found["title"].startswith("SELECT did not end within 0.4 s: nothing else goes on")
    waiting = f"session 2 does not go on either: {FILES[other].strip().rstrip(';')}"
    assert (waiting in found["detail"]) == (other == "update.sql")


def test_a_statement_that_hangs_in_another_server(zoo: Server, scripts: Path) -> None:
    ended = explore(scripts, zoo, "subscribe.sql", "divide.sql", "--statement-limit", "0.5", "--replay", "1 2")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert [found["severity"] for found in findings(scripts)] == ["hang"]


def test_a_slow_statement_is_no_hang(postgres: Server, scripts: Path) -> None:
    ended = explore(scripts, postgres, "nap.sql", "update.sql", "--statement-limit", "0.5")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert classes(ended) == {"fine": 2}


def test_a_connection_that_somebody_ended_is_no_finding_and_the_next_schedule_goes_on(postgres: Server, scripts: Path) -> None:
    ended = explore(scripts, postgres, "end.sql", "select.sql")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert classes(ended) == {"fail": 2, "fine": 1}, "when the other session has done all, nobody notices"
    assert findings(scripts) == []
    assert "ended from outside: the server ended a session: " in ended.stdout


def test_a_script_passes_and_another_fails(server: Server, scripts: Path) -> None:
    (scripts / "good.td").write_text(
        "> CREATE SCHEMA own\n> CREATE TABLE own.one (a int)\n> INSERT INTO own.one VALUES (1)\n> SELECT a FROM own.one\n1\n"
        "> DROP SCHEMA own CASCADE\n"
    )
    (scripts / "bad.td").write_text("> SELECT 1\n2\n")
    passed = racehound("testdrive", "--target", "pgwire", "--url", server.url, "good.td", cwd=scripts)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    failed = racehound("testdrive", "--target", "pgwire", "--url", server.url, "--default-timeout", "1s", "bad.td", cwd=scripts)
    assert failed.returncode == 1, failed.stdout + failed.stderr


def begin(cwd: Path, server: Server, out: str) -> subprocess.Popen[bytes]:
    """An exploration that is in its midst."""
    words = ("explore", "add1.sql", "add2.sql", "--target", "pgwire", "--url", server.url, "--setup", "setup.sql", "--out", out)
    many = ("--replay", "1 1 2 2", "--schedules", "100000")
    running = subprocess.Popen([*COMMAND, *words, *many], cwd=cwd, stdout=subprocess.DEVNULL)
    while not any(path.stat().st_size > MUCH for path in (cwd / out / "history").glob("*")):
        assert running.poll() is None
        time.sleep(0.01)
    return running


def clean(cwd: Path, server: Server, *arguments: str) -> str:
    ended = racehound("clean", "--url", server.url, "--target", "pgwire", *arguments, cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_what_a_killed_run_has_left_is_removed_and_nothing_else(server: Server, scripts: Path) -> None:
    server.execute("CREATE SCHEMA rh_not_a_run")
    running = begin(scripts, server, "killed")
    running.kill()
    running.wait()
    left = server.left()
    # The one to work in is made anew for each schedule: it may just not have been there.
    assert len(left) in (1, 2)
    assert any(name.endswith("_owner") for name in left), "the one that says whose it is"
    assert all(f"would remove schema {name}" in clean(scripts, server, "--dry-run") for name in left)
    assert server.left() == left
    removed = clean(scripts, server)
    assert all(f"removed schema {name}" in removed for name in left)
    assert server.left() == []
    assert "rh_not_a_run" in server.schemas()
    server.execute("DROP SCHEMA rh_not_a_run")


def test_what_may_be_a_run_that_goes_on_is_left_alone(server: Server, scripts: Path) -> None:
    server.execute("CREATE SCHEMA rh12345678_1")
    assert "left alone schema rh12345678_1: whether the run is over cannot be known" in clean(scripts, server)
    assert server.left() == ["rh12345678_1"]
    running = begin(scripts, server, "on")
    assert "removed schema rh12345678_1" in clean(scripts, server, "--run", "rh12345678")
    deadline = time.monotonic() + 30
    while len(server.left()) < 2:  # while it makes its schema anew there is only the one that says whose it is
        assert time.monotonic() < deadline, "the run goes on"
        time.sleep(0.01)
    assert running.poll() is None
    running.send_signal(signal.SIGINT)
    assert running.wait() == 130


def test_a_user_who_may_make_no_schema_is_told_and_cleans_up_himself(restricted: Server, scripts: Path) -> None:
    arguments = ("add1.sql", "add2.sql", "--check", "added.td", "--teardown", "teardown.sql")
    ended = explore(scripts, restricted, *arguments)
    assert classes(ended) == {"wrong": 4, "fine": 2}, ended.stdout + ended.stderr
    assert "--- the run has no schema of its own (permission denied for database" in ended.stderr
    ended = explore(scripts, restricted, "add1.sql", "add2.sql", out="again")
    assert ended.returncode == 2
    assert '--setup: setup.sql:1:1: relation "account" already exists' in ended.stderr


def test_a_server_that_is_not_there_is_told_in_one_line(scripts: Path) -> None:
    ended = explore(scripts, Server("postgres://nobody@127.0.0.1:1/none", list), "add1.sql", "add2.sql")
    assert ended.returncode == 2
    assert ended.stderr.startswith("racehound: cannot connect to PostgreSQL: ")
    assert len(ended.stderr.splitlines()) == 1
