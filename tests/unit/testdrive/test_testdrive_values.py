"""Variables, and what the values of arguments mean."""

from __future__ import annotations

import re

import pytest

from racehound.testdrive.values import boolean, duration, integer, regex, replace_all, unescape_bytes
from racehound.testdrive.variables import UnknownVariableError, substitute

VARIABLES = {"a": "1", "b.c": "${a}", "x": "a.b"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("none $1 {}", "none $1 {}"), ("<${a}${b.c}>", "<1${a}>"), ("${env.HOME}", "/home/me")],
)
def test_variables_are_substituted_once(text: str, expected: str) -> None:
    assert substitute(text, VARIABLES, {"HOME": "/home/me"}) == expected


@pytest.mark.parametrize("name", ["nope", "env.NOPE", "kafka-ingest.iteration"])
def test_an_unknown_variable_is_an_error(name: str) -> None:
    with pytest.raises(UnknownVariableError, match=f"unknown variable {name}"):
        substitute("${" + name + "}", VARIABLES, {})


def test_an_action_keeps_its_own_variables() -> None:
    assert substitute("${kafka-ingest.iteration} ${a}", VARIABLES, {}, action="kafka-ingest") == "${kafka-ingest.iteration} 1"


def test_values_can_be_escaped() -> None:
    assert substitute("^${x}$", VARIABLES, {}, escape=re.escape) == r"^a\.b$"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("500ms", 0.5), ("1m30s", 90), ("2 minutes", 120), ("1.5h", 5400), ("7", 7), ("10us", 1e-5), ("1d", 86400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "10x", "-1s", "1s!", "default"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        duration(text)


def test_booleans_and_whole_numbers() -> None:
    assert (boolean("true"), boolean("false"), integer("012")) == (True, False, 12)
    for read, text in ((boolean, ""), (boolean, "True"), (integer, "-1"), (integer, "1.0")):
        with pytest.raises(ValueError, match=re.escape(repr(text))):
            read(text)


def test_bytes_with_escapes() -> None:
    assert unescape_bytes(r"a\x00\xfFé\n\t\r\0\\n\q") == b"a\x00\xff\xc3\xa9\n\t\r\0\\n\\q"


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"a\z", "ba", "a"),
        (r"[[:digit:]_]+", "a1_", "1_"),
        (r"(?i)FISH", "fish", "fish"),
        (r"\\z", r"\z", r"\z"),
        (r"\p{L}+", "1é", "é"),
        (r"a(?i)b", "aB", "aB"),
        (r"[a-z&&[^b]]+", "ba", "a"),
    ],
)
def test_regular_expressions_are_read_as_rust_reads_them(pattern: str, text: str, found: str) -> None:
    match = regex(pattern).search(text)
    assert match is not None
    assert match[0] == found


def test_a_broken_regular_expression_is_named() -> None:
    with pytest.raises(ValueError, match=re.escape("invalid regular expression 'a('")):
        regex("a(")


@pytest.mark.parametrize(
    ("replacement", "expected"),
    [("<id>", "u<id>=u<id>"), ("$1$n", "u11=u22"), ("${1}x$$", "u1x$=u2x$"), ("$2$nope-", "u-=u-"), (r"\1", r"u\1=u\1")],
)
def test_replacements_refer_to_groups_as_in_rust(replacement: str, expected: str) -> None:
    assert replace_all(regex(r"(?P<n>\d)"), replacement, "u1=u2") == expected
