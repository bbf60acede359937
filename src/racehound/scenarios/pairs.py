"""Pairs: two operations of the catalogue over the same objects, as a small program of two sessions for lock-step.

The operations of the matrix are a kind's create, its destroy, and one statement of each of its manipulations: the first whose
like no other operation has. What stands before that statement in the manipulation becomes part of the preparation.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from racehound.data.finding import normalise
from racehound.data.matrix import RELATIONSHIPS, Operation, Relationship
from racehound.data.object_names import BASE
from racehound.data.program import Program, ProgramSession, Step
from racehound.databases.effects import Effect, EffectOf
from racehound.kinds.kind import Kind
from racehound.testdrive.parser import parse_fragment
from racehound.testdrive.printer import print_command
from racehound.testdrive.script import Command, Sql

_CONNECTIVES = {"IF", "NOT", "EXISTS", "ONLY"}
_FIRST, _SECOND = "o_0", "o_1"


@dataclasses.dataclass(frozen=True)
class Side:
    """One operation of a pair, and the object that it is done to."""

    operation: Operation
    target_object: Kind
    effect: EffectOf
    """What a statement changes (`Dialect.effect`)."""

    @property
    def name(self) -> str:
        """The operation's name."""
        return self.operation.name

    def commands(self) -> tuple[Sql, ...]:
        """What its session does."""
        found = _commands(self._fragment())
        chosen = found[self.operation.at : self.operation.at + 1] if self.operation.manipulation else found
        return tuple(command for command in chosen if isinstance(command, Sql))

    def may_be_transaction(self, allowed: Callable[[str], bool]) -> bool:
        """Whether it may run inside BEGIN … COMMIT, by the dialect's rule for fragments."""
        return allowed("".join(map(print_command, self.commands())))

    def preparation(self) -> tuple[Step, ...]:
        """All that must be done before, when it is done alone: what its object is built over is made first."""
        target = self.target_object
        below = () if target.refers_to is None else (target.refers_to,)
        steps = [Step(each.name, "prepare", each.prepare()) for each in (*below, target)]
        steps += [Step(each.name, "create", each.create()) for each in below]
        if not self.operation.creates:
            steps.append(Step(target.name, "create", target.create()))
        steps.append(Step(target.name, "manipulate", self.before()))
        return tuple(step for step in steps if step.fragment)

    def before(self) -> str:
        """What must have been done to its object: the statements of the manipulation before its own."""
        if not self.operation.manipulation:
            return ""
        earlier = _commands(self._fragment())[: self.operation.at]
        return "".join(print_command(c) for c in earlier if not (isinstance(c, Sql) and self.effect(c.text).sort != "change"))

    def _fragment(self) -> str:
        if self.operation.phase == "create":
            return self.target_object.create()
        if self.operation.phase == "destroy":
            return self.target_object.destroy()
        return self.target_object.manipulate(self.operation.manipulation)


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two operations that are tried against each other, and how their objects are related."""

    x: Side
    y: Side
    relationship: Relationship

    @property
    def key(self) -> tuple[str, str, Relationship]:
        return self.x.name, self.y.name, self.relationship

    @property
    def objects(self) -> tuple[Kind, ...]:
        """All objects, each after the one that it is built over."""
        own = self.x.target_object, self.y.target_object
        below = [each.refers_to for each in own if each.refers_to is not None]
        return tuple({each.name: each for each in (*below, *own)}.values())

    def setup(self) -> tuple[Step, ...]:
        """What is done before the two begin."""
        sides = self.x, self.y
        missing = {side.target_object.name for side in sides if side.operation.creates}
        steps = [Step(each.name, "prepare", each.prepare()) for each in self.objects]
        steps += [Step(each.name, "create", each.create()) for each in self.objects if each.name not in missing]
        before = dict.fromkeys((side.target_object.name, side.before()) for side in sides)
        steps += [Step(name, "manipulate", fragment) for name, fragment in before]
        return tuple(step for step in steps if step.fragment)

    def verify(self) -> tuple[Step, ...]:
        """What must hold afterwards of what is still there."""
        return tuple(Step(each.name, "verify", each.verify()) for each in self.objects if each.verify())

    def program(self, *, y_first: bool = False) -> Program:
        """The pair as programs are kept: without the order of its statements, who comes first as session 1."""
        steps = []
        for side in (self.y, self.x) if y_first else (self.x, self.y):
            fragment = "".join(map(print_command, side.commands()))
            step = Step(side.target_object.name, side.operation.phase, fragment, manipulation=side.operation.manipulation)
            steps.append(step)
        refers_to = {each.name: each.refers_to.name for each in self.objects if each.refers_to}
        sessions = tuple(ProgramSession(str(number), (step,)) for number, step in enumerate(steps, 1))
        title = f"{self.x.name} | {self.y.name}, {self.relationship}"
        return Program(0, "concurrent", title, refers_to, True, (), self.setup(), sessions, self.verify(), ())


class Catalogue:
    """The kinds whose operations are tried against each other, and the plain table that objects of a pair have in common.

    effect: what a statement changes (`Dialect.effect`).
    """

    def __init__(self, kinds: Sequence[type[Kind]], plain_table: Callable[[str], Kind], effect: EffectOf) -> None:
        self._effect = effect
        self._kinds = {kind.__name__: kind for kind in kinds}
        self._base = plain_table(BASE)

    def operations(self) -> list[Operation]:
        """All operations, in the order of the kinds: each sort of statement once but for creates and destroys."""
        seen: set[str] = set()
        found: list[Operation] = []
        for kind in self._kinds.values():
            target = kind(name=_FIRST, refers_to=self._base)
            if not all(isinstance(c, Sql) for fragment in (target.create(), target.destroy()) for c in _commands(fragment)):
                continue  # it needs more than SQL
            plain = _operation(kind, "create", target.create(), phase="create")
            destroy = _operation(kind, "destroy", target.destroy(), phase="destroy")
            seen |= {shape(c.text) for operation in (plain, destroy) for c in Side(operation, target, self._effect).commands()}
            found += [plain, *self._variants(kind, seen), *self._manipulations(kind, target, seen), destroy]
        return found

    def _variants(self, kind: type[Kind], seen: set[str]) -> Iterator[Operation]:
        """Creates with another attribute, where that makes another sort of statement."""
        for attribute, values in kind.attributes().items():
            for value in values:
                target = kind(name=_FIRST, refers_to=self._base, **{attribute: value})
                commands = _commands(target.create())
                shapes = {shape(c.text) for c in commands if isinstance(c, Sql)}
                if shapes - seen and all(isinstance(c, Sql) for c in commands):
                    seen |= shapes
                    label = attribute if value is True else str(value).lower().replace(" ", "_")
                    what = f"create[{label}]"
                    yield _operation(kind, what, target.create(), phase="create", attributes=((attribute, value),))

    def _manipulations(self, kind: type[Kind], target: Kind, seen: set[str]) -> Iterator[Operation]:
        for name in kind.all_manipulations():
            for at, command in enumerate(_commands(target.manipulate(name))):
                if not isinstance(command, Sql):
                    break
                effect = self._effect(command.text)
                sort = _sort(kind, command.text, effect)
                if sort not in seen and effect.sort != "session":
                    seen.add(sort)
                    yield Operation(f"{kind.__name__}.{name}", kind.__name__, sort, manipulation=name, at=at)
                    break

    def alone(self, operation: Operation) -> Side:
        """The operation for itself, done to an object over the plain table."""
        return self._side(operation, _FIRST, self._base)

    def relationships(self, x: Operation, y: Operation) -> tuple[Relationship, ...]:
        """In what ways the objects of two operations can be related, the closest first."""
        return tuple(each for each in RELATIONSHIPS if self._is_possible(x, y, each))

    def pair(self, x: Operation, y: Operation, relationship: Relationship) -> Pair:
        """Two operations over objects that are related in that way."""
        if relationship == "same":
            alone = self._side(x, BASE, None) if self._kind(x).can_be_referenced else self._side(x, _FIRST, self._base)
            return Pair(alone, Side(y, alone.target_object, self._effect), relationship)
        if relationship == "y over x":
            below = self._side(x, BASE, None)
            return Pair(below, self._side(y, _FIRST, below.target_object), relationship)
        if relationship == "x over y":
            below = self._side(y, BASE, None)
            return Pair(self._side(x, _FIRST, below.target_object), below, relationship)
        return Pair(self._side(x, _FIRST, self._base), self._side(y, _SECOND, self._base), relationship)

    def _is_possible(self, x: Operation, y: Operation, relationship: Relationship) -> bool:
        same_kind = x.kind == y.kind
        if relationship == "same":
            # Where one of the two creates the object, the other one finds none.
            return same_kind and x.attributes == y.attributes and x.creates == y.creates
        if same_kind and self._kind(x).single:
            return False
        if relationship == "common":
            return True
        below, above = (x, y) if relationship == "y over x" else (y, x)
        return self._kind(below).can_be_referenced and (above.creates or not below.creates)

    def _side(self, operation: Operation, name: str, refers_to: Kind | None) -> Side:
        target = self._kind(operation)(name=name, refers_to=refers_to, **dict(operation.attributes))
        return Side(operation, target, self._effect)

    def _kind(self, operation: Operation) -> type[Kind]:
        return self._kinds[operation.kind]


def mirrored(relationship: Relationship) -> Relationship:
    """The same relationship, named from the other side."""
    return {"y over x": "x over y", "x over y": "y over x"}.get(relationship, relationship)  # type: ignore[return-value]


def shape(sql: str) -> str:
    """A statement without its names and values: two of the same shape are of one sort."""
    words = re.sub(r"'[^']*'|\$\{[^}]*\}|\$\w*\$.*?\$\w*\$", " ", sql, flags=re.DOTALL).split()
    return " ".join(w for w in words if w.isupper() and w.isalpha() and w not in _CONNECTIVES) or " ".join(sql.split()[:2])


def _sort(kind: type[Kind], sql: str, effect: Effect) -> str:
    """Two statements with the same one are of one sort. A query is only like another one of its kind that calls the same."""
    functions = tuple(dict.fromkeys(map(normalise, effect.functions)))
    if effect.sort == "read" or functions:
        return " ".join((kind.__name__, shape(sql), *functions))
    return shape(sql)


def _operation(kind: type[Kind], what: str, fragment: str, **facts: Any) -> Operation:  # noqa: ANN401 fields of Operation
    shapes = [shape(command.text) for command in _commands(fragment) if isinstance(command, Sql)]
    return Operation(f"{kind.__name__}.{what}", kind.__name__, "; ".join(dict.fromkeys(shapes)), **facts)


def _commands(fragment: str) -> tuple[Command, ...]:
    return tuple(dict.fromkeys(parse_fragment(fragment).commands))
