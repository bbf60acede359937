"""Start-up: what is not loaded costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "httpx", "importlib.metadata", "msgspec", "psycopg", "racehound.api", "racehound.databases", "racehound.loops",
    "racehound.services", "racehound.testdrive", "regex", "rich",
}  # fmt: skip


def loaded_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint('loaded:', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("loaded: ")[2].split())


@pytest.mark.parametrize(
    "statement",
    [
        "from racehound.cli.main import run; run(['--help'])",
        "from racehound.cli.main import run; run(['--version'])",
        "from racehound.cli.main import run; run(['report', '--help'])",
        "import racehound",
    ],
)
def test_nothing_heavy_is_loaded(statement: str) -> None:
    assert not loaded_after(statement) & HEAVY


def test_pytest_loads_no_more_than_the_plugin_itself() -> None:
    """pytest itself loads `importlib.metadata`, and rich where it is installed."""
    assert not loaded_after("import pytest, racehound.pytest_plugin") & (HEAVY - {"importlib.metadata", "rich"})


def test_only_the_module_of_the_command_is_loaded() -> None:
    loaded = loaded_after("from racehound.cli.main import run; run(['findings', '--help'])")
    commands = {name for name in loaded if name.startswith("racehound.cli.") and name.endswith("_command")}
    assert commands == {"racehound.cli.findings_command"}
