"""How the Python API reads a database's options. Hunting itself is tested through the command, which calls the same functions."""

from __future__ import annotations

from typing import Any

import pytest

import racehound
from racehound.databases.registry import database


@pytest.mark.parametrize("options", [None, {"upsert_records": 1000}, {"upsert_records": "1000", "composition": "mine"}])
def test_options_that_are_left_out_have_the_defaults_of_the_command_line(options: dict[str, Any] | None) -> None:
    """The call gets past the options, so that it is refused for the next reason."""
    with pytest.raises(racehound.UserError, match="cannot be run in lock-step"):
        racehound.explore("one.sql", target="materialize", options=options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"upsert_records": 0}, "--upsert-records.*range"),
        ({"materialize_log": "/nowhere/at/all"}, "--materialize-log.*does not exist"),
        ({"upsert-records": 1}, "no option 'upsert-records'; there are: .*upsert_records"),
    ],
)
def test_a_wrong_option_is_refused_with_its_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(racehound.UserError, match=message):
        racehound.hunt("materialize", options=options)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"scenario": "pairs"}, "scenario: there is no 'pairs'; there are: .*concurrent"),
        ({"reset": "everything"}, "reset: there is no 'everything'; there are: objects"),
        ({"seed": -1}, "seed: -1 is no number from 0 on"),
        ({"seed": 2**63}, "seed: .* is not in the range"),
        ({"perturb": ["noise"]}, "there is no 'noise'"),
    ],
)
def test_a_value_that_the_command_line_would_refuse_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(racehound.UserError, match=message):
        racehound.hunt(runtime=1, **parameters)


def test_an_unknown_strategy_is_refused() -> None:
    strategy: Any = "luck"
    with pytest.raises(racehound.UserError, match=r"strategy: there is no 'luck'; there are: .*pct"):
        racehound.explore("one.sql", "two.sql", strategy=strategy)


def test_a_database_is_told_which_kinds_are_hunted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Materialize starts only the services that these need."""
    told: list[Any] = []

    def read_options(values: dict[str, Any]) -> None:
        told.append(values["kinds"])
        raise racehound.UserError("enough")

    monkeypatch.setattr(database("materialize"), "read_options", read_options)
    with pytest.raises(racehound.UserError, match="enough"):
        racehound.hunt("materialize", kinds=["Table", "View"])
    assert told == [("Table", "View")]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"kinds": "Table"}, "kinds: 'Table' is one text"),
        ({"perturb": "cancel"}, "perturb: 'cancel' is one text"),
        ({"runtime": -1}, "runtime: -1 is no number"),
        ({"runtime": "long"}, "runtime: 'long' is no number"),
        ({"num_objects": 0}, "num_objects: 0 is no number"),
        ({"seed": "x"}, "seed: 'x' is no number"),
    ],
)
def test_what_has_another_type_or_is_too_small_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(racehound.UserError, match=message):
        racehound.hunt(**parameters)
