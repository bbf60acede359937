"""Makes command-line options for plug-ins, including those for services that several plug-ins and commands share."""

from __future__ import annotations

import urllib.parse
from typing import Any

import click


def variable_of(name: str) -> str:
    """The environment variable of an option: `--num-objects` is `RACEHOUND_NUM_OBJECTS`."""
    return "RACEHOUND_" + name.partition("/")[0].removeprefix("--").upper().replace("-", "_")


def option(name: str, *names: str, **settings: Any) -> click.Option:  # noqa: ANN401 click's own settings
    """An option that an environment variable can set, too. `names`: further names. `settings`: arguments of click's Option."""
    return click.Option([name, *names], envvar=variable_of(name), show_default=settings.pop("show_default", True), **settings)


def http_url(name: str, what: str) -> click.Option:
    """An option that takes the address of an HTTP server."""
    return option(name, metavar="URL", callback=_checked_http_url, help=what, show_default=False)


def composition() -> click.Option:
    """The option for the name of a running composition."""
    return option(
        "--composition", default="default", metavar="NAME", help="The services that are up under this name are used too."
    )


def kafka() -> click.Option:
    """The option for Kafka's address."""
    return option(
        "--kafka-addr", metavar="HOST:PORT", callback=_checked_bootstrap, help="Kafka's bootstrap servers.", show_default=False
    )


def schema_registry() -> click.Option:
    """The option for the address of the schema registry."""
    return http_url("--schema-registry-url", "The schema registry.")


def _checked_http_url(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not (value.startswith(("http://", "https://")) and urllib.parse.urlsplit(value).hostname):
        raise click.BadParameter(f"{value!r} is not a URL: write http://HOST:PORT")
    return value


def _checked_bootstrap(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Check bootstrap addresses. `PLAINTEXT://HOST:PORT` is accepted, too, since librdkafka accepts both."""
    for address in (value or "").split(",") if value is not None else ():
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal():
            raise click.BadParameter(f"{address!r} is not an address: write HOST:PORT[,HOST:PORT…]")
    return value
