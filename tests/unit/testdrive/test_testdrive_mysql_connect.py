"""How MySQL is addressed, and spoken to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import NoReturn, cast

import pymysql
import pytest

from racehound.session import Session
from racehound.testdrive.actions.mysql import Address
from racehound.testdrive.errors import CommandFailed
from racehound.testdrive.interpreter import Interpreter
from racehound.testdrive.parser import parse
from racehound.testdrive.state import Context


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mysql://root@mysql", Address("mysql", 3306, "root", "")),
        ("mysql://root:p%40ss@mysql:1/db", Address("mysql", 1, "root", "p@ss", "db")),
        ("mysql://u%2Fser@127.0.0.1/", Address("127.0.0.1", 3306, "u/ser", "")),
        ("mysql://root@mysql/db?require_ssl=false", Address("mysql", 3306, "root", "", "db")),
    ],
)
def test_an_address_is_read(url: str, address: Address) -> None:
    assert Address.parse(url) == address


@pytest.mark.parametrize(
    "url", ["", "mysql", "postgres://root@mysql", "mysql://mysql/db", "mysql://root@", "mysql://r:secret@h:port"]
)
def test_what_is_no_address_is_told_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"mysql://USER@HOST|[Pp]ort") as raised:
        Address.parse(url)
    assert "secret" not in str(raised.value)


def test_a_server_without_tls_is_spoken_to_without(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[bool] = []

    def connect(**how: object) -> SimpleNamespace:
        tried.append("ssl" in how)
        if tried[-1]:
            raise pymysql.err.OperationalError(pymysql.constants.CR.CR_SSL_CONNECTION_ERROR, "SSL is required")
        assert how["ssl_disabled"] is True
        return SimpleNamespace(open=False)

    monkeypatch.setattr(pymysql, "connect", connect)
    Interpreter(Context(cast("Session", None))).run(parse("$ mysql-connect name=m url=mysql://root@127.0.0.1:1\n"))
    assert tried == [True, False]


def test_a_server_that_refuses_is_not_asked_again_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(**_: object) -> NoReturn:
        raise pymysql.err.OperationalError(1045, "Access denied")

    monkeypatch.setattr(pymysql, "connect", connect)
    with pytest.raises(CommandFailed, match=r"Access denied \(1045\)"):
        Interpreter(Context(cast("Session", None))).run(parse("$ mysql-connect name=m url=mysql://root@127.0.0.1:1\n"))
