"""How MySQL is addressed."""

from __future__ import annotations

import pytest

from racehound.testdrive.actions.mysql import Address


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
