"""Kinds from outside racehound that are written in Python: in a file, or in an installed package."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
import traceback
import zlib
from pathlib import Path

from racehound.errors import UserError
from racehound.kinds.kind import Kind

GROUP = "racehound.kinds"
"""The entry-point group of packages with kinds. An entry bears the name of the database, alone or with a dot and more behind it,
and gives a kind or a sequence of kinds: `NAME = "my_package.kinds:KINDS"`."""


def kinds_in_packages(database: str, base: type[Kind]) -> tuple[type[Kind], ...]:
    """The kinds of a database that installed packages bring, in the order of the packages' names.

    `base`: the class that all kinds of the database are subclasses of. UserError for an entry that gives anything else.
    """
    entries = importlib.metadata.entry_points(group=GROUP)
    mine = [entry for entry in entries if entry.name.partition(".")[0] == database]
    found: list[type[Kind]] = []
    for entry in sorted(mine, key=lambda each: (each.dist.name if each.dist else "", each.name)):
        where = f"the entry point {entry.name} = {entry.value} of {entry.dist.name if entry.dist else 'an unknown package'}"
        try:
            given = entry.load()
        except Exception as error:
            raise UserError(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error
        kinds = given if isinstance(given, (tuple, list)) else (given,)
        for kind in kinds:
            if not (isinstance(kind, type) and issubclass(kind, base)):
                raise UserError(f"{where} gives {kind!r}, which is no subclass of {base.__name__}")
        found += kinds
    return tuple(found)


def kinds_in_file(path: Path, base: type[Kind]) -> tuple[type[Kind], ...]:
    """The kinds that a Python file defines, in the order written: its subclasses of `base`, but those whose names begin with _.

    UserError, with file and line, for a file that cannot be read or run, and for one without kinds.
    """
    module = f"racehound_kinds_from.{path.stem}_{zlib.crc32(str(path.resolve()).encode())}"
    spec = importlib.util.spec_from_file_location(module, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path}: not a Python file")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[module] = loaded  # dataclasses and typing look their classes' module up
    try:
        spec.loader.exec_module(loaded)
    except SyntaxError as error:
        raise UserError(f"{error.filename or path}:{error.lineno}: {error.msg}") from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    except Exception as error:
        raise UserError(f"{path}:{line_in(path, error)}: {type(error).__name__}: {error}") from error
    kinds = [
        each
        for name, each in vars(loaded).items()
        if isinstance(each, type) and issubclass(each, base) and each.__module__ == module and not name.startswith("_")
    ]
    if not kinds:
        raise UserError(f"{path}: it defines no kind: no subclass of {base.__module__}.{base.__name__}")
    for kind in kinds:
        if "__dataclass_fields__" not in vars(kind):
            hint = "write @dataclasses.dataclass(frozen=True) above it or, if it is no kind of its own, begin its name with _"
            raise UserError(f"{path}:{_line_of(kind)}: {kind.__name__} is no dataclass: {hint}")
    return tuple(kinds)


def line_in(path: Path, error: BaseException) -> int:
    """The line of a file from which an exception came; 1 where it did not come from it."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((f.lineno or 1 for f in reversed(frames) if Path(f.filename) == path or f.filename == str(path.resolve())), 1)


def _line_of(kind: type[Kind]) -> int:
    import inspect

    return inspect.getsourcelines(kind)[1]
