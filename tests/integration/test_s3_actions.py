"""The actions of S3 against a real server."""

from __future__ import annotations

import bz2
import contextlib
import dataclasses
import gzip
import itertools
import lzma
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import botocore.config
import duckdb
import httpx
import pytest
from botocore.client import BaseClient

from racehound.data.addresses import S3Account, ServiceAddresses
from racehound.databases.materialize.script_support import SCRIPT_SUPPORT
from racehound.services import s3
from racehound.services.backends.instance import Instance
from racehound.testdrive import parquet
from racehound.testdrive.errors import CommandFailed, ScriptError
from racehound.testdrive.interpreter import Context, Interpreter, run_file
from racehound.testdrive.parser import parse
from racehound.wire.session import LibpqSession


@pytest.fixture(scope="module")
def aws(service: Callable[[str], Instance]) -> S3Account:
    return s3.account(service("seaweedfs").access)


@pytest.fixture(scope="module")
def client(aws: S3Account) -> Iterator[BaseClient]:
    """The server without racehound."""
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=aws.endpoint,
        region_name=aws.region,
        aws_access_key_id=aws.access_key_id,
        aws_secret_access_key=aws.secret_access_key,
        config=botocore.config.Config(proxies={}, s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
    )
    with contextlib.closing(client):
        yield client


@pytest.fixture(scope="module")
def shared_bucket(client: BaseClient) -> Iterator[str]:
    name = f"test-{os.getpid()}"
    client.create_bucket(Bucket=name)
    yield name
    client.delete_bucket(Bucket=name)


@pytest.fixture
def bucket(client: BaseClient, shared_bucket: str) -> Iterator[str]:
    """A bucket that is empty, and is emptied after the test."""
    yield shared_bucket
    while left := sorted(keys(client, shared_bucket))[:1000]:
        client.delete_objects(Bucket=shared_bucket, Delete={"Objects": [{"Key": key} for key in left]})


@pytest.fixture
def context(aws: S3Account, bucket: str, connect: Callable[[], LibpqSession], tmp_path: Path) -> Context:
    return Context(
        connect(), variables={"bucket": bucket, "tmp": str(tmp_path)}, services=ServiceAddresses(aws=aws), support=SCRIPT_SUPPORT
    )


def run(text: str, context: Context) -> None:
    run_file(text, "some.td", context)


def failure(text: str, context: Context) -> CommandFailed:
    with pytest.raises(CommandFailed) as raised:
        run(text, context)
    return raised.value


