"""Reads the answers that were recorded from a real Materialize, and repeats their statements on the zoo."""

from __future__ import annotations

import ast
import dataclasses
import http.client
import json
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import pq

from racehound_zoo.server import Zoo
from zoo_support.upstream import UpstreamServices

RECORDS = Path(__file__).with_name("materialize_answers")
LOW_USER = "lowuser"
_PREPARED = frozenset({"UpsertSource", "PostgresSource", "MySqlSource"})
_OUTSIDE = _PREPARED | {"KafkaSink"}
_OF_OUTSIDE = re.compile(
    r"\b(kafka_conn|csr_conn|rk_conn|o_ups\w*|o_pg\w*|o_my_\w*|o_sk\w*)\b|PORT 21\d\d\d|VALIDATE CONNECTION cx|VALIDATE=true"
)
_UNTRIED = re.compile(r"VALIDATE ?= ?false")
_MADE_OUTSIDE = re.compile(r"materialize\.public\.w\"")
"""A table that a statement on a Kafka source creates affects later statements."""
_MISSING = {
    0: ("CREATE TABLE other_obj (x int)", "CREATE VIEW other_view AS SELECT 1 AS x"),
    363: ("DROP SOURCE lgx CASCADE", "CREATE VIEW o_v AS SELECT * FROM o_base"),
}
"""Statements that the recorder executed without recording them, by the number of the next recorded one."""
_PLACES = {
    "post to-old-name": "o_wh", "post to-new-name": "o_wh_tmp", "post missing": "nosuch", "post to-table": "other_obj",
    "post with no replica": "o_wh", "post after-drop": "o_wh", "post to webhook table": "o_wht", "post check-fails": "o_whc",
    "post check-ok": "o_whc",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Answer:
    """What matters of an answer: whether the statement succeeded, its command tag, or its error."""

    ok: bool
    tag: str = ""
    sqlstate: str = ""
    message: str = ""
    notices: tuple[str, ...] = ()

    @property
    def judged(self) -> tuple[bool, str, str, str]:
        """What must be equal: everything but the notices."""
        return self.ok, self.tag, self.sqlstate, self.message


@dataclasses.dataclass(frozen=True)
class Entry:
    number: int
    kind: str
    phase: str
    sql: str | None
    recorded: Answer
    action: str
    status: int


def entries() -> Iterator[Entry]:
    for number, line in enumerate((RECORDS / "serial.jsonl").read_text().splitlines()):
        record = json.loads(line)
        status = (record.get("result") or {}).get("status", 0)
        answer = _recorded(record) if status == 0 else _http(status, record["result"]["body"])
        yield Entry(number, record["kind"], record["phase"], record.get("sql"), answer, record.get("action", ""), status)


def _recorded(record: dict[str, Any]) -> Answer:
    notices = tuple(sorted(template(notice["message"]) for notice in record.get("notices") or ()))
    if record["ok"]:
        return Answer(True, _tag(record.get("tag") or ""), notices=notices)
    error = record["error"]
    return Answer(False, "", error["sqlstate"], template(error["message"]), notices)


def _tag(tag: str) -> str:
    """The tag without counts of rows, which depend on the moment."""
    return re.sub(r"\d+", "N", tag)


def template(message: str) -> str:
    """The message without ids, times and ports."""
    message = re.sub(r"\bu\d+\b", "uN", message)
    message = re.sub(r"at line 1 column \d+", "at line 1 column N", message)
    message = re.sub(r"\d{10,}", "N", message)
    message = re.sub(r"User\(\d+\)", "User(N)", message)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:N", message)


def needs_services(entry: Entry) -> bool:
    """Whether the statement uses a real service, or an object that such a statement has created."""
    if entry.kind in _OUTSIDE:
        return True
    said = entry.sql or ""
    if _UNTRIED.search(said):
        return False
    return bool(
        _OF_OUTSIDE.search(said) or _OF_OUTSIDE.search(entry.recorded.message) or _MADE_OUTSIDE.search(entry.recorded.message)
    )


def missing_before(number: int) -> tuple[str, ...]:
    return _MISSING.get(number, ())


class RecordedSession:
    """A session with the simple query protocol, which the recorder used."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._notices: list[str] = []
        self._connection.add_notice_handler(lambda notice: self._notices.append(template(notice.message_primary or "")))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def execute(self, sql: str) -> Answer:
        self._notices.clear()
        result = self._connection.pgconn.exec_(sql.encode())
        notices = tuple(sorted(self._notices))
        if result.status == pq.ExecStatus.FATAL_ERROR:
            sqlstate = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
            message = (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"").decode()
            return Answer(False, "", sqlstate, template(message), notices)
        return Answer(True, _tag((result.command_status or b"").decode()), notices=notices)


class RecordedSessions:
    """The sessions of the record: one for the user, and one for a user without privileges."""

    def __init__(self, zoo: Zoo, outside: UpstreamServices | None = None) -> None:
        self._zoo = zoo
        self._outside = outside
        self._prepared: set[str] = set()
        self._user = RecordedSession(zoo.url)
        self._low = RecordedSession(zoo.url.replace("materialize@", f"{LOW_USER}@"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exit_: object) -> None:
        self._user.__exit__(*exit_)
        self._low.__exit__(*exit_)

    def execute(self, entry: Entry) -> Answer:
        for sql in missing_before(entry.number):
            assert self._user.execute(sql).ok
        if self._outside is not None and entry.kind in _PREPARED - self._prepared:
            self._prepared.add(entry.kind)
            self._outside.prepare(entry.kind)
        if entry.sql is None:
            return self._post(entry) if entry.status else self._act(entry)
        is_low = entry.phase.startswith(("lowpriv:", "after-role-dropped"))
        sql = self._outside.spelled(entry.sql) if self._outside is not None else entry.sql
        return (self._low if is_low else self._user).execute(sql)

    def _act(self, entry: Entry) -> Answer:
        """Repeat what the recorder did outside Materialize. An error there is raised."""
        assert self._outside is not None
        if entry.phase != "prepare":
            self._outside.act(entry.kind, entry.action)
        return Answer(True)

    def _post(self, entry: Entry) -> Answer:
        name = _PLACES.get(entry.phase, "o_wh")
        schema = "nosuch" if "missing-schema" in entry.phase else "public"
        url = f"{self._zoo.http_url}/api/webhook/materialize/{schema}/{name}"
        if entry.phase == "get":
            return _http(*request(url))
        data = ast.literal_eval(entry.action)["data"] if entry.action.startswith("{'data'") else b"x"
        headers = {"x": "y"} if entry.phase == "post check-ok" else {}
        return _http(*request(url, data.encode() if isinstance(data, str) else data, headers))


def request(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    """The status and the body of the answer to a GET request or, with a body, a POST request."""
    address = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc)
    try:
        connection.request("GET" if body is None else "POST", address.path, body, dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def _http(status: int, body: str) -> Answer:
    return Answer(status == 200, f"HTTP {status}", message=template(body))
