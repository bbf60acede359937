"""Scenes: the order of their turns."""

from __future__ import annotations

from racehound.data.scene import SETUP, Line, Scene

SCENE = Scene((Line(SETUP, "s"), Line(1, "a"), Line(2, "b"), Line(2, "c"), Line(1, "d")))


def test_turns_get_the_order_in_which_they_were_taken() -> None:
    """Session 2 was blocked when its second turn came, so the turn went to session 1."""
    assert [line.sql for line in SCENE.taken_in((1, 2, 1, 2)).lines] == ["s", "a", "b", "d", "c"]


def test_turns_that_nobody_took_come_last() -> None:
    assert [line.sql for line in SCENE.taken_in((1, 2)).lines] == ["s", "a", "b", "d", "c"]
    assert SCENE.taken_in(SCENE.schedule) == SCENE
