"""The command as a user types it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COMMAND = (sys.executable, "-m", "racehound")


def racehound(
    *arguments: str | Path, cwd: Path, timeout: float = 120, variables: dict[str, str] | None = None, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it to its end in a directory."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("RACEHOUND_") or k == "RACEHOUND_CACHE"},
        **(variables or {}),
    }
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        timeout=timeout,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        input=text,
    )
