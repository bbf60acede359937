"""Kinds from outside racehound: in Python files, as sections of testdrive, and from installed packages."""

from __future__ import annotations

import importlib
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from racehound.cli.main import cli
from racehound.databases import catalogue as catalogue_module
from racehound.databases.catalogue import catalogue, printable_kinds
from racehound.databases.database import Choice, Database
from racehound.databases.registry import database
from racehound.errors import UserError
from racehound.kinds import text_kinds
from racehound.kinds.kind import Kind

EXAMPLES = Path(__file__).parents[3] / "examples" / "kinds"
POSTGRES = database("postgres")

TD = """\
# A comment
kind: Toy
database: postgres
about: A view of the base. Verified: it can be read.
weight: 3
draw barrier: true, false
draw chosen: a, b
offers relation: ${object}

=== prepare
> CREATE ROLE ${racehound.run}_${name}_role

=== create
> CREATE VIEW ${object} WITH (security_barrier = ${barrier}) AS ${query}

=== change rename
> ALTER VIEW ${object} RENAME TO ${name}_tmp
> ALTER VIEW ${name}_tmp RENAME TO ${name}

=== read look
$ set-from-sql var=${name}-seen
SELECT count(*) FROM ${object}

=== verify
> SELECT count(${chosen}) % 10 FROM ${object}
0

=== destroy
> DROP VIEW ${object} CASCADE
"""
PYTHON = '''\
import dataclasses
from typing import Literal

from racehound.databases.postgres.kinds import PostgresKind
from racehound.kinds.kind import changes
from racehound.kinds.text import run


class _Helper(PostgresKind):
    """No kind: its name begins with an underscore."""


@dataclasses.dataclass(frozen=True)
class Second(_Helper):
    """Written first."""

    size: Literal[1, 2] = 1

    def create_statements(self):
        return (f"CREATE TABLE {self.ident} (a text)",)

    def drop_statement(self, if_exists=""):
        return f"DROP TABLE {if_exists}{self.ident}"

    @changes
    def fill(self):
        return run(f"INSERT INTO {self.ident} VALUES ('x')")


@dataclasses.dataclass(frozen=True)
class First(Second):
    """Written last."""
'''


