"""A small HTTP server that remembers what it was asked and answers what it is told to."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import threading
from collections.abc import Callable, Iterator


@dataclasses.dataclass(frozen=True)
class Request:
    """As it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: str


@dataclasses.dataclass(frozen=True)
class Answer:
    """A status, a body and where a redirect goes."""

    status: int = 200
    body: str = ""
    location: str = ""


@dataclasses.dataclass
class DependencyGraph:
    """The server's address, and the requests that it has seen."""

    url: str
    seen: list[Request]


@contextlib.contextmanager
def serve(answer: Callable[[Request], Answer]) -> Iterator[DependencyGraph]:
    """Serve on a free loopback port until the block is over."""
    seen: list[Request] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen.append(Request(self.command, self.path, headers, body))
            answered = answer(seen[-1])
            content = answered.body.encode()
            self.send_response(answered.status)
            if answered.location:
                self.send_header("location", answered.location)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815 the names that http.server looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 as inherited
            """Tests are quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield DependencyGraph(f"http://127.0.0.1:{server.server_port}", seen)
        finally:
            server.shutdown()
            thread.join()
