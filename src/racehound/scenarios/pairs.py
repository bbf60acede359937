"""Pairs: two operations of the catalogue over the same objects, as a small program of two sessions for lock-step.

An operation is a kind's create, its destroy, or what is new in one of its manipulations. Manipulations mostly undo what they do,
and a transaction around all of it would change nothing; so the operation is the first of their statements whose like no other
operation has, and what stands before it becomes part of the preparation.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from racehound.data.matrix import RELATIONSHIPS, Mode, Operation, Relationship
from racehound.data.object_names import BASE
from racehound.data.program import Phase, Program, ProgramSession, Step
from racehound.kinds.kind import Kind
from racehound.testdrive.parser import parse_fragment
from racehound.testdrive.printer import print_command
from racehound.testdrive.script import Command, Sql

_SESSION_ONLY = re.compile(r"\s*(?:SET|RESET|DISCARD|LISTEN|LOAD)\b", re.IGNORECASE)
"""Statements that mean nothing to another session."""
_READ = re.compile(r"\s*(?:SELECT|TABLE|VALUES|SHOW)\b", re.IGNORECASE)
_CONNECTIVES = {"IF", "NOT", "EXISTS", "ONLY"}
_FIRST, _SECOND = "o_0", "o_1"


@dataclasses.dataclass(frozen=True)
class Deed:
    """An operation, and what becomes text when it is given an object."""

    operation: Operation
    kind: type[Kind]
    phase: Phase
    attributes: tuple[tuple[str, Any], ...] = ()
    """Other values than the kind's own."""
    manipulation: str = ""
    at: int = 0
    """Which command of the manipulation it is."""

    @property
    def name(self) -> str:
        return self.operation.name

    @property
    def makes(self) -> bool:
        """Whether its object must not be there before."""
        return self.phase == "create"

    def thing(self, name: str, refers_to: Kind | None) -> Kind:
        """An object for it."""
        return self.kind(name=name, refers_to=refers_to, **dict(self.attributes))

    def commands(self, thing: Kind) -> tuple[Sql, ...]:
        """What it does."""
        found = _commands(self._fragment(thing))
        chosen = found[self.at : self.at + 1] if self.manipulation else found
        return tuple(command for command in chosen if isinstance(command, Sql))

    def may_be_transaction(self, thing: Kind, allowed: Callable[[str], bool]) -> bool:
        """Whether it may run inside BEGIN … COMMIT, by the dialect's rule for fragments."""
        return allowed("".join(map(print_command, self.commands(thing))))

    def preparation(self, thing: Kind) -> tuple[Step, ...]:
        """What has to be done so that it can be: everything that its object stands on first."""
        below = () if thing.refers_to is None else (thing.refers_to,)
        steps = [Step(each.name, "prepare", each.prepare()) for each in (*below, thing)]
        steps += [Step(each.name, "create", each.create()) for each in below]
        if not self.makes:
            steps.append(Step(thing.name, "create", thing.create()))
        steps.append(Step(thing.name, "manipulate", self.before(thing)))
        return tuple(step for step in steps if step.fragment)

    def before(self, thing: Kind) -> str:
        """What it needs to have been done to its object."""
        if not self.manipulation:
            return ""
        earlier = _commands(self._fragment(thing))[: self.at]
        return "".join(print_command(c) for c in earlier if not (isinstance(c, Sql) and _is_aside(c.text)))

    def _fragment(self, thing: Kind) -> str:
        if self.phase == "create":
            return thing.create()
        return thing.destroy() if self.phase == "destroy" else thing.manipulate(self.manipulation)


@dataclasses.dataclass(frozen=True)
class Meeting:
    """Two deeds, and how their objects stand to each other."""

    x: Deed
    y: Deed
    ground: Relationship

    @property
    def key(self) -> tuple[str, str, Relationship]:
        return self.x.name, self.y.name, self.ground

    @functools.cached_property
    def things(self) -> tuple[Kind, Kind]:
        """The objects of x and of y."""
        if self.ground == "same":
            thing = self.x.thing(BASE, None) if self.x.kind.can_be_referenced else self.x.thing(_FIRST, self._base)
            return thing, thing
        if self.ground == "y over x":
            below = self.x.thing(BASE, None)
            return below, self.y.thing(_FIRST, below)
        if self.ground == "x over y":
            below = self.y.thing(BASE, None)
            return self.x.thing(_FIRST, below), below
        return self.x.thing(_FIRST, self._base), self.y.thing(_SECOND, self._base)

    @functools.cached_property
    def _base(self) -> Kind:
        return common_base(self.x.kind)

    @property
    def everything(self) -> tuple[Kind, ...]:
        """All objects, each after the one that it stands on."""
        x, y = self.things
        grounds = [thing.refers_to for thing in (x, y) if thing.refers_to is not None]
        return tuple({thing.name: thing for thing in (*grounds, x, y)}.values())

    def setup(self) -> tuple[Step, ...]:
        """What is there when the two begin."""
        x, y = self.things
        missing = {thing.name for deed, thing in ((self.x, x), (self.y, y)) if deed.makes}
        steps = [Step(thing.name, "prepare", thing.prepare()) for thing in self.everything]
        steps += [Step(thing.name, "create", thing.create()) for thing in self.everything if thing.name not in missing]
        before = dict.fromkeys((thing.name, deed.before(thing)) for deed, thing in ((self.x, x), (self.y, y)))
        steps += [Step(name, "manipulate", fragment) for name, fragment in before]
        return tuple(step for step in steps if step.fragment)

    def verify(self) -> tuple[Step, ...]:
        """What must hold afterwards of what is still there."""
        return tuple(Step(t.name, "verify", t.verify()) for t in self.everything if t.verify())

    def program(self, *, y_first: bool = False) -> Program:
        """The meeting as programs are kept: without the order of its statements, who comes first as session 1."""
        steps = []
        sides = list(zip((self.x, self.y), self.things, strict=True))
        for deed, thing in sides[::-1] if y_first else sides:
            fragment = "".join(map(print_command, deed.commands(thing)))
            steps.append(Step(thing.name, deed.phase, fragment, manipulation=deed.manipulation))
        refers_to = {thing.name: thing.refers_to.name for thing in self.everything if thing.refers_to}
        sessions = tuple(ProgramSession(str(number), (step,)) for number, step in enumerate(steps, 1))
        title = f"{self.x.name} | {self.y.name}, {self.ground}"
        return Program(0, "concurrent", title, refers_to, True, (), self.setup(), sessions, self.verify(), ())


