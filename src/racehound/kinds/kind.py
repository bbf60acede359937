"""What a kind is: a class of database object together with its operations.

A kind is a small frozen dataclass. Its fields typed `Literal[...]` are what a seed draws. Its operations are methods that return
testdrive text, each one transaction's worth of statements. A kind knows nothing of scenarios, threads or drivers.

The interface is provisional until sessions share objects: see docs/kinds.md.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, TypeVar

Fragment = str
"""Testdrive text: zero or more commands, one per line."""

Effect = Literal["create", "change", "read", "destroy"]
"""What an operation does to its object."""

Manipulations = Mapping[str, tuple[str, ...]]
"""Names of manipulations, each with the names of its operations in the order in which a session does them."""

_Method = TypeVar("_Method", bound=Callable[..., Fragment])
_MARK = "_racehound_effect"


def creates(method: _Method) -> _Method:
    """Mark an operation after which the object exists."""
    setattr(method, _MARK, "create")
    return method


def changes(method: _Method) -> _Method:
    """Mark an operation that needs the object and alters it, its contents, or what belongs to it."""
    setattr(method, _MARK, "change")
    return method


def reads(method: _Method) -> _Method:
    """Mark an operation that needs the object and leaves everything as it is."""
    setattr(method, _MARK, "read")
    return method


def destroys(method: _Method) -> _Method:
    """Mark an operation after which the object does not exist."""
    setattr(method, _MARK, "destroy")
    return method


@dataclasses.dataclass(frozen=True)
class Kind:
    """An object: its name, the object that it is built over, and the text of each of its operations.

    `refers_to` is the object that this one is built over, None for the base object itself. Every name that an object
    creates begins with its own `name` (`o_0`, `o_0_role`, …), cluster-wide names with `${racehound.run}_` before it.
    """

    name: str
    refers_to: Kind | None = None

    manipulations: ClassVar[Manipulations] = {}
    """What a session may do to the object between `create` and `destroy`: named sequences of operations.

    A class declares those that it adds or replaces. Where it declares nothing, each change and each read that it adds is a
    manipulation of its own.
    """
    can_be_referenced: ClassVar[bool] = True
    """Whether other objects may be built over it; False: never the base, never an inner link of a chain."""
    enabled: ClassVar[bool] = True
    """Whether a seed draws it unless asked for by name."""
    weight: ClassVar[int] = 10
    """How often a seed draws it, relative to the other kinds."""
    single: ClassVar[bool] = False
    """Whether a plan has at most one object of it, since a second one would be the same object under another name."""
    rarely_idle: ClassVar[bool] = False
    """Whether `nothing` is drawn rarely, since the kind has few other manipulations."""
    cluster_wide: ClassVar[bool] = False
    """Whether it touches what all databases of a server share; such kinds also race among themselves."""

    def __init_subclass__(cls) -> None:
        for name, operations in vars(cls).get("manipulations", {}).items():
            for operation in operations:
                if effect_of(cls, operation) is None:
                    raise TypeError(f"{cls.__name__}: the manipulation {name!r} names {operation!r}, which is no operation")

    def prepare(self) -> Fragment:
        """Once, before the races: makes what the operations need and never destroy."""
        return ""

    @creates
    def create(self) -> Fragment:
        """Make the object. It must be there when the last statement has succeeded."""
        raise NotImplementedError

    def clear(self) -> Fragment:
        """Remove what a `create` that failed half-way has left, before it is tried again; empty where one statement is all."""
        return ""

    @reads
    def verify(self) -> Fragment:
        """Read what must hold at any moment while the object exists, whatever others do; other rows are a wrong result."""
        return ""

    @destroys
    def destroy(self) -> Fragment:
        """Remove the object and everything that `create` made for it."""
        raise NotImplementedError

    def recreate(self) -> Fragment:
        """Destroy the object and create it again: what happens to a base object that a plan wants replaced during a race."""
        return self.manipulate("recreate") if "recreate" in self.all_manipulations() else self.destroy() + self.create()

    def manipulate(self, name: str) -> Fragment:
        """The text of all operations of the manipulation of that name; KeyError if the kind has none such."""
        return "".join(map(self.operate, self.all_manipulations()[name]))

    def operate(self, name: str) -> Fragment:
        """The text of the operation of that name; KeyError if the kind has none such."""
        if effect_of(type(self), name) is None:
            raise KeyError(name)
        return typing.cast("Fragment", getattr(self, name)())

    @classmethod
    @functools.cache
    def all_manipulations(cls) -> Manipulations:
        """All manipulations, in the order from which a seed draws: `nothing`, then those of each class, base classes first."""
        found: dict[str, tuple[str, ...]] = {"nothing": ()}
        for owner in reversed(cls.__mro__):
            if "manipulations" in vars(owner):
                found |= vars(owner)["manipulations"]
            else:
                new = (name for name, effect in _marked(owner).items() if effect in ("change", "read") and name != "verify")
                found |= {name: (name,) for name in new if name not in found}
        return found

    @classmethod
    @functools.cache
    def all_operations(cls) -> Mapping[str, Effect]:
        """All operations in the order written, those of base classes first, with the effect of each."""
        names = dict.fromkeys(name for owner in reversed(cls.__mro__) for name in _marked(owner))
        return {name: effect for name in names if (effect := effect_of(cls, name))}

    @classmethod
    @functools.cache
    def attributes(cls) -> dict[str, tuple[Any, ...]]:
        """The drawn fields, in the order written, each with the values that its `Literal` lists."""
        hints = typing.get_type_hints(cls)
        return {
            field.name: typing.get_args(hints[field.name])
            for field in dataclasses.fields(cls)
            if typing.get_origin(hints[field.name]) is typing.Literal
        }


def effect_of(kind: type[Kind], name: str) -> Effect | None:
    """The effect of the operation of that name, None if there is none such. An override keeps the mark of what it overrides."""
    return next((marked[name] for owner in kind.__mro__ if name in (marked := _marked(owner))), None)


def _marked(owner: type) -> dict[str, Effect]:
    """The operations that are marked in the body of a class, in the order written."""
    return {name: effect for name, member in vars(owner).items() if (effect := getattr(member, _MARK, None))}
