"""The backend `external`: a service at an address that the user gives. It is neither started nor stopped, only connected to."""

from __future__ import annotations

from typing import Literal, NoReturn

from racehound.errors import UserError
from racehound.services.service import Access, Endpoints, Service


class ExternalInstance:
    """See `Instance`."""

    backend: Literal["external"] = "external"

    def __init__(self, service: Service, endpoints: Endpoints) -> None:
        self.service = service
        self.access = Access(endpoints, service.external_password)

    @property
    def endpoints(self) -> Endpoints:
        return self.access.endpoints

    @property
    def target_endpoints(self) -> Endpoints:
        return self.access.endpoints

    def prepare(self) -> None:
        """Do nothing: the user has prepared it."""

    def start(self) -> None:
        """Do nothing: the user has started it."""

    def alive(self) -> bool:
        return True

    def exit_summary(self) -> str:
        return "is unknown: racehound does not run it"

    def stop(self) -> None:
        """Do nothing: the user stops it."""

    def kill(self) -> None:
        self._refuse("killed")

    def pause(self) -> None:
        self._refuse("paused")

    def resume(self) -> None:
        self._refuse("resumed")

    def memory_mib(self) -> float:
        return 0.0

    def log(self, lines: int) -> list[str]:  # noqa: ARG002 it cannot be read from here
        return []

    def ports(self) -> list[str]:
        return []

    def _refuse(self, what: str) -> NoReturn:
        raise UserError(f"{self.service.name} is external: a service that racehound did not start cannot be {what}")
