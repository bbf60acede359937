"""The embedded PostgreSQL server, which racehound starts in less than a second, and which ends when racehound ends."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from psycopg.conninfo import make_conninfo

from racehound.errors import TargetError, UserError
from racehound.services import credentials, process, scratch
from racehound.services.embedded.installation import Installation, reachable, server_user
from racehound.wire.session import LibpqSession

StopMode = Literal["fast", "immediate"]
"""fast: the server ends sessions and makes a checkpoint. immediate: it stops as in a crash, and the next start recovers."""

LOG_LINE_PREFIX = "%m\t%p\t%b\t%a\t%e\t"
"""Time, process id, backend type, application name and SQLSTATE, each followed by a tab.

The server removes control characters from application names, and further lines of a message begin with a tab. Therefore
`LOG_LINE` splits each line correctly.
"""

LOG_LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC)\t(?P<pid>\d+)\t(?P<backend>[^\t]*)\t(?P<application>[^\t]*)"
    r"\t(?P<sqlstate>[0-9A-Z]{5})\t(?P<level>[A-Z0-9]+):  (?P<message>.*)"
)
"""The first line of a message in the log. With `log_error_verbosity=verbose` the message of an error begins with its SQLSTATE."""

_SETTINGS = {
    "wal_level": "logical",
    "max_connections": "100",
    "max_prepared_transactions": "32",
    "max_locks_per_transaction": "256",
    "max_replication_slots": "64",
    "max_wal_senders": "32",
    "max_logical_replication_workers": "16",
    "max_worker_processes": "32",
    "shared_buffers": "128MB",
    # The segments are files of the data directory, so that a small /dev/shm does not limit them, and they are removed with it.
    "dynamic_shared_memory_type": "mmap",
    "autovacuum_naptime": "1s",
    "autovacuum_vacuum_threshold": "5",
    "autovacuum_vacuum_scale_factor": "0",
    "autovacuum_vacuum_insert_threshold": "20",
    "autovacuum_vacuum_insert_scale_factor": "0",
    "autovacuum_analyze_threshold": "5",
    "autovacuum_analyze_scale_factor": "0",
    "autovacuum_vacuum_cost_delay": "0",
    # Deadlocks are frequent in races, and a repetition waits for this time in each.
    "deadlock_timeout": "3ms",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_line_prefix": LOG_LINE_PREFIX,
    "log_error_verbosity": "verbose",
    "log_min_messages": "warning",
    # The history has every statement. Therefore the log need not have the failed ones.
    "log_min_error_statement": "panic",
    "log_timezone": "UTC",
    "TimeZone": "UTC",
    "restart_after_crash": "on",
    "jit": "off",
}
"""The settings for all releases from 14 on."""

_SETTINGS_SINCE = {15: {"allow_in_place_tablespaces": "on"}}
"""The further settings from each major release on."""

_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
"""These are safe when only processes die, not the machine. However, a commit just before a crash may be lost."""

_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*(?:\.[A-Za-z_][A-Za-z0-9_$]*)?")
_SOCKET_LENGTH = 107
"""The most bytes that a path may have in sockaddr_un (unix(7))."""
_INITDB_LIMIT = 120.0
_READY_LIMIT = 60.0
_PORT_TRIES = 5
_IPC_RMID = 0


@dataclasses.dataclass(frozen=True)
class Address:
    """The addresses of a server, the superuser, and the file with the superuser's password."""

    host: str
    port: int
    socket_dir: Path
    passfile: Path
    """Only this user and the user that runs the server can read it. Both need it: the server connects to itself, too."""
    user: str = "postgres"
    dbname: str = "postgres"

    def conninfo(self, dbname: str | None = None, *, tcp: bool = False) -> str:
        """A connection string for the UNIX socket, which is faster, or for TCP, which proxies and containers need."""
        return make_conninfo(
            host=self.host if tcp else str(self.socket_dir),
            port=self.port,
            user=self.user,
            passfile=str(self.passfile),
            # Otherwise libpq would use the user's PGPASSWORD before the file ("libpq-envars").
            password="",
            dbname=dbname or self.dbname,
            sslmode="disable",
            gssencmode="disable",
        )

    def url(self, dbname: str | None = None) -> str:
        """A URL for TCP, for users, scripts and programs that use libpq. It names the file with the password."""
        name = urllib.parse.quote(dbname or self.dbname, safe="")
        passfile = urllib.parse.quote(str(self.passfile), safe="/")
        return f"postgres://{self.user}@{self.host}:{self.port}/{name}?sslmode=disable&passfile={passfile}&password="


