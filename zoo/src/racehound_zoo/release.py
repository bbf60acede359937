"""Which Materialize the zoo is like."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from racehound.errors import UserError


@dataclasses.dataclass(frozen=True, eq=False)
class Release:
    """`version` as `mz_version()` says it, but for the word that this is the zoo."""

    version: str
    is_recent: bool = False
    """Whether it knows what came after the release whose answers were recorded: replacements of materialized views,
    materialized views of one replica, and blocks that make a source together with its tables."""
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Settings of the whole server that others do not have, with their defaults."""

    @property
    def mz_version(self) -> str:
        return f"{self.version} (zoo)"


RECORDED = Release("v0.147.0-dev.0")
"""The one whose answers were recorded."""
RECENT = Release(
    "v26.16.0",
    True,
    MappingProxyType({"enable_replacement_materialized_views": "off", "enable_replica_targeted_materialized_views": "off"}),
)
"""The first that knows all kinds, by its release notes (https://materialize.com/docs/releases/)."""
RELEASES: Mapping[str, Release] = MappingProxyType({"v0.147": RECORDED, "v26.16": RECENT})


def release_named(name: str) -> Release:
    """By its short name. UserError for one that the zoo cannot be like."""
    found = RELEASES.get(name)
    if found is None:
        raise UserError(f"the zoo does not emulate {name!r}; choose one of {', '.join(RELEASES)}")
    return found
