"""Rewriting what a script expects: only what was wrong changes, and what is written then passes."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racehound.session import Outcome, Rows
from racehound.testdrive.errors import CommandFailed
from racehound.testdrive.interpreter import Context, Interpreter
from racehound.testdrive.parser import parse
from racehound.testdrive.rewrite import Rewriter
from racehound.testdrive.rows import format_row, md5_of

TEXT = 25
Answer = list[tuple[str | None, ...]]


class AnsweringSession:
    """Answers each statement with its own rows; columns are named a, b, c …"""

    pid = 0

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = answers

    def execute(self, sql: str) -> Outcome:
        rows = self._answers[sql]
        columns = tuple("abcdefgh"[: len(rows[0])]) if rows else ()
        return Outcome("ok", f"SELECT {len(rows)}", len(rows), None, Rows(columns, (TEXT,) * len(columns), rows))

    def cancel(self) -> None:
        """Nothing runs for long."""

    def reset(self) -> Outcome:
        return Outcome("ok")

    def close(self) -> None:
        """There is nothing to close."""


def rewritten(text: str, answers: Mapping[str, Answer]) -> str:
    script = parse(text, "some.td")
    rewriter = Rewriter(script)
    with Interpreter(Context(AnsweringSession(answers), max_tries=1, amend=rewriter)) as interpreter:
        interpreter.run(script)
    return rewriter.text


def of_one(text: str, answer: Answer) -> str:
    """A script whose only statement is `Q`."""
    return rewritten(text, {"Q": answer})


# Rows


def test_what_is_right_stays_to_the_last_byte() -> None:
    text = '# c\r\n$ nop\n\n>   Q\n  \n2    "1"\n \n# d\n1 2\n\n'
    assert of_one(text, [("1", "2"), ("2", "1")]) == text


def test_a_wrong_row_is_replaced_where_it_stands() -> None:
    text = "> Q\n1 one\n# about two\n2 tow\n3 three\n# end\n"
    assert of_one(text, [("3", "three"), ("2", "two"), ("1", "one")]) == text.replace("tow", "two")


def test_cells_that_are_right_keep_their_quotes_and_the_space_between() -> None:
    assert of_one('> Q\n"a"   b\t"c d" e\n', [("a", "x y", "c d", "e")]) == '> Q\n"a"   "x y"\t"c d" e\n'
    assert of_one('> Q\n"a""b"c\n', [("x", "y", "c")]) == "> Q\nx y c\n"


def test_rows_too_many_go_and_rows_too_few_come_in_the_servers_order() -> None:
    assert of_one("> Q\n1\n2\n# c\n2\n", [("2",)]) == "> Q\n2\n# c\n"
    assert of_one("> Q\n2\n\n# c\n> Q\n2\n3\n1\n", [("2",), ("3",), ("1",)]) == "> Q\n2\n3\n1\n\n# c\n> Q\n2\n3\n1\n"


def test_rows_come_where_none_were_expected() -> None:
    assert of_one("> Q\n\n# end", [("1", ""), (None, "# x")]) == '> Q\n1 ""\n<null> "# x"\n\n# end'
    assert of_one("> Q", [("#1",)]) == "> Q\n\\#1"
    assert of_one("$ nop\r\n> Q", [("1",), ("2",)]) == "$ nop\r\n> Q\r\n1\r\n2"


def test_rows_go_where_none_come() -> None:
    assert of_one("> Q\n# a\n1\n# b\n2\n", []) == "> Q\n# a\n# b\n"


def test_a_line_that_comes_to_stand_below_the_sql_does_not_become_a_part_of_it() -> None:
    assert of_one("> Q\n1\n  2\n", [("2",)]) == "> Q\n\\  2\n"


def test_names_of_columns_are_rewritten_too() -> None:
    assert of_one("> Q\nx   b\n-----\n1   2\n", [("1", "2")]) == "> Q\na   b\n-----\n1   2\n"
    assert of_one("> Q\nx\n---\n", [("1", "2")]) == "> Q\na b\n---\n1 2\n"


def test_names_of_columns_go_where_there_are_none() -> None:
    assert of_one("> Q\na b\n---\n# c\n1 2\n", []) == "> Q\n# c\n"


def test_a_variable_stays_where_its_value_still_fits() -> None:
    text = "$ set v=x w=y\n> Q\n\\${v} 1\n\\${w}2 2\n"
    assert of_one(text, [("y2", "3"), ("x", "4")]) == "$ set v=x w=y\n> Q\n\\${v} 4\n\\${w}2 3\n"
    assert of_one(text, [("z", "1")]) == "$ set v=x w=y\n> Q\nz 1\n"


def test_what_a_regular_expression_replaces_is_written_replaced() -> None:
    assert of_one("$ set-regex match=u\\d+ replacement=<ID>\n> Q\nx\n", [("u12",)]).endswith("> Q\n<ID>\n")


def test_a_row_that_looks_like_a_hash_is_written_as_a_row() -> None:
    assert of_one("> Q\n", [("3", "values", "hashing", "to", "x")]) == '> Q\n"3" values hashing to x\n'


@pytest.mark.parametrize("cell", ["${nope}", "${v}"])
def test_what_the_language_cannot_write_still_fails(cell: str) -> None:
    text = "$ set v=1\n> Q\n2\n"
    script = parse(text)
    rewriter = Rewriter(script)
    session = AnsweringSession({"Q": [(cell,)]})
    with Interpreter(Context(session, max_tries=1, amend=rewriter)) as interpreter, pytest.raises(CommandFailed):
        interpreter.run(script)
    assert (rewriter.text, rewriter.rewritten) == (text, [])


# Hashes and blocks


def test_a_hash_is_rewritten_as_a_hash() -> None:
    answer: Answer = [("2",), ("1",)]
    right = f"> Q\n2 values hashing to {md5_of([('1',), ('2',)])} \n"
    assert of_one("> Q\n7 values hashing to abc \n", answer) == right
    assert of_one(right, answer) == right


def test_a_block_keeps_the_lines_that_are_right_and_its_comments() -> None:
    text = "$ set v=b\n? Q\nA ${v}\n\n# note\n  C\n  D\n\n\n> Q\n1\n"
    with_answer = rewritten(text.replace("> Q\n1\n", "> R\n1\n"), {"Q": [("A b\n\n  X\n  D\n  E\n",)], "R": [("1",)]})
    assert with_answer == "$ set v=b\n? Q\nA ${v}\n\n# note\n  X\n  D\n  E\n\n\n> R\n1\n"


def test_a_block_that_begins_with_spaces_is_no_part_of_the_sql() -> None:
    assert of_one("? Q\n", [("  A\n$ B\n",)]) == "? Q\n\\  A\n\\$ B\n"
    assert of_one("? Q\nX\n  A\n", [("  A\n",)]) == "? Q\n\\  A\n"


# In general

cells = st.text(st.sampled_from('ab1 \t"\\$#>{}\n-é'), max_size=4)
rows = st.integers(1, 3).flatmap(lambda width: st.lists(st.tuples(*[cells] * width), max_size=4))
comments = st.sampled_from(["# comment", "", "   ", "#"])


@st.composite
def commands(draw: st.DrawFn) -> tuple[list[str], Answer, bool]:
    """The lines of a command below its first, what the server answers, and whether it expects just that."""
    answer: Answer = [*draw(rows)]
    expected = draw(st.just(answer) | rows)
    lines = [format_row(row) for row in expected if None not in row]  # type: ignore[arg-type]
    lines = ["\\" + line if line.startswith(("$", ">", "!", "?", "#", "\\")) else line for line in lines]
    if draw(st.booleans()):
        names = draw(st.sampled_from(["abcdefgh"[: len(answer[0])] if answer else "x", "ax"]))
        lines = [" ".join(names), "-----", *lines]
        right = sorted(expected) == sorted(answer) and tuple(names) == tuple("abcdefgh"[: len(answer[0])] if answer else ())
    else:
        right = sorted(expected) == sorted(answer)
    for note in draw(st.lists(comments, max_size=2)):
        lines.insert(draw(st.integers(0, len(lines))), note)
    if lines and lines[0].startswith("  "):
        lines.insert(0, "")
    return lines, answer, right


@given(st.lists(commands(), min_size=1, max_size=4), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_all_but_what_was_wrong_stays_and_the_rest_passes(
    drawn: list[tuple[list[str], Answer, bool]], newline: str, ended: bool
) -> None:
    answers, text = {}, ""
    for number, (lines, answer, _) in enumerate(drawn):
        answers[f"SELECT\n{number}"] = answer
        text += newline.join(["> SELECT", f"  {number}", *lines]) + newline
    text += "# end" + newline * ended
    if any("${" in cell for answer in answers.values() for row in answer for cell in row if cell):
        return  # it cannot be written
    after = rewritten(text, answers)
    assert rewritten(after, answers) == after
    for (_, _, right), before, segment in zip(drawn, segments(text), segments(after), strict=True):
        if right:
            assert before == segment
        assert notes(before, newline) == notes(segment, newline)


def segments(text: str) -> list[str]:
    return re.split("(?m)^(?=> SELECT\r?$)", text)[1:]


def notes(segment: str, newline: str) -> list[str]:
    """Comments and blank lines."""
    return [line for line in segment.split(newline)[2:] if not line.strip() or line.startswith("#")]
