"""Where the services are that a script talks to besides its target. Who runs them is not the language's affair."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Aws:
    """An S3 endpoint and the account that may use it."""

    endpoint: str
    """`http://HOST:PORT`."""
    region: str = "us-east-1"
    account: str = "000000000000"
    access_key_id: str = "racehound"
    secret_access_key: str = "racehound-secret"  # noqa: S105 of a server that nobody else reaches
    token: str = ""


@dataclass(frozen=True)
class Services:
    """Addresses; None where a service is not configured."""

    kafka: str | None = None
    """Bootstrap servers, `HOST:PORT[,HOST:PORT…]`."""
    kafka_options: Mapping[str, str] = field(default_factory=dict)
    """Further settings of librdkafka, e.g. `security.protocol`."""
    schema_registry: str | None = None
    """`http://HOST:PORT`, Confluent's API at the root."""
    aws: Aws | None = None
    http: str | None = None
    """The target's HTTP port, `http://HOST:PORT`."""
    internal_http: str | None = None
    """The target's internal HTTP port, `http://HOST:PORT`."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """`HOST:PORT` by the host names under which scripts written for containers know the services, e.g. `postgres`, `mysql`."""

    def address(self, host: str, port: int) -> tuple[str, int]:
        """Where a script's host and port really are."""
        if host not in self.hosts:
            return host, port
        name, _, number = self.hosts[host].rpartition(":")
        return name, int(number)

    def url(self, url: str) -> str:
        """The same URL with its host and port where they really are; whatever else it holds stays as it is."""
        parts = urllib.parse.urlsplit(url)
        if parts.hostname is None or parts.hostname not in self.hosts:
            return url
        credentials, at, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{credentials}{at}{self.hosts[parts.hostname]}").geturl()
