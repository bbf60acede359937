"""What is hidden in messages, and what is not."""

from __future__ import annotations

import pytest

from racehound.testdrive.redaction import redact, scrub


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("$ mysql-connect name=m password=p@ss url=x", "$ mysql-connect name=m password=<redacted> url=x"),
        ('$ mysql-connect password="a b" name=m', "$ mysql-connect password=<redacted> name=m"),
        ("server=tcp:h,1;User ID=SA;Password=p@ss;Database=d", "server=tcp:h,1;User ID=SA;Password=<redacted>;Database=d"),
        ("User ID={sa};Pwd={a;b}", "User ID={sa};Pwd=<redacted>"),
        ("CREATE USER x IDENTIFIED BY 'it''s'", "CREATE USER x IDENTIFIED BY <redacted>"),
        (
            'CREATE USER x IDENTIFIED WITH caching_sha2_password BY "p"',
            "CREATE USER x IDENTIFIED WITH caching_sha2_password BY <redacted>",
        ),
        (
            "CREATE LOGIN x WITH PASSWORD = 'p', DEFAULT_DATABASE = d",
            "CREATE LOGIN x WITH PASSWORD = <redacted>, DEFAULT_DATABASE = d",
        ),
        ("CREATE ROLE x LOGIN PASSWORD 'p'", "CREATE ROLE x LOGIN PASSWORD <redacted>"),
        ("CREATE SECRET s AS 'x'", "CREATE SECRET s AS <redacted>"),
        ("CREATE SECRET IF NOT EXISTS d.\"a b\".s AS\n'x'", 'CREATE SECRET IF NOT EXISTS d."a b".s AS <redacted>'),
        ("ALTER SECRET s AS 'x'", "ALTER SECRET s AS <redacted>"),
        ("CREATE SECRET s (TYPE s3, SECRET 'x')", "CREATE SECRET <redacted>"),
    ],
)
def test_passwords_and_secrets_are_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "CREATE CONNECTION c TO MYSQL (HOST mysql, USER root, PASSWORD SECRET mysqlpass)",
        "CREATE CONNECTION c TO MYSQL (PASSWORD = SECRET mysqlpass)",
        "$ mysql-connect name=m password=${arg.mysql-root-password}",
        "SELECT password FROM users",
    ],
)
def test_names_of_secrets_and_variables_stay(text: str) -> None:
    assert redact(text) == text


def test_a_servers_message_does_not_repeat_a_password() -> None:
    statement = "CREATE USER x IDENTIFIED BY 'hunter2' NONSENSE"
    assert scrub("near 'hunter2' NONSENSE' at line 1", statement) == "near '<redacted>' NONSENSE' at line 1"
    assert scrub("nothing to hide", statement) == "nothing to hide"
