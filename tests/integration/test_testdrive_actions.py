"""The language against real servers: SQL, PostgreSQL connections, psql, HTTP, files."""

from __future__ import annotations

import bz2
import gzip
import http.server
import lzma
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg.conninfo
import pytest

from racehound.databases.postgres.actions.servers import connection
from racehound.databases.postgres.script_support import SCRIPT_SUPPORT
from racehound.services.embedded.server import EmbeddedServer
from racehound.testdrive.errors import CommandFailed, ScriptError
from racehound.testdrive.interpreter import Context, Interpreter, run_file
from racehound.testdrive.parser import parse
from racehound.wire.session import LibpqSession


@pytest.fixture
def url(embedded_server: EmbeddedServer, fresh_database: str) -> str:
    """The fresh database as scripts address it."""
    return embedded_server.address.url(str(psycopg.conninfo.conninfo_to_dict(fresh_database)["dbname"]))


@pytest.fixture
def printed() -> list[str]:
    """What scripts printed."""
    return []


@pytest.fixture
def context(
    connect: Callable[[], LibpqSession], url: str, embedded_server: EmbeddedServer, tmp_path: Path, printed: list[str]
) -> Context:
    return Context(
        connect(),
        variables={"url": url},
        connect=LibpqSession.connect,
        temp_dir=tmp_path,
        url=url,
        support=SCRIPT_SUPPORT,
        programs={"psql": str(embedded_server.installation.clients / "psql")},
        output=printed.append,
    )


def run(text: str, context: Context) -> None:
    run_file(text, "some.td", context)


def failure(text: str, context: Context) -> CommandFailed:
    with pytest.raises(CommandFailed) as raised:
        run(text, context)
    return raised.value


# SQL


def test_a_script_builds_an_address_of_the_target_without_its_password(context: Context, embedded_server: EmbeddedServer) -> None:
    where = f"{embedded_server.address.host}:{embedded_server.address.port}"
    run(f"$ postgres-execute connection=postgres://postgres@{where}/postgres\nSELECT 1\n", context)
    refused = failure(f"$ postgres-execute connection=postgres://nobody@{where}/postgres\nSELECT 1\n", context)
    assert "no password supplied" in refused.reason
    wrong = failure(f"$ postgres-execute connection=postgres://postgres:wrong@{where}/postgres\nSELECT 1\n", context)
    assert "password authentication failed" in wrong.reason


def test_values_of_every_sort_read_as_scripts_write_them(context: Context) -> None:
    run(
        r"""
> CREATE TABLE v (b bool, y bytea, n numeric, f float8, r real, t timestamp, z timestamptz, d date, a int[], j text)
> SET TIME ZONE 'Asia/Kolkata'
> INSERT INTO v VALUES (true, '\x0061', 1e10, 1e20, 0.1,
    '2020-01-01 00:00:00.5', '2020-01-01 00:00:00+00', '2020-02-29', '{1,2}', '')
> INSERT INTO v (b, f, j) VALUES (false, '-infinity', E'a "b"\n\\')
> SELECT * FROM v
b     y        n           f                     r   t                         z                         d          a     j
-----
true  \x00a  10000000000 100000000000000000000 0.1 "2020-01-01 00:00:00.500" "2020-01-01 00:00:00 UTC" 2020-02-29 {1,2} ""
false <null>   <null>      -inf                <null> <null> <null> <null> <null> "a \"b\"\n\\"
> SELECT g FROM generate_series(1, 3) g
3 values hashing to 202cb962ac59075b964b07152d234b70
""",
        context,
    )


def test_a_statement_of_several_lines_with_comments_and_quotes_runs_as_it_is_written(context: Context) -> None:
    run(
        """
> CREATE FUNCTION f() RETURNS int LANGUAGE SQL
  BEGIN ATOMIC -- two statements; one function
    SELECT 1;
    SELECT CASE WHEN true THEN 42 END;
  END
> CREATE FUNCTION g() RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; RETURN ';'; END $$;
> SELECT f(), g()
42 ;
""",
        context,
    )


def test_a_plan_is_compared_as_one_block(context: Context) -> None:
    script = "> CREATE TABLE p (a int)\n? EXPLAIN (COSTS OFF) SELECT * FROM p WHERE a > 1\nSeq Scan on p\n  Filter: (a > {})\n\n"
    run(script.format(1), context)
    assert "-  Filter: (a > 2)" in failure("> DROP TABLE p\n" + script.format(2), context).difference


