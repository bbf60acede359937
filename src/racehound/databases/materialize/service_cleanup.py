"""Removes what repetitions leave in the services: topics, subjects, tables, publications, slots, files. It also finds leaks.

It removes only objects with the run's id or number in their names, and those in a database of the run.
"""

from __future__ import annotations

import contextlib
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any, Protocol

from racehound.data.addresses import S3Account
from racehound.databases.materialize.connected_services import ConnectedServices
from racehound.databases.materialize.session import literal, quoted
from racehound.errors import TargetError
from racehound.services import s3
from racehound.tls import trusted
from racehound.wire.session import LibpqSession

SLOT_GRACE_S = 5.0
"""Seconds that a target may take to drop the slots of a dropped source."""
_LOOK_S = 0.02
_GONE_LIMIT_S = 10.0
_PACKAGES = "pip install 'racehound[services]'"


class ServiceCleaner(Protocol):
    """Removes leftovers from one service."""

    def connect(self) -> None:
        """Connect, and create what the run needs in the service. Also called after a restart of the service. TargetError."""

    def drop_leftovers(self) -> list[str]:
        """Remove all leftovers. Returns a line for each one that the target should have removed. TargetError."""

    def close(self) -> None:
        """Remove everything that the run has created in the service, and close the connection."""


def service_cleaners(connected: ConnectedServices, run_id: str, number: int) -> list[ServiceCleaner]:
    """A cleaner for each service that there is. `number`: testdrive appends it to the names of topics."""
    found: list[ServiceCleaner] = []
    if connected.kafka:
        found.append(KafkaCleaner(connected.kafka, connected.registry, run_id, number))
    if connected.postgres:
        found.append(PostgresCleaner(connected.postgres, run_id))
    if connected.mysql:
        found.append(MySqlCleaner(connected.mysql, connected.mysql_password, connected.mysql_database, run_id))
    if connected.s3:
        found.append(S3Cleaner(connected.s3, run_id))
    return found


class KafkaCleaner:
    """Removes topics, and the subjects that belong to them."""

    def __init__(self, servers: str, registry: str | None, run_id: str, number: int) -> None:
        self._servers = servers
        self._registry = registry
        self._run_id = run_id
        self._end = f"-{number}"
        self._client: Any = None

    def connect(self) -> None:
        try:
            from confluent_kafka.admin import AdminClient
        except ImportError:
            raise TargetError(f"Kafka needs the package confluent-kafka: {_PACKAGES}") from None
        self._client = AdminClient({"bootstrap.servers": self._servers, "log_level": 0})
        self._topics()

    def drop_leftovers(self) -> list[str]:
        """Delete topics and subjects. None is a leak, since a target does not delete the topics of dropped sinks."""
        from confluent_kafka import KafkaError, KafkaException

        deadline = time.monotonic() + _GONE_LIMIT_S
        while topics := self._topics():
            if time.monotonic() > deadline:
                raise TargetError(f"Kafka: topic {topics[0]} does not go away")
            # A broker answers before it has deleted a topic, and reports no event afterwards. A client that is about to end may
            # create the topic again.
            for done in self._client.delete_topics(topics, operation_timeout=_GONE_LIMIT_S).values():
                try:
                    done.result()
                except KafkaException as error:
                    if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                        raise TargetError(f"Kafka: a topic cannot be deleted: {error}") from None
            time.sleep(_LOOK_S)
        self._delete_subjects()
        return []

    def close(self) -> None:
        if self._client is not None:
            self.drop_leftovers()
            self._client = None

    def _topics(self) -> list[str]:
        from confluent_kafka import KafkaException

        try:
            return [name for name in self._client.list_topics(timeout=_GONE_LIMIT_S).topics if self._is_ours(name)]
        except KafkaException as error:
            raise TargetError(f"Kafka at {self._servers}: {error}") from None

    def _is_ours(self, name: str) -> bool:
        base = name.removesuffix("-key").removesuffix("-value")
        return base.startswith(f"{self._run_id}_") or (base.startswith("testdrive-") and base.endswith(self._end))

    def _delete_subjects(self) -> None:
        import httpx

        if self._registry is None:
            return
        try:
            with httpx.Client(base_url=self._registry, timeout=_GONE_LIMIT_S, verify=trusted()) as client:
                for subject in filter(self._is_ours, client.get("/subjects").raise_for_status().json()):
                    client.delete(f"/subjects/{urllib.parse.quote(subject, safe='')}").raise_for_status()
        except httpx.HTTPError as error:
            raise TargetError(f"the schema registry at {self._registry}: {error}") from None


