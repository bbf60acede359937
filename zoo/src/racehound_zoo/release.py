"""The releases of Materialize that the zoo can emulate."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from racehound.errors import UserError


@dataclasses.dataclass(frozen=True, eq=False)
class Release:
    """A release. `version` is the version that `mz_version()` returns, without the suffix that says that this is the zoo."""

    version: str
    is_recent: bool = False
    """Whether the release has what came after the recorded one: replacement of materialized views, materialized views on a single
    replica, and transaction blocks that create a source together with its tables.
    """
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The settings of the whole server that only this release has, with their defaults."""

    @property
    def mz_version(self) -> str:
        return f"{self.version} (zoo)"


RECORDED = Release("v0.147.0-dev.0")
"""The release whose answers were recorded."""
RECENT = Release(
    "v26.16.0",
    True,
    MappingProxyType({"enable_replacement_materialized_views": "off", "enable_replica_targeted_materialized_views": "off"}),
)
"""The first release that knows all of racehound's kinds, by its release notes (https://materialize.com/docs/releases/)."""
RELEASES: Mapping[str, Release] = MappingProxyType({"v0.147": RECORDED, "v26.16": RECENT})


def release_named(name: str) -> Release:
    """The release with this short name. UserError if the zoo does not emulate it."""
    found = RELEASES.get(name)
    if found is None:
        raise UserError(f"the zoo does not emulate {name!r}; choose one of {', '.join(RELEASES)}")
    return found
