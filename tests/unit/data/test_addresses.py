"""Addresses that scripts name are replaced by those of the services that run."""

from __future__ import annotations

import pytest

from racehound.data.addresses import ServiceAddresses

SERVICES = ServiceAddresses(
    hosts={"postgres": "127.0.0.1:7", "mysql": "127.0.0.1:8"}, accounts={"postgres": ("postgres", "drawn")}
)


@pytest.mark.parametrize(
    ("named", "connected"),
    [
        ("postgres://postgres:postgres@postgres/db?a=b", "postgres://postgres:drawn@127.0.0.1:7/db?a=b"),
        ("postgres://postgres@postgres", "postgres://postgres:drawn@127.0.0.1:7"),
        ("postgres://somebody:else@postgres:5432/db", "postgres://somebody:else@127.0.0.1:7/db"),
        ("postgres://postgres/db", "postgres://127.0.0.1:7/db"),
        ("mysql://root:word@mysql", "mysql://root:word@127.0.0.1:8"),
        ("postgres://postgres:postgres@db.example.org/db", "postgres://postgres:postgres@db.example.org/db"),
    ],
)
def test_the_administrators_password_is_that_of_the_service(named: str, connected: str) -> None:
    assert SERVICES.url(named) == connected
