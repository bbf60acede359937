"""The actions of MySQL against a real server."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from racehound.data.addresses import ServiceAddresses
from racehound.services.backends.instance import Instance
from racehound.services.service import CLIENT
from racehound.testdrive.errors import CommandFailed, ScriptError
from racehound.testdrive.interpreter import Context, Interpreter, run_file
from racehound.testdrive.parser import parse
from racehound.wire.session import LibpqSession

_numbers = itertools.count()
CONNECT = "$ mysql-connect name=m url=mysql://root@mysql password=${arg.mysql-root-password}\n"


@pytest.fixture
def context(connect: Callable[[], LibpqSession], service: Callable[[str], Instance]) -> Context:
    variables = {"arg.mysql-root-password": service("mysql").access.password, "db": f"db_{next(_numbers)}"}
    return Context(
        connect(), variables=variables, services=ServiceAddresses(hosts={"mysql": str(service("mysql").endpoints[CLIENT])})
    )


@pytest.fixture
def interpreter(context: Context) -> Iterator[Interpreter]:
    """Connected as `m`, with a database of its own in use, dropped in the end."""
    with Interpreter(context) as interpreter:
        interpreter.run(parse(f"{CONNECT}$ mysql-execute name=m\nCREATE DATABASE ${{db}};\nUSE ${{db}};\n"))
        yield interpreter
        interpreter.run(parse(f"{CONNECT}$ mysql-execute name=m\nDROP DATABASE ${{db}};\n"))


def run(text: str, interpreter: Interpreter) -> None:
    interpreter.run(parse(text, "some.td"))


def failure(text: str, interpreter: Interpreter) -> CommandFailed:
    with pytest.raises(CommandFailed) as raised:
        run(text, interpreter)
    return raised.value


def expect(condition: str, interpreter: Interpreter, name: str = "m") -> None:
    """Fails unless the condition holds in MySQL: a subquery of two rows where one is wanted is an error."""
    run(f"$ mysql-execute name={name}\nSELECT (SELECT 1 UNION ALL SELECT 2 WHERE NOT ({condition}))\n", interpreter)


def test_each_line_is_a_statement_and_several_may_stand_in_one(interpreter: Interpreter) -> None:
    run(
        r"""
$ mysql-execute name=m
CREATE TABLE t (a INT PRIMARY KEY, b TEXT);
INSERT INTO t VALUES (1, '100%'); INSERT INTO t VALUES (2, 'това ''е'' "текст"');
SELECT * FROM t;

# no range types
INSERT INTO t VALUES (3, 'a\\nb')
""",
        interpreter,
    )
    expect("(SELECT COUNT(*) FROM t) = 3", interpreter)
    expect("(SELECT b FROM t WHERE a = 2) = 'това ''е'' \"текст\"'", interpreter)
    expect(r"(SELECT LENGTH(b) FROM t WHERE a = 3) = 4", interpreter)


def test_statements_are_committed_at_once_unless_the_script_says_otherwise(interpreter: Interpreter) -> None:
    run(CONNECT.replace("name=m", "name=other"), interpreter)
    run("$ mysql-execute name=m\nCREATE TABLE t (a INT);\nINSERT INTO t VALUES (1);\n", interpreter)
    expect("(SELECT COUNT(*) FROM ${db}.t) = 1", interpreter, "other")
    run("$ mysql-execute name=m\nSET AUTOCOMMIT = FALSE;\nINSERT INTO t VALUES (2);\n", interpreter)
    expect("(SELECT COUNT(*) FROM ${db}.t) = 1", interpreter, "other")
    run("$ mysql-execute name=m\nCOMMIT;\n", interpreter)
    expect("(SELECT COUNT(*) FROM ${db}.t) = 2", interpreter, "other")


def test_an_error_fails_with_the_servers_message_and_number_and_stops_the_rest(interpreter: Interpreter) -> None:
    failed = failure(
        "$ mysql-execute name=m\nCREATE TABLE t (a INT);\nSELECT 1; SELECT nope FROM t;\nDROP TABLE t;\n", interpreter
    )
    assert failed.reason == "SELECT 1; SELECT nope FROM t;: Unknown column 'nope' in 'field list' (1054)"
    assert failed.position.line == 1
    expect("(SELECT COUNT(*) FROM t) = 0", interpreter)


def test_a_password_in_a_statement_is_not_shown(interpreter: Interpreter) -> None:
    statement = "CREATE USER 'x'@'%' IDENTIFIED BY 'hunter2' NONSENSE 'hunter2'"
    failed = failure(f"$ mysql-execute name=m\n{statement}\n", interpreter)
    assert "hunter2" not in str(failed)
    assert "(1064)" in failed.reason


def test_a_name_again_is_another_connection_in_place_of_the_first(interpreter: Interpreter) -> None:
    run("$ mysql-execute name=m\nSET @kept = 1;\n", interpreter)
    expect("@kept = 1", interpreter)
    run(CONNECT, interpreter)
    expect("@kept IS NULL", interpreter)


def test_users_that_scripts_make_can_connect_and_are_held_to_their_rights(interpreter: Interpreter) -> None:
    user = f"u_{next(_numbers)}"
    run(
        f"""