class PostgresCleaner:
    """Empties the run's PostgreSQL database, and removes its slots, and the roles with which the target connects."""

    def __init__(self, url: str, run_id: str) -> None:
        """`url`: the URL with the name of the run's database."""
        self._url = url
        self._database = urllib.parse.urlsplit(url).path.removeprefix("/")
        self._run_id = run_id
        self._session: LibpqSession | None = None

    def connect(self) -> None:
        with contextlib.closing(self._administration()) as session:
            if not _rows(session, f"SELECT 1 FROM pg_database WHERE datname = {literal(self._database)}"):
                _must(session, f"CREATE DATABASE {quoted(self._database)}")
        if self._session is not None:
            self._session.close()
        self._session = LibpqSession.connect(self._url, f"racehound {self._run_id} sweep")

    def drop_leftovers(self) -> list[str]:
        session = self._ours
        leaks = self._await_slots(session)
        for (publication,) in _rows(session, "SELECT pubname FROM pg_publication"):
            _must(session, f"DROP PUBLICATION IF EXISTS {quoted(publication)}")
        for (table,) in _rows(session, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
            _must(session, f"DROP TABLE IF EXISTS {quoted(table)} CASCADE")
        for (role,) in _rows(session, f"SELECT rolname FROM pg_roles WHERE rolname ^@ {literal(self._run_id + '_')}"):
            _must(session, f"DROP ROLE IF EXISTS {quoted(role)}")
        return leaks

    def close(self) -> None:
        if self._session is None:
            return
        self.drop_leftovers()
        self._session.close()
        self._session = None
        with contextlib.closing(self._administration()) as session:
            _must(session, f"DROP DATABASE IF EXISTS {quoted(self._database)} WITH (FORCE)")

    def _await_slots(self, session: LibpqSession) -> list[str]:
        """Wait until the target has dropped the slots of its sources. Drop the others, and return a line for each."""
        query = f"SELECT slot_name, active_pid FROM pg_replication_slots WHERE database = {literal(self._database)}"
        deadline = time.monotonic() + SLOT_GRACE_S
        while (left := _rows(session, query)) and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        for slot, pid in left:
            if pid:
                session.execute(f"SELECT pg_terminate_backend({pid}, 1000)")
            session.execute(f"SELECT pg_drop_replication_slot({literal(slot)})")
        return [f"replication slot {slot} is still there {SLOT_GRACE_S:g} s after its source was dropped" for slot, _ in left]

    def _administration(self) -> LibpqSession:
        url = urllib.parse.urlsplit(self._url)._replace(path="/postgres").geturl()
        return LibpqSession.connect(url, f"racehound {self._run_id} administration")

    @property
    def _ours(self) -> LibpqSession:
        if self._session is None:
            raise TargetError("the sources' PostgreSQL is not prepared")
        return self._session


class MySqlCleaner:
    """Empties the run's MySQL database, and removes the users with which the target connects."""

    def __init__(self, url: str, password: str, database: str, run_id: str) -> None:
        self._address = urllib.parse.urlsplit(url)
        self._password = password
        self._database = database
        self._run_id = run_id
        self._connection: Any = None

    def connect(self) -> None:
        try:
            import pymysql
        except ImportError:
            raise TargetError(f"MySQL needs the package PyMySQL: {_PACKAGES}") from None
        if self._connection is not None and self._connection.open:
            self._connection.close()
        host, port, user = self._address.hostname or "", self._address.port or 3306, self._address.username or "root"
        try:
            self._connection = pymysql.connect(host=host, port=port, user=user, password=self._password, autocommit=True)
        except pymysql.MySQLError as error:
            raise TargetError(f"MySQL at {host}:{port}: {error}") from None

    def drop_leftovers(self) -> list[str]:
        for (table,) in self._ask(f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{self._database}'"):
            self._ask(f"DROP TABLE IF EXISTS `{self._database}`.`{table}`")
        for user, host in self._ask(rf"SELECT user, host FROM mysql.user WHERE user LIKE '{self._run_id}\_%'"):
            self._ask(f"DROP USER IF EXISTS '{user}'@'{host}'")
        return []

    def close(self) -> None:
        if self._connection is not None:
            self.drop_leftovers()
            self._ask(f"DROP DATABASE IF EXISTS `{self._database}`")
            self._connection.close()
            self._connection = None

    def _ask(self, sql: str) -> list[tuple[str, ...]]:
        import pymysql

        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        except pymysql.MySQLError as error:
            raise TargetError(f"MySQL: {sql}: {error}") from None


class S3Cleaner:
    """Empties the run's bucket."""

    def __init__(self, account: S3Account, run_id: str) -> None:
        self._account = account
        self._bucket = run_id
        self._opened = contextlib.ExitStack()
        self._client: Any = None

    def connect(self) -> None:
        self._opened.close()
        with self._errors():
            self._client = self._opened.enter_context(s3.client_of(self._account))
            if not self._is_there():
                self._client.create_bucket(Bucket=self._bucket)

    def drop_leftovers(self) -> list[str]:
        with self._errors():
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket):
                if listed := page.get("Contents"):
                    keys = [{"Key": each["Key"]} for each in listed]
                    self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": keys})
        return []

    def close(self) -> None:
        if self._client is None:
            return
        with self._opened, self._errors():
            if self._is_there():
                self.drop_leftovers()
                self._client.delete_bucket(Bucket=self._bucket)
            self._client = None

    def _is_there(self) -> bool:
        return self._bucket in {bucket["Name"] for bucket in self._client.list_buckets()["Buckets"]}

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError:
            raise TargetError(f"S3 needs the package boto3: {_PACKAGES}") from None
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise TargetError(f"S3 at {self._account.endpoint}: {error}") from None


def _rows(session: LibpqSession, query: str) -> list[tuple[str, ...]]:
    outcome = session.execute(query)
    if outcome.rows is None:
        raise TargetError(f"the sources' PostgreSQL: {query}: {outcome.error.message if outcome.error else outcome.status}")
    return [tuple(cell or "" for cell in row) for row in outcome.rows.cells]


def _must(session: LibpqSession, sql: str) -> None:
    outcome = session.execute(sql)
    if not outcome.ok:
        raise TargetError(f"the sources' PostgreSQL: {sql}: {outcome.error.message if outcome.error else outcome.status}")
