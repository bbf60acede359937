"""The command that reproduces a finding."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from racehound.data.finding import Finding
from racehound.data.program import Program
from racehound.data.schedule import print_schedule

_LONE_SCRIPTS = ("setup", "check", "teardown")


def reproduction_command(run: Path, finding: Finding, program: Program, facts: dict[str, Any]) -> str:
    """`facts`: the contents of run.json. A finding of an exploration is reproduced by its schedule, any other by its program."""
    url = ["--url", facts["url"]] if facts.get("url") else []
    if not finding.schedule or not facts.get("scripts"):
        return shlex.join(["racehound", "replay", str(run / "findings" / finding.id), *url])
    scripts = facts["scripts"]
    sessions, lone = scripts[: len(program.sessions)], iter(scripts[len(program.sessions) :])
    parts = zip(_LONE_SCRIPTS, (program.setup, program.check, program.teardown), strict=True)
    options = [word for name, steps in parts if steps for word in (f"--{name}", next(lone, "…"))]
    release = ["--release", facts["release"]] if facts.get("release") else []
    database = ["--target", facts["target"]] if facts.get("target") else []
    return shlex.join(
        ["racehound", "explore", *sessions, *options, *release, *url, "--replay", print_schedule(finding.schedule), *database]
    )
