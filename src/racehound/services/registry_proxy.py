"""A reverse proxy before Apicurio's schema registry. It serves the API that Apicurio has below a path at the root of a port.

It is run as a program, `python -I registry_proxy.py HOST PORT SERVER_PORT`, and uses only the standard library. Clients of
Confluent's registry expect the API at the root. Two requests are answered differently from Apicurio: `GET /`, and
`GET /config/SUBJECT` of a subject without a compatibility level of its own (Confluent: error 40408; Apicurio: the global level).

Bodies are passed on piece by piece in either direction. A thread serves each connection, and every request opens a new connection
to the server, so that no connection is left over from before a restart of the server.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import sys
import urllib.parse
from collections.abc import Iterator
from http import HTTPStatus
from io import BufferedIOBase

_API = "/apis/ccompat/v7"
_RULES = "/apis/registry/v3/groups/default/artifacts/{}/rules"
"""The rules of a subject in Apicurio's own API; the compatibility level is the rule `COMPATIBILITY`."""
_ANSWER_LIMIT_S = 60.0
_IDLE_LIMIT_S = 300.0
_CHUNK = 1 << 16
_JSON = "application/vnd.schemaregistry.v1+json"
_PER_CONNECTION = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect", "content-length")
)
"""Headers that concern one connection only (RFC 9110, 7.6.1), and the length, which each side states anew."""


class RegistryProxy(http.server.ThreadingHTTPServer):
    """Listens on `address`; the server that has the API is on the same host."""

    daemon_threads = True
    # A hundred clients may connect at the same moment.
    request_queue_size = 1024

    def __init__(self, address: tuple[str, int], server_port: int) -> None:
        self.apicurio = (address[0], server_port)
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        # A client may close its connection at any moment: that is not an error.
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: RegistryProxy
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_LIMIT_S
    disable_nagle_algorithm = True
    # A header and a short body in one packet.
    wbufsize = -1

    def do_GET(self) -> None:
        if self.path == "/":
            # Clients ask this to see whether the registry is there.
            self._answer(HTTPStatus.OK, {})
        elif (subject := _config_of(self.path)) is not None and not self._has_level(subject):
            message = f"Subject '{urllib.parse.unquote(subject)}' does not have subject-level compatibility configured"
            self._answer(HTTPStatus.NOT_FOUND, {"error_code": 40408, "message": message})
        else:
            self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = do_POST  # noqa: N815 the names that http.server looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Requests are not logged, only errors are."""

    def _pass_on(self) -> None:
        with contextlib.closing(http.client.HTTPConnection(*self.server.apicurio, timeout=_ANSWER_LIMIT_S)) as connection:
            try:
                self._ask(connection)
                answer = connection.getresponse()
            except (OSError, ValueError, http.client.HTTPException) as error:
                # Otherwise the rest of the request's body would be read as the next request.
                self.close_connection = True
                message = f"the schema registry does not answer: {error!r}"
                self._answer(HTTPStatus.BAD_GATEWAY, {"error_code": 50002, "message": message})
                return
            with answer:
                self._hand_back(answer)

    def _has_level(self, subject: str) -> bool:
        """Whether it has a compatibility level of its own; true, too, when Apicurio does not answer: then it is asked again."""
        with contextlib.closing(http.client.HTTPConnection(*self.server.apicurio, timeout=_ANSWER_LIMIT_S)) as connection:
            try:
                connection.request("GET", _RULES.format(subject))
                answer = connection.getresponse()
                said = answer.read()
            except (OSError, http.client.HTTPException):
                return True
        return answer.status != HTTPStatus.NOT_FOUND and (answer.status != HTTPStatus.OK or b"COMPATIBILITY" in said)

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        """Send the client's request to the server, as it is but for the path."""
        connection.putrequest(self.command, _API + self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _PER_CONNECTION:
                connection.putheader(name, value)
        connection.putheader("Connection", "close")
        length = self.headers.get("Content-Length")
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders(_chunks(self.rfile), encode_chunked=True)
        elif length is not None:
            connection.putheader("Content-Length", length)
            connection.endheaders(_exactly(self.rfile, int(length)))
        else:
            connection.endheaders()

    def _hand_back(self, answer: http.client.HTTPResponse) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() == "location":
                self.send_header(name, _at_root(value))
            elif name.lower() not in _PER_CONNECTION:
                self.send_header(name, value)
        bodiless = self.command == "HEAD" or answer.status in (204, 304) or answer.status < 200
        length = answer.getheader("Content-Length")
        if bodiless or length is not None:
            if length is not None:
                self.send_header("Content-Length", length)
            self.end_headers()
            while not bodiless and (piece := answer.read(_CHUNK)):
                self.wfile.write(piece)
        else:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while piece := answer.read1(_CHUNK):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")

    def _answer(self, status: HTTPStatus, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", _JSON)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _config_of(path: str) -> str | None:
    """The subject, as it is written in the path, whose own configuration a GET of the path asks for."""
    parts = urllib.parse.urlsplit(path)
    _, _, subject = parts.path.partition("/config/")
    falls_back = urllib.parse.parse_qs(parts.query).get("defaultToGlobal") == ["true"]
    return subject if parts.path == f"/config/{subject}" and subject and not falls_back else None


def _at_root(location: str) -> str:
    """The same place, as clients of this server see it."""
    parts = urllib.parse.urlsplit(location)
    return parts._replace(path=parts.path.removeprefix(_API) or "/").geturl()


def _exactly(stream: BufferedIOBase, length: int) -> Iterator[bytes]:
    """A body of known length in pieces. ConnectionError when it ends too soon."""
    while length > 0:
        piece = stream.read(min(length, _CHUNK))
        if not piece:
            raise ConnectionError("the client ended in the middle of a request")
        length -= len(piece)
        yield piece


def _chunks(stream: BufferedIOBase) -> Iterator[bytes]:
    """A body in chunks (RFC 9112, 7.1); what stands behind the last one is dropped."""
    while size := int(stream.readline(_CHUNK).split(b";")[0], 16):
        yield from _exactly(stream, size)
        stream.readline(_CHUNK)
    while stream.readline(_CHUNK).strip():
        pass


def main() -> None:
    host, port, server_port = sys.argv[1:]
    with RegistryProxy((host, int(port)), int(server_port)) as proxy:
        proxy.serve_forever()


if __name__ == "__main__":
    main()
