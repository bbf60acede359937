"""Options of commands that have commands of their own, from a TOML file."""

from __future__ import annotations

from pathlib import Path

import pytest

from racehound.cli.config import read_config
from racehound.cli.main import COMMANDS
from racehound.errors import UserError


def read(directory: Path, text: str) -> dict[str, dict[str, object]]:
    (directory / "racehound.toml").write_text(text)
    return read_config(str(directory / "racehound.toml"), COMMANDS)


def test_a_group_takes_its_own_options_and_those_of_its_commands(tmp_path: Path) -> None:
    matrix = read(tmp_path, "[matrix]\nservers = 1\ntimes = 3\n")["matrix"]
    assert matrix["servers"] == 1
    assert matrix["again"] == {"servers": 1, "times": 3}


def test_an_option_that_neither_the_group_nor_its_commands_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="matrix has no option 'severs'"):
        read(tmp_path, "[matrix]\nsevers = 1\n")
