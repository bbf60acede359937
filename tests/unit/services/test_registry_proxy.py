"""The registry's front, before a small server that answers in all the ways that HTTP knows."""

from __future__ import annotations

import http.client
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from racehound.services.registry_proxy import RegistryProxy

LONG = b"0123456789abcdef" * 20_000


class _Server(http.server.BaseHTTPRequestHandler):
    """Tells what it was asked; the path says how."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.endswith("/chunked"):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (b"one ", b"two"):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        elif path.endswith("/moved"):
            self.send_response(302)
            self.send_header("Location", f"http://{self.headers['Host']}/apis/ccompat/v7/subjects?a=b")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path.endswith("/gone"):
            self.connection.shutdown(socket.SHUT_RDWR)
        elif path.endswith("/empty"):
            self.send_response(204)
            self.end_headers()
        else:
            self._tell(LONG if path.endswith("/long") else b"")

    def do_POST(self) -> None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size + 2)[:-2]
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self._tell(body)

    do_PUT = do_POST  # noqa: N815
    do_DELETE = do_HEAD = do_GET  # noqa: N815

    def _tell(self, body: bytes) -> None:
        content = body or json.dumps([self.command, self.path, self.headers.get("X-Given")]).encode()
        self.send_response(200 if self.command != "PUT" else 409)
        self.send_header("Content-Type", "text/x-told")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not of interest."""


class _Listening(http.server.ThreadingHTTPServer):
    request_queue_size = 200

    def handle_error(self, request: object, client_address: object) -> None:
        """What the front does to it when its own client leaves is not of interest."""


def _serve(server: http.server.ThreadingHTTPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    yield from _serve(_Listening(("127.0.0.1", 0), _Server))


@pytest.fixture(scope="module")
def front(server: int) -> Iterator[int]:
    yield from _serve(RegistryProxy(("127.0.0.1", 0), server))


@pytest.fixture
def client(front: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", front, timeout=10)
    yield connection
    connection.close()


def _ask(client: http.client.HTTPConnection, method: str, path: str, body: object = None, **headers: str) -> tuple[int, bytes]:
    client.request(method, path, body, headers)  # type: ignore[arg-type]
    answer = client.getresponse()
    return answer.status, answer.read()


def test_path_query_method_and_headers_pass(client: http.client.HTTPConnection) -> None:
    for method in ("GET", "DELETE"):
        status, said = _ask(client, method, "/subjects/a%2Fb?deleted=true&x=%20", **{"X-Given": "this"})
        assert status == 200
        assert json.loads(said) == [method, "/apis/ccompat/v7/subjects/a%2Fb?deleted=true&x=%20", "this"]


def test_status_and_headers_come_back(client: http.client.HTTPConnection) -> None:
    client.request("PUT", "/x", b"body")
    answer = client.getresponse()
    assert (answer.status, answer.getheader("Content-Type"), answer.read()) == (409, "text/x-told", b"body")


def test_one_connection_serves_many_requests(client: http.client.HTTPConnection) -> None:
    client.connect()
    own = client.sock.getsockname()
    for number in range(3):
        assert _ask(client, "POST", "/x", str(number).encode()) == (200, str(number).encode())
        assert client.sock is not None
        assert client.sock.getsockname() == own


def test_long_bodies_pass_in_both_directions(client: http.client.HTTPConnection) -> None:
    assert _ask(client, "POST", "/x", LONG) == (200, LONG)
    assert _ask(client, "GET", "/long") == (200, LONG)


def test_bodies_in_chunks_pass_in_both_directions(client: http.client.HTTPConnection) -> None:
    assert _ask(client, "GET", "/chunked") == (200, b"one two")
    assert _ask(client, "POST", "/x", iter([b"in ", b"chunks"])) == (200, b"in chunks")
    assert _ask(client, "POST", "/x", b"and on") == (200, b"and on")


def test_answers_without_a_body(client: http.client.HTTPConnection) -> None:
    assert _ask(client, "GET", "/empty") == (204, b"")
    assert _ask(client, "HEAD", "/x") == (200, b"")
    assert _ask(client, "POST", "/x", b"still in step") == (200, b"still in step")


def test_a_redirection_stays_at_the_root(client: http.client.HTTPConnection, front: int) -> None:
    client.request("GET", "/moved")
    answer = client.getresponse()
    answer.read()
    assert answer.getheader("Location") == f"http://127.0.0.1:{front}/subjects?a=b"


def test_the_root_answers_as_confluents(client: http.client.HTTPConnection) -> None:
    assert _ask(client, "GET", "/") == (200, b"{}")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_server_that_hangs_up_is_told(client: http.client.HTTPConnection, method: str) -> None:
    status, said = _ask(client, method, "/gone")
    assert status == 502
    assert json.loads(said)["error_code"] == 50002
    assert "schema registry does not answer" in json.loads(said)["message"]


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.socket() as taken:
        # Bound, but nobody listens.
        taken.bind(("127.0.0.1", 0))
        for port in _serve(RegistryProxy(("127.0.0.1", 0), taken.getsockname()[1])):
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            status, said = _ask(client, "POST", "/subjects/x/versions", LONG)
            client.close()
            assert status == 502
            assert "ConnectionRefusedError" in json.loads(said)["message"]


def test_a_client_that_leaves_in_the_middle_harms_nobody(
    front: int, client: http.client.HTTPConnection, capfd: pytest.CaptureFixture[str]
) -> None:
    for start in (b"POST /x HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf", b"GET /long HTTP/1.1\r\n\r\n", b"POS", b""):
        with socket.create_connection(("127.0.0.1", front)) as leaver:
            leaver.sendall(start)
    assert _ask(client, "POST", "/x", b"here") == (200, b"here")
    assert capfd.readouterr().err == ""


def test_a_hundred_clients_at_once(front: int) -> None:
    def one(number: int) -> bool:
        client = http.client.HTTPConnection("127.0.0.1", front, timeout=20)
        try:
            return all(_ask(client, "POST", "/x", f"{number}.{i}".encode()) == (200, f"{number}.{i}".encode()) for i in range(5))
        finally:
            client.close()

    with ThreadPoolExecutor(100) as pool:
        assert all(pool.map(one, range(100)))
