"""The catalogue of PostgreSQL kinds as text: complete, well-formed, named so that what it makes can be recognised."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest

from racehound.databases.postgres.dialect import allows_transaction
from racehound.databases.postgres.kinds import KINDS, PostgresKind
from racehound.testdrive.parser import parse
from racehound.testdrive.script import Sql
from racehound.testdrive.statements import count_statements

_NAMES = {kind.__name__: kind for kind in KINDS}
_STEPS = ("prepare", "create", "clear", "verify", "destroy")


def _made(kind: type[PostgresKind], over: PostgresKind | None = None, name: str = "o_0") -> Iterator[PostgresKind]:
    """An object of the kind for every combination of its attributes."""
    attributes = kind.attributes()
    for values in itertools.product(*attributes.values()):
        yield kind(name, over, **dict(zip(attributes, values, strict=True)))


def _fragments(kind: PostgresKind) -> Iterator[tuple[str, str]]:
    for step in _STEPS:
        yield step, getattr(kind, step)()
    for manipulation in kind.all_manipulations():
        yield manipulation, kind.manipulate(manipulation)


def _everything() -> Iterator[tuple[str, str]]:
    """Every fragment of every kind, over nothing and over every referable kind."""
    for kind in KINDS:
        bases = [None, *(other("o_base") for other in KINDS if other.can_be_referenced)]
        for base, made in itertools.product(bases, _made(kind)):
            over = type(base).__name__ if base else "nothing"
            for step, fragment in _fragments(kind(made.name, base, **{a: getattr(made, a) for a in kind.attributes()})):
                yield f"{kind.__name__} over {over}, {step}", fragment


def test_no_kind_has_left_the_catalogue_and_none_is_in_it_twice() -> None:
    specified = """
        Table Partition View MaterializedView Index ForeignKey UniqueConstraint CheckConstraint NotNull Sequence IdentityColumn
        EnumType CompositeType Domain RangeType Function Procedure Aggregate Operator Cast Trigger EventTrigger Rule Policy
        Role Schema Database Tablespace Extension Language Publication Subscription ReplicationSlot ForeignServer UserMapping
        ForeignTable Statistics Collation Conversion TextSearchConfig AccessMethod LargeObject Comment DefaultPrivileges
    """
    assert set(specified.split()) <= set(_NAMES)
    assert len(set(_NAMES)) == len(KINDS)


def test_every_fragment_is_made_of_single_statements_that_may_fail_only_by_a_race() -> None:
    for what, fragment in set(_everything()):
        for command in parse(fragment).commands:
            assert isinstance(command, Sql), what
            assert command.sigil == ">", what
            assert count_statements(command.text) == 1, f"{what}: {command.text}"


def test_no_fragment_opens_or_ends_a_transaction() -> None:
    for what, fragment in _everything():
        assert not re.search(r"^> (?:BEGIN|COMMIT|ROLLBACK|START)\b", fragment, re.MULTILINE), what


def test_every_kind_creates_verifies_and_destroys() -> None:
    for kind in KINDS:
        for made in _made(kind):
            assert made.create(), kind
            assert made.verify(), kind
            assert made.destroy(), kind


def test_every_object_over_another_names_it_when_it_is_created() -> None:
    extensions = re.compile(r"\b(?:citext|cube|hstore|seg)\b")
    for kind in KINDS:
        for other in KINDS:
            if other.can_be_referenced:
                base = other("o_base")
                made = kind("o_0", base)
                created = made.prepare() + made.create()  # what a subscription subscribes to is named by its publisher
                named = "o_base" in created or extensions.search(created) or getattr(base, "symbol", "\0") in created
                assert named, f"{kind.__name__} over {other.__name__}"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_bears_a_name_of_its_own_is_made_under_it(kind: type[PostgresKind]) -> None:
    """Whatever an object creates over nothing begins with its own name, after the run's id if the cluster shares it."""
    creating = re.compile(
        r"CREATE (?:OR REPLACE |UNIQUE |UNLOGGED |TRUSTED )*"
        r"(?P<noun>ROLE|DATABASE|TABLESPACE|TABLE|VIEW|SCHEMA|SEQUENCE|TYPE|DOMAIN|FUNCTION|PROCEDURE|PUBLICATION|SUBSCRIPTION) "
        r"(?:IF NOT EXISTS )?(?P<name>[^\s(]+)"
    )
    shared = {"ROLE", "DATABASE", "TABLESPACE", "SUBSCRIPTION"}
    for made in _made(kind):
        for step, fragment in _fragments(made):
            for noun, name in creating.findall(fragment):
                schema, _, last = name.rpartition(".")
                prefix = "${racehound.run}_o_0" if noun in shared else "o_0"
                own = name if noun in shared else last
                assert own.startswith(prefix), f"{step}: {noun} {name}"
                assert not schema or noun in shared or schema.startswith("o_0"), f"{step}: {noun} {name}"