def written(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


def added(*paths: Path, of: Database = POSTGRES) -> list[type[Kind]]:
    """The kinds that the files add to the catalogue, at its end."""
    own, all_ = catalogue(of), catalogue(of, paths)
    assert all_[: len(own)] == own
    return list(all_[len(own) :])


@pytest.fixture(autouse=True)
def _forget_catalogues() -> Iterator[None]:
    """A process reads files and packages once."""
    catalogue_module._catalogue.cache_clear()
    yield
    catalogue_module._catalogue.cache_clear()


def the_one(path: Path) -> type[Kind]:
    (kind,) = added(path)
    return kind


# Sections of testdrive


def test_a_file_of_sections_becomes_a_kind_that_seeds_draw(tmp_path: Path) -> None:
    kind = the_one(written(tmp_path, "toy.td", TD))
    assert kind.__name__ == "Toy"
    assert kind.__doc__ == "A view of the base. Verified: it can be read."
    assert kind.weight == 3
    assert kind.can_be_referenced
    assert kind.attributes() == {"barrier": ("true", "false"), "chosen": ("a", "b")}
    assert tuple(kind.all_manipulations()) == ("nothing", "rename", "look")
    assert kind.all_operations()["look"] == "read"


def test_variables_of_the_object_get_their_values_and_those_of_the_run_are_left(tmp_path: Path) -> None:
    kind = the_one(written(tmp_path, "toy.td", TD))
    table = POSTGRES.plain_table("o_base")
    made = kind(name="o_0", refers_to=table, barrier="false")  # type: ignore[call-arg]
    assert made.create() == "> CREATE VIEW o_0 WITH (security_barrier = false) AS SELECT a, b FROM o_base\n"
    assert made.prepare() == "> CREATE ROLE ${racehound.run}_o_0_role\n"
    assert made.manipulate("rename") == "> ALTER VIEW o_0 RENAME TO o_0_tmp\n> ALTER VIEW o_0_tmp RENAME TO o_0\n"
    assert made.relation == "o_0"  # type: ignore[attr-defined]
    inside = kind(name="o_1", refers_to={k.__name__: k for k in catalogue(POSTGRES)}["Schema"]("o_base"))
    assert inside.destroy() == "> DROP VIEW o_base.o_1 CASCADE\n"


def test_a_supporting_table_is_made_and_dropped_where_the_object_below_has_none() -> None:
    kind = the_one(EXAMPLES / "trigram_index.td")
    alone, over_table = kind("o_0"), kind("o_0", POSTGRES.plain_table("o_base"))
    assert "CREATE TABLE o_0_table" in alone.create()
    assert "ON o_0_table USING gin" in alone.create()
    assert alone.destroy().endswith("> DROP TABLE IF EXISTS o_0_table CASCADE\n")
    assert "DROP TABLE IF EXISTS o_0_table" in alone.clear()
    assert "_table" not in over_table.create() + over_table.destroy() + over_table.clear()
    assert "ON o_base USING gin" in over_table.create()


def test_declared_manipulations_are_the_ones_drawn_in_their_order(tmp_path: Path) -> None:
    text = TD.replace("weight: 3", "manipulation twice: look, rename, look\nmanipulation again: destroy, create")
    kind = the_one(written(tmp_path, "toy.td", text))
    assert tuple(kind.all_manipulations()) == ("nothing", "twice", "again")
    assert kind("o_0").manipulate("again") == kind("o_0").destroy() + kind("o_0").create()


def test_facts_of_a_database_say_what_the_kind_needs_and_where_its_name_is_known(tmp_path: Path) -> None:
    text = TD.replace("weight: 3", "requires: pg_trgm, amcheck\nsince: 99\nscope: cluster\nsingle: yes")
    kind = the_one(written(tmp_path, "toy.td", text))
    assert kind.requires == {"superuser", "pg_trgm", "amcheck"}  # type: ignore[attr-defined]
    assert kind.single
    assert kind.cluster_wide
    assert "DROP VIEW ${racehound.run}_o_0 " in kind("o_0").destroy()
    assert not POSTGRES.may_have(Choice("postgres"), kind), "no release is that new"


FLAWS = {
    "=== creat": (TD.replace("=== create\n", "=== creat\n"), 13, "unknown section 'creat'; there are: prepare, create, clear"),
    "a section twice": (TD + "\n=== destroy\n> SELECT 1\n", 31, "there is a section for 'destroy' already, in line 28"),
    "no create": (re.sub(r"=== create\n.*\n", "", TD), 27, "the section `=== create` is missing"),
    "no destroy": (re.sub(r"=== destroy\n.*\n", "", TD), 27, "the section `=== destroy` is missing"),
    "change without a name": (TD.replace("=== change rename", "=== change"), 16, "needs the name of an operation"),
    "verify with a name": (TD.replace("=== verify", "=== verify it"), 24, "the section `verify` has no name behind it"),
    "no name": (TD.replace("=== change rename", "=== change Re-name"), 16, "an operation's name is like rename_back"),
    "a taken name": (TD.replace("=== change rename", "=== change table"), 16, "the name 'table' has another meaning"),
    "the name of a field": (
        TD.replace("=== change rename", "=== change chosen"),
        16,
        "the name of a drawn field",
    ),
    "an unknown action": (TD.replace("$ set-from-sql", "$ set-from-sqll"), 21, "unknown action set-from-sqll"),
    "no testdrive": (TD.replace("> DROP VIEW", "DROP VIEW"), 29, "unexpected text before the first command"),
    "two statements": (TD.replace("> DROP VIEW", "> SELECT 1; DROP VIEW"), 29, "one statement"),
    "a bad variable": (TD.replace("AS ${query}", "AS ${querry}"), 14, "unknown variable ${querry}; there are: barrier, chosen"),
    "a bad variable in a fact": (TD.replace("${object}\n", "${objekt}\n", 1), 8, "unknown variable ${objekt}"),
    "an unknown fact": (TD.replace("weight: 3", "wait: 3"), 5, "unknown fact 'wait'; there are: kind, database, about"),
    "no fact at all": (TD.replace("weight: 3", "weight 3"), 5, "`name: value` is expected before the first section"),
    "a fact twice": (TD.replace("weight: 3", "kind: Other"), 5, "the fact 'kind' is there already, in line 2"),
    "no number": (TD.replace("weight: 3", "weight: heavy"), 5, "weight: a whole number is expected, not 'heavy'"),
    "neither yes nor no": (TD.replace("weight: 3", "single: perhaps"), 5, "single: yes or no is expected"),
    "no scope": (TD.replace("weight: 3", "scope: galaxy"), 5, "scope: schema, database, cluster is expected"),
    "no release": (TD.replace("weight: 3", "since: ever"), 5, "since: a major release is expected"),
    "no such offer": (TD.replace("offers relation", "offers relations"), 8, "cannot offer 'relations' to others, but: relation"),
    "no values": (TD.replace("draw chosen: a, b", "draw chosen: a,,b"), 7, "needs values with commas between them"),
    "a field like a variable": (TD.replace("draw chosen:", "draw query:"), 7, "has another meaning for every kind"),
    "a bad manipulation": (TD.replace("weight: 3", "manipulation a: rename, reindex"), 5, "there is no operation 'reindex'"),
    "an unused operation": (TD.replace("weight: 3", "manipulation a: rename"), 20, "no manipulation has the operation 'look'"),
    "no kind": (TD.replace("kind: Toy\n", ""), 1, "the fact `kind:` is missing"),
    "no database": (TD.replace("database: postgres\n", ""), 1, "the fact `database:` is missing"),
    "another database": (TD.replace("postgres", "materialize", 1), 3, "its kind is one of materialize, not of postgres"),
    "a name of no kind": (TD.replace("kind: Toy", "kind: toy index"), 2, "a kind's name is like TrigramIndex"),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_what_is_wrong_with_a_file_of_sections_is_said_in_one_line_with_its_place(tmp_path: Path, flaw: str) -> None:
    text, line, message = FLAWS[flaw]
    path = written(tmp_path, "toy.td", text)
    with pytest.raises(UserError) as caught:
        catalogue(POSTGRES, (path,))
    first = str(caught.value).splitlines()[0]
    assert first.startswith(f"{path}:{line}:"), first
    assert message in first


def test_no_text_crashes_the_reader(tmp_path: Path) -> None:
    """Files with lines left out, doubled or swapped: each is a kind or one clear error."""
    rng = random.Random(1)
    lines = TD.splitlines()
    for number in range(200):
        changed = [line for line in lines for _ in range(rng.choice((1, 1, 1, 1, 0, 2)))]
        at = rng.randrange(len(changed))
        changed[at:at] = changed[: rng.randrange(3)]
        path = written(tmp_path, f"toy{number}.td", "\n".join(changed))
        made, said = "", ""
        try:
            made = the_one(path)("o_0").create()
        except UserError as error:
            said = str(error)
        assert made or said.startswith(f"{path}:")


def test_materialize_has_kinds_of_sections_too(tmp_path: Path) -> None:
    text = "kind: Toy\ndatabase: materialize\noffers relation: ${object}\n=== create\n> CREATE VIEW ${object} AS ${query}\n"
    kind = added(written(tmp_path, "toy.td", text + "=== destroy\n> DROP VIEW ${object}\n"), of=database("materialize"))[0]
    assert kind("o_0").create() == "> CREATE VIEW o_0 AS SELECT 'foo' AS a, 'bar' AS b\n"


# Python


def test_the_kinds_of_a_python_file_come_in_the_order_written(tmp_path: Path) -> None:
    kinds = added(written(tmp_path, "mine.py", PYTHON))
    assert [kind.__name__ for kind in kinds] == ["Second", "First"]
    assert kinds[0].attributes() == {"size": (1, 2)}
    assert tuple(kinds[0].all_manipulations()) == ("nothing", "fill")


PYTHON_FLAWS = {
    "no kind": ("x = 1\n", r"it defines no kind: no subclass of racehound\.databases\.postgres\.kinds\.base\.PostgresKind"),
    "a syntax error": ("def\n", r":1: invalid syntax"),
    "an exception": (PYTHON + "\n1 / 0\n", r":\d+: ZeroDivisionError: division by zero"),
    "no dataclass": (PYTHON.replace("@dataclasses.dataclass(frozen=True)\n", "", 1), r":13: Second is no dataclass: write @"),
    "an operation that fails": (PYTHON.replace("VALUES ('x')\")", "VALUES ('x')\", None.x)"), r"Second.fill: AttributeError"),
    "no text": (
        PYTHON.replace("return run(f\"INSERT INTO {self.ident} VALUES ('x')\")", "return 7"),
        r"returns 7, which",
    ),
    "no testdrive": (PYTHON.replace("return run(f\"INSERT INTO {self.ident} VALUES ('x')\")", "return 'x'"), r"unexpected text"),
    "no create": (PYTHON.replace("def create_statements", "def make"), r"Second.create: NotImplementedError"),
    "a taken name": (PYTHON.replace("First", "Table"), r"PostgreSQL has a kind called Table already"),
}


@pytest.mark.parametrize("flaw", PYTHON_FLAWS)
def test_what_is_wrong_with_a_python_file_is_said_in_one_line_with_its_place(tmp_path: Path, flaw: str) -> None:
    text, message = PYTHON_FLAWS[flaw]
    path = written(tmp_path, "mine.py", text)
    with pytest.raises(UserError, match=message) as caught:
        catalogue(POSTGRES, (path,))
    assert str(caught.value).startswith(str(path))


def test_a_directory_gives_its_files_by_name_and_those_that_begin_with_an_underscore_are_left_out(tmp_path: Path) -> None:
    written(tmp_path, "b.py", PYTHON)
    written(tmp_path, "a.td", TD)
    written(tmp_path, "_c.py", "1 / 0")
    written(tmp_path, "notes.txt", "no kinds")
    assert [kind.__name__ for kind in added(tmp_path)] == ["Toy", "Second", "First"]


@pytest.mark.parametrize(
    ("name", "message"), [("missing.py", "No such file"), ("missing.td", "No such file"), ("x.sql", "are written in")]
)
def test_a_path_without_kinds_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        catalogue(POSTGRES, (tmp_path / name,))
    with pytest.raises(UserError, match=r"there is no \.py or \.td file in it"):
        catalogue(POSTGRES, (tmp_path,))


# Packages


def installed(monkeypatch: pytest.MonkeyPatch, directory: Path, entries: str) -> None:
    """A distribution with these entry points, as pip would install it."""
    info = directory / "toys-1.dist-info"
    info.mkdir()
    written(info, "METADATA", "Metadata-Version: 2.1\nName: toys\nVersion: 1\n")
    written(info, "entry_points.txt", f"[racehound.kinds]\n{entries}\n")
    monkeypatch.syspath_prepend(str(directory))
    importlib.invalidate_caches()


def test_kinds_of_an_installed_package_follow_the_built_in_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "toys.py", PYTHON + "\n\nKINDS = (First, Second)\n")
    installed(monkeypatch, tmp_path, "postgres = toys:KINDS\npostgres.more = toys:First")
    assert [kind.__name__ for kind in catalogue(POSTGRES)[len(POSTGRES.kinds()) :]] == ["First", "Second"]
    assert "First" not in {kind.__name__ for kind in catalogue(database("materialize"))}
    assert [kind.__name__ for kind in printable_kinds(POSTGRES, Choice("postgres"))[-2:]] == ["First", "Second"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("postgres = nowhere:KINDS", "postgres = nowhere:KINDS of toys cannot be loaded: ModuleNotFoundError"),
        ("postgres = json:loads", "postgres = json:loads of toys gives .* no subclass of PostgresKind"),
    ],
)
def test_an_entry_that_gives_no_kinds_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, message: str) -> None:
    installed(monkeypatch, tmp_path, entry)
    with pytest.raises(UserError, match=message):
        catalogue(POSTGRES)


