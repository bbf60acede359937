"""Printing is the inverse of parsing."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racehound.testdrive.parser import parse
from racehound.testdrive.printer import print_command, print_script
from racehound.testdrive.script import (
    Action,
    Argument,
    ExpectedError,
    ExpectedHash,
    ExpectedRows,
    ExpectedText,
    Script,
    Sql,
    VersionBound,
    VersionTest,
)
from racehound.testdrive.statements import count_statements

# A carriage return before a line break is part of that break and cannot be kept.
lines = st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]), max_size=20) | st.text(
    '$>!?# \\"{}[]-ab:', max_size=12
)
stripped = lines.map(str.strip)
statements = st.lists(lines, min_size=1, max_size=4).map("\n".join).map(str.strip).filter(
    lambda text: count_statements(text) == 1
) | st.sampled_from(["SELECT 1", "SELECT\n\n  2", "SELECT ';'\n-- x\n, 3"])
cells = st.text(st.characters(blacklist_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["", "---", "a b", '"', "\\", "$", "3", "values", "#", "\n", "<null>", "\\x"]
)
rows = st.lists(cells, min_size=1, max_size=5).map(tuple)
optional_rows = st.none() | rows
results = st.builds(ExpectedRows, st.lists(rows, max_size=4).map(tuple), optional_rows)
hashes = st.builds(ExpectedHash, st.integers(0, 10**6), st.text("0123456789abcdef", min_size=32, max_size=32), optional_rows)
blocks = st.lists(lines, max_size=5).map(
    lambda kept: ExpectedText("".join(f"{line}\n" for line in kept) if kept and kept[-1].strip() else "")
)
errors = st.builds(
    ExpectedError, st.sampled_from(["contains", "exact", "regex"]), stripped, st.none() | stripped, st.none() | stripped
) | st.just(ExpectedError("timeout"))
tests = st.builds(VersionTest, st.sampled_from(["=", "<", "<=", ">", ">="]), st.integers(0, 10**9))
versions = st.none() | st.lists(tests, min_size=1, max_size=2).map(lambda drawn: VersionBound(tuple(drawn)))
sqls = st.builds(Sql, statements, results | hashes | blocks | errors, versions)

plain_values = st.text(st.characters(blacklist_characters='\n"{}[]', blacklist_categories=["Cs"]), max_size=10)
unbalanced_values = st.text("ab {}[]=", max_size=8)
braced_values = st.recursive(
    st.text('ab "=,: ', max_size=6), lambda inner: st.one_of(inner.map("{{{}}}".format), inner.map("[{}]".format)), max_leaves=4
).filter(lambda text: text[:1] in {"{", "["})
arguments = st.builds(
    Argument,
    st.text(string.ascii_lowercase + "-0", max_size=6),
    st.lists(plain_values | braced_values, max_size=3).map("".join) | unbalanced_values,
)
actions = st.builds(
    Action,
    st.text(string.ascii_lowercase + "-", min_size=1, max_size=8),
    st.lists(arguments, max_size=3, unique_by=lambda argument: argument.key).map(tuple),
    st.lists(lines, max_size=4).map(tuple),
    versions,
)
scripts = st.lists(sqls | actions, max_size=5).map(lambda commands: Script(tuple(commands)))


@given(scripts)
def test_what_is_printed_parses_to_the_same(script: Script) -> None:
    assert parse(print_script(script)) == script


def test_the_text_is_what_a_person_would_write() -> None:
    text = (
        "> CREATE TABLE t (a int,\n"
        "    b text)\n"
        "> SELECT * FROM t\n"
        "a b\n"
        "---\n"
        '1 "x y"\n'
        '$[version>=5] set name={"a": 1} other=a" "b\n'
        "\\> input\n"
        "![3<=version<5] DROP TABLE u\n"
        "contains:does not exist\n"
        "hint:look\n"
    )
    assert print_script(parse(text)) == text


@pytest.mark.parametrize(
    "command",
    [
        Action("a", (Argument("b", "x\ny"),)),
        Action("a", (Argument("b", 'x"y'),)),
        Action("a", (Argument("b", 'x{"'),)),
        Sql("SELECT", ExpectedRows(((),))),
    ],
)
def test_what_the_language_cannot_write_is_refused(command: Action | Sql) -> None:
    with pytest.raises(ValueError, match=r"cannot (be written|write)"):
        print_command(command)
