"""The backend `process`: native processes of this machine. Each has a guard process, so that it ends with racehound."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path
from typing import Literal

from racehound.errors import TargetError
from racehound.services import proc
from racehound.services.artifacts.artifact import installed_path
from racehound.services.process import GuardedProcess
from racehound.services.service import Endpoints, Service, ServiceLayout


class NativeInstance:
    """See `Instance`. `removable`: directories that are removed when racehound has ended."""

    backend: Literal["process"] = "process"

    def __init__(self, service: Service, layout: ServiceLayout, removable: tuple[Path, ...]) -> None:
        self.service = service
        self.access = layout.access
        self._layout = layout
        self._removable = removable
        self._processes: list[GuardedProcess] = []

    @property
    def endpoints(self) -> Endpoints:
        return self._layout.endpoints

    @property
    def target_endpoints(self) -> Endpoints:
        return {**self._layout.endpoints, **self._layout.advertised}

    def prepare(self) -> None:
        for artifact in self.service.artifacts():
            installed_path(artifact)
        self._layout.directory.mkdir(mode=0o700, parents=True)
        self.service.prepare(self._layout)

    def start(self) -> None:
        if self.alive():
            return
        self.kill()
        self._processes = []
        for command in self.service.commands(self._layout):
            process = GuardedProcess(
                dataclasses.replace(
                    command, log=command.log or self._layout.log, cwd=command.cwd or self._layout.directory,
                    remove_when_orphaned=self._removable,
                )
            )  # fmt: skip
            process.start()
            self._processes.append(process)

    def alive(self) -> bool:
        return bool(self._processes) and all(process.poll() is None for process in self._processes)

    def exit_summary(self) -> str:
        ended = [(process.pid, process.poll()) for process in self._processes]
        said = [f"process {pid} {_in_words(code)}" for pid, code in ended if code is not None]
        return ", ".join(said) or "not started"

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.stop()

    def kill(self) -> None:
        for process in reversed(self._processes):
            process.kill()

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def memory_mib(self) -> float:
        return sum(proc.memory_kib(pid) for pid in self._pids()) / 1024

    def log(self, lines: int) -> list[str]:
        if not self._layout.log.exists():
            return []
        return self._layout.log.read_text(errors="replace").splitlines()[-lines:]

    def ports(self) -> list[str]:
        return proc.listening(self._pids())

    def _pids(self) -> list[int]:
        return [pid for process in self._processes if process.poll() is None for pid in proc.tree(process.pid)]

    def _signal(self, number: signal.Signals) -> None:
        if not self.alive():
            raise TargetError(f"{self.service.name} does not run")
        for pid in self._pids():
            proc.send(pid, number)


def _in_words(returncode: int | None) -> str:
    if returncode is not None and returncode < 0:
        return f"was ended by {signal.Signals(-returncode).name}"
    return f"ended with exit code {returncode}"
