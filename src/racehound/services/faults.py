"""Faults on the links to the services of a composition: latency, little bandwidth, silence, resets, cuts.

A link is a further address of a service, which leads through the composition's toxiproxy. Clients that are to see faults connect
to the link, and all others to the service's own address. Faults are plain data, so that plans can draw them and histories record
them. The composition injects faults into processes (pause, kill, restart).
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import ClassVar, Literal, Self

import httpx

from racehound.errors import TargetError, UserError
from racehound.services import ports, toxiproxy
from racehound.services.backends.instance import Instance
from racehound.services.composition import Composition
from racehound.services.service import CLIENT, LOOPBACK, PROXIED, Endpoint
from racehound.tls import trusted

Direction = Literal["to", "from", "both"]
"""The direction of data: to the service, from it, or both."""
_STREAMS: dict[Direction, tuple[str, ...]] = {"to": ("upstream",), "from": ("downstream",), "both": ("upstream", "downstream")}
"""The directions by toxiproxy's names."""
_ANSWER_LIMIT_S = 10.0


@dataclasses.dataclass(frozen=True)
class Latency:
    """Delays all data. In both directions, a round trip is delayed twice."""

    toxic: ClassVar = "latency"
    latency: int
    """Milliseconds."""
    jitter: int = 0
    """The most milliseconds by which a delay differs, drawn for each piece of data."""


@dataclasses.dataclass(frozen=True)
class Bandwidth:
    """Limits the data per second."""

    toxic: ClassVar = "bandwidth"
    rate: int
    """Kilobytes per second."""


@dataclasses.dataclass(frozen=True)
class Silence:
    """Loses all data. Connections stay open until the fault ends, which closes them.

    New connections are accepted, too. A client sees the same in a network that loses all packets.
    """

    toxic: ClassVar = "timeout"
    timeout: int = 0
    """Milliseconds after which each connection is closed; 0: when the fault ends."""


@dataclasses.dataclass(frozen=True)
class Reset:
    """Loses the next data in this direction and ends the connection by TCP RST.

    A connection from before the fault may end in order (FIN), since toxiproxy prepares resets when a connection begins.
    """

    toxic: ClassVar = "reset_peer"
    timeout: int = 0
    """Milliseconds between the data and the end of the connection."""


@dataclasses.dataclass(frozen=True)
class Cut:
    """Ends all connections, and refuses new ones. It has no direction."""


Fault = Latency | Bandwidth | Silence | Reset | Cut


class Links:
    """The links that one party opens. Safe to use from several threads.

    UserError when the composition's toxiproxy is none that racehound can put links through, or there is none.
    """

    def __init__(self, composition: Composition) -> None:
        proxy = composition.instance("toxiproxy")
        if proxy.backend == "docker":
            raise UserError("links need a toxiproxy run by the backend process: a container's new ports cannot be reached")
        self._composition = composition
        self._api = _Api(toxiproxy.url(proxy.endpoints))
        self._links: list[Link] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def open(self, service: str, port: str | None = None) -> Link:
        """Make a link to a service, by name or role. Without a port, it leads to the one that is meant for a proxy.

        UserError when there is no such service or port, TargetError when the proxy refuses or does not answer.
        """
        instance = self._composition.instance(service)
        wanted = port or (PROXIED if PROXIED in instance.endpoints else CLIENT)
        if wanted not in instance.endpoints:
            raise UserError(f"{instance.service.name} has no port {wanted}; it has: {', '.join(instance.endpoints)}")
        return self._open(Link(self._api, instance.service.name, _listen(instance, wanted), instance.endpoints[wanted]))

    def open_to(self, name: str, behind: Endpoint) -> Link:
        """Make a link to any address. TargetError when the proxy refuses or does not answer."""
        return self._open(Link(self._api, name, Endpoint(LOOPBACK, ports.free()), behind))

    def _open(self, link: Link) -> Link:
        self._links.append(link)
        return link

    def reopen(self) -> None:
        """Open all links again without faults, at the same addresses. A restart of the proxy makes this necessary."""
        for link in self._links:
            link.reopen()

    def close(self) -> None:
        """Close all links and their connections. Nothing happens to links that do not exist, or if the proxy has ended."""
        try:
            for link in self._links:
                link.close()
        finally:
            self._api.close()


