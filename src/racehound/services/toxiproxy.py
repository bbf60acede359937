"""toxiproxy, a TCP proxy that injects faults into connections. `faults.py` makes links through it."""

from __future__ import annotations

from collections.abc import Mapping

from racehound.services.artifacts.artifact import Artifact, installed_path
from racehound.services.artifacts.go import GoProgram
from racehound.services.process import Command
from racehound.services.service import CLIENT, LOOPBACK, Access, Container, Endpoints, NotReadyError, Service, ServiceLayout
from racehound.tls import trusted

_PROGRAM = GoProgram("github.com/Shopify/toxiproxy/v2/cmd/server", "v2.5.0", "server", needs=(1, 17))
_ANSWER_LIMIT_S = 2.0


class ToxiproxyService(Service):
    name = "toxiproxy"
    role = "toxiproxy"
    version = "2.5.0"
    summary = "TCP proxy for faults on the links to the other services"

    def artifacts(self) -> tuple[Artifact, ...]:
        return (_PROGRAM,)

    def commands(self, layout: ServiceLayout) -> tuple[Command, ...]:
        return (Command((str(installed_path(_PROGRAM)), "-host", LOOPBACK, "-port", str(layout.endpoints[CLIENT].port))),)

    def check(self, access: Access) -> None:
        import httpx

        try:
            answer = httpx.get(f"{url(access.endpoints)}/version", timeout=_ANSWER_LIMIT_S, trust_env=False, verify=trusted())
        except httpx.HTTPError as error:
            raise NotReadyError(f"its API does not answer: {error}") from None
        if answer.status_code != httpx.codes.OK:
            raise NotReadyError(f"its API answers {answer.status_code}")

    def variables(self, access: Access) -> Mapping[str, str]:
        return {"racehound.toxiproxy-url": url(access.endpoints)}

    def container(self, password: str) -> Container:  # noqa: ARG002 it has no accounts
        return Container(image="ghcr.io/shopify/toxiproxy:2.5.0", ports={CLIENT: 8474}, command=("-host=0.0.0.0",))


def url(endpoints: Endpoints) -> str:
    """The URL of its API."""
    return f"http://{endpoints[CLIENT]}"
