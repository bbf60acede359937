"""Options that databases add to commands."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import click
import pytest

from racehound.cli import target_options
from racehound.databases.options import kafka, option
from racehound.errors import UserError


@dataclasses.dataclass
class Listed:
    """As much of a database as commands read for their options."""

    name: str
    own: Sequence[click.Option]
    can_step: bool = True

    @property
    def title(self) -> str:
        return self.name.upper()

    def options(self) -> Sequence[click.Option]:
        return self.own

    def url_options(self) -> Sequence[str]:
        return ()


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(*databases: Listed) -> None:
        known = {each.name: each for each in databases}
        monkeypatch.setattr(target_options, "databases", lambda: known)
        monkeypatch.setattr(target_options, "database", known.__getitem__)

    return install


def run(*words: str, database: str = "h2") -> Mapping[str, Any]:
    """The values of the database's own options, as a command with the options of all databases gets them."""
    found: dict[str, Any] = {}

    @click.command()
    @target_options.target_options
    def command(**options: Any) -> None:
        found.update(target_options.own_options(database, options))

    command.main(words, standalone_mode=False)
    return found


def test_an_option_of_two_databases_is_there_once_and_is_for_both(install: Any) -> None:
    install(Listed("h2", [kafka()]), Listed("derby", [kafka(), option("--depth", type=int, default=3)]))
    assert run("--kafka-addr", "host:1") == {"kafka_addr": "host:1"}
    assert run("--kafka-addr", "host:1", database="derby") == {"kafka_addr": "host:1", "depth": 3}


def test_an_option_that_means_two_things_is_refused(install: Any) -> None:
    install(Listed("h2", [option("--depth", type=int)]), Listed("derby", [option("--depth", type=float)]))
    with pytest.raises(UserError, match="different options called --depth"):
        run()


def test_an_option_of_another_database_is_refused_unless_it_comes_from_a_variable(
    install: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(Listed("h2", []), Listed("derby", [option("--depth", type=int)]))
    with pytest.raises(UserError, match="--depth is an option of DERBY, and the database here is H2"):
        run("--depth", "3")
    monkeypatch.setenv("RACEHOUND_DEPTH", "3")
    assert run() == {}
    assert run(database="derby") == {"depth": 3}


def test_a_database_without_lock_step_is_refused(install: Any) -> None:
    install(Listed("h2", [], can_step=False))
    with pytest.raises(UserError, match="H2 cannot be run in lock-step, which dancing needs"):
        target_options.require_stepping("h2", "dancing")
