"""The race matrix on real servers: cells whose outcome is known, and a run that is killed and goes on."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from racehound.data.finding import Finding
from racehound.data.history import Event
from racehound.data.matrix import Operation, Outcome, Relationship, read_matrix, worst
from racehound.data.program import Program
from racehound.databases.database import Choice
from racehound.databases.postgres.footprint import CatalogFootprints
from racehound.databases.postgres.target import PostgresTarget
from racehound.databases.registry import Opened, opened
from racehound.loops.matrix.journal import read_journal
from racehound.loops.matrix.pair_runner import PairRunner, pair_runner
from racehound.loops.matrix.selection import select
from racehound.scenarios.pairs import Catalogue, Side


class Lab:
    """Tries pairs of operations on an open target."""

    def __init__(self, place: Opened, runner: PairRunner, found: list[Finding]) -> None:
        self._place = place
        self._runner = runner
        self.found = found
        self.catalogue = Catalogue(place.kinds, place.database.plain_table, place.target.dialect.effect)
        self._operations = {each.name: each for each in self.catalogue.operations()}

    def alone(self, operation: str) -> Side:
        """The operation on an object over the plain table."""
        return self.catalogue.alone(self._operations[operation])

    def operation(self, name: str) -> Operation:
        return self._operations[name]

    def run(self, x: str, y: str, relationship: Relationship) -> dict[tuple[str, str], Outcome]:
        """By the letter of who comes first, and the mode."""
        self.found.clear()
        pair = self.catalogue.pair(self._operations[x], self._operations[y], relationship)
        result = self._runner.run(pair)
        assert not result.trouble
        return {("y" if trial.y_first else "x", trial.mode): trial.outcome for trial in result.trials}


def lab_on(release: str | None, directory: Path) -> Iterator[Lab]:
    found: list[Finding] = []

    def keep(finding: Finding, _program: Program, _events: list[Event]) -> None:
        found.append(finding)

    with opened(Choice("postgres", release=release), directory / "server.log") as place, pair_runner(place, 10.0, keep) as runner:
        yield Lab(place, runner, found)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    yield from lab_on(None, tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def old(maven: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A release with known races."""
    yield from lab_on("18.3", tmp_path_factory.mktemp("log"))


def test_a_function_in_a_schema_that_is_dropped_is_an_orphan_on_an_old_release(old: Lab) -> None:
    outcomes = old.run("Schema.destroy", "Function.create", "y over x")
    assert len(outcomes) == 6
    assert outcomes["x", "commit"] == outcomes["y", "commit"] == "corrupt"
    assert outcomes["x", "rollback"] == outcomes["y", "rollback"] == "fine"
    signatures = {finding.signature for finding in old.found if finding.severity == "corruption"}
    assert signatures == {"pg_proc.pronamespace -> pg_namespace.oid: row missing"}  # told once, not for pg_depend again
    assert {finding.serial_orders for finding in old.found} == {"clean"}
    assert all(finding.first_met for finding in old.found)


def test_the_default_release_makes_one_of_them_wait(sound: Lab) -> None:
    outcomes = sound.run("Schema.destroy", "Function.create", "y over x")
    assert outcomes["x", "commit"] == "expected"
    assert {outcomes[key] for key in (("y", "commit"), ("x", "rollback"), ("y", "rollback"))} == {"blocked"}
    assert sound.found == []


def test_the_same_object_renamed_and_commented(sound: Lab) -> None:
    outcomes = sound.run("Table.rename", "Table.comment", "same")
    assert outcomes["x", "commit"] == "expected"
    assert outcomes["x", "rollback"] == outcomes["y", "commit"] == "blocked"


def test_what_may_not_stand_in_a_transaction_only_meets_the_other_one_outside(sound: Lab) -> None:
    outcomes = sound.run("Table.insert", "Index.create[concurrently]", "y over x")
    assert set(outcomes) == {("x", "together"), ("x", "commit"), ("x", "rollback"), ("y", "together")}
    assert outcomes["x", "commit"] == "blocked"


def test_an_answer_that_a_serial_order_gives_as_well_is_no_weakness(sound: Lab) -> None:
    """The second CREATE TEXT SEARCH DICTIONARY of a name is refused by an index of the catalog, alone as well as in a race."""
    outcomes = sound.run("TextSearchConfig.create", "TextSearchConfig.create", "same")
    assert outcomes["x", "together"] == outcomes["x", "commit"] == "no race needed"
    assert sound.found == []


def test_an_operation_meets_itself_in_one_order(sound: Lab) -> None:
    outcomes = sound.run("Role.grant_and_revoke", "Role.grant_and_revoke", "same")
    assert {first for first, _ in outcomes} == {"x"}


@pytest.fixture(scope="module")
def surveyor(sound: Lab) -> Iterator[CatalogFootprints]:
    target = sound._place.target
    assert isinstance(target, PostgresTarget)
    with contextlib.closing(CatalogFootprints(target)) as footprints:
        yield footprints