def test_errors_details_and_hints_are_those_of_the_server(context: Context) -> None:
    run(
        """
> CREATE TABLE t (a int PRIMARY KEY)
> INSERT INTO t VALUES (1)
! INSERT INTO t VALUES (1)
exact:duplicate key value violates unique constraint "t_pkey"
detail:(a)=(1)
! SELECT b FROM t
regex:column .b. does not exist
! SELECT 1 FROM t WHERE a = f(1)
contains:function f(integer) does not exist
hint:
! SELEC
contains:syntax error
""",
        context,
    )


def test_a_query_waits_for_what_another_session_does(context: Context, connect: Callable[[], LibpqSession]) -> None:
    other = connect()
    assert other.execute("CREATE TABLE w (a int)").ok
    tries = 0

    def insert_after_two_tries(_: float) -> None:
        nonlocal tries
        tries += 1
        if tries == 2:
            assert other.execute("INSERT INTO w VALUES (1)").ok

    with Interpreter(Context(context.session, sleep=insert_after_two_tries)) as interpreter:
        interpreter.run(parse("> SELECT a FROM w\n1\n"))
    assert tries == 2


def test_a_statement_that_waits_too_long_is_cancelled_and_the_session_goes_on(
    context: Context, connect: Callable[[], LibpqSession]
) -> None:
    other = connect()
    for statement in ("CREATE TABLE l ()", "BEGIN", "LOCK TABLE l"):
        assert other.execute(statement).ok
    script = "$ set-sql-timeout duration=100ms force=true\n! SELECT * FROM l\ntimeout\n> SELECT 1\n1\n> DROP TABLE l\n"
    failed = failure(script, context)
    assert failed.position.line == 6
    assert "no answer within the timeout: canceling statement" in failed.reason


def test_a_lost_connection_fails_at_once(context: Context, connect: Callable[[], LibpqSession]) -> None:
    assert connect().execute(f"SELECT pg_terminate_backend({context.session.pid}, 10000)").ok
    failed = failure("> SELECT 1\n1\n", context)
    assert "connection was lost" in failed.reason
    assert failed.outcome is not None
    assert failed.outcome.status == "lost"


def test_variables_from_queries_and_files(context: Context, tmp_path: Path) -> None:
    (tmp_path / "value").write_text("from a file")
    run(
        f"""
$ set-from-sql var=answer
SELECT 40
  + 2
$ set-from-file other={tmp_path}/value
> SELECT ${{answer}}, '${{other}}'
42 "from a file"
""",
        context,
    )
    assert "does not exist" in failure("$ set-from-sql var=x\nSELECT nope\n", context).reason
    assert "cannot read" in failure("$ set-from-file x=/nonexistent/file\n", context).reason


def test_a_part_is_skipped_where_the_target_says_so(context: Context) -> None:
    run("$ skip-if\nSELECT count(*) = 0 FROM pg_class WHERE relname = 'no'\n> SELECT nope\n$ skip-end\n> SELECT 1\n1\n", context)


def test_a_version_bound_speaks_of_the_servers_number(context: Context) -> None:
    run(">[version>=140000] SELECT 1\n1\n>[version<140000] SELECT nope\n", context)


# Connections


def test_batches_run_on_named_and_on_passing_connections(context: Context) -> None:
    run(
        """
$ postgres-connect name=one url=${url}
$ postgres-execute connection=one
BEGIN; CREATE TABLE t (a int);
INSERT INTO t VALUES (1); SELECT 'ignored';
$ postgres-execute connection=${url}
CREATE TABLE u ()
> SELECT count(*) FROM pg_tables WHERE tablename IN ('t', 'u')
1
$ postgres-execute connection=one
COMMIT
> SELECT a FROM t
1
""",
        context,
    )


def test_an_error_in_a_batch_fails_with_the_batch_and_the_servers_words(context: Context) -> None:
    failed = failure("$ postgres-execute connection=${url}\nSELECT 1\nSELECT nope\nCREATE TABLE never ()\n", context)
    assert 'SELECT nope: column "nope" does not exist' in failed.reason
    assert failed.outcome is not None
    assert failed.outcome.error is not None
    assert failed.outcome.error.sqlstate == "42703"
    run("> SELECT to_regclass('never')\n<null>\n", context)


