"""Reads the addresses (connection strings) of servers that speak the PostgreSQL protocol, for several plug-ins."""

from __future__ import annotations

import contextlib
import getpass
import tempfile
from collections.abc import Iterator

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from racehound.errors import UserError
from racehound.services import credentials
from racehound.services.service import Endpoint


def parts(url: str) -> dict[str, str]:
    """The parts of an address, by libpq's names. UserError for an invalid address."""
    try:
        return {key: str(value) for key, value in conninfo_to_dict(url).items() if value is not None}
    except psycopg.Error as error:
        raise UserError(f"--url: not a PostgreSQL connection string: {' '.join(str(error).split())}") from None


def password(url: str) -> str:
    """The password in an address; "" if it has none. UserError for an invalid address."""
    return parts(url).get("password", "")


@contextlib.contextmanager
def without_password(url: str) -> Iterator[str]:
    """An address for a command line, which every user can see: it names a password file instead of the password."""
    known = password(url)
    if not known:
        yield url
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="racehound-pgpass-") as file:
        file.write(credentials.password_file(known))
        file.flush()
        yield make_conninfo(url, password="", passfile=file.name)


def with_password_of(url: str, target: str | None) -> str:
    """The address with the target's password file, where it names no password and the same server and user as the target's.

    Scripts build addresses of the target from variables with its host, port and user.
    """
    try:
        known, there = conninfo_to_dict(url), conninfo_to_dict(target or "")
    except psycopg.Error:
        return url  # whoever connects is told what is wrong with it
    same = all(known.get(key) == there.get(key) for key in ("host", "port", "user"))
    if not same or known.get("password") or "passfile" in known or "passfile" not in there:
        return url
    return make_conninfo(url, passfile=there["passfile"], password="")


def endpoint(url: str) -> Endpoint | None:
    """The TCP address of the server; None for a UNIX socket, and for an address with several servers."""
    known = parts(url)
    host, port = known.get("hostaddr") or known.get("host", ""), known.get("port", "5432")
    return Endpoint(host, int(port)) if host and not host.startswith(("/", "@")) and port.isdecimal() else None


def script_variables(url: str) -> dict[str, str]:
    """The variables of scripts with the server's address. Most public scripts are for Materialize and use these names."""
    known = parts(url)
    host = known.get("host", "")
    if not host or host.startswith("/") or "," in host:
        return {}
    found = {"sql-addr": f"{host}:{known.get('port') or 5432}", "user": known.get("user") or getpass.getuser()}
    return {f"testdrive.materialize-{name}": value for name, value in found.items()}
