"""The catalogue of a database: its own kinds, those of installed packages, and those of files that the user gives."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from racehound.databases.database import Choice, Database
from racehound.errors import UserError
from racehound.kinds import python_kinds, text_kinds
from racehound.kinds.kind import Kind

_PARTS = ("prepare", "create", "clear", "verify", "destroy")


def catalogue(database: Database, kinds_from: Sequence[Path] = ()) -> tuple[type[Kind], ...]:
    """All kinds of a database, in the order in which seeds draw: its own, those of packages, those of the files.

    `kinds_from`: Python files, `.td` files, and directories of both. UserError, with file and line, for errors in them.
    """
    return _catalogue(database, tuple(kinds_from))


def nonempty_catalogue(database: Database, kinds_from: Sequence[Path] = ()) -> tuple[type[Kind], ...]:
    """As `catalogue`, but UserError when there are no kinds."""
    found = catalogue(database, kinds_from)
    if not found:
        raise UserError(
            f"{database.name} has no kinds of objects to draw from: with scripts of your own it can be explored (racehound "
            "explore) and tested (racehound testdrive)"
        )
    return found


@functools.cache
def _catalogue(database: Database, kinds_from: tuple[Path, ...]) -> tuple[type[Kind], ...]:
    own = tuple(database.kinds())
    bases = database.kind_bases()
    if bases is None:
        if kinds_from:
            raise UserError(f"--kinds-from {kinds_from[0]}: {database.name} has no kinds, and takes none from outside")
        return own
    found = {kind.__name__.lower(): kind for kind in own}
    packaged = [("an installed package", kind) for kind in python_kinds.kinds_in_packages(database.name, bases.python)]
    named = [(str(file), kind) for path in kinds_from for file in _files(path) for kind in _kinds(file, database)]
    for where, kind in (*packaged, *named):
        known = found.setdefault(kind.__name__.lower(), kind)
        if known is not kind:
            raise UserError(f"{where}: {database.title} has a kind called {known.__name__} already")
        _require_text(kind, where)
    return tuple(found.values())


def printable_kinds(database: Database, choice: Choice) -> list[type[Kind]]:
    """The kinds that a server of this choice can have, as far as is known before it is started. UserError as for `catalogue`."""
    return [kind for kind in catalogue(database, choice.kinds_from) if database.may_have(choice, kind)]


def _files(path: Path) -> list[Path]:
    """The files with kinds at a path, sorted by name."""
    if not path.is_dir():
        return [path]
    files = sorted(each for each in path.iterdir() if each.suffix in (".py", ".td") and each.name[0] not in "._")
    if not files:
        raise UserError(f"{path}: there is no .py or .td file in it")
    return files


def _kinds(file: Path, database: Database) -> tuple[type[Kind], ...]:
    bases = database.kind_bases()
    assert bases is not None
    if file.suffix == ".py":
        return python_kinds.kinds_in_file(file, bases.python)
    if file.suffix != ".td":
        raise UserError(f"{file}: kinds are written in Python (.py) or as sections of testdrive (.td)")
    line, name = text_kinds.database_of(file)
    if name != database.name:
        raise UserError(f"{file}:{line}: its kind is one of {name}, not of {database.name}")
    if bases.text is None:
        raise UserError(f"{file}: kinds of {database.title} cannot be written without Python")
    return (text_kinds.kind_in_file(file, bases.text, _check),)


def _check(text: str, file: str) -> None:
    from racehound.testdrive.check import check
    from racehound.testdrive.parser import parse

    check(parse(text, file))


def _require_text(kind: type[Kind], where: str) -> None:
    """UserError for a kind with an operation that returns no testdrive text, or invalid text."""
    for made in _objects(kind):
        names = dict.fromkeys((*_PARTS, *kind.all_operations()))
        for name in names:
            try:
                text = getattr(made, name)()
            except Exception as error:
                line = f":{python_kinds.line_in(Path(where), error)}" if where.endswith(".py") else ""
                raise UserError(f"{where}{line}: {kind.__name__}.{name}: {type(error).__name__}: {error}") from error
            if not isinstance(text, str):
                raise UserError(f"{where}: {kind.__name__}.{name} returns {text!r}, which is no text")
            _check(text, f"{where}: {kind.__name__}.{name}")
        for name in ("create", "destroy"):
            if not getattr(made, name)().strip():
                raise UserError(f"{where}: {kind.__name__}.{name} does nothing")


def _objects(kind: type[Kind]) -> Iterator[Kind]:
    """An object of the kind for each value of each drawn field, over no other object."""
    attributes = kind.attributes()
    yield kind("o_0")
    for name, value in itertools.chain.from_iterable([(n, v) for v in values] for n, values in attributes.items()):
        yield dataclasses.replace(kind("o_0"), **{name: value})