def test_what_is_created_over_a_schema_is_created_inside_it() -> None:
    schema = _NAMES["Schema"]("o_base")
    for name in (
        "Table",
        "View",
        "MaterializedView",
        "Sequence",
        "EnumType",
        "Function",
        "Aggregate",
        "Collation",
        "ForeignTable",
    ):
        assert re.search(r"^> CREATE [A-Z ]*\bo_base\.o_0\b", _NAMES[name]("o_0", schema).create(), re.MULTILINE), name


def test_facets_pass_through_what_has_none_of_its_own() -> None:
    chain = _NAMES["Function"]("o_2", _NAMES["Role"]("o_1", _NAMES["Schema"]("o_0")))
    assert "CREATE FUNCTION o_0.o_2(" in chain.create()
    assert "ALTER FUNCTION o_0.o_2 OWNER TO ${racehound.run}_o_1" in chain.create()


def test_what_a_failed_create_may_leave_is_cleared_before_the_next_try() -> None:
    for kind in KINDS:
        for made in _made(kind):
            creating = [line for line in made.create().splitlines() if line.startswith("> CREATE ")]
            assert made.clear() or len(creating) <= 1, kind


def test_a_build_that_leaves_an_invalid_index_is_cleared_too() -> None:
    base = _NAMES["Table"]("o_base")
    assert "DROP INDEX IF EXISTS o_0" in _NAMES["Index"]("o_0", base, concurrently=True).clear()  # type: ignore[call-arg]
    assert not _NAMES["Index"]("o_0", base, concurrently=False).clear()  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["Table", "View", "Schema", "Role", "Function", "EnumType", "ForeignTable", "Collation"])
def test_referable_kinds_can_be_dropped_with_their_dependents_and_made_again(name: str) -> None:
    made = _NAMES[name]("o_base")
    again = made.manipulate("recreate")
    assert again.index("DROP ") < again.index("CREATE ")


def test_what_the_server_refuses_in_a_transaction_block_is_recognised_there() -> None:
    outside = {
        ("Index", "reindex"),
        ("Index", "reindex_concurrently"),
        ("Partition", "detach_concurrently"),
        ("Table", "vacuum"),
        ("Database", "recreate"),
        ("Tablespace", "recreate"),
        ("Subscription", "recreate"),
        ("Subscription", "refresh"),
        ("ReplicationSlot", "recreate"),
        ("ReplicationSlot", "recreate_in_block"),
    }
    for name, manipulation in outside:
        assert not allows_transaction(_NAMES[name]("o_0").manipulate(manipulation)), (name, manipulation)
    assert allows_transaction(_NAMES["Function"]("o_0", _NAMES["Schema"]("o_base")).create())


def test_operators_of_different_objects_have_different_names() -> None:
    names = ["o_base", *(f"o_{number}" for number in range(64))]
    symbols = [re.search(r"CREATE OPERATOR public\.(\S+)", _NAMES["Operator"](name).create()) for name in names]
    assert len({match[1] for match in symbols if match}) == len(names)


def test_a_sequence_gets_the_owner_of_its_table_before_it_is_bound_to_it() -> None:
    """Also where the table belongs to a role that stands further down in a chain."""
    role = _NAMES["Role"]("o_0")
    constraint = _NAMES["UniqueConstraint"]("o_1", role)
    sequence = _NAMES["Sequence"]("o_2", constraint)
    owner = f"ALTER SEQUENCE o_2 OWNER TO {role.ident}"
    bind = "ALTER SEQUENCE o_2 OWNED BY o_1_table.a"
    assert sequence.create().splitlines()[-3:] == ["> CREATE SEQUENCE o_2 CACHE 1", f"> {owner}", f"> {bind}"]
    assert f"> {owner}" in sequence.manipulate("change_owner").splitlines()
    alone = _NAMES["Sequence"]("o_2", _NAMES["UniqueConstraint"]("o_1"))
    assert alone.create().splitlines()[-1] == "> CREATE SEQUENCE o_2 CACHE 1 OWNED BY o_1_table.a"


def test_large_objects_of_different_objects_have_different_numbers() -> None:
    names = ["o_base", *(f"o_{number}" for number in range(64))]
    numbers = {re.search(r"lo_unlink\((\d+)\)", _NAMES["LargeObject"](name).destroy())[1] for name in names}  # type: ignore[index]
    assert len(numbers) == len(names)


def test_manipulations_are_the_same_in_every_process() -> None:
    assert tuple(_NAMES["Index"].all_manipulations()) == (
        "nothing", "rename", "recreate", "comment", "reindex", "reindex_concurrently", "alter", "drop_concurrently_and_again",
        "update_table", "insert_into_table",
    )  # fmt: skip
