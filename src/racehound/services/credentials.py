"""The passwords of the servers that racehound starts.

A password is drawn when a server is made and is used for nothing else. Clients get it from a file that only the user can read, so
that it appears in no command line and in no address.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import shutil
from pathlib import Path

_BYTES = 16
"""Passwords have 128 random bits, so they cannot be guessed, however few iterations their hashes have."""
_SALT_BYTES = 16
_ITERATIONS = 1


def draw() -> str:
    """A new password: 32 hexadecimal digits, which need no escape in any language."""
    return secrets.token_hex(_BYTES)


def write(path: Path, text: str, user: str | None = None) -> None:
    """Write a new file that only its owner can read: this user, or the named one. FileExistsError when it exists."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    if user is not None:
        shutil.chown(path, user)


def password_file(password: str, user: str = "*") -> str:
    """The text of a file for PGPASSFILE and the parameter `passfile`: the password of a user of PostgreSQL at any address."""
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    return f"*:*:*:{user}:{escaped}\n"


def verifier(password: str) -> str:
    """What PostgreSQL stores of a password (SCRAM-SHA-256), with one iteration instead of 4,096.

    The server takes it wherever it takes a password, and stores it as it is. A client computes as many hashes per connection as
    there are iterations, which takes milliseconds for 4,096. They protect only passwords that can be guessed.
    """
    salt = secrets.token_bytes(_SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    client, server = (hmac.digest(salted, word, "sha256") for word in (b"Client Key", b"Server Key"))
    salt_text, stored, server_text = (base64.b64encode(b).decode() for b in (salt, hashlib.sha256(client).digest(), server))
    return f"SCRAM-SHA-256${_ITERATIONS}:{salt_text}${stored}:{server_text}"
