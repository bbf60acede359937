"""The testdrive actions that concern only Materialize."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from racehound.testdrive.actions import Spec, spec_of

_CONSISTENCY = f"{__name__}.consistency"

ACTION_SPECS: Mapping[str, Spec] = MappingProxyType(
    {
        "check-consistency": spec_of(_CONSISTENCY),
        "skip-consistency-checks": spec_of(_CONSISTENCY, "reason", free=True),
        "check-shard-tombstone": spec_of(_CONSISTENCY, "shard-id"),
        "webhook-append": spec_of(f"{__name__}.webhook", "name", "database schema status", input=True, free=True),
        "persist-force-compaction": spec_of("", free=True, input=True),
    }
)