# The command line


def test_print_draws_from_the_kinds_of_a_file_and_without_it_nothing_changes() -> None:
    def printed(*arguments: str) -> str:
        done = CliRunner().invoke(cli, ["print", "postgres", "--seed", "5", *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    file = str(EXAMPLES / "trigram_index.td")
    assert "gin_trgm_ops" in printed("--kinds-from", file, "--kinds", "Table,TrigramIndex")
    assert "gin_trgm_ops" not in printed()


def test_kinds_lists_the_kinds_of_a_file_at_the_end() -> None:
    done = CliRunner().invoke(cli, ["kinds", "postgres", "--kinds-from", str(EXAMPLES)])
    heads = [line.partition(":")[0] for line in done.output.splitlines() if line[:1].isalpha()]
    assert heads[-2:] == ["PythonTrigramIndex", "TrigramIndex"]


def test_the_examples_say_the_same_in_python_and_in_sections() -> None:
    python, text = added(EXAMPLES)
    for base in (None, POSTGRES.plain_table("o_base")):
        one, other = python("o_0", base), text("o_0", base)
        assert one.create() == other.create()
        assert one.manipulate("write") == other.manipulate("write")


# What the manual says


def test_the_manual_shows_the_examples_as_they_are_and_every_fact_section_and_variable() -> None:
    manual = (EXAMPLES.parents[1] / "docs" / "kinds.md").read_text(encoding="utf-8")
    for name in ("trigram_index.td", "trigram_index.py"):
        assert (EXAMPLES / name).read_text(encoding="utf-8").strip() in manual
    for of in (POSTGRES, database("materialize")):
        bases = of.kind_bases()
        assert bases
        assert bases.text
        words = [f"${{{variable}}}" for variable in bases.text.variables]
        words += [f"`{fact}:" for fact in (*text_kinds._FACTS, *bases.text.facts)]
        words += [f"=== {section}" for section in ("prepare", "create", "clear", "change", "read", "verify", "destroy")]
        words += [f"`{offer}`" for offer in bases.text.offers]
        assert [word for word in words if word not in manual] == []


def test_the_kind_that_the_contributors_guide_shows_is_one(tmp_path: Path) -> None:
    guide = (EXAMPLES.parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    code = next(block for block in guide.split("```") if "class TableCopy" in block).removeprefix("python\n")
    kind = the_one(written(tmp_path, "table_copy.py", code))
    assert tuple(kind.all_manipulations())[-2:] == ("analyze", "rename_column")
    assert kind("o_0").create().startswith("> CREATE TABLE o_0 AS SELECT")
