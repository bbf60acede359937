"""Addresses of the services that scripts use: those of the options, and for the rest those of the composition that is up."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from racehound.cli.options import option, together
from racehound.databases.options import composition, http_url, kafka, schema_registry

if TYPE_CHECKING:
    from racehound.data.addresses import S3Account, ServiceAddresses
    from racehound.services.daemon_client import RunningComposition

_AWS_FIELDS = {
    "endpoint": "aws-endpoint",
    "region": "aws-region",
    "account": "aws-account",
    "access_key_id": "aws-access-key-id",
    "secret_access_key": "aws-secret-access-key",
    "token": "aws-token",
}


def pairs(_ctx: click.Context, parameter: click.Parameter, values: Any) -> dict[str, str]:  # noqa: ANN401 click's or TOML's
    """`NAME=VALUE`, repeated, as a mapping."""
    texts = [values] if isinstance(values, str) else [str(text) for text in values or ()]
    wrong = [text for text in texts if not text.partition("=")[0] or "=" not in text]
    if wrong:
        raise click.BadParameter(f"{wrong[0]}: write {parameter.metavar}")
    return dict(text.split("=", 1) for text in texts)


def _text(name: str, metavar: str, what: str) -> Callable[[Any], Any]:
    return option(name, metavar=metavar, help=what, show_default=False)


def _add(*options: click.Option) -> Callable[[Any], Any]:
    """A decorator that adds options made elsewhere."""

    def decorate(command: Any) -> Any:  # noqa: ANN401 click's
        command.__dict__.setdefault("__click_params__", []).extend(reversed(options))
        return command

    return decorate


address_options = together(
    _add(composition(), kafka()),
    option(
        "--kafka-option", multiple=True, metavar="KEY=VALUE", callback=pairs, help="A setting of librdkafka; may be repeated."
    ),
    _add(schema_registry(), http_url("--aws-endpoint", "An S3 endpoint.")),
    _text("--aws-region", "NAME", "Its region."),
    _text("--aws-access-key-id", "ID", "Who uses it."),
    _text("--aws-secret-access-key", "KEY", "The key that goes with the id."),
    _text("--aws-account", "NUMBER", "The account."),
)


def services(options: Mapping[str, Any], running: RunningComposition | None) -> ServiceAddresses:
    """The address of each service: that of its option, else that of the composition, else none."""
    from racehound.data.addresses import ServiceAddresses

    known = running.variables if running is not None else {}
    return ServiceAddresses(
        kafka=options["kafka_addr"] or known.get("testdrive.kafka-addr"),
        kafka_options=options["kafka_option"],
        schema_registry=_without_slash(options["schema_registry_url"] or known.get("testdrive.schema-registry-url")),
        aws=_aws(options, known),
        hosts=running.hosts if running is not None else {},
        accounts=running.accounts if running is not None else {},
    )


def _aws(options: Mapping[str, Any], known: Mapping[str, str]) -> S3Account | None:
    """The composition's account is not used with an endpoint that the user names."""
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
    """The variables under which scripts find the services, without those of the target. The registry's URL ends in a slash."""
    named: dict[str, str] = {}
    if services.kafka is not None:
        named |= {"kafka-addr": services.kafka, "kafka-addr-resolved": _resolved(services.kafka)}
    if services.schema_registry is not None:
        named["schema-registry-url"] = f"{services.schema_registry}/"
    if services.aws is not None:
        named |= {name: getattr(services.aws, field) for field, name in _AWS_FIELDS.items()}
    return {f"testdrive.{name}": value for name, value in named.items()}


def _resolved(address: str) -> str:
    """The first of the addresses with the IP address of its host; unchanged where the name cannot be resolved."""
    host, _, port = address.partition(",")[0].rpartition("://")[2].rpartition(":")
    try:
        number = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0][4][0]
    except OSError:
        return address
    return f"[{number}]:{port}" if ":" in str(number) else f"{number}:{port}"
