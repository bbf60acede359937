"""Cells as scripts write them, from the server's text form."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racehound.session import Rows
from racehound.testdrive.rows import UnterminatedQuoteError, diff_rows, format_row, md5_of, split_cells, split_row, to_text

BOOL, BYTEA, TEXT, FLOAT4, FLOAT8, TIME, TIMESTAMP, TIMESTAMPTZ, NUMERIC = 16, 17, 25, 700, 701, 1083, 1114, 1184, 1700


@pytest.mark.parametrize(
    ("oid", "server", "script"),
    [
        (TEXT, None, "<null>"),
        (BYTEA, None, "<null>"),
        (TEXT, "t", "t"),
        (BOOL, "t", "true"),
        (BOOL, "f", "false"),
        (BYTEA, r"\x61205c0a00ff22", r"a \\\n\x00\xff\""),
        (BYTEA, r"a\\b\377", r"a\\b\xff"),
        (BYTEA, r"\x", ""),
        (NUMERIC, "1.50", "1.50"),
        (NUMERIC, "1E+5", "100000"),
        (FLOAT8, "0.1", "0.1"),
        (FLOAT8, "1e+20", "100000000000000000000"),
        (FLOAT4, "1e-07", "0.0000001"),
        (FLOAT8, "-Infinity", "-inf"),
        (FLOAT8, "NaN", "NaN"),
        (TIMESTAMP, "2020-01-01 00:00:00", "2020-01-01 00:00:00"),
        (TIMESTAMP, "2020-01-01 00:00:00.5", "2020-01-01 00:00:00.500"),
        (TIMESTAMP, "2020-01-01 00:00:00.12345", "2020-01-01 00:00:00.123450"),
        (TIME, "01:02:03.25", "01:02:03.250"),
        (TIMESTAMPTZ, "2020-01-01 00:00:00+00", "2020-01-01 00:00:00 UTC"),
        (TIMESTAMPTZ, "2020-01-01 00:00:00.1+00", "2020-01-01 00:00:00.100 UTC"),
        (TIMESTAMPTZ, "2020-01-01 05:30:00.25+05:30", "2020-01-01 00:00:00.250 UTC"),
        (TIMESTAMPTZ, "infinity", "infinity"),
        (TIMESTAMPTZ, "0044-03-15 00:00:00+01 BC", "0044-03-15 00:00:00+01 BC"),
        (1007, "{1,NULL}", "{1,NULL}"),
        (1009, '{a,"b c",NULL,"NULL","q\\"\\\\","{,}"}', '{a,b c,NULL,NULL,q"\\,{,}}'),
        (1009, "{}", "{}"),
        (1009, '[0:1]={a,"b c"}', "[0:1]={a,b c}"),
        (1000, "{{t,f},{NULL,t}}", "{{true,false},{NULL,true}}"),
        (1185, '{"2020-01-01 00:00:00+00"}', "{2020-01-01 00:00:00 UTC}"),
        (1115, '{"2020-01-01 00:00:00.5"}', "{2020-01-01 00:00:00.500}"),
        (1231, "{1E+2}", "{100}"),
        (3807, '{"{\\"a\\": 1}"}', '{{"a": 1}}'),
        (3904, "[1,2)", "[1,2)"),
        (3906, "(,)", "(,)"),
        (3906, "empty", "empty"),
        (3906, "[1E+1,)", "[10,)"),
        (3908, '["2020-01-01 00:00:00","2020-01-02 00:00:00.5")', "[2020-01-01 00:00:00,2020-01-02 00:00:00.500)"),
        (3910, '("2020-01-01 00:00:00+00",)', "(2020-01-01 00:00:00 UTC,)"),
        (3905, '{"[1,2)",NULL}', "{[1,2),NULL}"),
        (3909, '{"[\\"2020-01-01 00:00:00\\",)"}', "{[2020-01-01 00:00:00,)}"),
    ],
)
def test_cells(oid: int, server: str | None, script: str) -> None:
    assert to_text(Rows(("c",), (oid,), [(server,)])) == [(script,)]


def test_the_places_of_columns_hold_their_quotes() -> None:
    line = 'a  "b c"d "" e'
    assert [line[cell.start : cell.end] for cell in split_cells(line)] == ["a", '"b c"', "d", '""', "e"]


def test_each_column_is_read_by_its_own_type() -> None:
    assert to_text(Rows(("a", "b"), (BOOL, TEXT), [("t", "t"), ("f", None)])) == [("true", "t"), ("false", "<null>")]


def test_a_statement_without_a_result_set_has_no_rows() -> None:
    assert to_text(None) == []


def test_the_hash_is_over_the_sorted_rows() -> None:
    assert md5_of([("b", "2"), ("a", "1")]) == hashlib.md5(b"a1b2").hexdigest()


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"])), max_size=5).map(tuple))
def test_a_formatted_row_splits_into_the_same_cells(row: tuple[str, ...]) -> None:
    assert split_row(format_row(row)) == row


def test_a_quote_in_the_middle_of_a_word_begins_a_stretch_that_ends_the_column() -> None:
    assert split_row('a"b c"d') == ("ab c", "d")


def test_an_unterminated_quote_says_where_it_is() -> None:
    with pytest.raises(UnterminatedQuoteError) as raised:
        split_row('ab "c d\\"')
    assert raised.value.offset == 3


def test_a_diff_shows_what_is_missing_and_what_is_too_much() -> None:
    diff = diff_rows([("1", "a b"), ("2", "")], [("2", ""), ("3", "c")]).split("\n")
    assert '-1 "a b"' in diff
    assert "+3 c" in diff
    assert ' 2 ""' in diff


def test_a_diff_of_a_block_goes_line_by_line() -> None:
    diff = diff_rows([("Scan\n  on t\n",)], [("Scan\n  on u\n",)]).split("\n")
    assert diff[-3:] == [" Scan", "-  on t", "+  on u"]


def test_a_long_diff_is_cut() -> None:
    assert diff_rows([], [(str(number),) for number in range(1000)]).endswith(" more lines")
