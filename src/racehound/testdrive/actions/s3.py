"""Objects in S3 buckets. The actions create no buckets."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from racehound.data.addresses import S3Account
from racehound.testdrive import parquet, values
from racehound.testdrive.actions.files import compressed, content_of
from racehound.testdrive.errors import ActionError
from racehound.testdrive.extras import load
from racehound.testdrive.retry import Policy, until_success
from racehound.testdrive.script import Row
from racehound.testdrive.state import Call, Handler, State, configured

if TYPE_CHECKING:
    from botocore.client import BaseClient

_UPLOADS_AT_ONCE = 8
_PRESIGNED_LIFE_S = 3600
_INCOMPLETE_LIMIT_S = 10.0
_ATTEMPTS = 30
_TRAILING_WHITE_SPACE = "// allow-trailing-whitespace"
"""Authors whose linter forbids white space at the end of a line write this after it."""


def _upload(call: Call, state: State) -> None:
    """Put the input under one key, or under `count` keys: key-prefix, a number from 0, key-suffix."""
    content = compressed(content_of(call), call)
    _put(call, state, _keys(call), content)


def _keys(call: Call) -> list[str]:
    if "count" not in call.arguments:
        return [_required(call, "key")]
    prefix, suffix = _required(call, "key-prefix"), call.get("key-suffix")
    return [f"{prefix}{number}{suffix}" for number in range(values.integer(call["count"]))]


def _required(call: Call, key: str) -> str:
    if key not in call.arguments:
        raise ValueError(f"missing parameter {key}")
    return call[key]


def _upload_path(call: Call, state: State) -> None:
    """Put a file, whose path is relative to the directory in which racehound was started."""
    try:
        content = Path(call["path"]).read_bytes()
    except OSError as error:
        raise ActionError(f"cannot read {call['path']}: {error.strerror}") from error
    _put(call, state, [call["key"]], compressed(content, call))


def _upload_parquet_types(call: Call, state: State) -> None:
    """Put a Parquet file with a column of every type; `compression` is that of its pages."""
    codec = call.get("compression", "uncompressed")
    if codec not in parquet.CODECS:
        raise ValueError(f"unknown compression {codec}: one of {', '.join(parquet.CODECS)}")
    _put(call, state, [call["key"]], parquet.every_type(codec))


def _put(call: Call, state: State, keys: Sequence[str], content: bytes) -> None:
    client = _client(call, state)

    def put(key: str) -> None:
        client.put_object(Bucket=call["bucket"], Key=key, Body=content)

    with _errors(call), ThreadPoolExecutor(_UPLOADS_AT_ONCE) as pool:
        for _ in pool.map(put, keys):
            pass


def _verify_data(call: Call, state: State) -> None:
    """Compare the lines of all CSV and Parquet files below the key with the input, in the order of their keys, or sorted."""
    client = _client(call, state)
    expected = [line.removesuffix(_TRAILING_WHITE_SPACE) for line in call.input]
    with _errors(call):
        keys = _finished(client, call, state)
        actual = [line for key in keys for line in _lines(client, call["bucket"], key)]
    if call.flag("sort-rows", default=False):
        expected, actual = sorted(expected), sorted(actual)
    if expected != actual:
        raise ActionError(f"the files below {call['key']} differ", None, _rows(expected), _rows(actual))


def _finished(client: BaseClient, call: Call, state: State) -> list[str]:
    """The keys below the path, after the target has deleted the object that marks the path as incomplete."""
    keys: list[str] = []
    marker = state.context.support.incomplete_marker

    def refusal() -> str | None:
        keys[:] = _below(client, call["bucket"], call["key"])
        marks = [key for key in keys if marker and marker in key]
        return f"{marks[0]} says that its path is incomplete" if marks else None

    _wait(refusal, _INCOMPLETE_LIMIT_S, state)
    if not keys:
        raise ActionError(f"there are no files below {call['key']} in the bucket {call['bucket']}")
    return keys


def _lines(client: BaseClient, bucket: str, key: str) -> list[str]:
    if not key.endswith((".csv", ".parquet")):
        raise ActionError(f"{key} is neither a .csv nor a .parquet file")
    content: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    if key.endswith(".parquet"):
        return parquet.read_lines(content)
    try:
        lines = content.decode().removesuffix("\n").split("\n") if content else []
    except UnicodeDecodeError as error:
        raise ActionError(f"{key} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    return [line.removesuffix("\r") for line in lines if line]


def _verify_keys(call: Call, state: State) -> None:
    """Wait until a key below the path matches the pattern, for about `num-attempts` seconds."""
    client, pattern = _client(call, state), values.regex(call["key-pattern"])

    def refusal() -> str | None:
        keys = _below(client, call["bucket"], call["prefix-path"])
        if any(pattern.search(key) for key in keys):
            return None
        found = f"only {', '.join(keys[:10])}" if keys else "no keys"
        return f"no key below {call['prefix-path']} in the bucket {call['bucket']} fits {call['key-pattern']}: {found}"

    with _errors(call):
        _wait(refusal, float(values.integer(call.get("num-attempts", str(_ATTEMPTS)))), state)


def _set_presigned_url(call: Call, state: State) -> None:
    """Set a variable to a URL with which anybody may read the object for an hour."""
    parameters = {"Bucket": call["bucket"], "Key": call["key"]}
    url = _client(call, state).generate_presigned_url("get_object", Params=parameters, ExpiresIn=_PRESIGNED_LIFE_S)
    state.variables[call["var-name"]] = url


def _below(client: BaseClient, bucket: str, path: str) -> list[str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{path.rstrip('/')}/")
    return [found["Key"] for page in pages for found in page.get("Contents", ())]


class _Refusal:
    is_final = False

    def __init__(self, reason: str) -> None:
        self.reason = reason


def _wait(attempt: Callable[[], str | None], limit: float, state: State) -> None:
    """Call `attempt` for `limit` seconds until it returns None. `ActionError` with its last reason otherwise."""

    def refusal() -> _Refusal | None:
        reason = attempt()
        return None if reason is None else _Refusal(reason)

    policy = dataclasses.replace(Policy(), timeout=limit)
    refused = until_success(refusal, policy, state.context.clock, state.context.sleep)
    if refused is not None:
        raise ActionError(refused.reason)


def _rows(lines: Sequence[str]) -> tuple[Row, ...]:
    return tuple((line,) for line in lines)


def _client(call: Call, state: State) -> BaseClient:
    aws = configured(state.context.services.aws, call, "S3", "give --aws-endpoint")
    return state.resource("s3", lambda: _connect(aws, state.policy.timeout))


def _connect(aws: S3Account, limit: float) -> BaseClient:
    """A client; it does not connect yet. `limit`: seconds for connecting and for each answer."""
    boto3, config = load("boto3", "boto3"), load("botocore.config", "boto3")
    return boto3.session.Session().client(
        "s3",
        endpoint_url=aws.endpoint,
        region_name=aws.region,
        aws_access_key_id=aws.access_key_id,
        aws_secret_access_key=aws.secret_access_key,
        aws_session_token=aws.token or None,
        config=config.Config(
            connect_timeout=limit,
            read_timeout=limit,
            retries={"total_max_attempts": 2, "mode": "standard"},
            signature_version="s3v4",
            # Bucket names do not resolve as hosts, and not every server knows Amazon's checksums.
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            proxies={},
            max_pool_connections=_UPLOADS_AT_ONCE,
        ),
    )


@contextlib.contextmanager
def _errors(call: Call) -> Iterator[None]:
    """Turn errors of S3 and of the connection into an `ActionError` of one line."""
    exceptions = load("botocore.exceptions", "boto3")
    try:
        yield
    except (exceptions.ClientError, exceptions.BotoCoreError) as error:
        raise ActionError(f"S3, bucket {call['bucket']}: {' '.join(str(error).split())}") from error


ACTIONS: Mapping[str, Handler] = MappingProxyType(
    {
        "s3-file-upload": _upload,
        "s3-file-upload-path": _upload_path,
        "s3-upload-parquet-types": _upload_parquet_types,
        "s3-verify-data": _verify_data,
        "s3-verify-keys": _verify_keys,
        "s3-set-presigned-url": _set_presigned_url,
    }
)
