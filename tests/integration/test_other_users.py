"""Another user of the machine is refused by every server that has a password, and reads no file of a composition."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pymysql
import pytest

from racehound.services import s3, scratch
from racehound.services.backends.instance import Instance
from racehound.services.composition import Composition
from racehound.services.embedded import releases
from racehound.services.embedded.server import EmbeddedServer
from racehound.services.service import CLIENT, Access, Endpoint
from racehound.wire.session import LibpqSession
from tests.integration.own_composition import own_composition
from tests.stranger import NEEDS_ROOT, as_stranger, command_lines, readable

_WORDS = ("", "postgres", "p@ssw0rd", "racehound-secret", "racehound")
"""What somebody would try, the passwords of earlier versions among it."""


@pytest.fixture
def own() -> Iterator[EmbeddedServer]:
    """A server in a scratch directory of its own, as a run has one."""
    directory = scratch.create(f"rh{secrets.token_hex(4)}")
    server = EmbeddedServer(releases.find(), directory, directory / "server.log")
    try:
        server.start()
        yield server
    finally:
        server.stop()
        scratch.remove(directory)


def _postgres_answers(endpoint: Endpoint, options: str = "") -> list[str]:
    """What PostgreSQL answers to each of the words. Empty: it lets somebody in."""
    said = []
    for word in _WORDS:
        try:
            address = f"host={endpoint.host} port={endpoint.port} user=postgres dbname=postgres {options}"
            psycopg.connect(address, password=word).close()
        except psycopg.OperationalError as error:
            said.append(str(error))
        else:
            said.append("")
    return said


@NEEDS_ROOT
@pytest.mark.parametrize("options", ["", "replication=database"])
def test_the_embedded_server_refuses_another_user(own: EmbeddedServer, options: str) -> None:
    endpoint = Endpoint(own.address.host, own.address.port)
    said = as_stranger(lambda: _postgres_answers(endpoint, options))
    assert len(said) == len(_WORDS)
    assert all("no password supplied" in text or "password authentication failed" in text for text in said), said


@NEEDS_ROOT
def test_no_file_of_the_embedded_server_is_read_by_another_user(own: EmbeddedServer) -> None:
    assert readable([own.data_dir.parents[1]]) == []
    with pytest.raises(psycopg.OperationalError, match="Permission denied"):
        as_stranger(lambda: psycopg.connect(own.address.conninfo()).close())


def test_the_embedded_server_has_a_password_of_its_own_and_no_command_line_has_it(
    own: EmbeddedServer, embedded_server: EmbeddedServer
) -> None:
    passwords = [server.address.passfile.read_text().strip().rpartition(":")[2] for server in (own, embedded_server)]
    assert len(set(passwords)) == 2
    assert all(len(password) == 32 for password in passwords)
    assert [line for line in command_lines() if any(password in line for password in passwords)] == []
    assert all(password not in own.address.conninfo() + own.address.url() for password in passwords)


@pytest.mark.parametrize("tcp", [False, True])
def test_the_users_own_pgpassword_does_not_lock_the_user_out(
    own: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, *, tcp: bool
) -> None:
    monkeypatch.setenv("PGPASSWORD", "of another server")
    for address in (own.address.conninfo(tcp=tcp), own.address.url()):
        LibpqSession.connect(address).close()


def test_the_password_also_holds_after_a_new_cluster_and_within_the_server(own: EmbeddedServer) -> None:
    own.recreate()
    session = LibpqSession.connect(own.address.conninfo())
    address = own.address
    inner = f"host={address.socket_dir} port={address.port} user=postgres dbname=postgres"
    assert session.execute("CREATE EXTENSION dblink").ok
    inside = session.execute(f"SELECT * FROM dblink('{inner} passfile={address.passfile}', 'SELECT 1') AS t (a int)")
    refused = session.execute(f"SELECT * FROM dblink('{inner}', 'SELECT 1') AS t (a int)")
    session.close()
    assert inside.rows is not None, inside
    assert refused.error is not None
    assert "no password supplied" in refused.error.detail


# Services


@pytest.fixture(scope="module")
def own_mariadb() -> Iterator[Composition]:
    """MariaDB, which cannot be in one composition with MySQL."""
    with own_composition("mariadb") as composition:
        yield composition


def _mysql_answers(endpoint: Endpoint) -> list[str]:
    said = []
    for user in ("root", "", "mysql"):
        for word in _WORDS:
            try:
                pymysql.connect(host=endpoint.host, port=endpoint.port, user=user, password=word).close()
            except pymysql.MySQLError as error:
                said.append(str(error))
            else:
                said.append("")
    return said


def _s3_answers(access: Access) -> list[int]:
    """The status of each answer: without an account, and with each of the words as the secret."""
    from botocore.exceptions import ClientError

    endpoint = access.endpoints[CLIENT]
    with httpx.Client(base_url=f"http://{endpoint}", trust_env=False, verify=False) as client:
        statuses = [client.get(f"/{path}").status_code for path in ("", s3.BUCKET, f"{s3.BUCKET}/x")]
    for word in filter(None, _WORDS):
        try:
            with s3.client(Access(access.endpoints, word)) as client:
                client.list_buckets()
            statuses.append(200)
        except ClientError as error:
            statuses.append(error.response["ResponseMetadata"]["HTTPStatusCode"])
    return statuses


@NEEDS_ROOT
def test_postgresql_as_a_service_refuses_another_user(service: Callable[[str], Instance]) -> None:
    endpoint = service("postgres").endpoints[CLIENT]
    said = as_stranger(lambda: _postgres_answers(endpoint))
    assert all("no password supplied" in text or "password authentication failed" in text for text in said), said


@NEEDS_ROOT
def test_mysql_refuses_another_user(service: Callable[[str], Instance]) -> None:
    endpoint = service("mysql").endpoints[CLIENT]
    said = as_stranger(lambda: _mysql_answers(endpoint))
    assert all("denied" in text for text in said), said


@NEEDS_ROOT
def test_mariadb_refuses_another_user(own_mariadb: Composition) -> None:
    endpoint = own_mariadb.instance("mariadb").endpoints[CLIENT]
    said = as_stranger(lambda: _mysql_answers(endpoint))
    assert all("denied" in text for text in said), said


@NEEDS_ROOT
def test_s3_refuses_another_user(service: Callable[[str], Instance]) -> None:
    access = service("seaweedfs").access
    with s3.client(access) as client:
        client.put_object(Bucket=s3.BUCKET, Key="x", Body=b"x")
    # The libraries load parts of themselves from the user's directories at the first request, which another user cannot.
    assert set(_s3_answers(access)) == {403}
    assert set(as_stranger(lambda: _s3_answers(access))) == {403}


@NEEDS_ROOT
def test_no_file_of_a_composition_is_read_by_another_user(service: Callable[[str], Instance], composition: Composition) -> None:
    for name in ("postgres", "mysql", "seaweedfs"):
        service(name)
    assert readable([composition.directory]) == []


def test_no_command_line_shows_the_password_of_a_service_and_files_for_clients_do(
    service: Callable[[str], Instance], composition: Composition
) -> None:
    services = [service(name) for name in ("postgres", "mysql", "seaweedfs")]
    passwords = {each.access.password for each in services}
    assert len(passwords) == len(services)
    assert [line for line in command_lines() if any(password in line for password in passwords)] == []
    for status in composition.status():
        known = {each.service.name: each.access.password for each in services}.get(status.name)
        if known is not None:
            assert known not in status.connect
            assert status.client_file in status.connect
            assert known in Path(status.client_file).read_text()
            assert Path(status.client_file).stat().st_mode & 0o777 == 0o600