def test_a_footprint_tells_what_is_written_and_what_is_referred_to(sound: Lab, surveyor: CatalogFootprints) -> None:
    view = surveyor.measure(sound.alone("View.create"))
    dropped = surveyor.measure(sound.alone("View.destroy"))
    outside = surveyor.measure(sound.alone("Tablespace.destroy"))
    assert {"pg_class o_0", "pg_type o_0"} <= view.writes
    assert "pg_class o_base" in view.reads - view.writes
    assert "pg_class o_0" in dropped.writes
    assert view.transactional
    assert "pg_tablespace o_0" in outside.writes
    assert "pg_tablespace o_0" in outside.of("o_0").shared
    assert not outside.transactional


def test_what_is_written_in_place_is_part_of_a_footprint(sound: Lab, surveyor: CatalogFootprints) -> None:
    vacuumed = surveyor.measure(sound.alone("Table.vacuum"))
    analyzed = surveyor.measure(sound.alone("Table.analyze"))
    indexed = surveyor.measure(sound.alone("Index.create"))
    dropped = surveyor.measure(sound.alone("Database.destroy"))
    commented = surveyor.measure(sound.alone("Table.comment"))
    assert {"pg_class o_0", "heap o_0"} <= vacuumed.of("o_0").writes
    assert not vacuumed.transactional
    assert "heap o_base" not in vacuumed.writes
    assert {"pg_class o_0", "heap o_0"} <= analyzed.writes
    assert "pg_class o_base" in indexed.writes, "CREATE INDEX sets relhasindex, reltuples and relpages of the table"
    assert "pg_database o_0" in dropped.writes
    assert "pg_class o_base" not in commented.writes


def test_an_operation_outside_of_transactions_has_the_locks_that_it_took(sound: Lab, surveyor: CatalogFootprints) -> None:
    concurrently = surveyor.measure(sound.alone("Index.create[concurrently]"))
    assert not concurrently.transactional
    assert {"heap o_base", "pg_class o_base", "pg_class o_0"} <= concurrently.writes


@pytest.mark.parametrize(
    ("operation", "written"),
    [
        ("ReplicationSlot.recreate", "pg_replication_slots o_0"),
        ("ReplicationSlot.write_and_get", "pg_replication_slots o_0"),
        ("ReplicationSlot.advance", "pg_replication_slots o_0"),
        ("LargeObject.recreate", "pg_largeobject o_0"),
        ("LargeObject.write", "pg_largeobject o_0"),
        ("LargeObject.grant_and_revoke", "pg_largeobject o_0"),
        ("Sequence.draw", "heap o_0"),
    ],
)
def test_a_read_that_changes_something_has_a_footprint(
    sound: Lab, surveyor: CatalogFootprints, operation: str, written: str
) -> None:
    assert written in surveyor.measure(sound.alone(operation)).of("o_0").writes


def test_vacuum_meets_whoever_writes_to_its_table(sound: Lab, surveyor: CatalogFootprints) -> None:
    names = ("Table.vacuum", "Table.insert", "Table.grant_and_revoke", "Index.create", "Table.count_by_bitmap_scan")
    operations = [sound.operation(name) for name in names]
    selection = select(sound.catalogue, operations, {name: surveyor.measure(sound.alone(name)) for name in names})
    met = {
        pair.x.name if pair.y.name == "Table.vacuum" else pair.y.name for pair in selection.pairs if "Table.vacuum" in pair.key
    }
    assert met == set(names)


@pytest.mark.leftovers
def test_a_run_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    operations = "Table.rename,Table.comment,Table.insert,View.create,View.destroy,View.rename"
    command = [sys.executable, "-m", "racehound", "matrix", "--servers", "1", "--operations", operations]
    out = tmp_path / "run"
    journal = out / "matrix.jsonl"
    with subprocess.Popen([*command, "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as killed:
        wait_for_lines(journal, 3)
        killed.send_signal(signal.SIGKILL)
    before = read_journal(journal)[1]
    assert not (out / "matrix.json").exists()
    again = [sys.executable, "-m", "racehound", "matrix", "--resume", str(out)]
    done = subprocess.run([*again, "--servers", "1"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    after = read_journal(journal)[1]
    assert after[: len(before)] == before, "what was over was not held again"
    assert len({met.key for met in after}) == len(after)
    matrix = read_matrix(out)
    assert matrix.complete
    assert len({(t.x, t.y) for t in matrix.trials}) == sum(1 if m.x == m.y else 2 for m in after)
    assert worst(matrix.cells()["View.destroy", "View.rename"]).outcome == "expected"
    other = subprocess.run([*again, "--release", "18.3"], capture_output=True, text=True, check=False)
    assert (other.returncode, "leave it out" in other.stderr) == (2, True)
    subprocess.run([sys.executable, "-m", "racehound", "clean"], capture_output=True, check=True)


def wait_for_lines(path: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert time.monotonic() < deadline, "the run writes no journal"
        time.sleep(0.01)
