"""The target's own invariant checks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from racehound.testdrive.errors import ActionError
from racehound.testdrive.state import Call, Handler, State


def _check(_: Call, state: State) -> None:
    if state.context.check_consistency is None:
        raise ActionError("check-consistency needs a target that checks itself, which is not configured")
    if wrong := state.context.check_consistency():
        raise ActionError(f"the target is inconsistent: {wrong}")


def _skip(call: Call, state: State) -> None:
    state.consistency_skipped = call["reason"]


ACTIONS: Mapping[str, Handler] = MappingProxyType({"check-consistency": _check, "skip-consistency-checks": _skip})
