"""Files of the repository that no program of ours reads: workflows, forms, the changelog's entries, lists in pyproject.toml."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FORGE = ROOT / ".github"
SCHEMAS = {
    "github-workflows": tuple(sorted((FORGE / "workflows").iterdir())),
    "github-issue-forms": tuple(path for path in sorted((FORGE / "ISSUE_TEMPLATE").iterdir()) if path.name != "config.yml"),
    "github-issue-config": (FORGE / "ISSUE_TEMPLATE/config.yml",),
}
CHANGE = re.compile(r"(\d+|\+[a-z0-9-]+)\.(added|changed|deprecated|removed|fixed|security)\.md")


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def complaints(schema: str, *files: Path) -> str:
    """What is wrong with files by a schema that comes with check-jsonschema; empty when nothing is."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_for_the_forge_have_the_form_that_it_reads(schema: str) -> None:
    assert SCHEMAS[schema]
    assert complaints(schema, *SCHEMAS[schema]) == ""


def test_a_workflow_with_a_wrong_key_would_be_noticed(tmp_path: Path) -> None:
    text = (FORGE / "workflows/ci.yml").read_text(encoding="utf-8")
    wrong = tmp_path / "ci.yml"
    wrong.write_text(text.replace("runs-on:", "runs-at:"), encoding="utf-8")
    assert "runs-at" in complaints("github-workflows", wrong)


def test_ci_runs_each_python_that_the_package_names() -> None:
    workflow = (FORGE / "workflows/ci.yml").read_text(encoding="utf-8")
    matrix = re.search(r"python-version: \[(.*)\]", workflow)
    assert matrix
    versions = re.findall(r'"(3\.\d+)"', matrix[1])
    project = pyproject()["project"]
    prefix = "Programming Language :: Python :: "
    assert versions == [each.removeprefix(prefix) for each in project["classifiers"] if each.startswith(f"{prefix}3.")]
    assert project["requires-python"] == f">={versions[0]}"


def test_files_for_ci_hold_no_addresses() -> None:
    for path in (*SCHEMAS["github-workflows"], ROOT / ".ci/run"):
        assert "://" not in path.read_text(encoding="utf-8"), path


def test_every_make_target_that_is_named_exists_and_each_is_explained() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert phony
    targets = set(phony[1].split())
    for path in (*SCHEMAS["github-workflows"], ROOT / ".ci/run"):
        called = set(re.findall(r"^(?:\s*- run: )?make (\w+)", path.read_text(encoding="utf-8"), re.M))
        assert called <= targets, path
    explained = set(re.findall(r"^\| `make (\w+)` \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M))
    # These two are parts of `make test`.
    assert explained == targets - {"services", "browser"}


def test_the_modules_that_mutants_are_made_of_exist() -> None:
    settings = pyproject()["tool"]["mutmut"]
    named = [*settings["only_mutate"], *settings["pytest_add_cli_args_test_selection"]]
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_dependency_has_a_pin() -> None:
    """`make` installs exact versions: what is not in constraints.txt would change from day to day."""
    project = pyproject()["project"]
    wanted = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    pinned = {_plain(line.partition("==")[0]) for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()}
    names = {_plain(re.split(r"[\[<>=]", each)[0]) for each in wanted}
    assert names - pinned == set()


def _plain(name: str) -> str:
    """A package's name in the one form in which names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def test_entries_of_the_next_release_have_names_that_towncrier_knows() -> None:
    names = {path.name for path in (ROOT / "changes").iterdir()} - {"README.md"}
    assert {name for name in names if not CHANGE.fullmatch(name)} == set()


def test_a_release_moves_the_entries_into_the_changelog(tmp_path: Path) -> None:
    for name in ("CHANGELOG.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "changes").mkdir()
    (tmp_path / "changes/README.md").write_text("not an entry\n", encoding="utf-8")
    (tmp_path / "changes/4711.added.md").write_text("Something that users see.\n", encoding="utf-8")
    (tmp_path / "changes/+other.fixed.md").write_text("Something that was wrong.\n", encoding="utf-8")
    command = [sys.executable, "-m", "towncrier", "build", "--yes", "--version", "9.8.7", "--date", "2031-02-03"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    section = (
        "\n## [9.8.7] – 2031-02-03\n\n"
        "### Added\n\n- Something that users see. (#4711)\n\n### Fixed\n\n- Something that was wrong.\n\n"
    )
    before, after = ((each / "CHANGELOG.md").read_text(encoding="utf-8") for each in (ROOT, tmp_path))
    assert section in after
    assert after.replace(section, "", 1) == before
    assert [path.name for path in (tmp_path / "changes").iterdir()] == ["README.md"]