def common_base(beside: type[Kind]) -> Kind:
    """The third object: a plain table, of the kind of that name beside the given one in its catalogue."""
    from racehound.databases.postgres.kinds.table import Table

    assert beside.__module__.startswith("racehound.databases.postgres.kinds"), f"{beside.__name__} is no kind of PostgreSQL"
    return Table(name=BASE)


def mirrored(ground: Relationship) -> Relationship:
    """The same ground, named from the other side."""
    return {"y over x": "x over y", "x over y": "y over x"}.get(ground, ground)  # type: ignore[return-value]


def turns(mode: Mode, commands: tuple[Sql, ...]) -> tuple[Sql, ...]:
    """What the session of the first deed does."""
    if mode == "together":
        return commands
    return Sql("BEGIN"), *commands, Sql(mode.upper())


def deeds(kinds: Sequence[type[Kind]]) -> list[Deed]:
    """The operations of a catalogue, in its order, each sort of statement once but for creates and destroys."""
    seen: set[str] = set()
    found: list[Deed] = []
    for kind in kinds:
        thing = kind(name=_FIRST, refers_to=common_base(kind))
        if not all(isinstance(c, Sql) for fragment in (thing.create(), thing.destroy()) for c in _commands(fragment)):
            continue  # it lives by more than SQL
        plain = Deed(_operation(kind, "create", thing.create()), kind, "create")
        destroy = Deed(_operation(kind, "destroy", thing.destroy()), kind, "destroy")
        seen |= {shape(c.text) for deed in (plain, destroy) for c in deed.commands(thing)}
        found += [plain, *_variants(kind, seen), *_manipulations(kind, thing, seen), destroy]
    return found


def _variants(kind: type[Kind], seen: set[str]) -> Iterator[Deed]:
    """Creates with another attribute, where that makes another sort of statement."""
    for attribute, values in kind.attributes().items():
        for value in values:
            thing = kind(name=_FIRST, refers_to=common_base(kind), **{attribute: value})
            commands = _commands(thing.create())
            shapes = {shape(c.text) for c in commands if isinstance(c, Sql)}
            if shapes - seen and all(isinstance(c, Sql) for c in commands):
                seen |= shapes
                label = attribute if value is True else str(value).lower().replace(" ", "_")
                yield Deed(_operation(kind, f"create[{label}]", thing.create()), kind, "create", ((attribute, value),))


def _manipulations(kind: type[Kind], thing: Kind, seen: set[str]) -> Iterator[Deed]:
    for name in kind.manipulations():
        for at, command in enumerate(_commands(thing.manipulate(name))):
            if not isinstance(command, Sql):
                break
            sort = shape(command.text)
            if _READ.match(command.text):
                sort = f"{kind.__name__} {sort}"
            if sort not in seen and not _SESSION_ONLY.match(command.text):
                seen.add(sort)
                yield Deed(Operation(f"{kind.__name__}.{name}", kind.__name__, sort), kind, "manipulate", (), name, at)
                break


def shape(sql: str) -> str:
    """A statement without its names and values: two of the same shape are of one sort."""
    words = re.sub(r"'[^']*'|\$\{[^}]*\}|\$\w*\$.*?\$\w*\$", " ", sql, flags=re.DOTALL).split()
    return " ".join(w for w in words if w.isupper() and w.isalpha() and w not in _CONNECTIVES) or " ".join(sql.split()[:2])


def _operation(kind: type[Kind], what: str, fragment: str) -> Operation:
    shapes = [shape(command.text) for command in _commands(fragment) if isinstance(command, Sql)]
    return Operation(f"{kind.__name__}.{what}", kind.__name__, "; ".join(dict.fromkeys(shapes)))


def _commands(fragment: str) -> tuple[Command, ...]:
    return tuple(dict.fromkeys(parse_fragment(fragment).commands))


def _is_aside(sql: str) -> bool:
    return bool(_SESSION_ONLY.match(sql) or _READ.match(sql))


def grounds(x: Deed, y: Deed) -> tuple[Relationship, ...]:
    """In what ways their objects can stand to each other."""
    return tuple(ground for ground in RELATIONSHIPS if _POSSIBLE[ground](x, y))


def _same(x: Deed, y: Deed) -> bool:
    """Where one of the two makes the object, the other one finds none."""
    return x.kind is y.kind and x.attributes == y.attributes and x.makes == y.makes


def _above(below: Deed, above: Deed) -> bool:
    both = below.kind is above.kind and below.kind.single
    return below.kind.can_be_referenced and not both and (above.makes or not below.makes)


_POSSIBLE: dict[Relationship, Callable[[Deed, Deed], bool]] = {
    "same": _same,
    "y over x": _above,
    "x over y": lambda x, y: _above(y, x),
    "common": lambda x, y: not (x.kind is y.kind and x.kind.single),
}
