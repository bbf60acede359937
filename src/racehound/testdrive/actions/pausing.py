"""Pauses, and the action that does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from racehound.testdrive.state import Call, Handler, State
from racehound.testdrive.values import duration


def _sleep(call: Call, state: State) -> None:
    state.context.sleep(duration(call["duration"]))


def _random_sleep(call: Call, state: State) -> None:
    """Sleep for a time up to the duration, drawn from the context's seed, so that it can be repeated."""
    state.context.sleep(state.random.uniform(0, duration(call["duration"])))


def _nop(_: Call, __: State) -> None:
    """Do nothing. Authors use it to attach a comment."""


ACTIONS: Mapping[str, Handler] = MappingProxyType(
    {
        "sleep-is-probably-flaky-i-have-justified-my-need-with-a-comment": _sleep,
        "random-sleep": _random_sleep,
        "nop": _nop,
    }
)
