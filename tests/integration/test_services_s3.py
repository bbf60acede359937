"""The S3 servers: objects, buckets, signed addresses, refused accounts, and data that a crash does not take."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from racehound.services import s3
from racehound.services.artifacts.artifact import installed_path
from racehound.services.backends.instance import Instance
from racehound.services.composition import Composition
from racehound.services.minio import MC
from racehound.services.service import CLIENT
from tests.integration.own_composition import own_composition

MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module", params=["seaweedfs", "minio"])
def composition_of_one(request: pytest.FixtureRequest) -> Iterator[Composition]:
    """Each of the servers in a composition of its own, for they have one role."""
    with own_composition(request.param) as composition:
        yield composition


@pytest.fixture(scope="module")
def store(composition_of_one: Composition) -> Instance:
    return composition_of_one.instance("s3")


@pytest.fixture
def client(store: Instance) -> Iterator[Any]:
    with s3.client(store.access) as client:
        yield client


def names(client: Any, prefix: str) -> list[str]:
    """Of the objects in racehound's bucket."""
    return [entry["Key"] for entry in client.list_objects_v2(Bucket=s3.BUCKET, Prefix=prefix).get("Contents", [])]


def test_the_bucket_is_there_and_empty(client: Any) -> None:
    assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == [s3.BUCKET]
    assert names(client, "") == []


def test_objects_are_put_listed_read_and_deleted(client: Any) -> None:
    contents = {"some/a": b"alpha", "some/b": b"", "some/c": bytes(range(256)) * 4 * 1024 * 9}
    for key, body in contents.items():
        client.put_object(Bucket=s3.BUCKET, Key=key, Body=body)
    assert names(client, "some/") == list(contents)
    assert {key: client.get_object(Bucket=s3.BUCKET, Key=key)["Body"].read() for key in contents} == contents
    part = client.get_object(Bucket=s3.BUCKET, Key="some/a", Range="bytes=1-3")
    assert part["Body"].read() == b"lph"
    client.delete_object(Bucket=s3.BUCKET, Key="some/b")
    assert names(client, "some/") == ["some/a", "some/c"]
    with pytest.raises(ClientError, match="NoSuchKey"):
        client.get_object(Bucket=s3.BUCKET, Key="some/b")


def test_an_object_comes_in_parts(client: Any) -> None:
    where = {"Bucket": s3.BUCKET, "Key": "parts"}
    upload = client.create_multipart_upload(**where)["UploadId"]
    parts = [b"x" * 5 * MEBIBYTE, b"end"]
    tags = [
        client.upload_part(**where, UploadId=upload, PartNumber=number, Body=body)["ETag"] for number, body in enumerate(parts, 1)
    ]
    done = {"Parts": [{"ETag": tag, "PartNumber": number} for number, tag in enumerate(tags, 1)]}
    client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload=done)
    assert client.get_object(**where)["Body"].read() == b"".join(parts)


def test_whoever_has_a_signed_address_gets_the_object(client: Any) -> None:
    client.put_object(Bucket=s3.BUCKET, Key="signed", Body=b"for you")
    address = client.generate_presigned_url("get_object", Params={"Bucket": s3.BUCKET, "Key": "signed"}, ExpiresIn=60)
    assert httpx.get(address, trust_env=False).content == b"for you"
    for spoilt in (address.partition("?")[0], address.replace("Signature=", "Signature=0")):
        assert httpx.get(spoilt, trust_env=False).status_code == 403


def test_other_accounts_are_refused(store: Instance) -> None:
    with s3.client(dataclasses.replace(store.access, password="another-secret")) as stranger:
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            stranger.list_buckets()
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            stranger.put_object(Bucket=s3.BUCKET, Key="stranger", Body=b"x")


def test_many_buckets_find_room(client: Any) -> None:
    made = [f"bucket-{number}" for number in range(12)]
    for bucket in made:
        client.create_bucket(Bucket=bucket)
        client.put_object(Bucket=bucket, Key="x", Body=b"x")
        client.delete_object(Bucket=bucket, Key="x")
        client.delete_bucket(Bucket=bucket)
    assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == [s3.BUCKET]


def test_clients_at_the_same_time_do_not_lose_writes(client: Any) -> None:
    def put(number: int) -> None:
        client.put_object(Bucket=s3.BUCKET, Key=f"many/{number:03}", Body=str(number).encode() * 1000)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(200)))
    assert names(client, "many/") == [f"many/{number:03}" for number in range(200)]


def test_objects_outlive_a_crash(composition_of_one: Composition, store: Instance, client: Any) -> None:
    client.put_object(Bucket=s3.BUCKET, Key="kept", Body=b"still here" * 100_000)
    composition_of_one.kill("s3")
    with pytest.raises(BotoCoreError):
        client.list_buckets()
    composition_of_one.restart("s3")
    assert client.get_object(Bucket=s3.BUCKET, Key="kept")["Body"].read() == b"still here" * 100_000
    client.put_object(Bucket=s3.BUCKET, Key="new", Body=b"x")
    assert names(client, "new") == ["new"]


def test_nothing_is_reached_from_other_machines(store: Instance) -> None:
    listening = [address.rpartition(":") for address in store.ports()]
    assert {port for _, _, port in listening} == {str(endpoint.port) for endpoint in store.endpoints.values()}
    # MinIO takes 127.0.0.1 for localhost, and so for ::1, too.
    assert {host for host, _, _ in listening} <= {"127.0.0.1", "[::1]"}


def test_nothing_is_left_in_the_temporary_directory(store: Instance) -> None:
    ports = [str(endpoint.port) for endpoint in store.endpoints.values()]
    assert [path for path in Path("/tmp").iterdir() if any(port in path.name for port in ports)] == []


def test_scripts_find_it_by_its_variables(store: Instance) -> None:
    variables = store.service.variables(store.access)
    assert variables["testdrive.aws-endpoint"] == f"http://{store.endpoints[CLIENT]}"
    assert variables["testdrive.aws-access-key-id"] == s3.ACCESS_KEY_ID
    assert variables["testdrive.aws-secret-access-key"] == store.access.password


def test_minios_own_client_sees_what_was_put(store: Instance, client: Any, tmp_path: Path) -> None:
    if store.service.name != "minio":
        pytest.skip("it is MinIO's")
    client.put_object(Bucket=s3.BUCKET, Key="seen", Body=b"x" * 17)
    account = f"{s3.ACCESS_KEY_ID}:{store.access.password}@{store.endpoints[CLIENT]}"
    said = subprocess.run(
        [str(installed_path(MC)), "--config-dir", str(tmp_path), "--json", "stat", f"it/{s3.BUCKET}/seen"],
        capture_output=True, text=True, check=True, timeout=30, env={**os.environ, "MC_HOST_it": f"http://{account}"},
    ).stdout  # fmt: skip
    assert json.loads(said)["size"] == 17
