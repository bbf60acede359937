"""Parquet files as Arrow displays them, and the file with a column of every type."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from racehound.testdrive import parquet
from racehound.testdrive.errors import ActionError


def lines(query: str, directory: Path) -> list[str]:
    """The rows of a query, through a Parquet file."""
    path = directory / "rows.parquet"
    with duckdb.connect(":memory:") as database:
        database.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return parquet.read_lines(path.read_bytes())


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("true", "true"),
        ("9223372036854775807", "9223372036854775807"),
        ("18446744073709551615::UBIGINT", "18446744073709551615"),
        ("1234567890123456789012.4567890123456789::DECIMAL(38, 16)", "1234567890123456789012.4567890123456789"),
        ("1234::DECIMAL(38, 10)", "1234.0000000000"),
        ("'inf'::DOUBLE", "inf"),
        ("'-inf'::FLOAT", "-inf"),
        ("'nan'::FLOAT", "NaN"),
        ("0.0::DOUBLE", "0.0"),
        ("-0.0::DOUBLE", "-0.0"),
        ("0.1::DOUBLE", "0.1"),
        ("223.3333::FLOAT", "223.3333"),
        ("1e15::DOUBLE", "1000000000000000.0"),
        ("1.25e20::DOUBLE", "1.25e20"),
        ("0.00001::DOUBLE", "0.00001"),
        ("0.000001::DOUBLE", "1e-6"),
        ("3.4028235e38::FLOAT", "3.4028235e38"),
        ("'a b'", "a b"),
        ("'\\xAA'::BLOB", "aa"),
        ("'85907cb9-ac9b-4e35-84b8-60dc69368aca'::UUID", "85907cb9ac9b4e3584b860dc69368aca"),
        ("DATE '2010-10-10'", "2010-10-10"),
        ("TIME '10:10:10.5'", "10:10:10.500"),
        ("TIMESTAMP '2010-10-10 10:10:10'", "2010-10-10T10:10:10"),
        ("TIMESTAMP '2010-10-10 10:10:10.123456'", "2010-10-10T10:10:10.123456"),
        ("TIMESTAMPTZ '2010-10-10 10:10:10+02'", "2010-10-10T08:10:10Z"),
        ("[TIMESTAMPTZ '2010-10-10 10:10:10+02']", "[2010-10-10T08:10:10Z]"),
        ("{'items': [1, 2, NULL, 4], 'dimensions': 2}", "{items: [1, 2, , 4], dimensions: 2}"),
        ("[[1.25::FLOAT, 2.5], [223.3333]]", "[[1.25, 2.5], [223.3333]]"),
        ("MAP {'a': MAP {'b': 2.5::DOUBLE}}", "{a: {b: 2.5}}"),
        ("MAP {'a': NULL::INT}", "{a: }"),
        ("[NULL::VARCHAR]", "[]"),
        ("NULL::INT", ""),
    ],
)
def test_a_value_is_displayed_as_arrow_does(expression: str, shown: str, tmp_path: Path) -> None:
    assert lines(f"SELECT {expression}", tmp_path) == [shown]


def test_columns_stand_apart_by_one_space_and_rows_keep_their_order(tmp_path: Path) -> None:
    query = "SELECT range AS a, CASE WHEN range % 2 = 0 THEN 'x' END AS b, '' AS c FROM range(3)"
    assert lines(query, tmp_path) == ["0 x ", "1  ", "2 x "]
    assert lines("SELECT 1 AS a, 2 AS a WHERE false", tmp_path) == []


def test_what_is_no_parquet_is_told() -> None:
    with pytest.raises(ActionError, match="not a Parquet file") as raised:
        parquet.read_lines(b"a,b\n1,2\n")
    assert "/tmp" not in raised.value.reason


@pytest.mark.parametrize("codec", parquet.CODECS)
def test_the_file_of_every_type_is_read_back_whatever_its_compression(codec: str) -> None:
    rows = parquet.read_lines(parquet.every_type(codec))
    assert len(rows) == 3
    assert rows[0].startswith("-1 10 -32768 100 -2147483648 1000 -9223372036854775808 10000 1.25 0.1 true fish 00ff 1970-01-01")
    assert rows[0].endswith(
        '2024-02-29T10:10:10.123 10:10:10 [1, 2] 1.23456 {"a": 5} {name: Taco, age: 3, avg: 2.25} '
        "85907cb9ac9b4e3584b860dc69368aca"
    )
