"""Removes a docker project when racehound has ended: containers do not end with the process that started them.

A guard process runs it as a program (`python -I -S docker_end.py DOCKER PROJECT READY`). It writes a line into the FIFO `READY`
and waits for its stop signal, which comes when racehound has ended or the guard was killed. Then it removes the project. It uses
only the standard library, and not the compose file, which may have been removed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

PROJECT_LABEL = "com.docker.compose.project"
"""Compose sets this label on everything that it creates."""
_LIMIT_S = 20.0
_SETTLE_S = 1.0


def end(docker: str, project: str) -> list[str]:
    """Kill and remove all containers of a project, with their volumes, then its networks; returns docker's errors."""
    mark = ("--quiet", "--no-trunc", "--filter", f"label={PROJECT_LABEL}={project}")
    errors = []
    for listing, removal in (
        (("ps", "--all", *mark), ("rm", "--force", "--volumes")),
        (("network", "ls", *mark), ("network", "rm")),
    ):
        listed = _run(docker, *listing)
        ids = listed.stdout.split()
        done = _run(docker, *removal, *ids) if ids else listed
        if done.returncode != 0:
            errors.append(done.stderr.strip())
    return errors


def _run(docker: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [docker, *arguments]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=_LIMIT_S, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"{' '.join(command)} did not end within {_LIMIT_S:g} s")


def main() -> None:
    """Report that this process waits for the stop signal, wait for it, remove the project."""
    docker, project, ready = sys.argv[1:]
    # The signal stays blocked: when the guard is killed meanwhile, it comes a second time.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        os.write(os.open(ready, os.O_WRONLY | os.O_NONBLOCK), b"ready\n")
    except OSError:
        # Nobody reads: racehound is gone, and had nothing started.
        return
    signal.sigwait({signal.SIGTERM})
    errors = end(docker, project)
    # The engine may have been in the midst of what a `docker compose up` that died with racehound had asked of it.
    time.sleep(_SETTLE_S)
    for line in errors + end(docker, project):
        sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
