"""The command that reproduces a finding."""

from __future__ import annotations

import shlex
from pathlib import Path

import msgspec

from racehound.data.finding import Finding
from racehound.data.program import ProgramSession, Step
from racehound.report.reproduction_command import reproduction_command
from tests.unit.programs import program

FINDING = Finding("contents", "wrong result", "x", "y", schedule=(1, 2, 1))


def test_a_finding_of_an_exploration_is_reproduced_by_its_schedule() -> None:
    steps = (Step("scripts", "prepare", "> SELECT 1\n"),)
    explored = msgspec.structs.replace(program(), sessions=(ProgramSession("1", ()), ProgramSession("2", ())), check=steps)
    facts = {"target": "h2", "scripts": ["a b.sql", "c.sql", "check.td"], "release": "18.3", "url": None}
    expected = "racehound explore 'a b.sql' c.sql --check check.td --release 18.3 --replay '1 2 1' --target h2"
    assert reproduction_command(Path("run"), FINDING, explored, facts) == expected


def test_a_finding_of_a_hunt_is_reproduced_by_its_program() -> None:
    command = reproduction_command(Path("a run"), FINDING, program(), {"target": "h2", "url": "db://h"})
    assert shlex.split(command) == ["racehound", "replay", f"a run/findings/{FINDING.id}", "--url", "db://h"]
