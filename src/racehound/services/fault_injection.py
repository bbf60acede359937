"""Faults in the services of a composition, by the words of `racehound services fault`.

`pause`, `resume`, `kill` and `restart` act on the processes of a service. The other faults act on a link through the fault proxy:
`link` opens an address, and they affect the clients that connect to the service at this address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from racehound.errors import UserError
from racehound.services.composition import Composition

if TYPE_CHECKING:
    from racehound.services.faults import Fault, Link, Links


class FaultInjector:
    """Injects faults into the services of one composition, and owns the links for them. Used by one thread at a time."""

    def __init__(self, composition: Composition) -> None:
        self._composition = composition
        self._links: Links | None = None
        self._by_service: dict[str, Link] = {}
        self._words: Mapping[str, Callable[[str, str], str]] = {
            "pause": self._pause,
            "resume": self._resume,
            "kill": self._kill,
            "restart": self._restart,
            "link": self._link,
            "latency": self._latency,
            "bandwidth": self._bandwidth,
            "silence": self._silence,
            "reset": self._reset,
            "cut": self._cut,
            "restore": self._restore,
        }

    def inject(self, name: str, word: str, value: str) -> str:
        """Inject a fault; returns in words what was done.

        UserError for an unknown word, service or value, TargetError when the fault cannot be injected.
        """
        if word not in self._words:
            raise UserError(f"unknown fault {word!r}; there are: {', '.join(self._words)}")
        return self._words[word](name, value)

    def _pause(self, name: str, _: str) -> str:
        self._composition.pause(name)
        return f"{name} is paused"

    def _resume(self, name: str, _: str) -> str:
        self._composition.resume(name)
        return f"{name} goes on"

    def _kill(self, name: str, _: str) -> str:
        self._composition.kill(name)
        return f"{name} was killed"

    def _restart(self, name: str, _: str) -> str:
        seconds = self._composition.restart(name)
        if self._links is not None and name == "toxiproxy":
            self._links.reopen()
        return f"{name} was ready again after {seconds:.1f} s"

    def _link(self, name: str, _: str) -> str:
        return f"{name} through the fault proxy: {self._to(name).endpoint}"

    def _latency(self, name: str, value: str) -> str:
        from racehound.services.faults import Latency

        latency, _, jitter = value.partition("~")
        fault = Latency(_whole(latency, "latency=MS or latency=MS~JITTER"), _whole(jitter or "0", "latency=MS~JITTER"))
        return self._impose(name, fault, f"{latency} ms later each way" + (f", give or take {jitter} ms" if jitter else ""))

    def _bandwidth(self, name: str, value: str) -> str:
        from racehound.services.faults import Bandwidth

        return self._impose(name, Bandwidth(_whole(value, "bandwidth=KB")), f"no more than {value} KB a second each way")

    def _silence(self, name: str, _: str) -> str:
        from racehound.services.faults import Silence

        return self._impose(name, Silence(), "nothing passes")

    def _reset(self, name: str, _: str) -> str:
        from racehound.services.faults import Reset

        return self._impose(name, Reset(), "connections are reset")

    def _cut(self, name: str, _: str) -> str:
        from racehound.services.faults import Cut

        return self._impose(name, Cut(), "connections end, new ones are refused")

    def _restore(self, name: str, _: str) -> str:
        link = self._to(name)
        link.lift()
        return f"{name} at {link.endpoint}: undisturbed"

    def _impose(self, name: str, fault: Fault, words: str) -> str:
        link = self._to(name)
        link.impose(fault)
        return f"{name} at {link.endpoint}: {words}"

    def _to(self, name: str) -> Link:
        """The link to a service. It is opened at the first call."""
        from racehound.services.faults import Links

        service = self._composition.instance(name).service.name
        if self._links is None:
            self._links = Links(self._composition)
        if service not in self._by_service:
            self._by_service[service] = self._links.open(service)
        return self._by_service[service]


def _whole(text: str, form: str) -> int:
    if not text.isdecimal():
        raise UserError(f"write {form}, in whole numbers")
    return int(text)
