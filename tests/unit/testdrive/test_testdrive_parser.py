"""What a script says, line by line, and where its flaws are."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from racehound.errors import UserError
from racehound.testdrive.errors import ScriptError
from racehound.testdrive.parser import parse, parse_fragment
from racehound.testdrive.script import (
    Action,
    Argument,
    Command,
    ExpectedError,
    ExpectedHash,
    ExpectedRows,
    ExpectedText,
    Position,
    Sql,
    VersionBound,
    VersionTest,
)


def only(text: str) -> Command:
    (command,) = parse(text).commands
    return command


def action(text: str) -> Action:
    command = only(text)
    assert isinstance(command, Action)
    return command


def sql(text: str) -> Sql:
    command = only(text)
    assert isinstance(command, Sql)
    return command


def flaw(text: str) -> ScriptError:
    with pytest.raises(ScriptError) as raised:
        parse(text, "some.td")
    return raised.value


def values(text: str) -> dict[str, str]:
    return {argument.key: argument.value for argument in action(text).arguments}


# Lines


def test_commands_stand_in_their_order_and_blank_lines_and_comments_between_them_are_skipped() -> None:
    script = parse("# first\n\n> CREATE TABLE t ()\n   \n$ nop\n# last\n! DROP TABLE u\nregex:no .* u\n")
    assert script.commands == (
        Sql("CREATE TABLE t ()"),
        Action("nop"),
        Sql("DROP TABLE u", ExpectedError("regex", "no .* u")),
    )


def test_an_empty_script_has_no_commands() -> None:
    assert parse("").commands == parse("\n\n# nothing\n").commands == ()


def test_text_before_the_first_command_is_an_error() -> None:
    assert "before the first command" in str(flaw("# a\nhello\n> SELECT 1\n"))


def test_continuation_of_sql_keeps_the_newline_and_drops_two_spaces() -> None:
    assert sql("> SELECT 1 -- one\n    + 1\n2\n") == Sql("SELECT 1 -- one\n  + 1", ExpectedRows((("2",),)))


def test_continuation_of_an_action_drops_the_newline_and_one_space() -> None:
    assert values('$ set a=1\n  b={"x":\n    "y z"}\n') == {"a": "1", "b": '{"x":   "y z"}'}


def test_a_white_space_line_of_two_spaces_does_not_cut_sql_in_two() -> None:
    assert sql("> SELECT 1\n  \n  , 2\n1 2\n") == Sql("SELECT 1\n\n, 2", ExpectedRows((("1", "2"),)))


def test_continuation_ends_at_the_first_other_line() -> None:
    assert sql("> SELECT 1, 2\n1 2\n  3 4\n").expect == ExpectedRows((("1", "2"), ("3", "4")))


def test_windows_line_ends_are_read() -> None:
    assert sql("! SELECT x\r\ncontains:no x\r\n").expect == ExpectedError("contains", "no x")


def test_comments_and_blank_lines_between_input_lines_are_skipped() -> None:
    assert action("$ set x\none\n# two\n\nthree\n").input == ("one", "three")


def test_a_backslash_protects_a_line_that_begins_like_a_command_or_a_comment() -> None:
    assert action("$ set x\n\\> a\n\\# b\n\\\\c\n").input == ("> a", "# b", "\\c")
    assert sql("> SELECT 1\n\\$ 2\n").expect == ExpectedRows((("$", "2"),))


# Version bounds


@pytest.mark.parametrize(
    ("bound", "tests"),
    [
        ("version>=2600203", [(">=", 2600203)]),
        ("version<2600300", [("<", 2600300)]),
        ("version=1", [("=", 1)]),
        ("version<=1", [("<=", 1)]),
        ("version>1", [(">", 1)]),
        ("2600203<=version<2600300", [(">=", 2600203), ("<", 2600300)]),
        (" 1 < version <= 3 ", [(">", 1), ("<=", 3)]),
        ("10>version", [("<", 10)]),
    ],
)
@pytest.mark.parametrize("sigil", ["$", ">", "?"])
def test_version_bounds(sigil: str, bound: str, tests: list[tuple[str, int]]) -> None:
    version = only(f"{sigil}[{bound}] nop\n").version
    assert version is not None
    assert [(test.operator, test.number) for test in version.tests] == tests


@pytest.mark.parametrize(
    ("bound", "admitted"),
    [("=5", {5}), ("<5", {4}), ("<=5", {4, 5}), (">5", {6}), (">=5", {5, 6})],
)
def test_a_version_bound_admits_what_it_says(bound: str, admitted: set[int]) -> None:
    version = only(f">[version{bound}] SELECT 1\n").version
    assert version is not None
    assert {number for number in (4, 5, 6) if version.admits(number)} == admitted


def test_both_sides_of_a_version_bound_must_hold() -> None:
    bound = VersionBound((VersionTest(">=", 5), VersionTest("<", 7)))
    assert [bound.admits(number) for number in (4, 5, 6, 7)] == [False, True, True, False]


@pytest.mark.parametrize("text", [">[version>=1 SELECT 1", ">[release>=1] SELECT 1", ">[version] SELECT 1", "$[version>x] nop"])
def test_a_broken_version_bound_is_an_error(text: str) -> None:
    assert "version bound" in flaw(text).message


# Arguments


def test_arguments_are_separated_by_spaces_and_a_bare_key_has_an_empty_value() -> None:
    assert values("$ kafka-ingest  topic=t   key=true bare x=a=b") == {"topic": "t", "key": "true", "bare": "", "x": "a=b"}


def test_braces_and_brackets_keep_spaces_and_quotes() -> None:
    text = '$ kafka-ingest schema={"a": ["b c", {"d": "e"}]} headers=[{"x": "1 2"}] t=1'
    assert values(text) == {"schema": '{"a": ["b c", {"d": "e"}]}', "headers": '[{"x": "1 2"}]', "t": "1"}


def test_braces_within_quotes_need_no_partner() -> None:
    assert values('$ set-regex match="a{ b]" replacement="}"') == {"match": "a{ b]", "replacement": "}"}


def test_only_spaces_separate_arguments() -> None:
    assert values("$ set a=1\t2 b=3") == {"a": "1\t2", "b": "3"}


def test_a_byte_order_mark_is_no_text() -> None:
    assert only("\ufeff> SELECT 1\n1\n") == only("> SELECT 1\n1\n")


def test_a_quoted_stretch_keeps_its_spaces_and_loses_its_quotes() -> None:
    assert values(r'$ psql-execute command="\dt public" x=a" "b') == {"command": r"\dt public", "x": "a b"}


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("$ a x={1", "brace that is never closed", 7),
        ("$ a x={[1}", "closing brace", 10),
        ("$ a x=1]", "closing bracket", 8),
        ("$ a x=[[1]", "bracket that is never closed", 7),
        ('$ a x="1 y=2', "unterminated quote", 7),
        ("$ a x=1 x=2", "duplicate argument x", 9),
        ("$ a X=1", "invalid argument name 'X'", 5),
        ("$ a app_name=1", "invalid argument name 'app_name'", 5),
        ("$", "needs a name", 1),
    ],
)
def test_a_flaw_in_arguments_is_named_where_it_stands(text: str, message: str, column: int) -> None:
    found = flaw(text)
    assert message in found.message
    assert (found.line, found.column) == (1, column)


def test_actions_with_names_of_the_authors_own_take_other_keys() -> None:
    assert values("$ set app_name=x Y.z=1") == {"app_name": "x", "Y.z": "1"}
    assert values("$ webhook-append name=w X-Signature_v2=abc") == {"name": "w", "X-Signature_v2": "abc"}


# Rows


def test_columns_are_separated_by_white_space_and_quotes_keep_it() -> None:
    assert sql('> SELECT 1\n a\t"b c"  ""\n').expect == ExpectedRows((("a", "b c", ""),))


def test_escapes_in_a_quoted_column() -> None:
    line = r'"\n\t\r\0\\\"" \n'
    assert sql(f"> SELECT 1\n{line}\n").expect == ExpectedRows((('\n\t\r\0\\"', r"\n"),))


def test_a_rule_below_the_first_line_makes_it_the_column_names() -> None:
    assert sql("> SELECT 1\nid name\n-----\n1 x\n").expect == ExpectedRows((("1", "x"),), ("id", "name"))
    assert sql("> SELECT 1\nid\n---\n").expect == ExpectedRows((), ("id",))


def test_two_dashes_or_a_later_rule_are_rows() -> None:
    assert sql("> SELECT 1\na\n--\n---\n").expect == ExpectedRows((("a",), ("--",), ("---",)))


def test_hashed_rows() -> None:
    text = "> SELECT 1\n12 values hashing to D41D8CD98F00B204E9800998ECF8427E\n"
    assert sql(text).expect == ExpectedHash(12, "d41d8cd98f00b204e9800998ecf8427e")


def test_an_unterminated_quote_is_an_error_at_the_quote() -> None:
    found = flaw('> SELECT 1\na\n\\$ "b\n')
    assert found.message == "unterminated quote"
    assert (found.line, found.column) == (3, 4)


# Errors expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("contains:a: b", ExpectedError("contains", "a: b")),
        ("exact: a", ExpectedError("exact", "a")),
        ("regex:^a.*$", ExpectedError("regex", "^a.*$")),
        ("timeout", ExpectedError("timeout")),
        ("contains:a\n# c\ndetail:d\nhint: h", ExpectedError("contains", "a", "d", "h")),
        ("contains:a\nhint:h", ExpectedError("contains", "a", None, "h")),
    ],
)
def test_expected_errors(lines: str, expected: ExpectedError) -> None:
    assert sql(f"! SELECT 1\n{lines}\n").expect == expected


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("! SELECT 1\n> SELECT 2\n", "needs an expected error", 1),
        ("! SELECT 1\nno such thing\n", "begins with contains:", 2),
        ("! SELECT 1\ncontains:a\nhint:h\ndetail:d\n", "unexpected line", 4),
    ],
)
def test_a_broken_expected_error_is_an_error(text: str, message: str, line: int) -> None:
    found = flaw(text)
    assert message in found.message
    assert found.line == line


# Blocks


def test_a_block_keeps_blank_and_indented_lines_but_not_those_at_its_end() -> None:
    text = "? EXPLAIN SELECT 1\n  FROM t\nA\n  B\n\n# no\n  C\n\n\n> SELECT 1\n"
    first, second = parse(text).commands
    assert first == Sql("EXPLAIN SELECT 1\nFROM t", ExpectedText("A\n  B\n\n  C\n"))
    assert second == Sql("SELECT 1")


def test_a_block_at_the_end_of_the_file_ends_with_one_newline() -> None:
    assert sql("? EXPLAIN SELECT 1\nA").expect == ExpectedText("A\n")
    assert sql("? EXPLAIN SELECT 1\n\n\n").expect == ExpectedText("")


# One statement


@pytest.mark.parametrize(
    "text",
    [
        "SELECT ';' || \";\" /* ; /* ; */ ; */ -- ;",
        "SELECT $$;$$, $a$;$$;$a$, E'\\';';",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END",
        "CREATE OR REPLACE PROCEDURE p() LANGUAGE SQL BEGIN ATOMIC INSERT INTO t VALUES (1); END;",
        "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM u; DELETE FROM v)",
        "SELECT 'never closed; ",
    ],
)
def test_a_semicolon_that_ends_no_statement_is_left_alone(text: str) -> None:
    assert sql(f"> {text}\n").text == text.strip()


@pytest.mark.parametrize("text", ["SELECT 1; SELECT 2", "BEGIN; SELECT 1", "SELECT e';'; SELECT 1", "", "-- nothing"])
@pytest.mark.parametrize("sigil", [">", "?"])
def test_anything_but_one_statement_is_an_error(sigil: str, text: str) -> None:
    assert "one statement" in flaw(f"{sigil} {text}\n").message


def test_a_statement_that_must_fail_is_one_statement_too() -> None:
    assert "one statement" in flaw("! SELECT 1; SELECT 2\ncontains:x\n").message


# Positions and messages


def test_positions_count_from_one_and_follow_continuation_lines() -> None:
    first, second = parse("# c\n$ a b=1\n   c=2\n>[version>1] SELECT 1\n").commands
    assert first.position == Position(2, 1)
    assert isinstance(first, Action)
    assert [argument.position for argument in first.arguments] == [Position(2, 5), Position(3, 4)]
    assert second.position == Position(4, 1)


def test_positions_take_no_part_in_equality() -> None:
    assert parse("\n\n$ nop a=1\n", "a.td") == parse("$   nop  a=1", "b.td")
    assert Argument("a", "1", Position(3, 4)) == Argument("a", "1")


def test_an_error_shows_its_file_line_and_column_the_source_line_and_a_caret() -> None:
    found = flaw("$ nop\n$ set\n\tb=1\n$ x\ty={\n")
    assert isinstance(found, UserError)
    assert str(found) == ("some.td:4:7: command argument has an open brace that is never closed\n  |\n4 | $ x y={\n  |       ^")
    assert (found.file, found.line, found.column) == ("some.td", 4, 7)


@pytest.mark.parametrize(
    "text",
    [
        "> CREATE SECRET s AS 'hush'; SELECT 1",
        '! create  secret s\n  AS\nhush "hush\n',
        '> CREATE SECRET s AS\nhush "hush\n',
        "> ALTER SECRET s AS 'hush';;x",
    ],
)
def test_a_secret_is_not_shown_with_an_error(text: str) -> None:
    assert "hush" not in str(flaw(text))


def test_a_fragment_is_parsed_once() -> None:
    assert parse_fragment("> SELECT 1\n") is parse_fragment("> SELECT 1\n")


def parses_or_is_a_script_error(text: str) -> None:
    try:
        parse(text, "some.td")
    except ScriptError as error:
        rendered = str(error)
    else:
        return
    assert rendered.startswith("some.td:")


@given(st.text(alphabet="$>!?# \\\n\"'{}[]=-;abcversion<0123:x\t\r", max_size=120))
@example("> SELECT 1\n" + "1" * 5000 + " values hashing to x")
@example(">[version>=" + "9" * 5000 + "] SELECT 1")
@example(">[version>=٣] SELECT 1")
def test_any_text_parses_or_is_a_script_error(text: str) -> None:
    parses_or_is_a_script_error(text)


@given(st.sampled_from(["", "> ", "$ a ", "! x\n", "? x\n", "> x\n"]), st.text(max_size=60))
def test_any_unicode_text_parses_or_is_a_script_error(prefix: str, text: str) -> None:
    parses_or_is_a_script_error(prefix + text)
