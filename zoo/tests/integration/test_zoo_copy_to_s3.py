"""COPY … TO S3 with a real server: testdrive's own action reads the files back."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from racehound.data.addresses import ServiceAddresses
from racehound.databases.materialize.kinds.s3 import CopyToS3
from racehound.databases.materialize.script_support import SCRIPT_SUPPORT
from racehound.services import s3
from racehound.services.backends.instance import Instance
from racehound.testdrive.errors import CommandFailed
from racehound.testdrive.interpreter import Context, Interpreter
from racehound.testdrive.parser import parse
from racehound.wire.session import LibpqSession
from racehound_zoo.server import Zoo
from zoo_support.connections import Connection, connect, refusal, rows

_numbers = itertools.count()


@pytest.fixture(scope="module")
def store(service: Callable[[str], Instance]) -> Instance:
    return service("seaweedfs")


@pytest.fixture(scope="module")
def bucket(store: Instance) -> str:
    name = f"zoo-{time.time_ns()}"
    with s3.client(store.access) as client:
        client.create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="module")
def zoo() -> Iterator[Zoo]:
    with Zoo() as zoo:
        yield zoo


@pytest.fixture
def session(zoo: Zoo, store: Instance) -> Iterator[Connection]:
    """A session with a connection `aws`, a connection `wrong` with a wrong key, and a table `t` of two rows."""
    with connect(zoo.url) as session:
        session.execute("CREATE SCHEMA here")
        session.execute("SET search_path = here")
        for name, key in (("aws", store.access.password), ("wrong", "wrong")):
            session.execute(f"CREATE SECRET {name}_key AS '{key}'")
            session.execute(
                f"CREATE CONNECTION {name} TO AWS (ENDPOINT '{s3.url(store.endpoints)}', REGION '{s3.REGION}', "
                f"ACCESS KEY ID '{s3.ACCESS_KEY_ID}', SECRET ACCESS KEY SECRET {name}_key)"
            )
        session.execute("CREATE TABLE t (a int, b text, c timestamptz, d double precision)")
        session.execute("INSERT INTO t VALUES (1, 'x, \"y\"', '2026-01-02 03:04:05+00', 1.5), (2, NULL, NULL, NULL)")
        yield session
        session.execute("DROP SCHEMA here CASCADE")


@pytest.fixture
def interpreter(zoo: Zoo, store: Instance, bucket: str) -> Iterator[Interpreter]:
    """A testdrive interpreter that uses the same S3."""
    session = LibpqSession.connect(zoo.url, "copy")
    variables = {**s3.variables_of(store.access), "racehound.run": bucket, "racehound.database": "materialize"}
    services = ServiceAddresses(aws=s3.account(store.access))
    interpreter = Interpreter(Context(session, variables=variables, services=services, support=SCRIPT_SUPPORT, max_tries=1))
    yield interpreter
    interpreter.close()
    session.close()


def _verify(interpreter: Interpreter, bucket: str, key: str, *lines: str) -> None:
    text = "\n".join((f"$ s3-verify-data bucket={bucket} key={key} sort-rows=true", *lines))
    interpreter.run(parse(text + "\n", "verify"))


def _prefix() -> str:
    return f"copies/{next(_numbers)}"


def test_csv_has_every_row(session: Connection, interpreter: Interpreter, bucket: str) -> None:
    prefix = _prefix()
    copied = session.execute(f"COPY (SELECT * FROM t) TO 's3://{bucket}/{prefix}' WITH (AWS CONNECTION = aws, FORMAT = 'csv')")
    assert copied.statusmessage == "COPY 2"
    _verify(interpreter, bucket, prefix, '1,"x, ""y""",2026-01-02 03:04:05+00,1.5', "2,,,")


def test_csv_may_have_its_columns_names(session: Connection, interpreter: Interpreter, bucket: str) -> None:
    prefix = _prefix()
    session.execute(f"COPY t TO 's3://{bucket}/{prefix}' WITH (AWS CONNECTION = aws, FORMAT = 'csv', HEADER = true)")
    with pytest.raises(CommandFailed, match="a,b,c,d"):
        _verify(interpreter, bucket, prefix)


def test_parquet_has_every_row_in_types_of_its_own(session: Connection, interpreter: Interpreter, bucket: str) -> None:
    prefix = _prefix()
    session.execute(f"COPY t TO 's3://{bucket}/{prefix}' WITH (AWS CONNECTION = aws, FORMAT = 'parquet')")
    _verify(interpreter, bucket, prefix, '1 x, "y" 2026-01-02T03:04:05Z 1.5', "2   // allow-trailing-whitespace")


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("COPY t TO 's3://{0}/x' WITH (AWS CONNECTION = nosuch, FORMAT = 'csv')", "unknown catalog item 'nosuch'"),
        ("COPY t TO 's3://{0}/x' WITH (AWS CONNECTION = t, FORMAT = 'csv')", "t is not an AWS CONNECTION"),
        ("COPY nosuch TO 's3://{0}/x' WITH (AWS CONNECTION = aws, FORMAT = 'csv')", "unknown catalog item 'nosuch'"),
        ("COPY t TO 's3://{0}/x' WITH (AWS CONNECTION = wrong, FORMAT = 'csv')", "AWS: "),
        ("COPY t TO 'http://{0}/x' WITH (AWS CONNECTION = aws, FORMAT = 'csv')", "only 's3://...' and 'gs://...' urls"),
        ("COPY t TO 's3://{0}/x' WITH (AWS CONNECTION = aws, FORMAT = 'xml')", "only supports FORMAT CSV"),
        ("COPY t TO 's3://{0}/x' WITH (AWS CONNECTION = aws, FORMAT = 'csv', MAX FILE SIZE = '1MB')", "cannot be less than 16MB"),
        ("VALIDATE CONNECTION wrong", "AWS: "),
    ],
)
def test_what_cannot_be_copied_is_refused(session: Connection, bucket: str, statement: str, reason: str) -> None:
    assert reason in refusal(session, statement.format(bucket))[1]


def test_a_connection_that_lets_in_is_validated(session: Connection) -> None:
    session.execute("VALIDATE CONNECTION aws")


@pytest.mark.parametrize(("encoding", "line"), [("csv", "foo,bar"), ("parquet", "foo bar")])
def test_the_kind_lives_its_life(interpreter: Interpreter, zoo: Zoo, bucket: str, encoding: Any, line: str) -> None:
    made = CopyToS3(f"o_{encoding}", encoding=encoding)
    for manipulation in made.all_manipulations():
        for fragment in (made.prepare(), made.create(), made.manipulate(manipulation), made.verify(), made.destroy()):
            interpreter.run(parse(fragment, "a life"))
    _verify(interpreter, bucket, made.name, line)
    with connect(zoo.url) as session:
        assert rows(session, "SELECT name FROM mz_connections WHERE id LIKE 'u%'") == []
