"""The connection of one client: reads messages, executes statements in a session, and sends the answers."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator, Sequence

from pygwire import messages as m

from racehound_zoo.backend import NO_PARAMETERS, Parameters, Row
from racehound_zoo.dialect.statements import Select, Show, ShowCreate, ShowVariable, Statement, Subscribe
from racehound_zoo.errors import PanicError, SqlError, unsupported
from racehound_zoo.execution.committing import end_implicitly
from racehound_zoo.execution.describing import describe
from racehound_zoo.execution.dispatch import execute
from racehound_zoo.execution.engine import Engine
from racehound_zoo.execution.prepared_statements import require_same_shape, shape
from racehound_zoo.execution.result import Result
from racehound_zoo.execution.session import PreparedStatement, Session
from racehound_zoo.execution.variables import SESSION
from racehound_zoo.wire import DisconnectedError, Wire

_DESCRIBED_BY_DOING = (Select, Show, ShowCreate, ShowVariable)
"""Statements that are executed when they are described. That costs no more, and the description then fits the result."""


@dataclasses.dataclass
class _Portal:
    """A statement with its parameters.

    After execution it also has the result and an iterator over the rows that are not sent yet.
    """

    prepared: PreparedStatement
    parameters: Parameters = NO_PARAMETERS
    result_format: int = 0
    result: Result | None = None
    rows: Iterator[Row | None] | None = None
    sent: int = 0


class Connection:
    """A connection. It belongs to one thread; only `close` may be called from others."""

    def __init__(self, engine: Engine, connection: socket.socket, *, internal: bool) -> None:
        self._engine = engine
        self._wire = Wire(connection)
        self._internal = internal
        self._session: Session | None = None
        self._portals: dict[str, _Portal] = {}
        self._skipping = False

    def close(self) -> None:
        """Disconnect the client and cancel its statement."""
        session = self._session
        if session is not None:
            session.disconnect()
        self._wire.close()

    def serve(self) -> None:
        """Serve the client until it disconnects."""
        try:
            self._session = self._open()
            if self._session is not None:
                self._serve_messages(self._session)
        except DisconnectedError:
            pass  # the normal end of a connection
        except PanicError as panic:
            self._engine.log.panic(str(panic))
            self._engine.on_panic(str(panic))
        finally:
            if self._session is not None:
                self._session.close()
            self._wire.close()

    def _open(self) -> Session | None:
        message = self._wire.startup()
        if isinstance(message, m.CancelRequest):
            self._engine.cancel(message.process_id, message.secret_key)
            return None
        settings = {**_options(message.params.get("options", "")), **message.params}
        user = settings.pop("user", "materialize")
        try:
            session = Session(self._engine, user, settings, internal=self._internal)
        except SqlError as error:
            self._wire.error(error, "FATAL")
            self._wire.flush()
            return None
        session.is_gone = self._wire.is_gone
        reported = [(name, session.variables[name]) for name, variable in SESSION.items() if variable.reported]
        self._wire.send_authenticated(session.number, session.secret, reported)
        self._wire.ready(session.status)
        return session

    def _serve_messages(self, session: Session) -> None:
        for message in self._wire.messages():
            if isinstance(message, m.Terminate):
                return
            if isinstance(message, m.Query):
                self._simple(session, message.query_string)
            elif isinstance(message, m.Sync):
                self._sync(session)
            elif not self._skipping:
                self._extended(session, message)

    # Simple query protocol

    def _simple(self, session: Session, text: str) -> None:
        self._portals.clear()
        try:
            found = session.parse(text)
            if not found:
                self._wire.send(m.EmptyQueryResponse())
            if len(found) > 1:
                session.begin_implicitly()
            for statement, written in found:
                self._answer(session, execute(session, statement, written))
            end_implicitly(session)
        except SqlError as error:
            self._fail(session, error)
            end_implicitly(session)
        self._send_notices(session)
        self._wire.ready(session.status)

    def _fail(self, session: Session, error: SqlError) -> None:
        self._send_notices(session)
        self._wire.error(error)

    def _send_notices(self, session: Session) -> None:
        """Send the pending notices and changed parameters."""
        notices, session.notices = session.notices, []
        for notice in notices:
            self._wire.notice(notice)
        changed, session.changed_variables = session.changed_variables, {}
        self._wire.parameters(changed.items())

    def _answer(self, session: Session, result: Result) -> None:
        """Send a whole result. SqlError if reading the result fails."""
        self._send_notices(session)
        if result.rows is None:
            self._wire.send(m.CommandComplete(result.tag))
            return
        if result.is_copy:
            self._copy(result)
            return
        self._wire.describe_rows(result.fields, result.format)
        count = 0
        for row in result.rows:
            if row is None:
                self._wire.flush()
            else:
                self._wire.row(row)
                count += 1
        self._wire.send(m.CommandComplete(result.tag.replace("#", str(count))))

    def _copy(self, result: Result) -> None:
        self._wire.copy_begins(len(result.fields))
        count = 0
        for row in result.rows or ():
            if row is None:
                self._wire.flush()
            else:
                self._wire.send(m.CopyData(row[0] or b""))
                count += 1
        self._wire.send(m.CopyDone())
        self._wire.send(m.CommandComplete(f"COPY {count}"))

    # Extended query protocol

    def _sync(self, session: Session) -> None:
        self._skipping = False
        if session.transaction is None:
            self._portals.clear()
        self._send_notices(session)
        self._wire.ready(session.status)

    def _extended(self, session: Session, message: m.PGMessage) -> None:
        try:
            if isinstance(message, m.Parse):
                self._parse(session, message)
            elif isinstance(message, m.Bind):
                self._bind(session, message)
            elif isinstance(message, m.Describe):
                self._describe(session, message)
            elif isinstance(message, m.Execute):
                self._execute(session, message)
            elif isinstance(message, m.Close):
                self._close(session, message)
            elif isinstance(message, m.Flush):
                self._wire.flush()
            else:
                raise SqlError(f"unexpected message {type(message).__name__}", "08P01")
        except SqlError as error:
            self._skipping = True
            self._fail(session, error)

    def _parse(self, session: Session, message: m.Parse) -> None:
        found = session.parse(message.query)
        if len(found) > 1:
            raise SqlError("cannot insert multiple commands into a prepared statement", "42601")
        statement, text = found[0] if found else (None, "")
        if message.statement and message.statement in session.prepared:
            raise SqlError(f'prepared statement "{message.statement}" already exists', "42P05")
        columns: tuple[tuple[str, int], ...] = ()
        oids: Sequence[int] = message.param_types
        if message.statement and isinstance(statement, Select):
            described = describe(session, statement, oids)
            columns, oids = shape(described), described.parameters
        session.prepared[message.statement] = PreparedStatement(statement, text, oids, columns)
        self._wire.send(m.ParseComplete())

    def _bind(self, session: Session, message: m.Bind) -> None:
        prepared = _prepared(session, message.statement)
        if len({*message.result_formats}) > 1:
            raise unsupported("a result of text and binary columns")
        result_format = message.result_formats[0] if message.result_formats else 0
        formats = message.param_formats
        if len(formats) == 1:
            formats = formats * len(message.param_values)
        oids = prepared.oids if len(prepared.oids) == len(message.param_values) else ()
        parameters = Parameters(message.param_values, oids, formats)
        self._portals[message.portal] = _Portal(prepared, parameters, result_format)
        self._wire.send(m.BindComplete())

    def _describe(self, session: Session, message: m.Describe) -> None:
        if message.kind == "S":
            prepared = _prepared(session, message.name)
            described = describe(session, prepared.statement, prepared.oids) if prepared.statement else None
            self._wire.send(m.ParameterDescription(list(described.parameters) if described else []))
            self._wire.describe_rows(described.fields if described else (), 0)
            return
        portal = self._portal(message.name)
        statement = portal.prepared.statement
        if isinstance(statement, _DESCRIBED_BY_DOING):
            self._execute_portal(session, portal, statement)
            assert portal.result is not None
            self._wire.describe_rows(portal.result.fields, portal.result.format)
        else:
            fields = describe(session, statement, portal.prepared.oids).fields if statement is not None else ()
            self._wire.describe_rows(fields, portal.result_format if not isinstance(statement, Subscribe) else 0)

    def _portal(self, name: str) -> _Portal:
        portal = self._portals.get(name)
        if portal is None:
            raise SqlError(f'portal "{name}" does not exist', "34000")
        return portal

    def _execute_portal(self, session: Session, portal: _Portal, statement: Statement) -> None:
        if portal.result is None:
            if portal.prepared.columns:
                require_same_shape(session, statement, portal.prepared.columns)
            portal.result = execute(session, statement, portal.prepared.text, portal.parameters, portal.result_format)
            portal.rows = iter(portal.result.rows) if portal.result.rows is not None else None

    def _execute(self, session: Session, message: m.Execute) -> None:
        portal = self._portal(message.portal)
        if portal.prepared.statement is None:
            self._wire.send(m.EmptyQueryResponse())
            return
        self._execute_portal(session, portal, portal.prepared.statement)
        self._send_notices(session)
        assert portal.result is not None
        if portal.result.is_copy:
            self._copy(portal.result)
        elif portal.rows is None:
            self._wire.send(m.CommandComplete(portal.result.tag))
        elif self._send_rows(portal, portal.rows, message.max_rows):
            self._wire.send(m.PortalSuspended())
        else:
            self._wire.send(m.CommandComplete(portal.result.tag.replace("#", str(portal.sent))))

    def _send_rows(self, portal: _Portal, rows: Iterator[Row | None], limit: int) -> bool:
        """Send at most so many rows. Returns whether the limit was reached."""
        count = 0
        for row in rows:
            if row is None:
                self._wire.flush()
                continue
            self._wire.row(row)
            count += 1
            portal.sent += 1
            if count == limit:
                return True
        return False

    def _close(self, session: Session, message: m.Close) -> None:
        if message.kind == "S":
            session.prepared.pop(message.name, None)
        else:
            self._portals.pop(message.name, None)
        self._wire.send(m.CloseComplete())


def _prepared(session: Session, name: str) -> PreparedStatement:
    prepared = session.prepared.get(name)
    if prepared is None:
        raise SqlError(f'prepared statement "{name}" does not exist', "26000")
    return prepared


def _options(text: str) -> dict[str, str]:
    """Parse the startup option `options`: `-c name=value --name=value`, with a backslash before each space in a value."""
    words = [word.replace("\0", " ") for word in text.replace("\\ ", "\0").split()]
    found = {}
    for before, word in zip(["", *words], words, strict=False):
        setting = word if before == "-c" else word.removeprefix("-c").removeprefix("--") if word.startswith("-") else ""
        name, separator, value = setting.partition("=")
        if separator:
            found[name] = value
    return found
