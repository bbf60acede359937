"""An instance: one service of a composition, run by a backend."""

from __future__ import annotations

from typing import Literal, Protocol, get_args

from racehound.services.service import Access, Endpoints, Service

BackendName = Literal["process", "docker", "external"]
BACKENDS: tuple[BackendName, ...] = get_args(BackendName)


class Instance(Protocol):
    """A service that is running, stopped or not yet started.

    It is used by one thread at a time, except for `alive`, `memory_mib` and `log`.
    """

    @property
    def service(self) -> Service: ...

    @property
    def backend(self) -> BackendName: ...

    @property
    def access(self) -> Access:
        """The addresses and the password for clients on this machine."""

    @property
    def endpoints(self) -> Endpoints:
        """The addresses for clients on this machine."""

    @property
    def target_endpoints(self) -> Endpoints:
        """The addresses for a target that is run by the same backend; in containers these are other names and ports."""

    def prepare(self) -> None:
        """Write configuration and initial data. TargetError when that fails, UserError when something is not installed."""

    def start(self) -> None:
        """Start it, for the first time or after `kill`. It need not be ready when this returns. TargetError when that fails."""

    def alive(self) -> bool:
        """Whether all its processes run; it need not be ready. Always true for the backend `external`."""

    def exit_summary(self) -> str:
        """How its processes ended, in a few words, when it is not alive."""

    def stop(self) -> None:
        """Stop it, and return when all its processes have ended."""

    def kill(self) -> None:
        """End it by SIGKILL."""

    def pause(self) -> None:
        """Stop all its processes (SIGSTOP) until `resume`."""

    def resume(self) -> None:
        """Let its processes go on after `pause`."""

    def memory_mib(self) -> float:
        """Memory of all its processes, shared pages divided among those that share them; 0 where that cannot be seen."""

    def log(self, lines: int) -> list[str]:
        """The last lines of its output."""

    def ports(self) -> list[str]:
        """`HOST:PORT` of everything that its processes listen on; empty where that cannot be seen."""
