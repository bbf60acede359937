"""Kinds without Python: a `.td` file with a few facts, and a section of testdrive text for each operation (docs/kinds.md).

The form is provisional until sessions share objects.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, NoReturn

from racehound.errors import UserError
from racehound.kinds.kind import Fragment, Kind, Manipulations, changes, creates, destroys, reads

_HEADER = "==="
_PLAIN_SECTIONS = ("prepare", "create", "clear", "verify", "destroy")
_MARKS: dict[str, Callable[[Callable[..., Fragment]], Callable[..., Fragment]]] = {
    "create": creates,
    "change": changes,
    "read": reads,
    "destroy": destroys,
}
_SECTIONS = "prepare, create, clear, change NAME, read NAME, verify, destroy"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_CLASS_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
_VARIABLE = re.compile(r"(?<!\\)\$\{([^}]*)\}")
_AT_RUN_TIME = re.compile(r"(?:racehound|testdrive|arg|env|kafka-ingest)\.")
"""Variables that get their values when the program runs."""
_SETTING = re.compile(r"^\$\s*set(?:-arg-default)?\s+([^\s=]+)|\bvar=(\S+)", re.MULTILINE)
"""What the text itself makes a variable of."""

ReadFact = Callable[[str], Mapping[str, Any]]
"""From the value of a fact to the attributes that the kind's class gets. ValueError says what is wrong with the value."""


class TextKind(Kind):
    """A kind whose operations are sections of a file. Each database that has such kinds has a subclass of this one."""

    sections: ClassVar[Mapping[str, str]] = {}
    """The text below each header."""
    variables: ClassVar[Mapping[str, str]] = {}
    """The variables that sections may use, besides drawn fields, each with what it stands for."""
    offers: ClassVar[Mapping[str, str]] = {}
    """What an object can offer to objects that are built over it, by the name of the property, with what that must be."""
    facts: ClassVar[Mapping[str, ReadFact]] = {}
    """Facts that only kinds of this database have."""

    def value(self, variable: str) -> str:
        """The value of one of `variables`."""
        raise NotImplementedError

    def section(self, header: str) -> Fragment:
        """The text of a section with the values of its variables; empty where there is no such section."""
        return self.filled(self.sections.get(header, ""))

    def filled(self, text: str) -> str:
        """A text with the values of the kind's variables; those that get theirs when the program runs are left."""

        def value(found: re.Match[str]) -> str:
            if found[1] in self.variables:
                return self.value(found[1])
            return str(getattr(self, found[1])) if found[1] in self.attributes() else found[0]

        return _VARIABLE.sub(value, text)

    @classmethod
    @functools.cache
    def uses(cls, *variables: str) -> bool:
        """Whether any section uses one of the variables."""
        return any(found in variables for text in cls.sections.values() for found in _VARIABLE.findall(text))

    def prepare(self) -> Fragment:
        return self.section("prepare")

    def create(self) -> Fragment:
        return self.section("create")

    def clear(self) -> Fragment:
        return self.section("clear")

    def verify(self) -> Fragment:
        return self.section("verify")

    def destroy(self) -> Fragment:
        return self.section("destroy")


@dataclasses.dataclass(frozen=True)
class KindBases:
    """The classes that kinds from outside racehound are subclasses of, for one database."""

    python: type[Kind]
    """Of all kinds of the database."""
    text: type[TextKind] | None = None
    """Of those that are written without Python; None where that is not possible."""


@dataclasses.dataclass
class _Section:
    header: str
    line: int
    """Of the header."""
    text: str = ""


def database_of(path: Path) -> tuple[int, str]:
    """Line and name of the database that a `.td` file says its kind is for. UserError where it says none."""
    return _File(path).fact("database")


def kind_in_file(path: Path, base: type[TextKind], check: Callable[[str, str], object]) -> type[Kind]:
    """The kind that a `.td` file describes.

    `base`: the class for such kinds of the file's database. `check`: raises UserError for text, of a file of that name, that is
    no testdrive. UserError, with file and line, for whatever is wrong.
    """
    return _File(path).kind(base, check)


