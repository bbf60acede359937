"""Kits on a freshly initialised server with default settings: what others do with them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from racehound.data.finding import Finding
from racehound.data.scene import SETUP, Line, Scene
from racehound.data.verification import RUNS, SHOWN
from racehound.databases.postgres.handover import hand_over_kit
from racehound.databases.postgres.handover.broken_rows import broken_rows
from racehound.databases.postgres.handover.kit import Kit, kit_of
from racehound.databases.postgres.handover.verify import verify
from racehound.databases.postgres.oracles.catalog_map import read_catalog_map
from racehound.databases.postgres.oracles.catalog_queries import NO_DEPENDENCY, NO_OWNER, ROW_MISSING
from racehound.databases.postgres.oracles.catalog_rules import RULES
from racehound.databases.postgres.oracles.recorded_dependencies import DEPENDENCIES, OWNERS
from racehound.services.embedded import releases
from racehound.services.embedded.server import EmbeddedServer
from racehound.wire.session import LibpqSession

RELEASE = releases.find().version
MEMBERSHIP = Finding("catalog", "corruption", "s", "pg_auth_members.roleid -> pg_authid.oid: row missing (role rh01234567_o_1)")
COMMENT = Finding("catalog", "corruption", "s", "pg_shdescription.objoid -> pg_tablespace.oid: row missing")
SETTING_UP = (
    Line(SETUP, "CREATE ROLE ${racehound.run}_o_1"),
    Line(SETUP, "CREATE ROLE ${racehound.run}_o_2"),
    Line(SETUP, "CREATE TABLESPACE ${racehound.run}_o_3 OWNER ${racehound.run}_o_2 LOCATION ''"),
)
MEMBERSHIP_SCENE = Scene((
    *SETTING_UP, Line(1, "BEGIN"), Line(1, "DROP ROLE ${racehound.run}_o_1"),
    Line(2, "GRANT ${racehound.run}_o_1 TO ${racehound.run}_o_2"), Line(1, "COMMIT"),
))  # fmt: skip
COMMENT_SCENE = Scene((
    *SETTING_UP, Line(1, "BEGIN"), Line(1, "COMMENT ON TABLESPACE ${racehound.run}_o_3 IS 'o_3'"),
    Line(2, "DROP TABLESPACE ${racehound.run}_o_3"), Line(1, "COMMIT"),
))  # fmt: skip


LOST_UPDATE = Scene(
    (
        Line(SETUP, "CREATE TABLE o_1 (balance int)"), Line(SETUP, "INSERT INTO o_1 VALUES (100)"),
        Line(1, "BEGIN"), Line(1, "UPDATE o_1 SET balance = 90"),
        Line(2, "UPDATE o_1 SET balance = 90"), Line(1, "COMMIT"),
    ),
    check="> SELECT balance, balance > 85 FROM o_1\n80 false\n",
)  # fmt: skip
WRONG = Finding("contents", "wrong result", "s", "o_1: other rows than must hold after verify")
LOCKS = Scene((
    Line(SETUP, "CREATE TABLE o_1 ()"), Line(SETUP, "CREATE TABLE o_2 ()"), Line(1, "BEGIN"), Line(2, "BEGIN"),
    Line(1, "LOCK o_1"), Line(2, "LOCK o_2"), Line(1, "LOCK o_2"), Line(2, "LOCK o_1"),
))  # fmt: skip
DEADLOCK = Finding("errors", "unexplained error", "s", "40P01 deadlock detected")


def written(directory: Path, scene: Scene, finding: Finding) -> Kit:
    kit = kit_of(scene, finding, finding.title)
    for name, text in hand_over_kit(kit).files.items():
        (directory / name).write_text(text)
    return kit


@pytest.mark.skipif(int(RELEASE.split(".")[0]) > 18, reason="a race that 18 has may be mended later")
@pytest.mark.parametrize(("scene", "finding"), [(MEMBERSHIP_SCENE, MEMBERSHIP), (COMMENT_SCENE, COMMENT)])
def test_every_form_shows_it_twice_where_nothing_of_racehound_is(
    scene: Scene, finding: Finding, tmp_path: Path, scratch_dir: Path
) -> None:
    kit = written(tmp_path, scene, finding)
    verification = verify(tmp_path, kit, RELEASE, scratch_dir, 120, fetch=False)
    assert verification.forms == dict.fromkeys(("psql", "race.py", "race.spec"), (SHOWN,) * RUNS), verification
    assert verification.as_promised
    assert not verification.settings
    assert f"PostgreSQL {RELEASE} on" in verification.version
    assert any("(1 row)" in line for line in verification.observed)


@pytest.mark.parametrize(("scene", "finding", "line"), [(LOST_UPDATE, WRONG, "90 | t"), (LOCKS, DEADLOCK, "psql:session-2.sql:")])
def test_wrong_rows_and_errors_show_also_where_a_session_waits(
    scene: Scene, finding: Finding, line: str, tmp_path: Path, scratch_dir: Path
) -> None:
    verification = verify(tmp_path, written(tmp_path, scene, finding), RELEASE, scratch_dir, 120, fetch=False)
    assert verification.as_promised, verification
    assert set(verification.forms) == {"psql", "race.py", "race.spec"}
    assert any(line in said for said in verification.observed), verification.observed


def test_a_kit_of_what_is_no_defect_is_not_verified(tmp_path: Path, scratch_dir: Path) -> None:
    serial = Scene((*SETTING_UP, Line(1, "SELECT 1"), Line(2, "GRANT ${racehound.run}_o_1 TO ${racehound.run}_o_2")))
    verification = verify(tmp_path, written(tmp_path, serial, MEMBERSHIP), RELEASE, scratch_dir, 120, fetch=False)
    assert set(verification.forms.values()) == {("not shown",) * RUNS}
    assert not verification.as_promised


def test_a_setup_that_fails_is_told_and_is_no_defect(tmp_path: Path, scratch_dir: Path) -> None:
    wrong = Scene((Line(SETUP, "CREATE TABLESPACE ${racehound.run}_o_3 LOCATION 'nowhere'"), *MEMBERSHIP_SCENE.lines[3:]))
    verification = verify(tmp_path, written(tmp_path, wrong, MEMBERSHIP), RELEASE, scratch_dir, 120, fetch=False)
    assert "setup.sql fails" in verification.forms["psql"][0]
    assert "exit code 125" in verification.forms["race.py"][0]
    assert "tablespace location must be an absolute path" in verification.forms["race.spec"][0]


def test_where_the_time_is_over_that_is_said(tmp_path: Path, scratch_dir: Path) -> None:
    verification = verify(tmp_path, written(tmp_path, MEMBERSHIP_SCENE, MEMBERSHIP), RELEASE, scratch_dir, 0.01, fetch=False)
    assert "the time was over" in verification.hindered
    assert not verification.as_promised


def test_the_script_tells_the_serial_order_from_the_race(tmp_path: Path, fresh_database: str) -> None:
    """Exit code 0: everything ran, and the defect did not show."""
    serial = Scene((Line(1, "CREATE TABLE o_1 (a int)"), Line(2, "DROP TABLE o_1")))
    written(tmp_path, serial, MEMBERSHIP)
    ended = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "race.py"), fresh_database], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, "not shown"), ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def stock_server(scratch_dir: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(releases.find(), scratch_dir, scratch_dir / "stock.log", {}, stock=True)
    server.start()
    yield server
    server.stop()


def test_nobody_else_can_connect_to_a_stock_server(stock_server: EmbeddedServer) -> None:
    assert stock_server.address.socket_dir.stat().st_mode & 0o077 == 0
    with contextlib.closing(LibpqSession.connect(stock_server.address.conninfo())) as session:
        for setting, value in (("listen_addresses", ""), ("wal_level", "replica"), ("allow_in_place_tablespaces", "off")):
            rows = session.execute(f"SHOW {setting}").rows
            assert rows is not None
            assert rows.cells == [(value,)]


def test_the_queries_for_broken_rows_are_sql_and_find_none_on_a_healthy_server(stock_server: EmbeddedServer) -> None:
    session = LibpqSession.connect(stock_server.address.conninfo())
    catalogs = read_catalog_map(session)
    titles = [
        f"{key.catalog}.{','.join(key.columns)} -> {key.target}.{','.join(key.target_columns)}: {ROW_MISSING}"
        for key in catalogs.keys
    ]
    titles += [
        f"{catalog.name}.{acl} {side} -> pg_authid.oid: {ROW_MISSING}"
        for catalog in catalogs.catalogs.values()
        for acl in catalog.acls
        for side in ("grantor", "grantee")
    ]
    targets = {(key.catalog, ",".join(key.columns)): key.target for key in catalogs.keys}
    titles += [f"{c}.{col} -> {targets[c, col]}.oid: {NO_DEPENDENCY}" for c, col in DEPENDENCIES if (c, col) in targets]
    titles += [f"{c}.{col} -> {targets[c, col]}.oid: {NO_OWNER}" for c, col in OWNERS if (c, col) in targets]
    titles += [f"{rule.catalog}.{rule.column}: {rule.problem}" for rule in RULES if rule.since <= catalogs.version]
    titles += [f"pg_depend.{side} -> pg_class.oid: {ROW_MISSING}" for side in ("objid", "refobjid")]
    titles += [f"pg_depend.refobjid -> pg_attribute.attrelid,attnum: {ROW_MISSING}"]
    wrong = {}
    for title in titles:
        rows = broken_rows(title)
        if rows is None:
            continue
        outcome = session.execute(rows.query)
        if outcome.error or (outcome.rows and outcome.rows.cells):
            wrong[title] = outcome.error.message if outcome.error else outcome.rows
        if rows.removal:
            removed = session.execute(rows.removal)
            assert removed.ok, (title, removed.error)
            assert removed.tag.split()[-1] == "0", title
    session.close()
    assert not wrong
