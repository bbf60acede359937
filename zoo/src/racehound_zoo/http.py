"""The HTTP ports. Users have webhooks and SQL; the internal port also has checks, dumps and health for operators."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import http.server
import json
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, ClassVar

from racehound_zoo.backend import Row
from racehound_zoo.catalog.check import inconsistencies
from racehound_zoo.catalog.model import SourceDefinition
from racehound_zoo.catalog.printing import create_sql
from racehound_zoo.catalog.state import Scope, State
from racehound_zoo.dialect.statements import Webhook
from racehound_zoo.errors import PanicError, SqlError
from racehound_zoo.execution.dispatch import execute
from racehound_zoo.execution.engine import Engine
from racehound_zoo.execution.result import Result
from racehound_zoo.execution.session import Session
from racehound_zoo.listener import HOST
from racehound_zoo.sources import webhook

_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"
_BOOL, _JSONB = 16, 3802
_ANONYMOUS = "anonymous_http_user"


@dataclasses.dataclass(frozen=True)
class _Answer:
    status: HTTPStatus
    body: bytes = b""
    type: str = _TEXT


class _Dropped(Exception):  # noqa: N818 not an error: the answer is 404
    pass


class HttpListener:
    """An HTTP port."""

    def __init__(self, engine: Engine, port: int, *, internal: bool) -> None:
        handler = type("Handler", (_Handler,), {"engine": engine, "internal": internal})
        self._server = http.server.ThreadingHTTPServer((HOST, port), handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name=f"zoo-http-{self.port}", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    engine: ClassVar[Engine]
    internal: ClassVar[bool]
    protocol_version = "HTTP/1.1"
    server_version = "zoo"
    # Headers and body are sent in one packet, so that the client's delayed acknowledgement does not slow the answer down.
    wbufsize = -1

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 named by the base class
        """Do nothing: requests are not logged."""

    def _answer(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        answer = self._find(method, urllib.parse.urlsplit(self.path).path, body)
        self.send_response(answer.status)
        if answer.body:
            self.send_header("content-type", answer.type)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()

    def _find(self, method: str, path: str, body: bytes) -> _Answer:
        parts = [urllib.parse.unquote(part) for part in path.strip("/").split("/")]
        if parts[:2] == ["api", "webhook"] and len(parts) == 5 and not self.internal:
            return self._webhook(tuple(parts[2:]), body) if method == "POST" else _Answer(HTTPStatus.METHOD_NOT_ALLOWED)
        if parts == ["api", "sql"]:
            return self._sql(body) if method == "POST" else _Answer(HTTPStatus.METHOD_NOT_ALLOWED)
        operate = _OPERATING.get(path) if self.internal else None
        if operate is not None:
            return operate(self.engine) if method == "GET" else _Answer(HTTPStatus.METHOD_NOT_ALLOWED)
        if self.internal and path == "/api/opentelemetry/config":
            return _Answer(HTTPStatus.METHOD_NOT_ALLOWED)
        return _Answer(HTTPStatus.NOT_FOUND)

    def _webhook(self, name: tuple[str, ...], body: bytes) -> _Answer:
        headers = {key.lower(): value for key, value in self.headers.items()}
        try:
            _take(self.engine, name, body, headers)
        except _Dropped:
            return _Answer(HTTPStatus.NOT_FOUND, f"no object was found at the path \"'{'.'.join(name)}'\"".encode())
        except webhook.RejectedError as error:
            return _Answer(HTTPStatus.BAD_REQUEST, str(error).encode())
        return _Answer(HTTPStatus.OK)

    def _sql(self, body: bytes) -> _Answer:
        try:
            request = json.loads(body)
            texts = [request["query"]] if "query" in request else [each["query"] for each in request["queries"]]
        except (ValueError, KeyError, TypeError):
            return _Answer(HTTPStatus.BAD_REQUEST, b"expected a JSON object with query or queries")
        try:
            results = _run_all(self.engine, self._user(), texts)
        except PanicError as panic:
            self.engine.log.panic(str(panic))
            self.engine.on_panic(str(panic))
            return _Answer(HTTPStatus.INTERNAL_SERVER_ERROR)
        return _Answer(HTTPStatus.OK, json.dumps({"results": results}).encode(), _JSON)

    def _user(self) -> str:
        """The user of basic authentication. The password is ignored."""
        scheme, _, given = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                return base64.b64decode(given).decode().partition(":")[0] or _ANONYMOUS
            except (binascii.Error, UnicodeDecodeError):
                return _ANONYMOUS
        return "mz_system" if self.internal else _ANONYMOUS


def _take(engine: Engine, name: tuple[str, ...], body: bytes, headers: Mapping[str, str]) -> None:
    """Insert the rows of a request. _Dropped if the webhook does not exist, RejectedError if it does not accept the request."""
    state = engine.catalog.state
    try:
        item = state.find(name, Scope(name[0], (), 0, ""))
    except SqlError as error:
        raise _Dropped from error
    definition = item.definition
    statement = definition.statement if isinstance(definition, SourceDefinition) else None
    if statement is None or not isinstance(statement.connector, Webhook):
        raise _Dropped
    _check(engine, statement.connector, body, headers)
    rows = webhook.rows(statement.connector, body, headers)
    try:
        written = engine.storage.apply(
            [(item.id, [(row, 1) for row in rows])], lambda key: engine.catalog.state.item(key) is not None
        )
    except SqlError as error:
        raise webhook.RejectedError(f"failed to deserialize body as Jsonb: {error.message}") from error
    if not written:
        raise _Dropped


def _check(engine: Engine, connector: Webhook, body: bytes, headers: Mapping[str, str]) -> None:
    try:
        with engine.storage.reader() as backend:
            passes = webhook.passes(connector, backend, body, headers)
    except SqlError as error:
        raise webhook.RejectedError("failed to validate the request") from error
    if not passes:
        raise webhook.RejectedError("failed to validate the request")


def _run_all(engine: Engine, user: str, texts: list[str]) -> list[dict[str, Any]]:
    """The result of each statement, up to the first that fails."""
    session = Session(engine, user, {"database": "materialize"}, internal=user == "mz_system")
    results: list[dict[str, Any]] = []
    try:
        for text in texts:
            for statement, written in session.parse(text):
                results.append(_shown(execute(session, statement, written), session))
    except SqlError as error:
        results.append({"error": {"message": error.message, "code": error.sqlstate}, "notices": _notices(session)})
    finally:
        session.close()
    return results


def _shown(result: Result, session: Session) -> dict[str, Any]:
    if result.rows is None:
        return {"ok": result.tag, "notices": _notices(session), "parameters": []}
    rows = [_values(result, row) for row in result.rows if row is not None]
    columns = [
        {"name": field.name, "type_oid": field.oid, "type_len": field.size, "type_mod": field.modifier} for field in result.fields
    ]
    return {
        "tag": result.tag.replace("#", str(len(rows))),
        "rows": rows,
        "desc": {"columns": columns},
        "notices": _notices(session),
    }


def _values(result: Result, row: Row) -> list[Any]:
    found: list[Any] = []
    for field, value in zip(result.fields, row, strict=True):
        if value is None:
            found.append(None)
        elif field.oid == _BOOL:
            found.append(value == b"t")
        else:
            found.append(json.loads(value) if field.oid == _JSONB else value.decode())
    return found


def _notices(session: Session) -> list[dict[str, str]]:
    notices, session.notices = session.notices, []
    return [{"message": notice.message, "code": notice.sqlstate, "severity": notice.severity.lower()} for notice in notices]


# Endpoints for operators


def _coordinator_check(engine: Engine) -> _Answer:
    """The violated invariants of the catalog; an empty string if there are none."""
    wrong = inconsistencies(engine.catalog.state)
    return _Answer(HTTPStatus.OK, json.dumps({"catalog": wrong} if wrong else "").encode(), _JSON)


def _coordinator_dump(engine: Engine) -> _Answer:
    snapshot = engine.snapshot()
    dump = {
        "active_conns": {session.number: session.id for session in snapshot.sessions},
        "subscriptions": {each.id: each.relations for each in snapshot.subscriptions},
        "statuses": {key: status.status for key, status in snapshot.statuses.items()},
    }
    return _Answer(HTTPStatus.OK, json.dumps(dump).encode(), _JSON)


def _catalog_dump(engine: Engine) -> _Answer:
    return _Answer(HTTPStatus.OK, json.dumps(_dumped(engine.catalog.state)).encode(), _JSON)


def _dumped(state: State) -> dict[str, Any]:
    return {
        "database_by_id": {key: {"name": each.name, "owner_id": each.owner} for key, each in state.databases.items()},
        "schema_by_id": {key: {"name": each.name, "database_id": each.database} for key, each in state.schemas.items()},
        "entry_by_id": {
            key: {"name": state.full_name(item), "item": item.kind, "create_sql": create_sql(state, item), "uses": item.uses}
            for key, item in state.items.items()
        },
        "clusters_by_id": {
            key: {"name": each.name, "replicas": [replica.name for replica in each.replicas]}
            for key, each in state.clusters.items()
        },
        "roles_by_id": {key: {"name": each.name} for key, each in state.roles.items()},
    }


def _text(text: str) -> Callable[[Engine], _Answer]:
    return lambda _: _Answer(HTTPStatus.OK, text.encode())


def _leader(_: Engine) -> _Answer:
    return _Answer(HTTPStatus.OK, b'{"status":"IsLeader"}', _JSON)


def _metrics(engine: Engine) -> _Answer:
    sessions = len(engine.snapshot().sessions)
    lines = (
        "# HELP mz_active_sessions The number of active coordinator sessions.",
        "# TYPE mz_active_sessions gauge",
        f'mz_active_sessions{{session_type="user"}} {sessions}',
    )
    return _Answer(HTTPStatus.OK, "\n".join((*lines, "")).encode(), "text/plain")


_OPERATING: Mapping[str, Callable[[Engine], _Answer]] = MappingProxyType(
    {
        "/": _text("the zoo: an emulator of Materialize"),
        "/api/coordinator/check": _coordinator_check,
        "/api/coordinator/dump": _coordinator_dump,
        "/api/catalog/check": _coordinator_check,
        "/api/catalog/dump": _catalog_dump,
        "/api/livez": _text("Liveness check successful!"),
        "/api/readyz": _text("ready"),
        "/api/leader/status": _leader,
        "/metrics": _metrics,
    }
)