def test_a_connection_that_nobody_made_or_that_cannot_be_made_fails(context: Context) -> None:
    assert "no connection named x" in failure("$ postgres-execute connection=x\nSELECT 1\n", context).reason
    unreachable = "postgres://127.0.0.1:1/x"
    assert "cannot connect" in failure(f"$ postgres-connect name=x url={unreachable}\n", context).reason
    with pytest.raises(ScriptError, match="connection string"):
        run("$ postgres-connect name=x url=nonsense\n", context)


def test_named_connections_are_closed_at_the_end(context: Context, connect: Callable[[], LibpqSession]) -> None:
    with Interpreter(context) as interpreter:
        interpreter.run(parse("$ postgres-connect name=one url=${url}\n"))
        pid = connection("one", interpreter.state).pid
    gone = Context(connect())
    run(f"> SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}\n0\n", gone)


def test_a_batch_in_the_background_goes_on_while_the_script_does(context: Context) -> None:
    run(
        """
> CREATE TABLE b (a int)
> SELECT pg_advisory_lock(1)
""
$ postgres-execute connection=${url} background=true
SELECT pg_advisory_lock(1); INSERT INTO b VALUES (1)
> SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
1
> SELECT pg_advisory_unlock(1)
true
> SELECT a FROM b
1
""",
        context,
    )


def test_what_still_runs_in_the_background_is_cancelled_at_the_end(
    context: Context, connect: Callable[[], LibpqSession], printed: list[str]
) -> None:
    script = "$ postgres-execute connection=${url} background=true\nSELECT pg_sleep(1000)\nSELECT nope\n"
    running = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1000)' AND datname = current_database()"
    run(f"{script}> {running} AND state = 'active'\n1\n", context)
    run(f"> {running}\n0\n", Context(connect()))
    assert printed == []


def test_an_error_in_the_background_is_printed(context: Context, printed: list[str]) -> None:
    with Interpreter(context) as interpreter:
        interpreter.run(parse("$ postgres-execute connection=${url} background=true\nSELECT nope\n"))
        interpreter.state.wait_for(lambda: None if printed else "nothing printed yet")
    assert printed == ['in the background: column "nope" does not exist']


def test_the_background_takes_addresses_only(context: Context) -> None:
    with pytest.raises(ScriptError, match="needs a postgres:// URL"):
        run("$ postgres-connect name=a url=${url}\n$ postgres-execute connection=a background=true\nSELECT 1\n", context)


# Replication slots


@pytest.fixture
def slot(connect: Callable[[], LibpqSession]) -> Iterator[str]:
    """A logical slot of the fresh database, dropped after the test."""
    name, session = f"slot_{os.getpid()}", connect()
    created = session.execute(f"SELECT pg_create_logical_replication_slot('{name}', 'test_decoding')")
    assert created.ok, created
    yield name
    dropped = session.execute(f"SELECT pg_drop_replication_slot('{name}')")
    assert dropped.ok, dropped


def test_a_slot_is_found_by_its_pattern_and_use(context: Context, slot: str) -> None:
    run(f"$ postgres-verify-slot connection=${{url}} slot={slot[:-1]}% active=false\n", context)
    impatient = "$ set-sql-timeout duration=100ms force=true\n"
    assert "unlike expected" in failure(f"{impatient}$ postgres-verify-slot connection=${{url}} slot={slot}\n", context).reason
    assert "found 0" in failure(f"{impatient}$ postgres-verify-slot connection=${{url}} slot=it's\n", context).reason


def test_a_slot_is_waited_for(context: Context, slot: str, embedded_server: EmbeddedServer, url: str, tmp_path: Path) -> None:
    receiver = embedded_server.installation.clients / "pg_recvlogical"
    argv = [str(receiver), "--dbname", url, "--slot", slot, "--start", "--no-loop", "--file", str(tmp_path / "changes")]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        try:
            run(f"$ postgres-verify-slot connection=${{url}} slot={slot} active=true\n", context)
        finally:
            process.terminate()
    run(f"$ postgres-verify-slot connection=${{url}} slot={slot} active=false\n", context)


# psql