class EmbeddedServer:
    """A PostgreSQL server in a new directory of the scratch directory. One thread at a time may use it.

    When racehound runs as root, the server runs as another user (`installation.server_user`). When racehound dies, the server
    ends within two seconds, and its directory is removed. So is the scratch directory, if `scratch.create` made it.
    """

    def __init__(
        self,
        installation: Installation,
        scratch_dir: Path,
        log_path: Path,
        settings: Mapping[str, str] | None = None,
        *,
        durable: bool = False,
        stock: bool = False,
    ) -> None:
        """Prepare the server without starting it. `settings` override the default ones. The server appends to the log file.

        stock: a server as others have it, with the settings of initdb, but without TCP. It can connect to itself with libpq's
        defaults. UserError for an invalid name of a setting, or a scratch directory whose path is too long for a socket.
        """
        self._user = server_user()
        self.installation = reachable(installation, self._user, scratch_dir)
        self.log_path = log_path.absolute()
        self._stock = stock
        self._configuration = (
            configuration_lines(settings or {}) if stock else configuration(installation.major, settings or {}, durable=durable)
        )
        self._base = Path(tempfile.mkdtemp(prefix="pg", dir=scratch_dir.absolute()))
        self._removable = (self._base, scratch_dir) if scratch.is_mine(scratch_dir) else (self._base,)
        self.data_dir = self._base / "data"
        self._pristine = self._base / "pristine"
        self._password = credentials.draw()
        self._passfile = self._base / "pgpass"
        self._port = _free_port()
        self._process: process.GuardedProcess | None = None
        if len(str(self._base / ".s.PGSQL.65535").encode()) > _SOCKET_LENGTH:
            raise UserError(f"{self._base} is too long for a socket's path: set TMPDIR to a shorter directory")
        if self._user is not None:
            shutil.chown(self._base, self._user)
        credentials.write(self._passfile, credentials.password_file(self._password, "postgres"), self._user)

    @property
    def address(self) -> Address:
        """The address. Restarts keep the port unless another program has taken it."""
        return Address("127.0.0.1", self._port, self._base, self._passfile)

    def url_with_password(self) -> str:
        """A URL for TCP, for programs without libpq, which know no password file. It must not be shown."""
        address = self.address
        return f"postgres://{address.user}:{self._password}@{address.host}:{address.port}/{address.dbname}?sslmode=disable"

    @property
    def pid(self) -> int:
        """The process id of the postmaster; 0 before the first start."""
        return self._process.pid if self._process else 0

    def alive(self) -> bool:
        """Whether the postmaster runs. It may be recovering from the crash of a backend."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The exit code of the postmaster, negative for a signal; None while it runs, and before the first start."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start it, at first with a new cluster, and return when it accepts connections. TargetError when it does not."""
        if self.alive():
            return
        # Backends of a killed postmaster may still run.
        self.kill()
        if not self.data_dir.exists():
            self._make_pristine()
            self._copy_pristine()
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(_PORT_TRIES):
            log_size = self.log_path.stat().st_size if self.log_path.exists() else 0
            self._launch()
            if self._until_ready():
                return
            reason = self._start_error(log_size)
            if "could not create any TCP/IP sockets" not in reason:
                break
            # Another program has taken the port since it was chosen.
            self._port = _free_port()
        raise TargetError(f"PostgreSQL {self.installation.version} does not start: {reason} (log: {self.log_path})")

    def stop(self, mode: StopMode = "immediate", grace: float = 10.0) -> None:
        """Stop it, and return when all its processes have ended. Those that run after `grace` seconds are killed."""
        if self._process is None:
            return
        if mode == "fast":
            self._process.signal(signal.SIGINT)
            self._process.wait(grace)
        self._process.stop(grace)
        self._remove_shared_memory()

    def kill(self) -> None:
        """End all its processes by SIGKILL, as in a crash. The next start recovers."""
        if self._process is not None:
            self._process.kill()
            self._remove_shared_memory()

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop it, and start it on the same data. TargetError when it does not start."""
        self.stop(mode)
        self.start()

    def recreate(self) -> None:
        """Restart it with a new cluster, whatever its state, in less than a second. TargetError when it does not start."""
        self.kill()
        if self.data_dir.exists():
            shutil.rmtree(self.data_dir)
            self._copy_pristine()
        self.start()

    def _make_pristine(self) -> None:
        if self._pristine.exists():
            return
        log = self._base / "initdb.log"
        making = self._base / "making"
        verifier = self._base / "verifier"
        credentials.write(verifier, f"{credentials.verifier(self._password)}\n", self._user)
        login = ("-U", "postgres", "-A", "scram-sha-256", "--pwfile", str(verifier))
        arguments = ("-D", str(making), *login, "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
        returncode = process.run(self._command(("initdb", *arguments), log, signal.SIGTERM), _INITDB_LIMIT)
        if returncode != 0:
            raise TargetError(f"initdb failed: {' '.join(log.read_text(errors='replace').split())}")
        with (making / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(self._configuration)
        making.rename(self._pristine)

    def _copy_pristine(self) -> None:
        # cp keeps the owner, and copies the thousand files ten times faster than Python.
        copied = subprocess.run(
            ["cp", "-a", "--reflink=auto", str(self._pristine), str(self.data_dir)], check=False, capture_output=True, text=True
        )
        if copied.returncode != 0:
            raise TargetError(f"cannot copy the data directory: {' '.join(copied.stderr.split())}")

    def _launch(self) -> None:
        address = ("-h", "" if self._stock else "127.0.0.1", "-p", str(self._port), "-k", str(self._base))
        command = self._command(("postgres", "-D", str(self.data_dir), *address), self.log_path, signal.SIGQUIT)
        self._process = process.GuardedProcess(command)
        self._process.start()

    def _command(self, argv: tuple[str, ...], log: Path, stop_signal: signal.Signals) -> process.Command:
        return process.Command(
            argv=(str(self.installation.bin / argv[0]), *argv[1:]),
            # The user's environment is not passed on, since variables such as PGDATA and PGOPTIONS have an effect.
            env=self._environment(),
            cwd=self._base,
            user=self._user,
            log=log,
            stop_signal=stop_signal,
            remove_when_orphaned=self._removable,
        )

    def _environment(self) -> dict[str, str]:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self._base), "LC_ALL": "C", "TZ": "UTC"}
        if self._stock:
            environment |= {"PGHOST": str(self._base), "PGPORT": str(self._port), "PGPASSFILE": str(self._passfile)}
        return environment

    def _until_ready(self) -> bool:
        """Wait until a connection succeeds; False when the server ends instead. TargetError when neither happens in time."""
        assert self._process is not None
        deadline = time.monotonic() + _READY_LIMIT
        while True:
            try:
                LibpqSession.connect(self.address.conninfo(), timeout=max(0.1, deadline - time.monotonic())).close()
            except TargetError as error:
                # There is no event for the moment in which a server is ready. Its end is an event, and ends the wait at once.
                if self._process.wait(0.005) is not None:
                    self._process.kill()
                    return False
                if time.monotonic() > deadline:
                    raise TargetError(f"PostgreSQL is not ready after {_READY_LIMIT:g} s: {error}") from None
            else:
                return True

    def _start_error(self, since: int) -> str:
        """The first reason in the log why the server does not start, after the first `since` bytes."""
        with self.log_path.open(errors="replace") as log:
            log.seek(since)
            lines = log.read().splitlines()
        # The line with the error in a setting comes before "configuration file … contains errors".
        errors = [line for line in lines if re.search(r"\b(FATAL|PANIC|ERROR):|postgresql\.conf\" line \d|parameter \"", line)]
        return " ".join((errors or lines[-1:] or ["its log is empty"])[0].split())

    def _remove_shared_memory(self) -> None:
        """Remove the System V segment of a killed server. It has a few bytes, and a machine has at most 4,096 segments.

        A killed server leaves postmaster.pid, whose line 7 has the segment's key and id (PostgreSQL, pidfile.h).
        """
        with contextlib.suppress(FileNotFoundError, IndexError):
            file = self.data_dir / "postmaster.pid"
            key_and_id = file.read_text(errors="replace").splitlines()[6].split()
            ctypes.CDLL(None).shmctl(int(key_and_id[1]), _IPC_RMID, None)
            # Otherwise the id might be that of another program's segment the next time.
            file.unlink()


def configuration(major: int, settings: Mapping[str, str], *, durable: bool) -> str:
    """The text to append to postgresql.conf for a major release. UserError for an invalid name of a setting."""
    merged = racehound_settings(major)
    merged |= dict.fromkeys(_NOT_DURABLE, "on") if durable else _NOT_DURABLE
    return configuration_lines({**merged, **settings})


def racehound_settings(major: int) -> dict[str, str]:
    """The settings that racehound gives its servers of a major release."""
    merged = dict(_SETTINGS)
    for since, more in _SETTINGS_SINCE.items():
        if major >= since:
            merged |= more
    return merged


def configuration_lines(settings: Mapping[str, str]) -> str:
    """Settings as lines of postgresql.conf. UserError for an invalid name of a setting."""
    for name in settings:
        if not _SETTING_NAME.fullmatch(name):
            raise UserError(f"{name!r} cannot be the name of a PostgreSQL setting")
    return "".join(f"{name} = {_quoted(value)}\n" for name, value in settings.items())


def _quoted(value: str) -> str:
    if "\n" in value:
        raise UserError(f"a PostgreSQL setting cannot hold a line break: {value!r}")
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _free_port() -> int:
    """A TCP port of the loopback interface on which no program listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
