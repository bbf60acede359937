"""`racehound testdrive` as a user types it, on the embedded server."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from racehound.services.embedded.server import EmbeddedServer
from tests.end_to_end.command import racehound

ALL_VARIABLES = """\
> SELECT '${testdrive.seed} ${arg.a} ${testdrive.kafka-addr} ${testdrive.kafka-addr-resolved} ${testdrive.schema-registry-url}'
"7 b=c localhost:1 127.0.0.1:1 http://r:2/"
> SELECT '${testdrive.aws-endpoint} ${testdrive.aws-region} ${testdrive.aws-account} ${testdrive.aws-token}'
"http://s3:3 there 1 "
> SELECT '${testdrive.aws-access-key-id} ${testdrive.aws-secret-access-key}'
"me mine"
> SELECT '${testdrive.materialize-http-addr} ${testdrive.materialize-internal-http-addr} ${testdrive.materialize-user}'
"h:4 i:5 postgres"
> SELECT '${testdrive.materialize-sql-addr}' LIKE '127.0.0.1:%' AND '${testdrive.temp-dir}' LIKE '%/tmp-of-scripts'
true
"""
ALL_OPTIONS = (
    "--seed", "7", "--var", "a=b=c", "--kafka-addr", "localhost:1", "--kafka-option", "client.id=x",
    "--schema-registry-url", "http://r:2", "--aws-endpoint", "http://s3:3", "--aws-region", "there", "--aws-account", "1",
    "--aws-access-key-id", "me", "--aws-secret-access-key", "mine", "--materialize-http-url", "http://h:4",
    "--materialize-internal-http-url", "http://i:5", "--temp-dir", "tmp-of-scripts", "--consistency-checks", "disable",
)  # fmt: skip


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "fine.td").write_text("> CREATE TABLE t (a int)\n> INSERT INTO t VALUES (1)\n> SELECT a FROM t\n1\n")
    (tmp_path / "wrong.td").write_text("$ nop\n> SELECT 1 AS a UNION ALL SELECT 2\na\n---\n1\n3\n")
    (tmp_path / "broken.td").write_text("# fine so far\n$ nope\n")
    return tmp_path


@pytest.mark.usefixtures("nothing_left")
def test_files_run_each_in_an_empty_database_and_failures_are_shown(directory: Path) -> None:
    ended = racehound("testdrive", "--default-timeout", "1s", "fine.td", "wrong.td", "fine.td", cwd=directory)
    assert ended.returncode == 1, ended
    assert ended.stdout.split("\n")[:11] == [
        "fine.td: ok",
        "wrong.td:2:1: rows differ",
        "  |",
        "2 | > SELECT 1 AS a UNION ALL SELECT 2",
        "  | ^",
        "--- expected",
        "+++ actual",
        "@@ -1,2 +1,2 @@",
        " 1",
        "-3",
        "+2",
    ]
    assert "fine.td: ok\n3 files, 1 failed (--seed=" in ended.stdout


def test_a_file_that_is_written_wrongly_is_told_and_the_others_run(directory: Path) -> None:
    ended = racehound("testdrive", "broken.td", "fine.td", cwd=directory)
    assert ended.returncode == 2
    assert (
        "broken.td:2:1: unknown action nope\n  |\n2 | $ nope\n  | ^\nfine.td: ok\n2 files, 0 failed, 1 written wrongly"
        in ended.stdout
    )
    assert ended.stderr == "racehound: broken.td:2:1: unknown action nope\n"


@pytest.mark.parametrize("by", ["option", "variable", "configuration"])
def test_every_address_reaches_the_scripts(directory: Path, by: str) -> None:
    (directory / "a.td").write_text(ALL_VARIABLES)
    names = dict(zip(ALL_OPTIONS[::2], ALL_OPTIONS[1::2], strict=True))
    options: tuple[str, ...] = ()
    variables = {}
    if by == "option":
        options = ALL_OPTIONS
    elif by == "variable":
        variables = {f"RACEHOUND_{name[2:].upper().replace('-', '_')}": value for name, value in names.items()}
    else:
        lines = [
            f"{name[2:]} = {json.dumps([value] if name in ('--var', '--kafka-option') else value)}"
            for name, value in names.items()
        ]
        (directory / "racehound.toml").write_text("\n".join(["[testdrive]", *lines]))
    ended = racehound("testdrive", "--default-timeout", "1s", *options, "a.td", cwd=directory, variables=variables)
    assert ended.returncode == 0, ended


def test_standard_input_against_a_server_that_runs(directory: Path, embedded_server: EmbeddedServer, fresh_database: str) -> None:
    url = embedded_server.address.url(str(conninfo_to_dict(fresh_database)["dbname"]))
    for expected in ("1\n", "1\n1\n"):  # nothing is cleaned there
        text = "> CREATE TABLE IF NOT EXISTS t (a int)\n> INSERT INTO t VALUES (1)\n> SELECT a FROM t\n" + expected
        ended = racehound("testdrive", "--url", url, "--default-timeout", "1s", "-", cwd=directory, text=text)
        assert ended.returncode == 0, ended
    assert "<stdin>: ok" in ended.stdout


def test_a_shuffled_run_is_the_same_for_the_same_seed_and_may_be_cut(directory: Path) -> None:
    names = [f"{number}.td" for number in range(8)]
    for name in names:
        (directory / name).write_text("> SELECT 1\n1\n")
    orders = [
        racehound("testdrive", "--no-reset", "--shuffle-tests", "--max-tests", "6", "--seed", seed, *names, cwd=directory).stdout
        for seed in ("1", "1", "2")
    ]
    assert orders[0] == orders[1]
    assert orders[0].split("\n")[:6] != orders[2].split("\n")[:6]
    assert orders[0].count(": ok") == 6


def test_results_are_rewritten_once(directory: Path) -> None:
    before = (directory / "fine.td").read_bytes()
    for _ in range(2):
        ended = racehound("testdrive", "--default-timeout", "1s", "--rewrite-results", "wrong.td", "fine.td", cwd=directory)
        assert ended.returncode == 0, ended
        assert (directory / "wrong.td").read_text() == "$ nop\n> SELECT 1 AS a UNION ALL SELECT 2\na\n---\n1\n2\n"
    assert "rewrote" not in ended.stdout
    assert (directory / "fine.td").read_bytes() == before


def test_the_report_names_seed_and_target_without_its_password(
    directory: Path, embedded_server: EmbeddedServer, url_with_password: str
) -> None:
    address = embedded_server.address
    options = ("--url", url_with_password, "--seed", "7", "--default-timeout", "1s", "--junit-report", "out.xml")
    (directory / "ok.td").write_text('> SELECT 1\n1\n$ psql-execute command="SELECT 2 AS a"\n a\n---\n 2\n')
    ended = racehound("testdrive", *options, "ok.td", "wrong.td", "broken.td", cwd=directory)
    assert ended.returncode == 2, ended
    assert "sekret" not in (directory / "out.xml").read_text() + ended.stdout + ended.stderr
    root = ET.parse(directory / "out.xml").getroot()
    assert [(case.get("name"), [child.tag for child in case]) for case in root.iter("testcase")] == [
        ("ok.td", []), ("wrong.td", ["failure"]), ("broken.td", ["error"]),
    ]  # fmt: skip
    properties = {each.get("name"): each.get("value") for each in root.iter("property")}
    assert properties["seed"] == "7"
    assert f"{address.host}:{address.port}" in str(properties["target"])


BAD = {
    "kafka address": (("--kafka-addr", "somewhere"), "somewhere"),
    "kafka option": (("--kafka-option", "x"), "KEY=VALUE"),
    "registry": (("--schema-registry-url", "localhost:8081"), "http://HOST:PORT"),
    "endpoint": (("--aws-endpoint", "s3"), "http://HOST:PORT"),
    "http": (("--materialize-http-url", "ftp://x"), "http://HOST:PORT"),
    "checks": (("--consistency-checks", "sometimes"), "sometimes"),
    "checks of a target without them": (("--consistency-checks", "file"), "internal HTTP port"),
    "composition": (("--composition", "nobody"), "nobody"),
    "name of a composition": (("--composition", "No Body"), "No Body"),
    "standard input rewritten": (("--rewrite-results", "-"), "standard input"),
    "report nowhere": (("--junit-report", "absent/out.xml"), "absent"),
    "target and release": (("--url", "postgres://a", "--release", "17.4"), "--release"),
    "no target": (("--url", "port=x y z"), "--url"),
    "seed": (("--seed", "-1"), "-1"),
    "duration": (("--initial-backoff", "soon"), "soon"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line(directory: Path, case: str) -> None:
    options, complaint = BAD[case]
    ended = racehound("testdrive", *options, "fine.td", cwd=directory)
    assert ended.returncode == 2, ended
    (line,) = ended.stderr.splitlines()
    assert line.startswith("racehound: ")
    assert complaint in line
    assert ended.stdout == ""


def test_services_that_are_up_are_found_and_their_death_is_told(directory: Path) -> None:
    name = f"t{os.getpid()}"
    (directory / "there.td").write_text(
        "$ postgres-execute connection=${racehound.postgres-url}\nSELECT 1\n"
        "$ postgres-execute connection=postgres://postgres:postgres@postgres\nSELECT 1\n"
    )
    assert racehound("services", "up", "postgres", "--composition", name, cwd=directory).returncode == 0
    try:
        ended = racehound("testdrive", "--composition", name, "there.td", cwd=directory)
        assert ended.returncode == 0, ended
        killed = racehound("services", "fault", "postgres", "kill", "--composition", name, cwd=directory)
        assert killed.returncode == 0, killed
        ended = racehound("testdrive", "--composition", name, "there.td", "fine.td", cwd=directory)
        assert ended.returncode == 2, ended
        assert "there.td: stopped, because a service has died:\nservice postgres" in ended.stdout
        assert "fine.td: ok" not in ended.stdout
        assert "a service has died" in ended.stderr
    finally:
        assert racehound("services", "down", "--composition", name, cwd=directory).returncode == 0
