"""Ends a docker project: containers outlive whoever started them, so something must end them when racehound is gone.

Run as a program (`python -I -S docker_end.py DOCKER PROJECT READY`) under a warden, it writes a line into the FIFO `READY` and
waits for its stop signal, which comes when racehound is gone or the warden itself is killed. Then it ends the project. It needs
nothing but the standard library and no compose file, which may be gone by then.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

PROJECT_LABEL = "com.docker.compose.project"
"""Compose marks all that it makes with it."""
_LIMIT_S = 20.0
_SETTLE_S = 1.0


def end(docker: str, project: str) -> list[str]:
    """Kill and remove all containers of a project, with their volumes, then its networks; what docker said against it."""
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
    """Tell that the stop signal is awaited, await it, end the project."""
    docker, project, ready = sys.argv[1:]
    # Stays blocked: the warden may be killed meanwhile, and then the signal comes once more.
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
