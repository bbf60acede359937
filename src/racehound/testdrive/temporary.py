"""The temporary directory of a script, and the files in it that actions name."""

from __future__ import annotations

from pathlib import Path

from racehound.testdrive.errors import ActionError
from racehound.testdrive.state import State


def temporary_file(name: str, state: State) -> Path:
    """The path of that file, which need not exist. ValueError for a path that leads out of the directory."""
    if state.context.temp_dir is None:
        raise ActionError("no temporary directory is configured")
    if "/" in name or name in {"", ".", ".."}:
        raise ValueError(f"the path {name!r} must be a plain file name, without a separator")
    return state.context.temp_dir / name
