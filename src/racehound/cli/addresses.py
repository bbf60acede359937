"""Where scripts find the target and the services: what the options say, and for the rest the composition that is up."""

from __future__ import annotations

import socket
import urllib.parse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from racehound.cli.options import option, together

if TYPE_CHECKING:
    from racehound.data.addresses import S3Account, ServiceAddresses
    from racehound.databases.materialize.script_target import ScriptTarget
    from racehound.services.daemon_client import RunningComposition

_AWS_FIELDS = {
    "endpoint": "aws-endpoint",
    "region": "aws-region",
    "account": "aws-account",
    "access_key_id": "aws-access-key-id",
    "secret_access_key": "aws-secret-access-key",
    "token": "aws-token",
}


def _http_url(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not (value.startswith(("http://", "https://")) and urllib.parse.urlsplit(value).hostname):
        raise click.BadParameter(f"{value!r} is not a URL: write http://HOST:PORT")
    return value


def _bootstrap(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """`PLAINTEXT://HOST:PORT` is accepted too: librdkafka takes both."""
    for address in (value or "").split(",") if value is not None else ():
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal():
            raise click.BadParameter(f"{address!r} is not an address: write HOST:PORT[,HOST:PORT…]")
    return value


def pairs(_ctx: click.Context, parameter: click.Parameter, values: Any) -> dict[str, str]:  # noqa: ANN401 click's or TOML's
    """`NAME=VALUE`, repeated, as a mapping."""
    texts = [values] if isinstance(values, str) else [str(text) for text in values or ()]
    wrong = [text for text in texts if not text.partition("=")[0] or "=" not in text]
    if wrong:
        raise click.BadParameter(f"{wrong[0]}: write {parameter.metavar}")
    return dict(text.split("=", 1) for text in texts)


def _url(name: str, what: str) -> Callable[[Any], Any]:
    return option(name, metavar="URL", callback=_http_url, help=what, show_default=False)


def _text(name: str, metavar: str, what: str) -> Callable[[Any], Any]:
    return option(name, metavar=metavar, help=what, show_default=False)


materialize_ports = together(
    _text("--materialize-internal-url", "URL", "The target's internal SQL port; of a Materialize port 6877 by default."),
    _url("--materialize-http-url", "The target's HTTP port, for webhooks; of a Materialize 6876 by default."),
    _url("--materialize-internal-http-url", "Its internal HTTP port, for its own checks; of a Materialize 6878 by default."),
)
composition_option = option(
    "--composition", default="default", metavar="NAME", help="The services that are up under this name are used too."
)
kafka_option = option(
    "--kafka-addr", metavar="HOST:PORT", callback=_bootstrap, help="Kafka's bootstrap servers.", show_default=False
)
registry_option = _url("--schema-registry-url", "The schema registry.")

address_options = together(
    option("--url", metavar="URL", help="The target.", show_default="a PostgreSQL server started for the occasion"),
    _text("--materialize-url", "URL", "The same as --url."),
    materialize_ports,
    composition_option,
    kafka_option,
    option(
        "--kafka-option", multiple=True, metavar="KEY=VALUE", callback=pairs, help="A setting of librdkafka; may be repeated."
    ),
    registry_option,
    _url("--aws-endpoint", "An S3 endpoint."),
    _text("--aws-region", "NAME", "Its region."),
    _text("--aws-access-key-id", "ID", "Who uses it."),
    _text("--aws-secret-access-key", "KEY", "The key that goes with the id."),
    _text("--aws-account", "NUMBER", "The account."),
)


def composition(name: str) -> RunningComposition | None:
    """The composition that is up under this name. NotUpError for one that was asked for by name and is not."""
    from racehound.services import daemon_client

    found = daemon_client.running(name)
    if found is None and name != daemon_client.DEFAULT:
        raise daemon_client.NotUpError(name)
    return found


def services(options: Mapping[str, Any], running: RunningComposition | None) -> ServiceAddresses:
    """Addresses of the services: each by its option, else by the composition's, else none."""
    from racehound.data.addresses import ServiceAddresses

    known = running.variables if running is not None else {}
    return ServiceAddresses(
        kafka=options["kafka_addr"] or known.get("testdrive.kafka-addr"),
        kafka_options=options["kafka_option"],
        schema_registry=_without_slash(options["schema_registry_url"] or known.get("testdrive.schema-registry-url")),
        aws=_aws(options, known),
        http=_without_slash(options["materialize_http_url"]),
        internal_http=_without_slash(options["materialize_internal_http_url"]),
        hosts=running.hosts if running is not None else {},
    )


def _aws(options: Mapping[str, Any], known: Mapping[str, str]) -> S3Account | None:
    """An endpoint of the user's own does not get the account of the composition's."""
    from racehound.data.addresses import S3Account

    given = {field: options.get(name.replace("-", "_")) for field, name in _AWS_FIELDS.items()}
    found = {field: known.get(f"testdrive.{name}") for field, name in _AWS_FIELDS.items()}
    fields = {field: value for field, value in given.items() if value is not None}
    if "endpoint" not in fields:
        fields = {field: value for field, value in found.items() if value is not None} | fields
    return S3Account(**fields) if "endpoint" in fields else None


def _without_slash(url: str | None) -> str | None:
    return url and url.rstrip("/")


def variables(services: ServiceAddresses) -> dict[str, str]:
    """What scripts find the services by (those of the target apart). The registry's URL ends in a slash there."""
    named: dict[str, str] = {}
    if services.kafka is not None:
        named |= {"kafka-addr": services.kafka, "kafka-addr-resolved": _resolved(services.kafka)}
    if services.schema_registry is not None:
        named["schema-registry-url"] = f"{services.schema_registry}/"
    if services.aws is not None:
        named |= {name: getattr(services.aws, field) for field, name in _AWS_FIELDS.items()}
    return {f"testdrive.{name}": value for name, value in named.items()}


def _resolved(address: str) -> str:
    """The first of the addresses with the number of its host; as it is where the name leads nowhere."""
    host, _, port = address.partition(",")[0].rpartition("://")[2].rpartition(":")
    try:
        number = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0][4][0]
    except OSError:
        return address
    return f"[{number}]:{port}" if ":" in str(number) else f"{number}:{port}"


def endpoint(url: str, internal_url: str | None) -> ScriptTarget | None:
    """Host, port and user of the target's URLs; None for one that is reached over a UNIX socket. UserError for no URL."""
    import getpass

    from racehound.databases.materialize.script_target import INTERNAL_SQL_PORT, ScriptTarget

    parts = _connection_parts("--url", url)
    internal = _connection_parts("--materialize-internal-url", internal_url) if internal_url else {}
    host = parts.get("host", "")
    if not host or host.startswith("/") or "," in host:
        return None
    return ScriptTarget(
        host=host,
        port=int(parts.get("port") or 5432),
        user=parts.get("user") or getpass.getuser(),
        internal_host=internal.get("host") or host,
        internal_port=int(internal.get("port") or INTERNAL_SQL_PORT),
    )


def _connection_parts(name: str, url: str) -> dict[str, str]:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = {key: str(value) for key, value in conninfo_to_dict(url).items()}
        int(parts.get("port") or 0)
    except (psycopg.Error, ValueError) as error:
        raise click.BadOptionUsage(name, f"{name}: not a PostgreSQL connection string: {str(error).strip()}") from error
    return parts
