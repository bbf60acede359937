"""Skips a part of the script."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from racehound.testdrive.actions.settings import query_cell
from racehound.testdrive.state import Call, Handler, State
from racehound.testdrive.values import boolean


def _skip_if(call: Call, state: State) -> None:
    """Skip to skip-end, or to the end of the script, if the query in the input returns true."""
    state.skipping = boolean(query_cell(call, state))


def _skip_end(_: Call, state: State) -> None:
    state.skipping = False


ACTIONS: Mapping[str, Handler] = MappingProxyType({"skip-if": _skip_if, "skip-end": _skip_end})
