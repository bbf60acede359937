"""Runs the forms of a kit on a stock server, as others would: psql, Python and PostgreSQL's isolationtester."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

import msgspec

from racehound.data.verification import NOT_SHOWN, RUNS, SHOWN, Verification
from racehound.databases.postgres.handover import PSQL, UNKNOWN_SIGN, hand_over_kit, isolation, psql, script
from racehound.databases.postgres.handover.kit import Kit
from racehound.databases.postgres.handover.needs import DATABASE
from racehound.databases.postgres.handover.sign import HANG_S, Sign
from racehound.errors import RacehoundError, TargetError
from racehound.report.handover.plain import blocks
from racehound.services.embedded import installation, releases
from racehound.services.embedded.server import EmbeddedServer, racehound_settings
from racehound.wire.session import LibpqSession

_STEP_LIMIT_S = 60.0
"""Seconds that one program may take."""
_LOOK_S = 0.02
_LINES = 12
"""The most lines of what psql printed that are kept."""
_CODE = re.compile(r"ERROR:  (?P<sqlstate>[0-9A-Z]{5}): (?P<message>.*)")
_DIRECTORY = re.compile(r"^psql:\S*/")
_LEFT = """
SELECT 'role ' || rolname FROM pg_authid WHERE oid >= 16384
UNION ALL SELECT 'database ' || datname FROM pg_database WHERE oid >= 16384 AND datname <> current_database()
UNION ALL SELECT 'tablespace ' || spcname FROM pg_tablespace WHERE oid >= 16384
UNION ALL SELECT 'replication slot ' || slot_name FROM pg_replication_slots
UNION ALL SELECT 'prepared transaction ' || gid FROM pg_prepared_xacts
UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE oid >= 16384 AND nspname !~ '^(pg_|broken_|public$)'
UNION ALL SELECT 'relation ' || relname FROM pg_class WHERE oid >= 16384 AND relnamespace = 'public'::regnamespace
"""
"""What a clean-up must not leave on a stock server."""


class _NotRunError(Exception):
    """A form could not be run to its end; the text says why."""


@dataclasses.dataclass(frozen=True)
class _Stock:
    """A stock server, as the programs see it."""

    conninfo: str
    environment: Mapping[str, str]
    clients: Path
    deadline: float
    scratch: Path

    def run(self, argv: Sequence[str], text: str = "", seconds: float = _STEP_LIMIT_S) -> subprocess.CompletedProcess[str]:
        """Run a program to its end. _NotRunError when it takes too long."""
        left = min(seconds, self.deadline - time.monotonic())
        try:
            return subprocess.run(
                argv,
                input=text,
                capture_output=True,
                text=True,
                timeout=max(0.1, left),
                check=False,
                env=self.environment,
                cwd="/",
            )
        except subprocess.TimeoutExpired:
            raise _NotRunError(f"{Path(argv[0]).name} did not end within {max(0.1, left):.0f} s") from None

    def psql(self, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
        return self.run([str(self.clients / "psql"), "-X", "-q", *options, "-d", self.conninfo, "-f", str(file)])

    def connect(self) -> LibpqSession:
        return LibpqSession.connect(self.conninfo, "kit onlooker")

    def cells(self, sql: str) -> list[tuple[str, ...]]:
        """The rows of a query."""
        with contextlib.closing(self.connect()) as session:
            outcome = session.execute(sql)
        if outcome.rows is None:
            raise _NotRunError(outcome.error.message if outcome.error else outcome.status)
        return [tuple(cell if cell is not None else "<null>" for cell in row) for row in outcome.rows.cells]


def verify(directory: Path, kit: Kit, release: str, scratch: Path, limit_s: float, *, fetch: bool) -> Verification:
    """Run each form of a kit twice on a freshly initialised server of this release, which ends afterwards.

    directory: where the files are. limit_s: seconds for all of it. fetch: also fetch the release where it is not here. If not all
    forms show the finding with the settings that the kit states, they are run once more with all settings of racehound's servers.
    """
    began = time.monotonic()
    deadline = began + limit_s
    directory = directory.absolute()
    left_out = dict(hand_over_kit(kit).left_out)
    if not kit.sign.known:
        return Verification(release, left_out=left_out, hindered=UNKNOWN_SIGN)
    try:
        if not fetch and not releases.installed(release):
            return Verification(release, left_out=left_out, hindered=f"PostgreSQL {release} is not installed for racehound")
        found = releases.find(release)
        settings = dict(kit.needs.server)
        best = _on_stock(directory, kit, found, settings, scratch, deadline)
        if not best.as_promised and not best.hindered and time.monotonic() < deadline:
            more = {**racehound_settings(found.major), **settings}
            other = _on_stock(directory, kit, found, more, scratch, deadline)
            if not other.hindered and len(other.failures) < len(best.failures):
                best = other
    except RacehoundError as error:
        best = Verification(release, hindered=str(error))
    return msgspec.structs.replace(best, left_out=left_out, seconds=round(time.monotonic() - began, 3))


def _on_stock(
    directory: Path, kit: Kit, found: installation.Installation, settings: Mapping[str, str], scratch: Path, deadline: float
) -> Verification:
    forms: dict[str, tuple[str, ...]] = {}
    observed: list[str] = []
    consequences: list[str] = []
    hindered = ""
    runs: dict[str, Callable[[_Stock], str]] = {PSQL: lambda stock: _run_psql(stock, directory, kit, observed, consequences)}
    if (directory / script.FILE).exists():
        runs[script.FILE] = lambda stock: _run_script(stock, directory / script.FILE)
    if (directory / isolation.FILE).exists():
        runs[isolation.FILE] = lambda stock: _run_spec(stock, (directory / isolation.FILE).read_text(), kit)
    with _stock_server(found, settings, scratch, deadline) as stock:
        version = stock.cells("SELECT version()")[0][0]
        for form, run in runs.items():
            done = []
            for _ in range(RUNS):
                if time.monotonic() >= deadline:
                    break
                try:
                    done.append(run(stock) + _left(stock, kit.sign))
                except (_NotRunError, TargetError) as error:
                    done.append(" ".join(str(error).split()))
            if len(done) < RUNS and not hindered:
                hindered = f"the time was over before {form} had run {RUNS} times"
                break
            forms[form] = tuple(done)
    return Verification(
        release=found.version,
        version=version,
        system=_system(),
        settings=tuple(f"{name} = {value}" for name, value in settings.items()),
        forms=forms,
        observed=tuple(observed[:_LINES]),
        consequences=tuple(consequences[:_LINES]),
        hindered=hindered,
    )


@contextlib.contextmanager
def _stock_server(
    found: installation.Installation, settings: Mapping[str, str], scratch: Path, deadline: float
) -> Iterator[_Stock]:
    server = EmbeddedServer(found, scratch, scratch / f"stock-{time.monotonic_ns()}.log", settings, stock=True)
    try:
        server.start()
        with contextlib.closing(LibpqSession.connect(server.address.conninfo())) as session:
            created = session.execute(f"CREATE DATABASE {DATABASE}")
            if not created.ok:
                raise TargetError(
                    f"the stock server cannot be used: {created.error.message if created.error else created.status}"
                )
        # Variables of the user's environment have an effect on clients.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        environment = {**kept, "LC_ALL": "C", "PGISOLATIONTIMEOUT": str(int(HANG_S))}
        yield _Stock(server.address.conninfo(DATABASE), environment, found.clients, deadline, scratch)
    finally:
        server.stop()
        shutil.rmtree(server.data_dir.parent, ignore_errors=True)


# psql


def _run_psql(stock: _Stock, directory: Path, kit: Kit, observed: list[str], consequences: list[str]) -> str:
    """The scripts, each session's in a psql of its own, whose pauses end when it is its turn."""
    setup = directory / psql.SETUP_FILE
    if setup.exists():
        done = stock.psql(setup)
        if done.returncode:
            raise _NotRunError(f"{psql.SETUP_FILE} fails: {_first_line(done.stderr)}")
    first = not observed
    texts = _sessions(stock, directory, kit)
    sign = kit.sign
    shown = False
    if sign.ending == "hang":
        shown = any(text is None for text in texts)
    elif any(text is None for text in texts):
        raise _NotRunError("a statement did not end")
    lines = [_DIRECTORY.sub("psql:", line) for text in texts if text is not None for line in text.splitlines()]
    if sign.ending == "crash":
        signs = [line for line in lines if "server closed the connection" in line or "terminating connection because of" in line]
    elif sign.error:
        signs = _told(lines, sign)
    else:
        signs = []
    shown = shown or bool(signs)
    if sign.query:
        check = stock.psql(directory / psql.CHECK_FILE, "-P", "null=<null>")
        found = stock.psql(directory / psql.CHECK_FILE, "-A", "-t", "-P", "null=<null>")
        if found.returncode or found.stderr.strip():
            raise _NotRunError(f"{psql.CHECK_FILE} fails: {_first_line(found.stderr)}")
        shown = _wrong(sign, [tuple(line.split("|")) for line in found.stdout.splitlines()])
        signs = check.stdout.strip("\n").splitlines()
    if first and shown:
        observed += signs
        consequences += _dump_errors(stock)
    cleanup = directory / psql.CLEANUP_FILE
    if cleanup.exists():
        done = stock.psql(cleanup)
        errors = [line for line in done.stderr.splitlines() if "ERROR" in line and "does not exist" not in line]
        if errors:
            raise _NotRunError(f"{psql.CLEANUP_FILE} fails: {errors[0]}")
    return SHOWN if shown else NOT_SHOWN


