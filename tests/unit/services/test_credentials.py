"""Passwords are drawn, written for their user alone, and stored as PostgreSQL stores them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from pathlib import Path

import pytest

from racehound.services import credentials


def test_no_password_is_drawn_twice_and_all_need_no_escape() -> None:
    drawn = {credentials.draw() for _ in range(1000)}
    assert len(drawn) == 1000
    assert all(len(password) == 32 and password.isalnum() for password in drawn)


@pytest.mark.parametrize("umask", [0, 0o077])
def test_only_the_user_reads_a_file_and_none_is_written_over(tmp_path: Path, umask: int) -> None:
    path, before = tmp_path / "file", os.umask(umask)
    try:
        credentials.write(path, "é")
    finally:
        os.umask(before)
    assert path.read_bytes() == "é".encode()
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        credentials.write(path, "other")


def test_a_password_file_escapes_what_separates_its_fields() -> None:
    assert credentials.password_file(r"a:b\c") == "*:*:*:*:a\\:b\\\\c\n"
    assert credentials.password_file("p", "postgres") == "*:*:*:postgres:p\n"


def test_a_verifier_proves_the_password_by_the_rules_of_scram() -> None:
    mechanism, iterations_and_salt, keys = credentials.verifier("pencil").split("$")
    iterations, _, salt = iterations_and_salt.partition(":")
    stored, _, server = keys.partition(":")
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", base64.b64decode(salt), int(iterations))
    assert mechanism == "SCRAM-SHA-256"
    assert base64.b64decode(stored) == hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    assert base64.b64decode(server) == hmac.digest(salted, b"Server Key", "sha256")
    assert credentials.verifier("pencil") != credentials.verifier("pencil"), "each has a salt of its own"
