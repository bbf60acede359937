"""Doing nothing, for no time or for some."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from racehound.testdrive.state import Call, Handler, State
from racehound.testdrive.values import duration


def _sleep(call: Call, state: State) -> None:
    state.context.sleep(duration(call["duration"]))


def _random_sleep(call: Call, state: State) -> None:
    """At most the duration; drawn from the seed of the context, so that it can be repeated."""
    state.context.sleep(state.random.uniform(0, duration(call["duration"])))


def _nop(_: Call, __: State) -> None:
    """Authors use it to hang a comment on."""


ACTIONS: Mapping[str, Handler] = MappingProxyType(
    {
        "sleep-is-probably-flaky-i-have-justified-my-need-with-a-comment": _sleep,
        "random-sleep": _random_sleep,
        "nop": _nop,
    }
)
