"""The composition daemon owns a composition, so that its services outlive the command that started them.

`racehound services up` starts a daemon for each name. The daemon listens on a UNIX socket in a directory of the user's and takes
one request per connection, as a line of JSON (`Request`). It answers in lines: `ServiceProgress` while it works, then an `Answer`
or a `Refusal`. Guard processes (`process.py`) end the services when the daemon is killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socketserver
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import msgspec

from racehound.errors import RacehoundError, UserError
from racehound.services import scratch
from racehound.services.composition import Composition, ServiceRequest, Status
from racehound.services.fault_injection import FaultInjector

_NAME = "racehound-compositions"
SOCKET = "socket"
LOG = "daemon.log"
_LOCK = "lock"


class Up(msgspec.Struct, frozen=True, tag="up"):
    services: tuple[ServiceRequest, ...]


class Down(msgspec.Struct, frozen=True, tag="down"):
    pass


class AskStatus(msgspec.Struct, frozen=True, tag="look"):
    pass


class AskLog(msgspec.Struct, frozen=True, tag="log"):
    name: str
    lines: int


class InjectFault(msgspec.Struct, frozen=True, tag="disturb"):
    """Inject a fault into a service; some faults take a value (see `fault_injection.py`)."""

    name: str
    what: str
    value: str = ""


class AskAddresses(msgspec.Struct, frozen=True, tag="addresses"):
    pass


Request: TypeAlias = Up | Down | AskStatus | AskLog | InjectFault | AskAddresses


class ServiceProgress(msgspec.Struct, frozen=True, tag="progress"):
    name: str
    what: str


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """The reason, in one line, why a request failed."""

    reason: str


class Answer(msgspec.Struct, frozen=True, tag="answer", omit_defaults=True):
    """What the request asked for. Other fields are empty."""

    status: tuple[Status, ...] = ()
    lines: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    hosts: dict[str, str] = {}
    accounts: dict[str, tuple[str, str]] = {}
    deaths: tuple[str, ...] = ()


Line: TypeAlias = ServiceProgress | Refusal | Answer


def directory_of(name: str) -> Path:
    """The directory of that daemon. Raises UserError if its parent belongs to another user or cannot be made."""
    base = Path(tempfile.gettempdir()) / f"{_NAME}-{os.geteuid()}"
    try:
        base.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise UserError(f"{base} cannot be made: {error.strerror}; set TMPDIR to another directory") from error
    if base.is_symlink() or base.lstat().st_uid != os.geteuid():
        raise UserError(f"{base} is not this user's: set TMPDIR to another directory")
    base.chmod(0o700)
    return base / name


class CompositionDaemon:
    """Answers requests about one composition."""

    def __init__(self, name: str, directory: Path) -> None:
        self.composition = Composition(name, directory)
        self._injector = FaultInjector(self.composition)
        self._injecting = threading.Lock()
        self._ended = threading.Event()
        self._count = threading.Lock()
        self._requests = 0

    def answer(self, request: Request, tell: Callable[[ServiceProgress], object]) -> Answer:
        """Carry out the request. Raises RacehoundError if that fails."""

        def progress(name: str, what: str) -> None:
            tell(ServiceProgress(name, what))

        match request:
            case Up(services):
                self.composition.up(services, progress)
                return Answer(status=tuple(self.composition.status()))
            case Down():
                self.composition.down(progress)
                return Answer()
            case AskStatus():
                return Answer(status=tuple(self.composition.status()))
            case AskLog(name, lines):
                return Answer(lines=tuple(self.composition.instance(name).log(lines)))
            case InjectFault(name, what, value):
                with self._injecting:
                    return Answer(lines=(self._injector.inject(name, what, value),))
            case AskAddresses():
                hosts = {host: str(endpoint) for host, endpoint in self.composition.aliases().items()}
                return Answer(
                    variables=self.composition.variables(),
                    hosts=hosts,
                    accounts=self.composition.accounts(),
                    deaths=tuple(self.composition.deaths()),
                )

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Count a request while it runs. When none runs and no service is left, the daemon ends."""
        with self._count:
            self._requests += 1
        try:
            yield
        finally:
            with self._count:
                self._requests -= 1
                if not self._requests and not self.composition.instances:
                    self._ended.set()

    def end(self) -> None:
        """Let `wait` return."""
        self._ended.set()

    def wait(self) -> None:
        """Wait until no service is left, or until `end` is called."""
        self._ended.wait()


class _Handler(socketserver.StreamRequestHandler):
    """One request of one client."""

    def handle(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        line = self.rfile.readline()
        if not line:
            return
        with server.daemon.busy():
            try:
                self._send(server.daemon.answer(msgspec.json.decode(line, type=Request), self._send))
            except (RacehoundError, msgspec.MsgspecError) as error:
                self._send(Refusal(str(error)))

    def _send(self, line: Line) -> None:
        # The client may have disconnected. Its request is carried out all the same.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(msgspec.json.encode(line) + b"\n")


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, daemon: CompositionDaemon) -> None:
        super().__init__(str(path), _Handler)
        self.daemon = daemon


def main() -> None:
    """Serve the composition named on the command line. It prints `ready` once it takes requests."""
    name = sys.argv[1]
    home = directory_of(name)
    home.mkdir(mode=0o700, exist_ok=True)
    with (home / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another daemon of that name was started first, and the client uses it
        _serve(name, home)


def _serve(name: str, home: Path) -> None:
    (home / SOCKET).unlink(missing_ok=True)  # it was left by a killed daemon, since this process has the lock
    directory = scratch.create(f"services.{name}")
    daemon = CompositionDaemon(name, directory)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: daemon.end())
    with _Server(home / SOCKET, daemon) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print("ready", flush=True)
        try:
            daemon.wait()
        finally:
            server.shutdown()
            daemon.composition.down(lambda _name, _what: None)
            scratch.remove(directory)
            shutil.rmtree(home)


if __name__ == "__main__":
    main()