def _sessions(stock: _Stock, directory: Path, kit: Kit) -> list[str | None]:
    """What each session's psql printed; None for one that did not end."""
    with contextlib.ExitStack() as stack:
        onlooker = stack.enter_context(contextlib.closing(stock.connect()))
        opened: dict[int, _Psql] = {}
        pauses: dict[int, int] = {}
        for number, turns in blocks(kit.scene):
            pauses[number] = pauses.get(number, 0) + (turns[0][0] > 1)
            if number not in opened:
                file = directory / psql.session_file(number)
                opened[number] = stack.enter_context(_Psql(stock, file, number))
                opened[number].await_pause(1, onlooker) if turns[0][0] > 1 else None
            if turns[0][0] > 1:
                opened[number].go_on()
            opened[number].await_pause(pauses[number] + 1, onlooker)
        limit = time.monotonic() + HANG_S
        while any(each.is_busy for each in opened.values()) and time.monotonic() < limit:
            time.sleep(_LOOK_S)
        texts = [None if each.is_busy else each.said() for each in opened.values()]
        if any(text is None for text in texts):
            onlooker.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^kit [0-9]'")
        return texts


class _Psql:
    """A psql that runs a session's script."""

    def __init__(self, stock: _Stock, file: Path, number: int) -> None:
        self._name = f"kit {number}"
        self._deadline = stock.deadline
        self._output = stock.scratch / f"psql-{number}-{time.monotonic_ns()}.txt"
        self._sink: IO[bytes] = self._output.open("wb")
        argv = [str(stock.clients / "psql"), "-X", "-q", "-d", stock.conninfo, "-f", str(file)]
        script = file.read_text()
        self._pauses = script.count(psql.PAUSE.strip())
        self._stays = psql.END in script
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=self._sink, stderr=subprocess.STDOUT,
            env={**stock.environment, "PGAPPNAME": self._name}, cwd="/",
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._sink.close()
        self._output.unlink(missing_ok=True)

    def go_on(self) -> None:
        """Press Enter."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(b"\n")
            self._process.stdin.flush()

    def await_pause(self, number: int, onlooker: LibpqSession) -> None:
        """Until it has come to its so manieth pause, has ended, or is blocked. _NotRunError where that takes too long."""
        limit = min(self._deadline, time.monotonic() + HANG_S)
        blocked = 0
        while self._paused() < number and self._process.poll() is None:
            outcome = onlooker.execute(
                f"SELECT FROM pg_stat_activity WHERE application_name = '{self._name}' AND cardinality(pg_blocking_pids(pid)) > 0"
            )
            blocked = blocked + 1 if outcome.rows is not None and outcome.rows.cells else 0
            if blocked >= 3 or not outcome.ok:
                return
            if time.monotonic() > limit:
                return
            time.sleep(_LOOK_S)

    @property
    def is_busy(self) -> bool:
        """Whether it has neither ended nor come to the pause at its end."""
        return self._process.poll() is None and not (self._stays and self._paused() >= self._pauses)

    def _paused(self) -> int:
        return self.said().count(psql.PAUSE.strip())

    def said(self) -> str:
        """What it has printed so far."""
        return self._output.read_text(errors="replace")


def _told(lines: list[str], sign: Sign) -> list[str]:
    """The messages of the error, each with the lines that belong to it."""
    found: list[str] = []
    within = False
    for line in lines:
        within = _is_error(line, sign) or (within and not line.startswith(("turn ", "Turn ", psql.END, "psql:")))
        if within:
            found.append(line)
    return found


def _is_error(line: str, sign: Sign) -> bool:
    said = _CODE.search(line)
    return bool(said and said["sqlstate"] == sign.sqlstate and re.match(sign.error, said["message"]))


def _dump_errors(stock: _Stock) -> list[str]:
    """Why pg_dump or pg_dumpall fail, or what they warn of."""
    programs = {"pg_dump -s": ["pg_dump", "-s"], "pg_dumpall -g": ["pg_dumpall", "-g"]}
    found = []
    for name, argv in programs.items():
        done = stock.run([str(stock.clients / argv[0]), *argv[1:], "-d", stock.conninfo])
        if done.returncode or done.stderr.strip():
            said = re.sub(r"^\w+: (?:error|warning): ", "", _first_line(done.stderr))
            found.append(f"{name} {'fails' if done.returncode else 'warns'}: {said}")
    return found


# Python


def _run_script(stock: _Stock, file: Path) -> str:
    done = stock.run([sys.executable, "-I", str(file), stock.conninfo])
    if done.returncode not in (0, 1):
        said = [line for line in done.stdout.splitlines() if "cannot tell" in line] or done.stderr.splitlines()[-1:]
        raise _NotRunError(f"exit code {done.returncode}: {said[0] if said else 'no word'}")
    complaints = [line for line in done.stdout.splitlines() if line.startswith("clean-up:")]
    if complaints:
        raise _NotRunError(complaints[0])
    return SHOWN if done.returncode else NOT_SHOWN


# isolationtester


def _run_spec(stock: _Stock, spec: str, kit: Kit) -> str:
    tester = installation.wheel().bin.parent / "lib/pgxs/src/test/isolation/isolationtester"
    done = stock.run([str(tester), stock.conninfo], spec)
    sign = kit.sign
    if done.returncode or done.stderr.strip():
        raise _NotRunError(f"isolationtester: {_first_line(done.stderr) or f'exit code {done.returncode}'}")
    if sign.error:
        told = re.findall(r"ERROR:  (.*)", done.stdout)
        return SHOWN if any(re.match(sign.error, message) for message in told) else NOT_SHOWN
    step = isolation.CHECK_ROWS_STEP if sign.expected else isolation.CHECK_STEP
    _, _, printed = done.stdout.rpartition(f"step {step}:")
    return SHOWN if _wrong(sign, _table(printed)) else NOT_SHOWN


def _table(printed: str) -> list[tuple[str, ...]]:
    """The rows of the first table that isolationtester printed."""
    lines = printed.splitlines()
    rule = next((at for at, line in enumerate(lines) if re.fullmatch(r"-+(\+-+)*", line)), None)
    if rule is None:
        return []
    end = next((at for at, line in enumerate(lines) if at > rule and re.fullmatch(r"\(\d+ rows?\)", line)), len(lines))
    return [tuple(cell.strip() for cell in line.split("|")) for line in lines[rule + 1 : end] if line.strip()]


# All


def _wrong(sign: Sign, rows: list[tuple[str, ...]]) -> bool:
    """Whether these rows of the check show the finding. Truth values are `t` and `f` to psql."""
    if not sign.expected:
        return bool(rows)
    words = {"true": "t", "false": "f", "<null>": "<null>"}
    return sorted(rows) != sorted(tuple(words.get(cell, cell) for cell in row) for row in sign.expected)


def _left(stock: _Stock, sign: Sign) -> str:
    """What is left after the clean-up, as an addition to the outcome; "" where nothing is."""
    left = [row[0] for row in stock.cells(_LEFT)]
    # The query of a user's check reads tables that are gone by now.
    with contextlib.suppress(_NotRunError):
        if sign.query and not sign.expected and stock.cells(sign.query):
            left.append("rows that the check counts")
    return f", but the clean-up leaves {', '.join(left)}" if left else ""


def _first_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return next((line for line in lines if "ERROR" in line or "error" in line), lines[0] if lines else "")


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = platform.system()
    return f"{name}, {platform.system()} {platform.release()} {platform.machine()}"