class _File:
    """A `.td` file, read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._facts: dict[str, tuple[int, str]] = {}
        self._sections: dict[str, _Section] = {}
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise UserError(f"{path}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise UserError(f"{path}: not UTF-8 text: {error.reason} at byte {error.start}") from error
        self._end = len(lines)
        current: _Section | None = None
        for number, line in enumerate(lines, 1):
            if line.startswith(_HEADER):
                current = self._open(line.removeprefix(_HEADER).strip(), number)
            elif current is not None:
                current.text += f"{line}\n"
            elif line.strip() and not line.startswith("#"):
                self._note(line, number)

    def fact(self, name: str) -> tuple[int, str]:
        """Line and value of a fact. UserError where there is none such."""
        if name not in self._facts:
            raise UserError(f"{self._path}:1: the fact `{name}:` is missing")
        return self._facts[name]

    def kind(self, base: type[TextKind], check: Callable[[str, str], object]) -> type[Kind]:
        for needed in ("create", "destroy"):
            if needed not in self._sections:
                self._fail(
                    len(self._path.read_text(encoding="utf-8").splitlines()), f"the section `{_HEADER} {needed}` is missing"
                )
        line, name = self.fact("kind")
        if not _CLASS_NAME.fullmatch(name):
            self._fail(line, f"a kind's name is like TrigramIndex, not {name!r}")
        drawn = self._drawn(base)
        operations = self._operations(base, drawn)
        self._check_variables(base, drawn)
        namespace: dict[str, Any] = {**self._attributes(base), **operations, "sections": self._texts(check)}
        made = dataclasses.make_dataclass(
            name,
            [
                (field, typing.cast("type", Literal[values]), dataclasses.field(default=values[0]))
                for field, values in drawn.items()
            ],
            bases=(base,),
            namespace=namespace,
            frozen=True,
        )
        made.__module__ = f"{__name__}.{self._path.stem}"
        return typing.cast("type[Kind]", made)

    # The lines of the file

    def _open(self, header: str, line: int) -> _Section:
        word, _, name = header.partition(" ")
        name = name.strip()
        if word not in (*_PLAIN_SECTIONS, *_MARKS):
            self._fail(line, f"unknown section {header!r}; there are: {_SECTIONS}")
        if word in ("change", "read") and not name:
            self._fail(line, f"`{_HEADER} {word}` needs the name of an operation behind it")
        if word not in _MARKS and name:
            self._fail(line, f"the section `{word}` has no name behind it")
        if name and not _NAME.fullmatch(name):
            self._fail(line, f"an operation's name is like rename_back, not {name!r}")
        known = next((each for each in self._sections.values() if (name or word) == _operation_of(each.header)), None)
        if known is not None:
            self._fail(line, f"there is a section for {name or word!r} already, in line {known.line}")
        section = self._sections[f"{word} {name}".strip()] = _Section(f"{word} {name}".strip(), line)
        return section

    def _note(self, line: str, number: int) -> None:
        key, colon, value = line.partition(":")
        key = " ".join(key.split())
        if not colon:
            self._fail(
                number, f"`name: value` is expected before the first section, or a line that begins with `{_HEADER}` or `#`"
            )
        if key in self._facts:
            self._fail(number, f"the fact {key!r} is there already, in line {self._facts[key][0]}")
        self._facts[key] = number, value.strip()

    def _fail(self, line: int, message: str) -> NoReturn:
        raise UserError(f"{self._path}:{line}: {message}")

    # The parts of the class

    def _drawn(self, base: type[TextKind]) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for key, (line, text) in self._facts.items():
            word, _, name = key.partition(" ")
            if word != "draw":
                continue
            self._require_free_name(name, line, base)
            if name in base.variables:
                self._fail(line, f"the variable ${{{name}}} has a meaning already: {base.variables[name]}")
            found[name] = tuple(value.strip() for value in text.split(","))
            if not all(found[name]):
                self._fail(line, f"`draw {name}:` needs values with commas between them")
        return found

    def _require_free_name(self, name: str, line: int, base: type[TextKind]) -> None:
        if not _NAME.fullmatch(name):
            self._fail(line, f"a name of lower-case letters, digits and _ is expected, not {name!r}")
        if hasattr(base, name) or name in {field.name for field in dataclasses.fields(base)}:
            self._fail(line, f"the name {name!r} has another meaning for every kind: choose another one")

    def _operations(self, base: type[TextKind], drawn: Mapping[str, object]) -> dict[str, Callable[[TextKind], Fragment]]:
        found: dict[str, Callable[[TextKind], Fragment]] = {}
        for section in self._sections.values():
            word, _, name = section.header.partition(" ")
            if not name:
                continue
            self._require_free_name(name, section.line, base)
            if name in drawn:
                self._fail(section.line, f"{name!r} is the name of a drawn field, too")
            found[name] = _MARKS[word](_section_method(section.header))
        return found

    def _check_variables(self, base: type[TextKind], drawn: Mapping[str, object]) -> None:
        set_here = {
            name for each in self._sections.values() for found in _SETTING.finditer(each.text) for name in found.groups() if name
        }
        known = {*base.variables, *drawn}
        for section in self._sections.values():
            for offset, text in enumerate(section.text.splitlines(), 1):
                self._check_line(section.line + offset, text, known, set_here)
        for key, (line, text) in self._facts.items():
            if key.startswith("offers "):
                self._check_line(line, text, known, set())

    def _check_line(self, line: int, text: str, known: set[str], set_here: set[str]) -> None:
        for variable in _VARIABLE.findall(text):
            if variable not in known and variable not in set_here and not _AT_RUN_TIME.match(variable):
                there = ", ".join(sorted(known))
                self._fail(
                    line, f"unknown variable ${{{variable}}}; there are: {there}, and those of the run, like racehound.run"
                )

    def _texts(self, check: Callable[[str, str], object]) -> dict[str, str]:
        for section in self._sections.values():
            # With as many empty lines before it, what is wrong is found in the file's own line.
            check("\n" * section.line + section.text, str(self._path))
        return {header: f"{section.text.rstrip()}\n" for header, section in self._sections.items() if section.text.strip()}

    def _attributes(self, base: type[TextKind]) -> dict[str, Any]:
        found: dict[str, Any] = {"can_be_referenced": False}
        manipulations: dict[str, tuple[str, ...]] = {}
        facts = {**_FACTS, **base.facts}
        for key, (line, text) in self._facts.items():
            word, _, name = key.partition(" ")
            if key in facts:
                try:
                    found |= facts[key](text)
                except ValueError as error:
                    self._fail(line, f"{key}: {error}")
            elif word == "offers" and name in base.offers:
                found |= {name: _offer(text), "can_be_referenced": True}
            elif word == "manipulation" and _NAME.fullmatch(name):
                manipulations[name] = self._sequence(text, line)
            elif word == "offers":
                self._fail(line, f"an object cannot offer {name!r} to others, but: {', '.join(base.offers)}")
            elif word != "draw":
                there = ", ".join((*facts, "draw NAME", "offers NAME", "manipulation NAME"))
                self._fail(line, f"unknown fact {key!r}; there are: {there}")
        if manipulations:
            self._require_all(manipulations)
            found["manipulations"] = manipulations
        return found

    def _sequence(self, text: str, line: int) -> tuple[str, ...]:
        known = {_operation_of(header) for header in self._sections} - {"prepare", "clear"}
        operations = tuple(name.strip() for name in text.split(","))
        for name in operations:
            if name not in known:
                self._fail(line, f"there is no operation {name!r}; there are: {', '.join(sorted(known))}")
        return operations

    def _require_all(self, manipulations: Manipulations) -> None:
        done = {name for operations in manipulations.values() for name in operations}
        for section in self._sections.values():
            word, _, name = section.header.partition(" ")
            if word in ("change", "read") and name not in done:
                self._fail(section.line, f"no manipulation has the operation {name!r}, so that no session would ever do it")


def _operation_of(header: str) -> str:
    word, _, name = header.partition(" ")
    return name or word


def _section_method(header: str) -> Callable[[TextKind], Fragment]:
    def method(self: TextKind) -> Fragment:
        return self.section(header)

    return method


def _offer(text: str) -> property:
    return property(lambda self: self.filled(text))


def _whole_number(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"a whole number is expected, not {text!r}")
    return int(text)


def yes_or_no(text: str) -> bool:
    """The value of a fact that is true or not. ValueError for anything but yes and no."""
    if text not in ("yes", "no"):
        raise ValueError(f"yes or no is expected, not {text!r}")
    return text == "yes"


_FACTS: dict[str, ReadFact] = {
    "kind": lambda _: {},
    "database": lambda _: {},
    "about": lambda text: {"__doc__": text},
    "weight": lambda text: {"weight": _whole_number(text)},
    "single": lambda text: {"single": yes_or_no(text)},
    "cluster wide": lambda text: {"cluster_wide": yes_or_no(text)},
}
