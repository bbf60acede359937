"""Packages that only some actions need; they are not installed with racehound itself but with its extra `services`."""

from __future__ import annotations

import importlib
from types import ModuleType

from racehound.errors import UserError


def load(module: str, package: str) -> ModuleType:
    """The module of a package of the extra `services`. UserError, with how to get it, where it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        raise UserError(f"this action needs the package {package}: pip install 'racehound[services]'") from None