def content(client: BaseClient, bucket: str, key: str) -> bytes:
    body: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def keys(client: BaseClient, bucket: str) -> set[str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {found["Key"] for page in pages for found in page.get("Contents", ())}


# Uploading


def test_the_input_becomes_an_object(context: Context, client: BaseClient, bucket: str) -> None:
    run("$ s3-file-upload bucket=${bucket} key=csv/1.csv repeat=2 header=a,b\nnone,100\nx\\ty,ä\n", context)
    assert content(client, bucket, "csv/1.csv") == "a,b\nnone,100\nx\ty,ä\nnone,100\nx\ty,ä\n".encode()
    run("$ s3-file-upload bucket=${bucket} key=csv/1.csv repeat=2 trailing-newline=false\nx\n", context)
    assert content(client, bucket, "csv/1.csv") == b"x\nx"


def _unzstd(compressed: bytes) -> bytes:
    program = shutil.which("zstd")
    if program is None:
        pytest.skip("zstd is not installed: apt-get install zstd")
    return subprocess.run([program, "-dc"], input=compressed, capture_output=True, check=True).stdout


@pytest.mark.parametrize(
    ("compression", "decompress"),
    [("gzip", gzip.decompress), ("bzip2", bz2.decompress), ("xz", lzma.decompress), ("zstd", _unzstd), ("none", bytes)],
)
def test_an_object_is_compressed(
    compression: str, decompress: Callable[[bytes], bytes], context: Context, client: BaseClient, bucket: str
) -> None:
    run(f"$ s3-file-upload bucket=${{bucket}} key=k compression={compression} repeat=1000\nfish,1\n", context)
    assert decompress(content(client, bucket, "k")) == b"fish,1\n" * 1000


def test_many_objects_are_uploaded_at_once(context: Context, client: BaseClient, bucket: str) -> None:
    run("$ s3-file-upload bucket=${bucket} key-prefix=many/ key-suffix=.csv count=1001\ndata,value\n", context)
    assert keys(client, bucket) == {f"many/{number}.csv" for number in range(1001)}
    assert content(client, bucket, "many/1000.csv") == b"data,value\n"
    run("$ s3-verify-keys bucket=${bucket} prefix-path=many key-pattern=999\\.csv$ num-attempts=0\n", context)


def test_a_file_of_this_machine_becomes_an_object(context: Context, client: BaseClient, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\x00\xff")
    run("$s3-file-upload-path bucket=${bucket} key=a path=${tmp}/f\n", context)
    run("$s3-file-upload-path bucket=${bucket} key=b path=${tmp}/f compression=gzip\n", context)
    assert content(client, bucket, "a") == gzip.decompress(content(client, bucket, "b")) == b"\x00\xff"
    assert "cannot read" in failure("$s3-file-upload-path bucket=${bucket} key=a path=${tmp}/g\n", context).reason


def test_a_file_of_every_type_is_uploaded(context: Context, client: BaseClient, bucket: str) -> None:
    run("$ s3-upload-parquet-types bucket=${bucket} key=types/1.parquet compression=snappy\n", context)
    assert content(client, bucket, "types/1.parquet") == parquet.every_type("snappy")
    run("$ s3-verify-keys bucket=${bucket} prefix-path=types key-pattern=^types/1\n", context)


def test_a_bucket_that_is_not_there_is_an_error(context: Context) -> None:
    for action in (
        "s3-verify-data bucket=${bucket}-not key=k",
        "s3-verify-keys bucket=${bucket}-not prefix-path=k key-pattern=k",
    ):
        reason = failure(f"$ {action}\n", context).reason
        assert f"S3, bucket {context.variables['bucket']}-not: " in reason
        assert "NoSuchBucket" in reason


# Verifying


def test_files_are_compared_line_by_line(context: Context) -> None:
    run(
        """
$ s3-file-upload bucket=${bucket} key=test/2/b.csv
2,"x, y"
$ s3-file-upload bucket=${bucket} key=test/2/a.csv
c,d
1,
$ s3-file-upload bucket=${bucket} key=test/20/c.csv
elsewhere
$ s3-verify-data bucket=${bucket} key=test/2
c,d
1,
2,"x, y"
$ s3-verify-data bucket=${bucket} key=test/2 sort-rows=true
1,
2,"x, y"
c,d
""",
        context,
    )
    failed = failure("$ s3-verify-data bucket=${bucket} key=test/2\nc,d\n1,\n3\n", context)
    assert failed.reason == "the files below test/2 differ"
    assert "-3\n+" in failed.difference


def test_parquet_is_compared_as_arrow_displays_it(context: Context, client: BaseClient, bucket: str, tmp_path: Path) -> None:
    rows = "([[0.0::FLOAT], NULL], NULL, NULL), (NULL, [NULL], MAP {'a': NULL})"
    with duckdb.connect(":memory:") as database:
        database.execute(f"COPY (SELECT * FROM (VALUES {rows}) t(a, b, c)) TO '{tmp_path}/f' (FORMAT parquet)")
    client.put_object(Bucket=bucket, Key="p/1.parquet", Body=(tmp_path / "f").read_bytes())
    run(
        """
$ s3-verify-data bucket=${bucket} key=p sort-rows=true
[[0.0], ]  // allow-trailing-whitespace
 [] {a: }
""",
        context,
    )


def test_what_is_neither_csv_nor_parquet_is_refused(context: Context) -> None:
    run("$ s3-file-upload bucket=${bucket} key=d/x.json\n{}\n", context)
    assert "d/x.json is neither" in failure("$ s3-verify-data bucket=${bucket} key=d\n1\n", context).reason
    run("$ s3-file-upload bucket=${bucket} key=e/x.parquet\nx\n", context)
    assert "not a Parquet file" in failure("$ s3-verify-data bucket=${bucket} key=e\n1\n", context).reason
    run("$ s3-file-upload bucket=${bucket} key=f/x.csv\na\\xff\n", context)
    assert "not UTF-8" in failure("$ s3-verify-data bucket=${bucket} key=f\n1\n", context).reason


def test_no_files_are_an_error(context: Context) -> None:
    assert "no files below nothing" in failure("$ s3-verify-data bucket=${bucket} key=nothing\n", context).reason


def test_a_path_that_is_still_written_is_waited_for(context: Context, client: BaseClient, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="w/INCOMPLETE", Body=b"")
    client.put_object(Bucket=bucket, Key="w/1.csv", Body=b"1\n")
    slept: list[float] = []

    def finish(pause: float) -> None:
        slept.append(pause)
        if len(slept) == 2:
            client.delete_object(Bucket=bucket, Key="w/INCOMPLETE")

    once = "$ set-max-tries max-tries=1\n"
    run(f"{once}$ s3-verify-data bucket=${{bucket}} key=w\n1\n", dataclasses.replace(context, sleep=finish))
    assert len(slept) == 2


def test_a_path_that_is_never_finished_fails(context: Context, client: BaseClient, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="w/INCOMPLETE", Body=b"")
    now = itertools.count(0, 6)
    hurried = dataclasses.replace(context, clock=lambda: float(next(now)), sleep=lambda _: None)
    assert "INCOMPLETE says" in failure("$ s3-verify-data bucket=${bucket} key=w\n1\n", hurried).reason


def test_a_key_is_waited_for(context: Context, client: BaseClient, bucket: str) -> None:
    def write(_: float) -> None:
        client.put_object(Bucket=bucket, Key="k/mz-1.csv", Body=b"")

    script = "$ set-max-tries max-tries=1\n$ s3-verify-keys bucket=${bucket} prefix-path=k key-pattern=^k/mz.*\\.csv$\n"
    run(script, dataclasses.replace(context, sleep=write))


def test_a_key_that_does_not_come_fails_after_its_attempts(context: Context) -> None:
    run("$ s3-file-upload bucket=${bucket} key=k/other\nx\n", context)
    script = "$ s3-verify-keys bucket=${bucket} prefix-path=k key-pattern=^k/mz num-attempts=1\n"
    assert "fits ^k/mz: only k/other" in failure(script, context).reason
    assert "no keys" in failure(script.replace("prefix-path=k", "prefix-path=none"), context).reason


# Handing out


def test_a_presigned_url_can_be_read_by_anybody(context: Context) -> None:
    with Interpreter(context) as interpreter:
        interpreter.run(parse("$ s3-file-upload bucket=${bucket} key=csv/1.csv\na,b\n"))
        interpreter.run(parse("$ s3-set-presigned-url bucket=${bucket} key=csv/1.csv var-name=1_url\n"))
        url = interpreter.state.variables["1_url"]
    assert httpx.get(url, trust_env=False).text == "a,b\n"
    assert httpx.get(url.partition("?")[0], trust_env=False).status_code == 403


# What is wrong


def test_a_server_that_is_not_there_fails(connect: Callable[[], LibpqSession]) -> None:
    context = Context(connect(), timeout=0.5, services=ServiceAddresses(aws=S3Account("http://127.0.0.1:1")))
    for script in ("$ s3-file-upload bucket=b key=k\nx\n", "$ s3-verify-data bucket=b key=k\nx\n"):
        assert "127.0.0.1:1" in failure(script, context).reason


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("$ s3-file-upload key=k\nx\n", "missing parameter bucket"),
        ("$ s3-file-upload bucket=b\nx\n", "missing parameter key"),
        ("$ s3-file-upload bucket=b count=2\nx\n", "missing parameter key-prefix"),
        ("$ s3-file-upload bucket=b key=k compression=rot13\nx\n", "unknown compression rot13"),
        ("$ s3-upload-parquet-types bucket=b key=k compression=xz\n", "unknown compression xz"),
        ("$ s3-verify-keys bucket=b prefix-path=p key-pattern=(\n", "invalid regular expression"),
        ("$ s3-verify-keys bucket=b prefix-path=p key-pattern=x num-attempts=few\n", "not a whole number"),
        ("$ s3-verify-data bucket=b key=k sort=true\n", "unknown parameter sort"),
        ("$ s3-set-presigned-url bucket=b key=k\n", "missing parameter var-name"),
    ],
)
def test_bad_arguments_are_told(script: str, message: str, connect: Callable[[], LibpqSession]) -> None:
    with pytest.raises(ScriptError, match=message):
        run_file(script, "some.td", Context(connect(), services=ServiceAddresses(aws=S3Account("http://127.0.0.1:1"))))


def test_a_script_without_s3_is_told_how_to_have_it(connect: Callable[[], LibpqSession]) -> None:
    assert "--aws-endpoint" in failure("$ s3-file-upload bucket=b key=k\nx\n", Context(connect())).reason
