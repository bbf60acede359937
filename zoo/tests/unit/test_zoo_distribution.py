"""The distribution racehound-zoo: its version and its dependencies."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import racehound
import racehound_zoo

ROOT = Path(__file__).parents[3]


def requirements(path: str) -> dict[str, str]:
    """The runtime dependencies that a pyproject.toml declares, by name."""
    project = tomllib.loads((ROOT / path).read_text(encoding="utf-8"))["project"]
    extras = project.get("optional-dependencies", {})
    lines = [*project["dependencies"], *extras.get("services", [])]
    return {name: bound for line in lines for name, bound in re.findall(r"^([\w.-]+(?:\[\w+\])?)(.*)$", line)}


def test_both_distributions_have_one_version() -> None:
    assert racehound_zoo.__version__ == racehound.__version__
    assert requirements("zoo/pyproject.toml")["racehound[services]"] == f">={racehound.__version__}"


def test_every_dependency_has_a_lower_bound() -> None:
    assert all(bound.startswith(">=") for bound in requirements("zoo/pyproject.toml").values())


def test_racehound_needs_nothing_that_only_the_emulator_uses() -> None:
    assert requirements("pyproject.toml").keys().isdisjoint({"mysql-replication", "pygwire", "racehound-zoo"})
    imports = re.compile(r"^\s*(?:from|import) (?:racehound_zoo|pygwire|pymysqlreplication)\b", re.MULTILINE)
    found = [path for path in (ROOT / "src").rglob("*.py") if imports.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_the_emulator_is_typed() -> None:
    assert Path(racehound_zoo.__file__).with_name("py.typed").is_file()
