"""racehound finds races in databases: it draws objects and operations from a seed, lets them race, and judges what happened.

The names below are the public Python API (`racehound.api`). They are loaded when they are first used: `import racehound` is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from racehound.version import __version__

if TYPE_CHECKING:
    from racehound.api import ExploreRun, HuntRun, explore, findings, hunt, matrix, replay
    from racehound.data.finding import Finding, Reproduction
    from racehound.data.matrix import Matrix
    from racehound.databases.database import Choice, Database
    from racehound.databases.dialect import Dialect
    from racehound.databases.target import Target
    from racehound.errors import RacehoundError, TargetError, UserError
    from racehound.kinds.kind import Kind, changes, creates, destroys, reads

_HOMES = {
    "racehound.api": ("ExploreRun", "HuntRun", "explore", "findings", "hunt", "matrix", "replay"),
    "racehound.data.finding": ("Finding", "Reproduction"),
    "racehound.data.matrix": ("Matrix",),
    "racehound.databases.database": ("Choice", "Database"),
    "racehound.databases.dialect": ("Dialect",),
    "racehound.databases.target": ("Target",),
    "racehound.errors": ("RacehoundError", "TargetError", "UserError"),
    "racehound.kinds.kind": ("Kind", "changes", "creates", "destroys", "reads"),
}
"""Which module has which of the public names."""
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Choice", "Database", "Dialect", "ExploreRun", "Finding", "HuntRun", "Kind", "Matrix", "RacehoundError", "Reproduction",
    "Target", "TargetError", "UserError", "__version__", "changes", "creates", "destroys", "explore", "findings", "hunt",
    "matrix", "reads", "replay",
]  # fmt: skip


def __getattr__(name: str) -> Any:  # noqa: ANN401 any of the public names
    if name not in _HOME_OF:
        raise AttributeError(f"module 'racehound' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
