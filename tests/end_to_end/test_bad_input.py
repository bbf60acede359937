"""Bad input: one clear line, exit code 2, nothing left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.command import racehound

CASES = {
    "scenario": (("run", "--scenario", "chaotic"), "chaotic"),
    "pairs with a seed": (("run", "--scenario", "pairs", "--seed", "3"), "--seed means nothing"),
    "pairs elsewhere": (("run", "materialize", "--scenario", "pairs"), "lock-step"),
    "pairs of programs": (("print", "--scenario", "pairs"), "pairs"),
    "kind": (("run", "--kinds", "Table,Chair"), "unknown kind 'Chair'"),
    "no base": (("run", "--kinds", "Index"), "base object"),
    "target": (("run", "oracle"), "unknown database 'oracle'"),
    "release text": (("run", "--release", "new"), "new"),
    "release absent": (("run", "--release", "17.99"), "17.99"),
    "old release": (("run", "--release", "9.6"), "9.6"),
    "seed text": (("run", "--seed", "seven"), "seven"),
    "negative seed": (("print", "--seed", "-1"), "-1"),
    "negative runtime": (("run", "--runtime", "-5"), "-5"),
    "no objects": (("run", "--num-objects", "0"), "num-objects"),
    "address nobody listens on": (("run", "--url", "postgres://nobody@127.0.0.1:1/x"), "cannot connect"),
    "address that is none": (("run", "--url", "port=x y z"), "connection string"),
    "release and address": (("run", "--release", "17.4", "--url", "host=x"), "--release"),
    "unknown option": (("run", "--speed", "3"), "--speed"),
    "unknown command": (("hunt",), "hunt"),
    "missing baseline": (("run", "--baseline", "absent.toml"), "absent.toml"),
    "missing config": (("--config", "absent.toml", "run"), "absent.toml"),
    "out below a file": (("run", "--out", "a-file/run"), "--out"),
    "out is a run already": (("run", "--out", "taken"), "taken"),
    "replay of nothing": (("replay", "."), "neither a run directory nor a finding"),
    "findings of nothing": (("findings", "absent"), "absent"),
    "missing script": (("testdrive", "absent.td"), "absent.td"),
    "broken script": (("testdrive", "broken.td"), "broken.td:2:"),
    "binary script": (("testdrive", "binary.td"), "binary.td"),
    "bad variable": (("testdrive", "--var", "x", "fine.td"), "NAME=VALUE"),
    "bad duration": (("testdrive", "--default-timeout", "soon", "fine.td"), "soon"),
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "a-file").write_text("")
    (tmp_path / "taken" / "history").mkdir(parents=True)
    (tmp_path / "broken.td").write_text("# fine so far\n$ no-such-action\n")
    (tmp_path / "binary.td").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "fine.td").write_text("> SELECT 1\n1\n")
    return tmp_path


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("case", CASES)
def test_one_line_and_exit_code_2(case: str, directory: Path) -> None:
    if case == "release absent":
        pytest.importorskip("shutil").which("mvn") or pytest.skip("needs mvn (apt-get install maven) to ask for the release")
    arguments, complaint = CASES[case]
    before = sorted(directory.rglob("*"))
    ended = racehound(*arguments, cwd=directory)
    assert ended.returncode == 2, ended
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1, ended.stderr
    assert complaint in lines[0]
    assert lines[0].startswith("racehound: ")
    assert "Traceback" not in ended.stdout + ended.stderr
    if case not in ("address nobody listens on", "address that is none", "release absent"):
        assert sorted(directory.rglob("*")) == before


def test_a_misspelt_key_in_the_configuration_is_refused(tmp_path: Path) -> None:
    (tmp_path / "racehound.toml").write_text("[run]\nrun-time = 3\n")
    ended = racehound("run", cwd=tmp_path)
    assert ended.returncode == 2
    assert "run has no option 'run-time'" in ended.stderr
