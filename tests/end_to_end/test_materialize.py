"""`racehound run materialize` as a user types it, on the zoo as a server of its own, with real services around it."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from racehound.services.backends.instance import Instance
from racehound.services.embedded.server import EmbeddedServer
from tests.end_to_end.command import COMMAND, racehound

ALONE = "Table,View,MaterializedView,DefaultIndex,LoadGeneratorSource,WebhookSource"
TEN = f"{ALONE},UpsertSource,PostgresSource,MySqlSource,KafkaSink"
MUCH = 20_000
"""Bytes of history after which a hunt is in its midst."""
SCENARIOS = ("subsequent", "subsequent-chain", "concurrent")

Options = list[str]


@contextlib.contextmanager
def zoo(*defects: str) -> Iterator[Options]:
    """A zoo; the options by which `run` finds it."""
    command = [sys.executable, "-m", "racehound_zoo", *(word for name in defects for word in ("--defect", name))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [line.split()[-1] for _, line in zip(range(5), process.stdout, strict=False)]
        names = ("url", "materialize-internal-url", "materialize-http-url", "materialize-internal-http-url", "materialize-log")
        try:
            yield [word for name, value in zip(names, told, strict=True) for word in (f"--{name}", value)]
        finally:
            process.send_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def sound() -> Iterator[Options]:
    """A zoo without defects."""
    with zoo() as options:
        yield options


@pytest.fixture(scope="module")
def services(service: Callable[[str], Instance]) -> Options:
    """Options that name real services."""
    found: dict[str, str] = {}
    for name in ("kafka", "schema-registry", "postgres", "mysql"):
        instance = service(name)
        found |= instance.service.variables(instance.access)
    if "racehound.postgres-url" in found:
        url = found["racehound.postgres-url"].partition("?")[0]
        found["racehound.postgres-url"] = url.replace("@", f":{found['racehound.postgres-password']}@")
    options = {
        "--kafka-addr": "testdrive.kafka-addr",
        "--schema-registry-url": "testdrive.schema-registry-url",
        "--postgres-url": "racehound.postgres-url",
        "--mysql-url": "racehound.mysql-url",
        "--mysql-password": "arg.mysql-root-password",
    }
    return [word for option, variable in options.items() if found.get(variable) for word in (option, found[variable])]


def names_left(target: Options) -> list[str]:
    """What bears the id of a run in the environment."""
    query = "SELECT name FROM mz_databases UNION ALL SELECT name FROM mz_clusters UNION ALL SELECT name FROM mz_roles"
    with psycopg.connect(target[3], autocommit=True) as session:
        return [name for (name,) in session.execute(query).fetchall() if re.match("rh[0-9a-f]{8}_", name)]


def summary(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return content


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_ten_kinds_in_every_scenario_with_real_services(
    sound: Options, services: Options, scenario: str, tmp_path: Path
) -> None:
    hunt = ("--scenario", scenario, "--kinds", TEN, "--num-objects", "9", "--repetitions", "3", "--upsert-records", "1000")
    done = racehound(
        "run", "materialize", *sound, *services, *hunt, "--seed", "11", "--runtime", "25", "--quiet", "--out", "out", cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = summary(tmp_path / "out")
    assert told["repetitions"] >= 3
    assert told["findings"] == []
    assert names_left(sound) == []
    assert_no_password_in(tmp_path / "out")


def assert_no_password_in(run: Path) -> None:
    """No file has a password: those that racehound draws have 32 hexadecimal digits."""
    programs = 0
    for path in filter(Path.is_file, run.rglob("*")):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        programs += b"${racehound.source-password}" in content
        assert re.findall(rb"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])", content) == [], path
    assert programs, "no program has made a role"


def test_a_seeded_race_is_found_and_replayed(tmp_path: Path) -> None:
    hunt = ("--kinds", "Table,View,MaterializedView", "--seed", "1", "--repetitions", "10", "--runtime", "60")
    only = ("--max-findings", "1", "--reduce", "0", "--quiet", "--out", "out")
    with zoo("dropped-dependency") as target:
        found = racehound("run", "materialize", *target, *hunt, *only, cwd=tmp_path)
        assert found.returncode == 1, found.stdout + found.stderr
        finding = summary(tmp_path / "out")["findings"][0]
        assert (finding["oracle"], finding["severity"], finding["database"]) == ("health", "corruption", "Materialize")
        again = racehound("replay", "out", *target, "--repetitions", "20", cwd=tmp_path)
        assert again.returncode == 1, again.stdout + again.stderr
        assert finding["id"] in again.stdout


@pytest.mark.leftovers
def test_what_a_killed_run_has_left_is_removed_and_nothing_else(sound: Options, tmp_path: Path) -> None:
    with psycopg.connect(sound[3], autocommit=True) as operator:
        before = operator.execute("SHOW max_tables").fetchone()
        operator.execute("CREATE DATABASE rh_not_a_run")
        hunt = [*COMMAND, "run", "materialize", *sound, "--kinds", ALONE, "--out", str(tmp_path / "out"), "--quiet"]
        running = subprocess.Popen(hunt, cwd=tmp_path, stdout=subprocess.DEVNULL)
        while not any(path.stat().st_size > MUCH for path in (tmp_path / "out/history").glob("*")):
            assert running.poll() is None
            time.sleep(0.01)
        running.kill()
        running.wait()
        assert names_left(sound) != []
        assert operator.execute("SHOW max_tables").fetchone() != before
        tried = racehound("clean", *sound[:4], "--dry-run", cwd=tmp_path)
        assert "would remove database rh" in tried.stdout
        done = racehound("clean", *sound[:4], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert names_left(sound) == []
        assert operator.execute("SHOW max_tables").fetchone() == before
        assert operator.execute("SELECT 1 FROM mz_databases WHERE name = 'rh_not_a_run'").fetchone()
        operator.execute("DROP DATABASE rh_not_a_run")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--url", "postgres://materialize@127.0.0.1:1/materialize"], ("127.0.0.1",)),
        (["--url", "this is no address"], ("--url",)),
        (["--kafka-addr", "nowhere"], ("--kafka-addr", "HOST:PORT")),
        (["--postgres-url", "mysql://root@localhost"], ("--postgres-url", "postgres://USER@HOST:PORT")),
        (["--kinds", "Elephant"], ("Elephant",)),
        (["--materialize-log", "missing.log"], ("--materialize-log", "missing.log")),
    ],
)
def test_bad_input_is_one_line(options: Options, words: tuple[str, ...], tmp_path: Path) -> None:
    done = racehound("run", "materialize", *options, "--out", "out", cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert all(word in line for word in words), done.stderr
    assert not (tmp_path / "out").exists()


def test_a_server_that_is_no_materialize_is_refused(embedded_server: EmbeddedServer, tmp_path: Path) -> None:
    done = racehound("run", "materialize", "--url", embedded_server.address.url("postgres"), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip() == "racehound: the server is not Materialize: it has no function mz_version()"


def test_options_of_another_target_are_refused(tmp_path: Path) -> None:
    done = racehound("run", "postgres", "--upsert-records", "5", cwd=tmp_path)
    assert done.returncode == 2
    assert "--upsert-records" in done.stderr
