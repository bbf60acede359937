"""Runs the client of a package registry."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from racehound.errors import UserError
from racehound.services.artifacts.artifact import INSTALL_LIMIT_S


def run_client(
    argv: Sequence[str],
    failure: str,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    limit_s: float = INSTALL_LIMIT_S,
) -> str:
    """Run a client and return its standard output. `env` is added to racehound's own environment.

    UserError when it fails, or takes longer than `limit_s` seconds: `failure`, followed by the last line of its output.
    """
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, errors="replace", check=False, timeout=limit_s, cwd=cwd,
            env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise UserError(f"{failure}: {argv[0]} did not end within {limit_s:g} s") from None
    except OSError as error:
        raise UserError(f"{failure}: {argv[0]}: {error.strerror}") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or f"{argv[0]} ended with exit code {done.returncode}").splitlines()
        raise UserError(f"{failure}: {said[-1].strip()}")
    return done.stdout