$ mysql-execute name=m
CREATE USER {user} IDENTIFIED WITH caching_sha2_password BY 'a b/é';
GRANT SELECT ON ${{db}}.* TO {user};
CREATE TABLE t (a INT);
$ mysql-connect name=u url=mysql://{user}@mysql/${{db}} password="a b/é"
$ mysql-execute name=u
SELECT * FROM t;
$ mysql-connect name=u url=mysql://{user}:a%20b%2F%C3%A9@mysql/${{db}}
""",
        interpreter,
    )
    assert "INSERT command denied" in failure("$ mysql-execute name=u\nINSERT INTO t VALUES (1);\n", interpreter).reason
    run(f"$ mysql-execute name=m\nDROP USER {user};\n", interpreter)


def test_a_wrong_password_is_refused_and_not_shown(interpreter: Interpreter) -> None:
    failed = failure("$ mysql-connect name=n url=mysql://root@mysql password=wr0ng\n", interpreter)
    assert "Access denied for user 'root'" in failed.reason
    assert "(1045)" in failed.reason
    assert "wr0ng" not in str(failed)


def test_a_connection_that_the_server_ends_is_an_error_and_can_be_made_anew(interpreter: Interpreter) -> None:
    run(CONNECT.replace("name=m", "name=other"), interpreter)
    kill = "SELECT GROUP_CONCAT(id) INTO @id FROM information_schema.processlist WHERE db = '${db}'"
    run(f"$ mysql-execute name=other\n{kill};\nSET @kill = CONCAT('KILL ', @id);\n", interpreter)
    run("$ mysql-execute name=other\nPREPARE kill_it FROM @kill; EXECUTE kill_it;\n", interpreter)
    assert "some.td:1:1" in str(failure("$ mysql-execute name=m\nSELECT 1;\n", interpreter))
    assert "closed" in failure("$ mysql-execute name=m\nSELECT 1;\n", interpreter).reason
    run(f"{CONNECT}$ mysql-execute name=m\nSELECT 1;\n", interpreter)


def test_connections_end_with_the_script(context: Context) -> None:
    with Interpreter(context) as interpreter:
        run(f"{CONNECT}$ mysql-execute name=m\nSET @x = 1;\n", interpreter)
    assert "no MySQL connection named m" in failure("$ mysql-execute name=m\nSELECT 1;\n", interpreter).reason


def test_a_server_that_is_not_there_or_does_not_answer_fails_in_time(connect: Callable[[], LibpqSession]) -> None:
    with pytest.raises(CommandFailed, match=r"cannot connect to MySQL at 127\.0\.0\.1:1: .*refused"):
        run_file("$ mysql-connect name=m url=mysql://root@127.0.0.1:1\n", "some.td", Context(connect()))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        script = f"$ mysql-connect name=m url=mysql://root@127.0.0.1:{silent.getsockname()[1]}\n"
        start = time.monotonic()
        with pytest.raises(CommandFailed, match="timed out"):
            run_file(script, "some.td", Context(connect(), timeout=0.2))
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("$ mysql-connect name=m\n", "missing parameter url"),
        ("$ mysql-connect name=m url=mysql://root@mysql host=x\n", "unknown parameter host"),
        ("$ mysql-connect name=m url=mysql://root@mysql\nSELECT 1\n", "takes no input"),
        ("$ mysql-connect name=m url=postgres://root@mysql\n", "mysql://USER@HOST"),
        ("$ mysql-execute\nSELECT 1\n", "missing parameter name"),
    ],
)
def test_bad_arguments_are_told(script: str, message: str, connect: Callable[[], LibpqSession]) -> None:
    with pytest.raises(ScriptError, match=message):
        run_file(script, "some.td", Context(connect()))
