"""The common part of the S3 servers: the account, the bucket, and the client."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from racehound.data.addresses import S3Account
from racehound.errors import TargetError, UserError
from racehound.services.service import CLIENT, Access, ClientFile, Endpoints, NotReadyError, Service

ACCESS_KEY_ID = "racehound"
EXTERNAL_SECRET = "racehound-secret"  # noqa: S105 racehound does not start such a server
REGION = "us-east-1"
ACCOUNT = "000000000000"
BUCKET = "racehound"
"""The bucket that exists from the start."""
_CONNECT_LIMIT_S = 2.0
_ANSWER_LIMIT_S = 5.0
_making = threading.Lock()


class S3Service(Service):
    """What all S3 servers have in common."""

    def check(self, access: Access) -> None:
        check_answer(access)

    def initialise(self, access: Access) -> None:
        make_bucket(access)

    def variables(self, access: Access) -> Mapping[str, str]:
        return variables_of(access)

    def client_file(self, access: Access) -> ClientFile:
        return client_file_of(access)


def variables_of(access: Access) -> Mapping[str, str]:
    """The variables of scripts with the address and the account."""
    return {
        "testdrive.aws-endpoint": url(access.endpoints),
        "testdrive.aws-region": REGION,
        "testdrive.aws-account": ACCOUNT,
        "testdrive.aws-access-key-id": ACCESS_KEY_ID,
        "testdrive.aws-secret-access-key": access.password,
        "testdrive.aws-token": "",
    }


def url(endpoints: Endpoints) -> str:
    return f"http://{endpoints[CLIENT]}"


def client_file_of(access: Access) -> ClientFile:
    """The credentials file of Amazon's clients."""
    text = f"[default]\naws_access_key_id = {ACCESS_KEY_ID}\naws_secret_access_key = {access.password}\n"
    command = f"AWS_SHARED_CREDENTIALS_FILE={{file}} aws --region {REGION} --endpoint-url {url(access.endpoints)} s3 ls"
    return ClientFile(text, command)


def account(access: Access) -> S3Account:
    return S3Account(url(access.endpoints), REGION, ACCOUNT, ACCESS_KEY_ID, access.password)


def client(access: Access) -> AbstractContextManager[Any]:
    """boto3's client with the account. It tries once, and waits for some seconds at most. UserError without boto3."""
    return client_of(account(access))


@contextmanager
def client_of(account: S3Account) -> Iterator[Any]:
    """boto3's client with the given account, as for `client`."""
    session, config = _boto()
    with _making:  # a session makes one client at a time (boto3's guide, "Multithreading")
        made = session.client(
            "s3", endpoint_url=account.endpoint, region_name=account.region, config=config,
            aws_access_key_id=account.access_key_id, aws_secret_access_key=account.secret_access_key,
            aws_session_token=account.token or None,
        )  # fmt: skip
    try:
        yield made
    finally:
        made.close()


def check_answer(access: Access) -> None:
    """NotReadyError when the list of the account's buckets cannot be read."""
    _boto()
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        with client(access) as s3:
            s3.list_buckets()
    except (BotoCoreError, ClientError) as error:
        raise NotReadyError(" ".join(str(error).split())) from None


def make_bucket(access: Access) -> None:
    """Create the bucket if it does not exist. TargetError when that fails, or no object can be written to it."""
    _boto()
    from botocore.exceptions import BotoCoreError, ClientError

    key = "racehound-probe"
    try:
        with client(access) as s3:
            if BUCKET not in (bucket["Name"] for bucket in s3.list_buckets()["Buckets"]):
                s3.create_bucket(Bucket=BUCKET)
            s3.put_object(Bucket=BUCKET, Key=key, Body=b"")
            s3.delete_object(Bucket=BUCKET, Key=key)
    except (BotoCoreError, ClientError) as error:
        raise TargetError(f"the bucket {BUCKET} cannot be made: {' '.join(str(error).split())}") from None


@functools.cache
def _boto() -> tuple[Any, Any]:
    """A session, which caches boto3's descriptions of services, and the configuration of its clients."""
    try:
        import boto3.session
        import botocore.config
    except ImportError:
        raise UserError("S3 needs the package boto3: pip install 'racehound[services]'") from None
    config = botocore.config.Config(
        connect_timeout=_CONNECT_LIMIT_S, read_timeout=_ANSWER_LIMIT_S, retries={"total_max_attempts": 1},
        # Requests have the bucket in their path, since it has no host name. They do not use a proxy of the environment.
        s3={"addressing_style": "path"}, proxies={},
    )  # fmt: skip
    return boto3.session.Session(), config