def test_psql_prints_what_is_expected(context: Context) -> None:
    run(
        """
> CREATE TABLE t (a int)
$ psql-execute command="\\dt public.*"
\\          List of tables
 Schema | Name | Type  |  Owner
--------+------+-------+----------
 public | t    | table | postgres
$ psql-execute command="INSERT INTO t VALUES (1)"
INSERT 0 1
""",
        context,
    )


def test_psql_that_prints_something_else_or_fails_is_a_failure(context: Context) -> None:
    failed = failure('$ psql-execute command="SELECT 1 AS x"\n x\n---\n 2\n', context)
    assert '+" 1"' in failed.difference
    assert "does not exist" in failure('$ psql-execute command="SELECT nope"\n', context).reason


# HTTP


class _Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the status that the path names, and the method, content type and body of the request."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        answer = f"{self.command} {self.headers.get('content-type')} {body}".encode()
        self.send_response(int(self.path.strip("/")))
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 the names that http.server looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 as inherited
        """Tests are quiet."""


@pytest.fixture
def web() -> Iterator[str]:
    """The address of a server that echoes."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_request_sends_its_input(context: Context, web: str, printed: list[str]) -> None:
    run(f'$ http-request method=POST url={web}/201 content-type=application/json\n{{"a":\n 1}}\n', context)
    assert printed == ['201\nPOST application/json {"a":\n 1}']


def test_a_status_outside_2xx_fails_unless_it_is_accepted(context: Context, web: str) -> None:
    assert "status 404" in failure(f"$ http-request method=GET url={web}/404\n", context).reason
    run(f"$ http-request method=DELETE url={web}/404 accept-additional-status-codes=404,409\n", context)


def test_a_server_that_is_not_there_fails(context: Context) -> None:
    assert "127.0.0.1:1" in failure("$ http-request method=GET url=http://127.0.0.1:1/\n", context).reason


# Files


def test_a_file_is_appended_to_and_deleted(context: Context, tmp_path: Path) -> None:
    run("$ file-append path=f header=h repeat=2\na\\tb\nc\\x41\n$ file-append path=f trailing-newline=false\nc\n", context)
    assert (tmp_path / "f").read_bytes() == b"h\na\tb\ncA\na\tb\ncA\nc"
    run("$ file-delete path=f\n", context)
    assert not (tmp_path / "f").exists()
    assert "cannot delete f" in failure("$ file-delete path=f\n", context).reason


def _unzstd(content: bytes) -> bytes:
    program = shutil.which("zstd")
    if program is None:
        pytest.skip("zstd is not installed: apt-get install zstd")
    return subprocess.run([program, "-dc"], input=content, capture_output=True, check=True).stdout


@pytest.mark.parametrize(
    ("compression", "decompress"),
    [("gzip", gzip.decompress), ("bzip2", bz2.decompress), ("xz", lzma.decompress), ("zstd", _unzstd), ("none", bytes)],
)
def test_a_file_is_compressed_in_parts_that_follow_each_other(
    compression: str, decompress: Callable[[bytes], bytes], context: Context, tmp_path: Path
) -> None:
    line = "x" * 1000
    command = f"$ file-append path=f compression={compression}"
    run(f"{command} repeat=300\n{line}\n{command}\ny\n", context)
    assert decompress((tmp_path / "f").read_bytes()) == f"{line}\n".encode() * 300 + b"y\n"


@pytest.mark.parametrize("path", ["../f", "/f", "a/b", "..", ""])
def test_a_path_that_leaves_the_directory_is_refused(path: str, context: Context, tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="plain file name"):
        run(f"$ file-append path={path}\nx\n", context)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_compression_is_refused(context: Context) -> None:
    with pytest.raises(ScriptError, match="unknown compression rot13"):
        run("$ file-append path=f compression=rot13\nx\n", context)


# What is not configured


def test_what_the_context_lacks_is_named(connect: Callable[[], LibpqSession]) -> None:
    bare = Context(connect(), programs={"psql": "psql"})
    for text, reason in (
        ("$ file-append path=f\nx\n", "no temporary directory"),
        ("$ postgres-connect name=a url=postgres://x\n", "no PostgreSQL is configured"),
        ('$ psql-execute command="SELECT 1"\n', "target's URL"),
        ("$ check-consistency\n", "not configured"),
    ):
        assert reason in failure(text, bare).reason
