"""What a kind is: operations with an effect, and manipulations, which are sequences of operations."""

from __future__ import annotations

import dataclasses
import re
from typing import ClassVar

import pytest

from racehound.databases.materialize.kinds import KINDS as MATERIALIZE
from racehound.databases.postgres.kinds import KINDS as POSTGRES
from racehound.kinds.kind import Fragment, Kind, Manipulations, changes, creates, destroys, effect_of, reads

_KINDS = (*POSTGRES, *MATERIALIZE)


class Door(Kind):
    """A kind that declares its manipulations, as those with steps that undo each other do."""

    manipulations: ClassVar[Manipulations] = {"open": ("open", "close"), "knock": ("knock",) * 3}

    def create(self) -> Fragment:
        return f"> CREATE DOOR {self.name}\n"

    def destroy(self) -> Fragment:
        return f"> DROP DOOR {self.name}\n"

    @changes
    def open(self) -> Fragment:
        return f"> OPEN {self.name}\n"

    @changes
    def close(self) -> Fragment:
        return f"> CLOSE {self.name}\n"

    @reads
    def knock(self) -> Fragment:
        return f"> KNOCK {self.name}\n"


class FrontDoor(Door):
    """A subclass that declares none: its changes and reads are manipulations of their own, after those of its base."""

    @changes
    def paint(self) -> Fragment:
        return f"> PAINT {self.name}\n"

    @reads
    def look(self) -> Fragment:
        return f"> LOOK AT {self.name}\n"

    @destroys
    def burn(self) -> Fragment:
        return f"> BURN {self.name}\n"

    @creates
    def carve(self) -> Fragment:
        return f"> CARVE {self.name}\n"

    def close(self) -> Fragment:
        return f"> SLAM {self.name}\n"


class ReplacedDoor(FrontDoor):
    """A subclass that replaces a manipulation of its base, which keeps its place, and adds one."""

    manipulations: ClassVar[Manipulations] = {"recreate": ("burn", "carve"), "open": ("close",)}


def test_manipulations_are_drawn_in_the_order_written_base_classes_first() -> None:
    assert tuple(Door.all_manipulations()) == ("nothing", "open", "knock")
    assert tuple(FrontDoor.all_manipulations()) == ("nothing", "open", "knock", "paint", "look")
    assert tuple(ReplacedDoor.all_manipulations()) == ("nothing", "open", "knock", "paint", "look", "recreate")


def test_the_text_of_a_manipulation_is_that_of_its_operations_in_order() -> None:
    assert Door("d").manipulate("nothing") == ""
    assert Door("d").manipulate("open") == "> OPEN d\n> CLOSE d\n"
    assert Door("d").manipulate("knock") == "> KNOCK d\n" * 3
    assert FrontDoor("d").manipulate("open") == "> OPEN d\n> SLAM d\n"
    assert ReplacedDoor("d").manipulate("open") == "> SLAM d\n"
    with pytest.raises(KeyError):
        Door("d").manipulate("create")


def test_an_override_keeps_the_effect_of_what_it_overrides() -> None:
    assert FrontDoor.all_operations() == {
        "create": "create", "verify": "read", "destroy": "destroy", "open": "change", "close": "change", "knock": "read",
        "paint": "change", "look": "read", "burn": "destroy", "carve": "create",
    }  # fmt: skip
    assert effect_of(FrontDoor, "prepare") is None
    with pytest.raises(KeyError):
        Door("d").operate("prepare")


def test_recreating_is_the_manipulation_of_that_name_or_else_destroy_and_create() -> None:
    assert Door("d").recreate() == "> DROP DOOR d\n> CREATE DOOR d\n"
    assert ReplacedDoor("d").recreate() == "> BURN d\n> CARVE d\n"


def test_a_manipulation_of_an_unknown_operation_is_refused_where_the_class_is_written() -> None:
    with pytest.raises(TypeError, match="Broken: the manipulation 'shut' names 'slam', which is no operation"):

        @dataclasses.dataclass(frozen=True)
        class Broken(Door):
            manipulations: ClassVar[Manipulations] = {"shut": ("slam",)}


@pytest.mark.parametrize("kind", _KINDS, ids=lambda kind: f"{kind.__module__.split('.')[2]}-{kind.__name__}")
def test_no_operation_undoes_itself(kind: type[Kind]) -> None:
    """An operation is one transaction's worth: one that renames and renames back would leave nothing to a race."""
    made = kind("o_0")
    for name in kind.all_operations():
        renamed = re.findall(r"\bRENAME (?:\w+ )*TO (\S+)|\bSET SCHEMA (\S+)|\bOWNER TO (\S+)", made.operate(name))
        assert len(renamed) <= 1, (name, renamed)


@pytest.mark.parametrize("kind", _KINDS, ids=lambda kind: f"{kind.__module__.split('.')[2]}-{kind.__name__}")
def test_what_creates_and_destroys_has_statements_and_a_manipulation_leaves_the_object_there(kind: type[Kind]) -> None:
    effects = kind.all_operations()
    for name, operations in kind.all_manipulations().items():
        ends = [effects[operation] for operation in operations if effects[operation] in ("create", "destroy")]
        assert not ends or ends[-1] == "create", name
