"""An instance: one service of a composition, run by some backend."""

from __future__ import annotations

from typing import Literal, Protocol, get_args

from racehound.services.service import Endpoints, Service

BackendName = Literal["process", "docker", "external"]
BACKENDS: tuple[BackendName, ...] = get_args(BackendName)


class Instance(Protocol):
    """One running, stopped or not yet started service. Used by one thread at a time, but for `alive`, `memory_mib` and `log`."""

    @property
    def service(self) -> Service: ...

    @property
    def backend(self) -> BackendName: ...

    @property
    def endpoints(self) -> Endpoints:
        """Where clients on this machine reach it."""

    @property
    def target_endpoints(self) -> Endpoints:
        """Where a target reaches it that is run by the same backend; in containers these are other names and ports."""

    def prepare(self) -> None:
        """Configuration and initial data; TargetError when that fails, UserError when something is not installed."""

    def start(self) -> None:
        """Start it, also again after `kill`; it need not be ready when this returns. TargetError when it cannot be started."""

    def alive(self) -> bool:
        """Whether all its processes run; it need not be ready. Always true for what is not ours."""

    def epitaph(self) -> str:
        """How it ended, in a few words, when it is not alive."""

    def stop(self) -> None:
        """End it in order; returns when all of it is gone."""

    def kill(self) -> None:
        """End it as a crash does."""

    def pause(self) -> None:
        """Freeze it where it stands, all its processes."""

    def resume(self) -> None:
        """Let a frozen one go on."""

    def memory_mib(self) -> float:
        """Memory of all its processes, shared pages divided among those that share them; 0 where that cannot be seen."""

    def log(self, lines: int) -> list[str]:
        """The last lines of its output."""

    def ports(self) -> list[str]:
        """`HOST:PORT` of everything that its processes listen on; empty where that cannot be seen."""
