"""The actions of DuckDB, which runs inside racehound."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from racehound.testdrive.errors import CommandFailed, ScriptError
from racehound.testdrive.interpreter import Context, run_file
from racehound.wire.session import LibpqSession

ENDLESS = "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range % 7 = b.range % 5"


@pytest.fixture
def context(connect: Callable[[], LibpqSession]) -> Context:
    return Context(connect())


def run(text: str, context: Context) -> None:
    run_file(text, "some.td", context)


def failure(text: str, context: Context) -> CommandFailed:
    with pytest.raises(CommandFailed) as raised:
        run(text, context)
    return raised.value


def test_a_database_lasts_for_its_name_as_long_as_the_script(context: Context) -> None:
    run(
        """
$ duckdb-connect name=ice
$ duckdb-execute name=ice
CREATE TABLE t (a INT, b TEXT); INSERT INTO t VALUES (2, 'two');
INSERT INTO t VALUES (1, 'New St'), (3, NULL)
$ duckdb-query name=ice
SELECT a, b FROM t ORDER BY a
1 New St
2 two
3 <null>
$ duckdb-query name=ice sort-rows=true
SELECT b FROM t ORDER BY a
two
New St
<null>
$ duckdb-query name=ice
SELECT a FROM t WHERE false
$ duckdb-query name=other
SELECT count(*) FROM duckdb_tables()
0
""",
        context,
    )
    assert "Table with name t does not exist" in failure("$ duckdb-query name=ice\nSELECT * FROM t\n", context).reason


def test_values_read_as_scripts_write_them(context: Context) -> None:
    query = r"""
$ duckdb-query name=d
SELECT true, 1::UTINYINT, 170141183460469231731687303715884105727::HUGEINT, 1.0::DOUBLE, 0.1::FLOAT, 1e20::DOUBLE, 'nan'::DOUBLE
true 1 170141183460469231731687303715884105727 1 0.1 100000000000000000000 NaN
$ duckdb-query name=d
SELECT 1.20::DECIMAL(9, 2), DATE '2020-02-29', TIMESTAMP '2020-01-01 00:00:00.5', TIMESTAMPTZ '2020-01-01 02:00+02', TIME '10:10'
1.20 2020-02-29 2020-01-01 00:00:00.500 2020-01-01 00:00:00 UTC 10:10:00
$ duckdb-query name=d
SELECT '\xAAa'::BLOB, '85907cb9-ac9b-4e35-84b8-60dc69368aca'::UUID, typeof(1), [1, NULL], {'a': 1, 'b': 'x'}
\\xaaa 85907cb9-ac9b-4e35-84b8-60dc69368aca INTEGER [1, NULL] {'a': 1, 'b': x}
"""
    run(query, context)


def test_rows_keep_the_order_of_the_query(context: Context) -> None:
    rows = "\n".join(str(number) for number in range(9999, -1, -1))
    script = "$ duckdb-execute name=d\nCREATE TABLE t AS SELECT range a FROM range(10000)\n$ duckdb-query name=d\n"
    run(f"{script}SELECT a FROM t ORDER BY a DESC\n{rows}\n", context)


def test_rows_that_differ_are_shown(context: Context) -> None:
    failed = failure("$ duckdb-query name=d\nSELECT * FROM (VALUES (1, 'a'), (2, 'b')) t ORDER BY 1\n1 a\n2 c\n", context)
    assert failed.reason == "rows differ"
    assert '-"2 c"\n+"2 b"' in failed.difference
    assert "rows differ" in failure("$ duckdb-query name=d\nSELECT * FROM (VALUES (2), (1)) t ORDER BY 1\n2\n1\n", context).reason


def test_a_statement_that_changes_something_runs_once(context: Context) -> None:
    run(
        """
$ duckdb-execute name=d
CREATE TABLE t (a INT)
$ duckdb-query name=d
INSERT INTO t VALUES (1) RETURNING a
1
$ duckdb-query name=d
SELECT count(*) FROM t
1
$ duckdb-query name=d
DESCRIBE t
a INTEGER YES <null> <null> <null>
""",
        context,
    )


def test_an_error_fails_in_one_line_and_stops_the_rest(context: Context) -> None:
    failed = failure("$ duckdb-execute name=d\nSELECT 1\nSELECT nope\nSELECT 2\n", context)
    assert failed.reason.startswith("SELECT nope: Binder Error: Referenced column")
    assert "\n" not in failed.reason
    assert "hunter2" not in str(failure("$ duckdb-execute name=d\nCREATE SECRET s (TYPE nope, SECRET 'hunter2')\n", context))


def test_an_extension_that_is_not_installed_is_named_and_not_fetched(context: Context, tmp_path: Path) -> None:
    script = "$ duckdb-execute name=d\nSET extension_directory = '{tmp_path}'\nSELECT * FROM iceberg_scan('s3://b/t')\n"
    failed = failure(script, context)
    assert "iceberg" in failed.reason
    assert "INSTALL iceberg" in failed.reason


@pytest.mark.parametrize("action", ["duckdb-execute", "duckdb-query"])
def test_a_statement_that_takes_too_long_is_interrupted_and_the_database_lives_on(action: str, context: Context) -> None:
    start = time.monotonic()
    failed = failure(f"$ set-sql-timeout duration=200ms force=true\n$ {action} name=d\n{ENDLESS}\n", context)
    assert "no answer within the timeout" in failed.reason
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("$ duckdb-query\nSELECT 1\n", "missing parameter name"),
        ("$ duckdb-query name=d\n", "first line of input"),
        ("$ duckdb-query name=d sort-rows=perhaps\nSELECT 1\n", "neither true nor false"),
        ("$ duckdb-execute name=d sort-rows=true\nSELECT 1\n", "unknown parameter sort-rows"),
        ("$ duckdb-connect name=d\nSELECT 1\n", "takes no input"),
    ],
)
def test_bad_arguments_are_told(script: str, message: str, context: Context) -> None:
    with pytest.raises(ScriptError, match=message):
        run(script, context)
