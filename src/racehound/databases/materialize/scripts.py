"""The server for testdrive scripts: the addresses of Materialize, and a function that resets it before each script."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Any

from racehound.data.addresses import ServiceAddresses
from racehound.databases.database import ScriptServer
from racehound.databases.materialize import script_target as materialize
from racehound.databases.materialize.script_target import ScriptTarget
from racehound.errors import UserError
from racehound.wire.session import LibpqSession


def server_at(url: str, values: Mapping[str, Any], services: ServiceAddresses) -> ScriptServer:
    """The server at a URL. UserError when it is not Materialize."""
    endpoint = endpoint_of(url, values["materialize_internal_url"])
    with contextlib.closing(LibpqSession.connect(url)) as session:
        environment = materialize.environment_id(session)
    if environment is None:
        raise UserError("--url: the server at this address is not Materialize")
    if endpoint is None:
        return ScriptServer(url, {}, services)
    services = dataclasses.replace(
        services,
        http=services.http or f"http://{endpoint.host}:{materialize.HTTP_PORT}",
        internal_http=services.internal_http or f"http://{endpoint.internal_host}:{materialize.INTERNAL_HTTP_PORT}",
    )
    variables = materialize.variables(endpoint, environment, services)
    return ScriptServer(url, variables, services, lambda: _reset(endpoint))


def addresses(values: Mapping[str, Any], services: ServiceAddresses) -> tuple[ServiceAddresses, Mapping[str, str]]:
    """The HTTP addresses from the options: added to the services, and as variables."""
    found = dataclasses.replace(
        services,
        http=_without_slash(values["materialize_http_url"]),
        internal_http=_without_slash(values["materialize_internal_http_url"]),
    )
    named = {"http-addr": found.http, "internal-http-addr": found.internal_http}
    return found, {f"testdrive.materialize-{name}": url.partition("://")[2] for name, url in named.items() if url}


def endpoint_of(url: str, internal_url: str | None) -> ScriptTarget | None:
    """Host, port and user from the URLs; None for a UNIX socket or several hosts. UserError for an invalid URL."""
    import getpass

    parts = _parts("--url", url)
    internal = _parts("--materialize-internal-url", internal_url) if internal_url else {}
    host = parts.get("host", "")
    if not host or host.startswith("/") or "," in host:
        return None
    return ScriptTarget(
        host=host,
        port=int(parts.get("port") or 5432),
        user=parts.get("user") or getpass.getuser(),
        internal_host=internal.get("host") or host,
        internal_port=int(internal.get("port") or materialize.INTERNAL_SQL_PORT),
    )


def _parts(name: str, url: str) -> dict[str, str]:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = {key: str(value) for key, value in conninfo_to_dict(url).items()}
        int(parts.get("port") or 0)
    except (psycopg.Error, ValueError) as error:
        raise UserError(f"{name}: not a PostgreSQL connection string: {str(error).strip()}") from error
    return parts


def _reset(endpoint: ScriptTarget) -> None:
    with contextlib.closing(LibpqSession.connect(endpoint.operator_url)) as session:
        materialize.reset(session, endpoint.user)


def _without_slash(url: str | None) -> str | None:
    return url and url.rstrip("/")
