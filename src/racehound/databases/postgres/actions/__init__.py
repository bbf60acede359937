"""The testdrive actions that name PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from racehound.testdrive.actions import Spec, spec_of

_SERVERS = f"{__name__}.servers"

ACTION_SPECS: Mapping[str, Spec] = MappingProxyType(
    {
        "postgres-connect": spec_of(_SERVERS, "name url"),
        "postgres-execute": spec_of(_SERVERS, "connection", "background", input=True),
        "postgres-verify-slot": spec_of(_SERVERS, "connection slot", "active"),
        "psql-execute": spec_of(f"{__name__}.psql", "command", input=True),
    }
)
