"""How the Python API reads a database's options. Hunting itself is tested through the command, which calls the same functions."""

from __future__ import annotations

from typing import Any

import pytest

import racehound


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
