"""Runs the command `docker` of this machine, and checks for its prerequisites."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess

import msgspec

from racehound.errors import TargetError, UserError

_LIMIT_S = 60.0
"""Seconds that one command may take. To end a container in order takes some five, all others less than one."""
_USED = re.compile(r"\s*([\d.]+)([KMGT]i)?B")
_MIB = {None: 2**-20, "Ki": 2**-10, "Mi": 1.0, "Gi": 2.0**10, "Ti": 2.0**20}


class State(msgspec.Struct, rename="pascal"):
    """The state of a container in the output of `docker container inspect`."""

    status: str
    exit_code: int
    error: str
    """Why it could not be started."""
    oom_killed: bool = msgspec.field(name="OOMKilled", default=False)


class Binding(msgspec.Struct, rename="pascal"):
    """An address of this machine that leads to a port of a container."""

    host_ip: str
    host_port: str


class Network(msgspec.Struct, rename="pascal"):
    """The published addresses of each port of a container; None for a port that is not published."""

    ports: dict[str, list[Binding] | None]


class Inspected(msgspec.Struct, rename="pascal"):
    """The part of the output of `docker container inspect` that racehound uses."""

    state: State
    network_settings: Network


@dataclasses.dataclass(frozen=True)
class Docker:
    """The program `docker` at a path."""

    path: str

    def run(self, *arguments: str, limit_s: float = _LIMIT_S, merged: bool = False) -> subprocess.CompletedProcess[str]:
        """Run it. `merged`: standard error is part of standard output. TargetError when it takes longer than the limit."""
        try:
            return subprocess.run(
                [self.path, *arguments], text=True, errors="replace", check=False, timeout=limit_s, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise TargetError(f"docker {arguments[0]} did not end within {limit_s:g} s") from None

    def check(self) -> None:
        """UserError when there is no engine, or when it runs on another machine."""
        done = self.run("version", "--format", "{{.Server.Version}}")
        if done.returncode != 0:
            raise UserError(f"the backend docker reaches no Docker engine: {last_line(done)}")
        # Ports are published on the loopback interface of the engine's machine, which must be this one.
        host = self.run("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").stdout.strip()
        if not host.startswith("unix://"):
            raise UserError(f"the backend docker needs an engine on this machine, and docker uses {host or 'an unknown one'}")

    def check_compose(self) -> None:
        """UserError when the plugin Docker Compose is missing."""
        if self.run("compose", "version").returncode != 0:
            raise UserError("the backend docker needs Docker Compose, and `docker compose version` fails: install its plugin")

    def has_image(self, image: str) -> bool:
        """Whether the engine has the image."""
        return self.run("image", "inspect", "--format", "{{.Id}}", image).returncode == 0

    def inspect(self, container: str) -> Inspected | str:
        """The state of a container, or the reason why docker does not show it."""
        done = self.run("container", "inspect", "--format", "{{json .}}", container)
        return msgspec.json.decode(done.stdout, type=Inspected) if done.returncode == 0 else last_line(done)

    def memory_mib(self, container: str) -> float:
        """The memory that a container uses; 0 when it does not run."""
        used = _USED.match(self.run("stats", "--no-stream", "--format", "{{.MemUsage}}", container).stdout)
        return float(used[1]) * _MIB[used[2]] if used else 0.0

    def log(self, container: str, lines: int) -> list[str]:
        """The last lines of a container's output."""
        return self.run("logs", "--tail", str(lines), container, merged=True).stdout.splitlines()


def find() -> Docker:
    """The docker command on the path. UserError when there is none."""
    path = shutil.which("docker")
    if path is None:
        raise UserError("the backend docker needs the command docker, which is not on the path: install Docker, or use process")
    return Docker(path)


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """The last line of a failed command's output, in which docker writes the reason."""
    said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return said[-1] if said else f"exit code {done.returncode}"
