"""S3 and compatible stores, through a connection TO AWS."""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from racehound_zoo.errors import SqlError
from racehound_zoo.sources.source import ConnectionFacts, NoConnector

if TYPE_CHECKING:
    from botocore.client import BaseClient

_SCHEMES = frozenset({"s3", "gs"})


class AwsConnector(NoConnector):
    """The connector for connections TO AWS. A source cannot read from them."""

    def __init__(self) -> None:
        super().__init__("AWS")

    def validate(self, connection: ConnectionFacts) -> None:
        with s3_client(connection) as client:
            client.list_buckets()


class S3Location:
    """A bucket and a prefix, from a URI such as `s3://bucket/prefix`."""

    def __init__(self, uri: str) -> None:
        """SqlError if the URI has another form."""
        address = urllib.parse.urlsplit(uri)
        if address.scheme not in _SCHEMES or not address.netloc:
            raise SqlError(f"only 's3://...' and 'gs://...' urls are supported as COPY ... TO target, not {uri!r}", "0A000")
        self.bucket = address.netloc
        self._prefix = address.path.strip("/")

    def key(self, name: str) -> str:
        """The key of an object below the prefix."""
        return f"{self._prefix}/{name}" if self._prefix else name


@contextlib.contextmanager
def s3_client(connection: ConnectionFacts) -> Iterator[BaseClient]:
    """A client for S3. Its errors are raised as SqlError."""
    try:
        import boto3
        import botocore.config
        import botocore.exceptions
    except ModuleNotFoundError as error:
        raise SqlError(f"S3 needs the package {error.name}: pip install racehound-zoo") from error
    options = connection.options
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=options.get("ENDPOINT"),
        region_name=options.get("REGION", "us-east-1"),
        aws_access_key_id=options.get("ACCESS KEY ID"),
        aws_secret_access_key=options.get("SECRET ACCESS KEY"),
        aws_session_token=options.get("SESSION TOKEN"),
        config=botocore.config.Config(
            proxies={}, s3={"addressing_style": "path"}, request_checksum_calculation="when_required", connect_timeout=5
        ),
    )
    with contextlib.closing(client):
        try:
            yield client
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            raise SqlError(f"AWS: {error}") from error
