"""The keeper: a process that holds a composition while commands come and go, and with which the composition ends.

`racehound services up` starts one for a name; it listens on a UNIX socket in the user's run-time directory, takes one request a
connection (a line of JSON, see `Request`) and answers with lines: `Progress` while it works, then one `Answer` or `Refusal`.
Its services are guarded by wardens (`process.py`), so that a keeper that is killed takes them along.
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
from racehound.services.backends.instance import BackendName
from racehound.services.composition import Composition, Status, Wanted
from racehound.services.disturbance import Disturber
from racehound.services.service import Endpoint

_NAME = "racehound-compositions"
SOCKET = "socket"
LOG = "keeper.log"
_LOCK = "lock"


class Service(msgspec.Struct, frozen=True):
    """A service to bring up: its name, who runs it, and where it is if that is the user."""

    name: str
    backend: BackendName = "process"
    address: tuple[str, int] | None = None


class Up(msgspec.Struct, frozen=True, tag="up"):
    services: tuple[Service, ...]


class Down(msgspec.Struct, frozen=True, tag="down"):
    pass


class Look(msgspec.Struct, frozen=True, tag="look"):
    pass


class Log(msgspec.Struct, frozen=True, tag="log"):
    name: str
    lines: int


class Disturb(msgspec.Struct, frozen=True, tag="disturb"):
    """A fault by its word, and its value if it takes one: see `disturbance.py`."""

    name: str
    what: str
    value: str = ""


class Addresses(msgspec.Struct, frozen=True, tag="addresses"):
    pass


Request: TypeAlias = Up | Down | Look | Log | Disturb | Addresses


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    name: str
    what: str


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """Why a request could not be met, in one line."""

    reason: str


class Answer(msgspec.Struct, frozen=True, tag="answer", omit_defaults=True):
    """What the request asked for; the rest is empty."""

    status: tuple[Status, ...] = ()
    lines: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    hosts: dict[str, str] = {}
    deaths: tuple[str, ...] = ()


Line: TypeAlias = Progress | Refusal | Answer


def directory_of(name: str) -> Path:
    """Where the keeper of that name has its socket. UserError when somebody else's directory is in the way."""
    base = Path(tempfile.gettempdir()) / f"{_NAME}-{os.geteuid()}"
    try:
        base.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise UserError(f"{base} cannot be made: {error.strerror}; set TMPDIR to another directory") from error
    if base.is_symlink() or base.lstat().st_uid != os.geteuid():
        raise UserError(f"{base} is not this user's: set TMPDIR to another directory")
    return base / name


class Keeper:
    """Serves requests about one composition until that is down."""

    def __init__(self, name: str, directory: Path) -> None:
        self.composition = Composition(name, directory)
        self._disturber = Disturber(self.composition)
        self._disturbing = threading.Lock()
        self._ended = threading.Event()
        self._count = threading.Lock()
        self._under_way = 0

    def answer(self, request: Request, tell: Callable[[Progress], object]) -> Answer:
        """Do what is asked. RacehoundError when that cannot be done."""

        def progress(name: str, what: str) -> None:
            tell(Progress(name, what))

        match request:
            case Up(services):
                self.composition.up([_wanted(service) for service in services], progress)
                return Answer(status=tuple(self.composition.status()))
            case Down():
                self.composition.down(progress)
                return Answer()
            case Look():
                return Answer(status=tuple(self.composition.status()))
            case Log(name, lines):
                return Answer(lines=tuple(self.composition.instance(name).log(lines)))
            case Disturb(name, what, value):
                with self._disturbing:
                    return Answer(lines=(self._disturber.disturb(name, what, value),))
            case Addresses():
                hosts = {host: str(endpoint) for host, endpoint in self.composition.aliases().items()}
                return Answer(variables=self.composition.variables(), hosts=hosts, deaths=tuple(self.composition.deaths()))

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Around a request: when the last one has left an empty composition, the keeper has nothing more to keep."""
        with self._count:
            self._under_way += 1
        try:
            yield
        finally:
            with self._count:
                self._under_way -= 1
                if not self._under_way and not self.composition.instances:
                    self._ended.set()

    def end(self) -> None:
        """Let `wait` return."""
        self._ended.set()

    def wait(self) -> None:
        """Until there is nothing left to keep, or a signal asks for the end."""
        self._ended.wait()


def _wanted(service: Service) -> Wanted:
    return Wanted(service.name, service.backend, Endpoint(*service.address) if service.address else None)


class _Handler(socketserver.StreamRequestHandler):
    """One request of one client."""

    def handle(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        line = self.rfile.readline()
        if not line:
            return
        with server.keeper.busy():
            try:
                self._say(server.keeper.answer(msgspec.json.decode(line, type=Request), self._say))
            except (RacehoundError, msgspec.MsgspecError) as error:
                self._say(Refusal(str(error)))

    def _say(self, line: Line) -> None:
        # A client that has gone wants no answer; what it asked for is done all the same.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(msgspec.json.encode(line) + b"\n")


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, keeper: Keeper) -> None:
        super().__init__(str(path), _Handler)
        self.keeper = keeper


def main() -> None:
    """Keep the composition named on the command line; says `ready` on standard output when it takes requests."""
    name = sys.argv[1]
    home = directory_of(name)
    home.mkdir(mode=0o700, exist_ok=True)
    with (home / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another keeper of that name has come first: the client will find it
        _serve(name, home)


def _serve(name: str, home: Path) -> None:
    (home / SOCKET).unlink(missing_ok=True)  # of a keeper that was killed: we hold its lock
    directory = scratch.create(f"services.{name}")
    keeper = Keeper(name, directory)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: keeper.end())
    with _Server(home / SOCKET, keeper) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print("ready", flush=True)
        try:
            keeper.wait()
        finally:
            server.shutdown()
            keeper.composition.down(lambda _name, _what: None)
            scratch.remove(directory)
            shutil.rmtree(home)


if __name__ == "__main__":
    main()
