"""The base of every kind: a sort of database object and its life.

A kind is a small frozen dataclass. Its fields typed `Literal[...]` are what a seed draws; its methods return fragments of the
testdrive language. It knows nothing of scenarios, threads or drivers.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

Fragment = str
"""Testdrive text: zero or more commands, one per line."""

_Method = TypeVar("_Method", bound=Callable[..., Fragment])
_MARK = "_racehound_manipulation"


def manipulation(method: _Method) -> _Method:
    """Mark a method as a manipulation. They count in the order written, those of a base class first; 0 is always `nothing`."""
    setattr(method, _MARK, True)
    return method


@dataclasses.dataclass(frozen=True)
class Kind:
    """An object: its name, what it refers to, and the text of each step of its life.

    `refers_to` is the object that this one is built over, None for the base object itself. Every name that an object
    creates begins with its own `name` (`o_0`, `o_0_role`, …), cluster-wide names with `${racehound.run}_` before it.
    """

    name: str
    refers_to: Kind | None = None

    can_be_referenced: ClassVar[bool] = True
    """Whether other objects may be built over it; False: never the base, never an inner link of a chain."""
    enabled: ClassVar[bool] = True
    """Whether a seed draws it unless asked for by name."""
    weight: ClassVar[int] = 10
    """How often a seed draws it, relative to the other kinds."""
    single: ClassVar[bool] = False
    """Whether a plan has at most one object of it, since a second one would be the same thing under another name."""
    rarely_idle: ClassVar[bool] = False
    """Whether a seed seldom leaves it idle, where `nothing` would be much of what there is to draw from."""
    cluster_wide: ClassVar[bool] = False
    """Whether it touches what all databases of a server share; such kinds also race among themselves."""

    def prepare(self) -> Fragment:
        """Once, before the races: what create and the manipulations stand on."""
        return ""

    def create(self) -> Fragment:
        raise NotImplementedError

    def clear(self) -> Fragment:
        """Removes what a create that failed half-way has left, before it is tried again; nothing where one statement is all."""
        return ""

    def verify(self) -> Fragment:
        """What must hold at any moment while the object exists, whatever others do; a mismatch is a wrong result."""
        return ""

    def destroy(self) -> Fragment:
        raise NotImplementedError

    def recreate(self) -> Fragment:
        """Drop it and make it again, as a base may do that is not to stand still. A manipulation where a kind marks it as one."""
        return self.destroy() + self.create()

    @manipulation
    def nothing(self) -> Fragment:
        return ""

    def manipulate(self, name: str) -> Fragment:
        """The text of the manipulation of that name; KeyError if the kind has none such."""
        if name not in self.manipulations():
            raise KeyError(name)
        return typing.cast("Fragment", getattr(self, name)())

    @classmethod
    @functools.cache
    def manipulations(cls) -> tuple[str, ...]:
        """Names of the manipulations in the order written, base classes first: `nothing` is number 0."""
        names: dict[str, None] = {}
        for owner in reversed(cls.__mro__):
            for name, member in vars(owner).items():
                if getattr(member, _MARK, False):
                    names.setdefault(name)
        return tuple(names)

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
