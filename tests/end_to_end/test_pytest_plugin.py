"""The pytest plugin, in test suites of its own: what a database project writes, run as it runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from racehound.services.embedded.server import EmbeddedServer

pytest_plugins = ["pytester"]

SCRIPTS = {
    "setup.sql": "CREATE TABLE account (amount int);\nINSERT INTO account VALUES (10);\n",
    "one.sql": "UPDATE account SET amount = 11;\n",
    "two.sql": "UPDATE account SET amount = 12;\n",
    "check.td": "> SELECT amount FROM account\n12\n",
}
"""One of the two orders ends with what the check does not want."""

EXPLORES = """
def test_accounts(racehound):
    racehound.explore("one.sql", "two.sql", setup="setup.sql", check="check.td").assert_clean()
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    for name, text in SCRIPTS.items():
        (pytester.path / name).write_text(text)
    return pytester


def run(suite: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    # Plugins of others, which take most of the time that pytest needs to start, and have no part in this.
    lean = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio")
    return suite.runpytest_subprocess(*lean, *arguments, timeout=120)


def runs(suite: pytest.Pytester) -> list[Path]:
    return sorted((suite.path / "racehound-runs").glob("*"))


def test_a_failure_says_the_seed_and_how_to_see_it_again(suite: pytest.Pytester) -> None:
    suite.makepyfile(EXPLORES)
    failed = run(suite)
    failed.assert_outcomes(failed=1)
    output = failed.stdout.str()
    (kept,) = runs(suite)
    assert "racehound: 1 finding in PostgreSQL" in output
    assert re.search(r"wrong result [0-9a-f]{10}, met once: ", output)
    seed = re.search(r"same seed: +pytest '(\S+)' --racehound-seed (\d+)", output)
    assert seed
    assert f"report:     racehound report {kept}" in output
    replay = re.search(r"replay: racehound (explore .*)", output)
    assert replay
    again = subprocess.run(
        f"{sys.executable} -m racehound {replay[1]}", shell=True, cwd=suite.path, capture_output=True, check=False
    )
    assert again.returncode == 1, again.stderr
    same = run(suite, seed[1], "--racehound-seed", seed[2])
    same.assert_outcomes(failed=1)
    assert f"--racehound-seed {seed[2]}" in same.stdout.str()


def test_what_is_clean_or_known_passes_and_leaves_nothing(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import json, pytest

        @pytest.mark.racehound(kinds=["Table"], scenario="subsequent", runtime=600, num_objects=2)
        def test_tables(racehound):
            hunted = racehound.hunt(num_objects=1, perturb=["cancel"])
            hunted.assert_clean()
            options = json.loads((hunted.directory / "run.json").read_bytes())["options"]
            assert options["runtime_s"] == 0.5  # the command line stands above the marker
            assert options["num_objects"] == 1  # and the call, too
            assert options["kinds"] == ["Table"]
            assert options["seed"] == hunted.seed == 3
            assert options["perturb"] == ["cancel"]

        @pytest.mark.racehound(baseline="known.toml")
        def test_accounts(racehound):
            racehound.explore("one.sql", "two.sql", setup="setup.sql", check="check.td").assert_clean()
    """)
    (suite.path / "known.toml").write_text('severities = ["wrong result"]\n')
    run(suite, "--racehound-runtime", "0.5", "--racehound-seed", "3").assert_outcomes(passed=2)
    assert runs(suite) == []
    assert not (suite.path / "racehound-runs").exists()


def test_workers_of_xdist_hunt_beside_each_other(suite: pytest.Pytester, embedded_server: EmbeddedServer) -> None:
    suite.makepyfile(EXPLORES + EXPLORES.replace("test_accounts", "test_accounts_again"))
    both = run(suite, "-n", "2", "--racehound-url", embedded_server.address.url("postgres"))
    both.assert_outcomes(failed=2)
    assert len(runs(suite)) == 2
    assert len(set(re.findall(r"--racehound-seed (\d+)", both.stdout.str()))) == 2


def test_mistakes_are_told(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import pytest
        from racehound.errors import UserError

        def test_kind(racehound):
            with pytest.raises(UserError, match="unknown kind 'Tabel'"):
                racehound.hunt(kinds=["Tabel"], runtime=1)

        def test_perturbation(racehound):
            with pytest.raises(UserError, match="there is no 'cancels'; there are: default, "):
                racehound.hunt(perturb=["cancels"], runtime=1)

        def test_option(racehound):
            with pytest.raises(TypeError, match="unknown option 'runtimes'; there are: target, "):
                racehound.hunt(runtimes=1)

        def test_script(racehound):
            with pytest.raises(UserError, match="none.sql"):
                racehound.explore("one.sql", "none.sql")
    """)
    run(suite, "-p", "no:xdist").assert_outcomes(passed=4)
    assert runs(suite) == []


def test_the_marker_is_known(suite: pytest.Pytester) -> None:
    run(suite, "--markers").stdout.fnmatch_lines(["@pytest.mark.racehound(*"])