class Link:
    """A further address of a service, without faults at first. Safe to use from several threads. `Links.open` makes it.

    Its methods raise TargetError when the proxy refuses or does not answer.
    """

    def __init__(self, api: _Api, service: str, endpoint: Endpoint, behind: Endpoint) -> None:
        self.service = service
        self.endpoint = endpoint
        """The address of the link."""
        self.behind = behind
        """The service's own address."""
        self._name = f"{service}-{endpoint.port}"
        self._api = api
        self._toxics: set[str] = set()
        self._lock = threading.Lock()
        self._create()

    def impose(self, fault: Fault, direction: Direction = "both") -> None:
        """Begin a fault in addition to others. It replaces a fault of the same sort in the same direction."""
        with self._lock:
            if isinstance(fault, Cut):
                self._api.post(f"/proxies/{self._name}", {"enabled": False})
                return
            for stream in _STREAMS[direction]:
                self._add(fault, stream)

    def lift(self) -> None:
        """End all faults."""
        with self._lock:
            for toxic in sorted(self._toxics):
                self._remove(toxic)
            self._api.post(f"/proxies/{self._name}", {"enabled": True})

    def reopen(self) -> None:
        """See `Links.reopen`."""
        with self._lock:
            self._toxics.clear()
            self._api.delete_if_there(f"/proxies/{self._name}")
            self._create()

    def close(self) -> None:
        """See `Links.close`."""
        self._api.delete_if_there(f"/proxies/{self._name}")

    def _create(self) -> None:
        self._api.post("/proxies", {"name": self._name, "listen": str(self.endpoint), "upstream": str(self.behind)})

    def _add(self, fault: Latency | Bandwidth | Silence | Reset, stream: str) -> None:
        name = f"{fault.toxic}-{stream}"
        if name in self._toxics:
            self._remove(name)
        toxic = {"name": name, "type": fault.toxic, "stream": stream, "attributes": dataclasses.asdict(fault)}
        self._api.post(f"/proxies/{self._name}/toxics", toxic)
        self._toxics.add(name)

    def _remove(self, toxic: str) -> None:
        self._api.delete(f"/proxies/{self._name}/toxics/{toxic}")
        self._toxics.discard(toxic)


class _Api:
    """toxiproxy's HTTP API (its README, "HTTP API"). TargetError when it does not answer, or answers with an error."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=_ANSWER_LIMIT_S, trust_env=False, verify=trusted())

    def post(self, path: str, body: Mapping[str, object]) -> None:
        self._ask("POST", path, body)

    def delete(self, path: str) -> None:
        self._ask("DELETE", path, None)

    def delete_if_there(self, path: str) -> None:
        """Delete a resource. Nothing happens if it does not exist, or the proxy has ended."""
        try:
            answer = self._client.delete(path)
        except httpx.ConnectError:
            return
        except httpx.HTTPError as error:
            raise TargetError(f"toxiproxy does not answer: {error}") from None
        _require_success(answer, path, httpx.codes.NOT_FOUND)

    def close(self) -> None:
        self._client.close()

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None) -> None:
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise TargetError(f"toxiproxy does not answer: {error}") from None
        _require_success(answer, path)


def _require_success(answer: httpx.Response, path: str, *fine: int) -> None:
    if not answer.is_success and answer.status_code not in fine:
        raise TargetError(f"toxiproxy refuses {path}: {' '.join(answer.text.split())}")


def _listen(instance: Instance, port: str) -> Endpoint:
    """The address for a link: the one that the service advertises (Kafka), otherwise a free port."""
    if port != PROXIED:
        return Endpoint(LOOPBACK, ports.free())
    if instance.backend != "process":
        raise UserError(f"{instance.service.name} tells its clients its own address: a link to it needs the backend process")
    return instance.target_endpoints[port]
