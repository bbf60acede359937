"""Addresses of the services that a target and the scripts use."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class S3Account:
    """An S3 endpoint, and an account that may use it."""

    endpoint: str
    """`http://HOST:PORT`."""
    region: str = "us-east-1"
    account: str = "000000000000"
    access_key_id: str = "racehound"
    secret_access_key: str = "racehound-secret"  # noqa: S105 of a server that racehound does not start
    token: str = ""


@dataclass(frozen=True)
class ServiceAddresses:
    """An address is None where that service is not configured."""

    kafka: str | None = None
    """Bootstrap servers, `HOST:PORT[,HOST:PORT…]`."""
    kafka_options: Mapping[str, str] = field(default_factory=dict)
    """Further settings of librdkafka, e.g. `security.protocol`."""
    schema_registry: str | None = None
    """`http://HOST:PORT`, Confluent's API at the root."""
    aws: S3Account | None = None
    http: str | None = None
    """The target's HTTP port, `http://HOST:PORT`."""
    internal_http: str | None = None
    """The target's internal HTTP port, `http://HOST:PORT`."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """`HOST:PORT` by host name, for scripts that name hosts of a container network (`kafka`, `mysql`)."""
    accounts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The administrator and the password by such a host name, for scripts that hold the password of the container's image."""

    def address(self, host: str, port: int) -> tuple[str, int]:
        """The host and port to connect to, for a host and port that a script names."""
        if host not in self.hosts:
            return host, port
        name, _, number = self.hosts[host].rpartition(":")
        return name, int(number)

    def url(self, url: str) -> str:
        """The URL to connect to, for a URL that a script names.

        Host and port are replaced, and the password where the user is the administrator. The rest stays.
        """
        parts = urllib.parse.urlsplit(url)
        if parts.hostname is None or parts.hostname not in self.hosts:
            return url
        credentials, at, _ = parts.netloc.rpartition("@")
        user, password = self.accounts.get(parts.hostname, ("", ""))
        if user and parts.username == user:
            credentials = f"{user}:{password}"
        return parts._replace(netloc=f"{credentials}{at}{self.hosts[parts.hostname]}").geturl()
