from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racehound.errors import UserError
from racehound.run.session_script import parse_sql, read_session
from racehound.testdrive.script import Sql
from racehound.testdrive.statements import count_statements, split_statements

MIGRATION = """\
-- what; a comment says ends nothing
BEGIN ;
CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $body$
BEGIN; RETURN 'a;b'; END; $body$;
/* nor; /* does; */ this; */
CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2);
INSERT INTO "odd;name" VALUES (E'it\\'s; ', 'it''s;');
CREATE PROCEDURE p() BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;
start transaction;
COMMIT
"""


def write(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.write_text(text)
    return path


def statements(text: str) -> list[str]:
    return [command.text for command in parse_sql(text, "x.sql").commands if isinstance(command, Sql)]


def test_statements_end_where_the_server_ends_them() -> None:
    found = statements(MIGRATION)
    assert [text.split()[0] for text in found] == ["BEGIN", "CREATE", "CREATE", "INSERT", "CREATE", "BEGIN", "COMMIT"]
    assert found[1].endswith("$body$")
    assert found[2].endswith("SELECT 2)")
    assert found[3] == """INSERT INTO "odd;name" VALUES (E'it\\'s; ', 'it''s;')"""


def test_a_statement_knows_its_place() -> None:
    script = parse_sql("\n  SELECT 1; SELECT\n2;", "x.sql")
    assert [(command.position.line, command.position.column) for command in script.commands] == [(2, 3), (2, 13)]


@given(st.text(alphabet="a;'\"$-/*()\\ \nE", max_size=40))
def test_as_many_statements_are_split_off_as_are_counted(text: str) -> None:
    found = list(split_statements(text))
    assert len(found) == count_statements(text)
    for statement, at in found:
        assert text.startswith(statement, at)
        assert statement == statement.lstrip() != ""


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.sql", "SELECT 1;\n\\set x 1\n", r"a\.sql:2:1: \\set is a command of psql"),
        ("a.sql", "SELECT 1 \\gexec", r"a\.sql:1:10: \\gexec is a command of psql"),
        ("a.sql", "-- nothing\n", r"a\.sql: no statement in it"),
        ("a.txt", "SELECT 1", r"a\.txt: a script is testdrive \(\.td\) or SQL \(\.sql\)"),
        ("a.td", "> SELECT 1\n1\n$ sleep-is-blocking-anyway duration=1s\n", "a.td:3:1: unknown action"),
        ("a.td", "$ postgres-execute connection=x\nSELECT 1\n", r"a\.td:1:1: postgres-execute may wait for others"),
        ("a.td", ">[version>=14] SELECT 1\n1\n", r"a\.td:1:1: a session's command cannot depend on the version"),
    ],
)
def test_what_has_no_place_in_a_session_is_refused_with_its_place(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_session(write(tmp_path, name, text))


def test_a_file_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.sql: No such file"):
        read_session(tmp_path / "none.sql")


def test_backslashes_in_strings_are_nobody_elses_business() -> None:
    assert statements(r"SELECT '\d', E'\\', $$\x$$") == [r"SELECT '\d', E'\\', $$\x$$"]


def test_actions_belong_to_the_statement_behind_them(tmp_path: Path) -> None:
    session = read_session(write(tmp_path, "a.td", "$ set x=1\n> SELECT ${x}\n1\n\n! SELECT\ncontains:y\n"))
    assert [len(turn.actions) for turn in session.turns] == [1, 0]
    assert session.fragment(0) == "$ set x=1\n> SELECT ${x}\n1\n"
