"""Kinds from outside on a real server: what `racehound kinds --check` finds wrong with them, and a hunt in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from racehound.cli.main import cli
from racehound.data.history import Statement
from racehound.databases.catalogue import catalogue
from racehound.databases.database import Choice
from racehound.databases.registry import Opened, opened
from racehound.loops.check_kinds import check_kind
from racehound.report.recorded import repetitions

EXAMPLES = Path(__file__).parents[2] / "examples" / "kinds"

SOUND = """\
kind: Toy
database: postgres
offers relation: ${object}
manipulation touch: analyze, look

=== create
> CREATE TABLE ${object} (a text, b text)
> INSERT INTO ${object} SELECT 'x', i FROM generate_series(1, 10) AS i

=== clear
> DROP TABLE IF EXISTS ${object} CASCADE

=== change analyze
> ANALYZE ${object}

=== read look
> SELECT count(*) FROM ${object}
10

=== verify
> SELECT count(*) % 10 FROM ${object}
0

=== destroy
> DROP TABLE ${object} CASCADE
"""
FLAWS = {
    "an operation that fails": (
        ("ANALYZE ${object}", "ANALYZE ${object}_"),
        'analyze fails alone in the manipulation touch: relation "o_0_"',
    ),
    "rows that are wrong": (("\n10\n", "\n11\n"), "look fails alone in the manipulation touch: "),
    "verify": (("\n0\n", "\n1\n"), "verify fails alone: "),
    "verify after a manipulation": (
        ("ANALYZE ${object}", "DELETE FROM ${object} WHERE b = '1'"),
        "look fails alone in the manip",
    ),
    "a manipulation that works once": (
        ("ANALYZE ${object}", "ALTER TABLE ${object} ADD COLUMN c text"),
        "analyze fails when the manipulation is done a second time in the manipulation touch: column",
    ),
    "something left behind": (
        ("> INSERT INTO ${object}", "> CREATE TABLE IF NOT EXISTS ${object}_more ()\n> INSERT INTO ${object}"),
        "destroy leaves behind: relation o_0_more",
    ),
    "a foreign name": (
        ("> INSERT INTO ${object}", "> CREATE INDEX index_of_mine ON ${object} (a)\n> INSERT INTO ${object}"),
        "a name does not begin with the object's own: create makes relation index_of_mine for o_0",
    ),
    "an unrepeatable create": (
        ("> INSERT INTO ${object}", "> CREATE TABLE ${object}_more ()\n> INSERT INTO ${object}"),
        "create fails a second time, after destroy: ",
    ),
    "no clear": (
        ("=== clear\n> DROP TABLE IF EXISTS ${object} CASCADE\n", ""),
        "create fails after its first 1 commands and clear",
    ),
    "destroy": (("> DROP TABLE ${object}", "> DROP VIEW ${object}"), "destroy fails alone: "),
    "a false alarm": (
        ("SELECT count(*) % 10 FROM ${object}", "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ ' o_[01]$'"),
        "two sessions at the same time: wrong result",
    ),
}
"""What is replaced in the sound kind by what, and a complaint that follows."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    with opened(Choice("postgres"), tmp_path_factory.mktemp("log") / "server.log") as place:
        yield place


def complaints(place: Opened, text: str, directory: Path) -> list[str]:
    path = directory / "toy.td"
    path.write_text(text, encoding="utf-8")
    kind = catalogue(place.database, (path,))[-1]
    return check_kind(place, kind, 10.0)


def test_there_is_nothing_to_complain_of_in_a_sound_kind(place: Opened, tmp_path: Path) -> None:
    assert complaints(place, SOUND, tmp_path) == []


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_flaw_is_named_in_a_sentence(place: Opened, tmp_path: Path, flaw: str) -> None:
    (old, new), message = FLAWS[flaw]
    found = complaints(place, SOUND.replace(old, new, 1), tmp_path)
    assert any(message in complaint for complaint in found), found


def test_an_operation_that_no_manipulation_has_is_named(place: Opened) -> None:
    by_name = {kind.__name__: kind for kind in catalogue(place.database, (EXAMPLES,))}
    python = by_name["PythonTrigramIndex"]
    unused = type("Unused", (python,), {"manipulations": {"recreate": ("destroy", "create")}, "more": python.search})  # type: ignore[attr-defined]
    assert "no manipulation has the operation more: no session would ever do it" in check_kind(place, unused, 10.0)


def test_the_kind_that_the_contributors_guide_shows_passes(place: Opened, tmp_path: Path) -> None:
    guide = (EXAMPLES.parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    path = tmp_path / "table_copy.py"
    path.write_text(next(block for block in guide.split("```") if "class TableCopy" in block).removeprefix("python\n"))
    assert check_kind(place, catalogue(place.database, (path,))[-1], 10.0) == []


@pytest.mark.parametrize("name", ["trigram_index.td", "trigram_index.py"])
def test_the_examples_of_the_manual_pass(name: str) -> None:
    done = CliRunner().invoke(cli, ["kinds", "--check", "--kinds-from", str(EXAMPLES / name)], standalone_mode=False)
    assert done.return_value == 0, done.output
    assert done.output.endswith("TrigramIndex: nothing is wrong\n")


def test_a_flaw_gives_exit_code_1(tmp_path: Path) -> None:
    path = tmp_path / "toy.td"
    path.write_text(SOUND.replace("ANALYZE", "ANALISE"), encoding="utf-8")
    done = CliRunner().invoke(cli, ["kinds", "--check", "--kinds-from", str(path)], standalone_mode=False)
    assert done.return_value == 1
    assert "Toy: something is wrong" in done.output


def test_a_hunt_uses_the_kinds_of_a_file_and_raises_no_false_alarm(tmp_path: Path) -> None:
    command = ["run", "--kinds-from", str(EXAMPLES), "--kinds", "Table,TrigramIndex,PythonTrigramIndex", "--runtime", "6"]
    done = CliRunner().invoke(cli, [*command, "--seed", "1", "--out", str(tmp_path / "run")], standalone_mode=False)
    assert done.return_value == 0, done.output
    statements = [e for repetition in repetitions(tmp_path / "run") for e in repetition.events if isinstance(e, Statement)]
    created = {s.object for s in statements if "gin_trgm_ops" in s.sql and s.status == "ok"}
    assert len(created) > 1
