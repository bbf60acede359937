"""Lost connections: is each told as what it was?

Each run is a hunt of some seconds during which the server is ended by SIGKILL, frozen for 20 s, cut off by a TCP proxy for 5 s,
or cut off for good: once for a server that racehound starts itself, once for one at `--url`. In further runs a server process
dies by SIGSEGV behind `--url`. For each run a line says which verdict came, and whether the run ended with its summary and left
nothing after `clean`.

Run: `python bench/lost_connections.py [--rounds 4] [--crashes 10] [--only freeze]`. Exit code 1 if a run did not end as it must.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import httpx

from racehound.report.columns import columns
from racehound.services import proc, scratch
from racehound.services.composition import Composition, ServiceRequest
from racehound.services.embedded import releases
from racehound.services.embedded.server import EmbeddedServer
from racehound.services.faults import Cut, Link, Links
from racehound.wire.session import LibpqSession

Case = Literal["kill", "freeze", "cut", "cut for good", "crash"]
FROZEN_S, CUT_S, AWAY_S = 20.0, 5.0, 2.0
RECONNECT = {"kill": 8, "freeze": 30, "cut": 20, "cut for good": 4, "crash": 20}
RUNTIME = {"kill": 12, "freeze": 32, "cut": 16, "cut for good": 16, "crash": 12}
"""Seconds."""
STARTED_LIMIT_S = 30.0
SESSIONS = 5
"""A hunt has one for each object, and mostly one for the base."""
LEFT = "SELECT datname FROM pg_database WHERE datname ~ '^rh' UNION ALL SELECT rolname FROM pg_roles WHERE rolname ~ '^rh'"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a run told, and what it should have told."""

    case: str
    where: str
    wanted: str
    told: tuple[str, ...]
    code: int
    complaints: tuple[str, ...]

    @property
    def right(self) -> bool:
        return not self.complaints


class Run:
    """A hunt in a process of its own."""

    def __init__(self, directory: Path, case: Case, *arguments: str) -> None:
        self.out = directory / "out"
        options = ["--runtime", str(RUNTIME[case]), "--reconnect", str(RECONNECT[case]), "--reduce", "0", "--quiet"]
        command = [sys.executable, "-m", "racehound", "run", "--out", str(self.out), *options, *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.text = ""

    def await_hunt(self) -> None:
        """Until it hunts, and then up to two seconds more: the moment is left to chance."""
        deadline = time.monotonic() + STARTED_LIMIT_S
        while not any((self.out / "history").glob("*")):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the hunt did not begin: {self.process.communicate()[0]}")
            time.sleep(0.05)
        time.sleep(random.uniform(1.0, 3.0))

    def end(self) -> None:
        self.text, _ = self.process.communicate(timeout=180)

    @property
    def told(self) -> list[dict[str, object]]:
        """The outages of its summary."""
        outages: list[dict[str, object]] = json.loads((self.out / "summary.json").read_text()).get("outages", [])
        return outages

    @property
    def severities(self) -> list[str]:
        files = (self.out / "findings").glob("*/finding.json")
        return [str(json.loads(file.read_text())["severity"]) for file in files]


def main() -> None:
    arguments = _arguments()
    cases: list[tuple[Case, str]] = []
    for _ in range(arguments.rounds):
        cases += [(case, where) for case in ("kill", "freeze", "cut", "cut for good") for where in ("embedded", "--url")]
    cases += [("crash", "--url")] * arguments.crashes
    verdicts = []
    for number, (case, where) in enumerate(cases, 1):
        if arguments.only in (None, case) and arguments.where in (None, where):
            verdicts.append(_run(case, where, number))
            print(_line(verdicts[-1]), flush=True)
    titles = ("case", "server", "told", "wanted", "exit code", "right")
    counts: dict[tuple[str, ...], list[bool]] = {}
    for each in verdicts:
        key = (each.case, each.where, "; ".join(each.told), each.wanted, str(each.code))
        counts.setdefault(key, []).append(each.right)
    print("\n" + columns(titles, [(*key, f"{sum(right)} of {len(right)}") for key, right in counts.items()]))
    sys.exit(0 if all(each.right for each in verdicts) else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4, help="runs of each case on each server; one round is eight runs")
    parser.add_argument("--crashes", type=int, default=10, help="runs in which a process dies by SIGSEGV")
    parser.add_argument("--only", help="one case")
    parser.add_argument("--where", help="embedded or --url")
    return parser.parse_args()


def _line(verdict: Verdict) -> str:
    right = "right" if verdict.right else f"WRONG: {'; '.join(verdict.complaints)}"
    return f"{verdict.case:13} {verdict.where:9} exit code {verdict.code}  {' | '.join(verdict.told) or 'nothing'}  {right}"


def _run(case: Case, where: str, number: int) -> Verdict:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        return _embedded(directory, case) if where == "embedded" else _at_url(directory, case, number)


# A server that racehound starts

WANTED = {"kill": "ended from outside", "freeze": "unresponsive", "cut": "network", "cut for good": "network"}


def _embedded(directory: Path, case: Case) -> Verdict:
    # Every plan has a proxy of its own, so that there must be only one plan.
    through_proxy = ("--perturb", "default,network-jitter", "--repetitions", "100000") if case.startswith("cut") else ()
    run = Run(directory, case, *through_proxy)
    run.await_hunt()
    postmaster = _child(run.process.pid, lambda words: words[0].endswith("/postgres") and "-D" in words)
    if case == "kill":
        os.kill(postmaster, signal.SIGKILL)
    elif case == "freeze":
        _freeze(postmaster)
    else:
        proxy = _child(run.process.pid, lambda words: "-port" in words and words[0].endswith("server"))
        port = _words(proxy)[_words(proxy).index("-port") + 1]
        _enable_all(port, enabled=False)
        if case == "cut":
            time.sleep(CUT_S)
            _enable_all(port, enabled=True)
    run.end()
    complaints = _common_complaints(run, case)
    if case == "kill" and "SIGKILL" not in run.text:
        complaints.append("the signal is not named")
    cleaned = subprocess.run([sys.executable, "-m", "racehound", "clean"], capture_output=True, text=True, check=False)
    if cleaned.returncode or proc.is_stopped(postmaster) or Path(f"/proc/{postmaster}").exists():
        complaints.append("something was left")
    return _verdict(run, case, "embedded", WANTED[case], complaints)


def _enable_all(port: str, *, enabled: bool) -> None:
    """Cut, or open again, all links of a proxy that racehound has started: one for each session (toxiproxy, "HTTP API")."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        while len(client.get("/proxies").json()) < SESSIONS:
            time.sleep(0.05)
        for name in client.get("/proxies").json():
            client.post(f"/proxies/{name}", json={"enabled": enabled}).raise_for_status()


# A server of the user's

WANTED_AT_URL = {**WANTED, "kill": "undecided", "crash": "server crashed"}


def _at_url(directory: Path, case: Case, number: int) -> Verdict:
    with _server(directory) as server, _link(server) as link:
        url = dataclasses.replace(server.address, host=link.endpoint.host, port=link.endpoint.port).url()
        run = Run(directory, case, "--url", url)
        run.await_hunt()
        if case == "kill":
            os.kill(server.pid, signal.SIGKILL)
            if number // 8 % 2:  # every other round
                time.sleep(AWAY_S)
                server.start()
        elif case == "freeze":
            _freeze(server.pid)
        elif case == "crash":
            os.kill(random.choice(_backends(server)), signal.SIGSEGV)
        else:
            link.impose(Cut())
            if case == "cut":
                time.sleep(CUT_S)
                link.lift()
        run.end()
        complaints = _common_complaints(run, case)
        link.lift()
        server.start()
        complaints += _left_after_clean(run, url, server)
        return _verdict(run, case, "--url", WANTED_AT_URL[case], complaints)


@contextlib.contextmanager
def _server(directory: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(releases.find(None), directory, directory / "server.log")
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def _link(server: EmbeddedServer) -> Iterator[Link]:
    """A proxy in front of the server."""
    directory = scratch.create("bench.lost")
    composition = Composition("lost", directory)
    try:
        composition.up([ServiceRequest("toxiproxy")], lambda _name, _what: None)
        from racehound.services.service import Endpoint

        with Links(composition) as links:
            yield links.open_to("postgres", Endpoint(server.address.host, server.address.port))
    finally:
        composition.down(lambda _name, _what: None)
        scratch.remove(directory)


def _backends(server: EmbeddedServer) -> list[int]:
    """The server processes of the hunt's sessions that run a statement now, or else all of them."""
    with contextlib.closing(LibpqSession.connect(server.address.conninfo())) as session:
        for state, limit_s in (("state = 'active'", 0.5), ("true", STARTED_LIMIT_S)):
            query = f"SELECT pid FROM pg_stat_activity WHERE application_name ~ '^racehound rh.* o_' AND {state}"
            until = time.monotonic() + limit_s
            while time.monotonic() < until:
                rows = session.execute(query).rows
                if rows and rows.cells:
                    return [int(pid or 0) for (pid,) in rows.cells]
                time.sleep(0.01)
    raise RuntimeError("the hunt has no session")


def _left_after_clean(run: Run, url: str, server: EmbeddedServer) -> list[str]:
    """Run the command that the run told where it left something, and look what is there afterwards."""
    told = [line.partition(": ")[2] for line in run.text.splitlines() if line.startswith("--- remove it when")]
    command = shlex.split(told[-1])[1:] if told else ["clean", "--url", url]
    cleaned = subprocess.run([sys.executable, "-m", "racehound", *command], capture_output=True, text=True, check=False)
    complaints = [] if cleaned.returncode == 0 else [f"clean failed: {cleaned.stderr.strip()}"]
    with contextlib.closing(LibpqSession.connect(server.address.conninfo())) as session:
        rows = session.execute(LEFT).rows
    if rows is None or rows.cells:
        complaints.append(f"left after clean: {rows.cells if rows else 'unknown'}")
    return complaints


# Both


def _common_complaints(run: Run, case: Case) -> list[str]:
    """What is wrong with how a run ended."""
    text, needed = run.text, ("=== Summary", "=== Lost connections", "everything is in")
    complaints = [f"its output has no {words!r}" for words in needed if words not in text]
    severities = run.severities
    expected = 1 if case == "crash" or severities else 2 if "ended early: " in text else 0
    if run.process.returncode != expected:
        complaints.append(f"exit code {run.process.returncode}, not {expected}")
    if "ended early: " in text and "racehound clean" not in text:
        complaints.append("no command that cleans up")
    if case != "crash" and {"crash", "hang"} & set(severities):
        complaints.append(f"findings: {', '.join(severities)}")
    if case == "crash" and "crash" not in severities:
        complaints.append("no finding of a crash")
    if "Traceback" in text:
        complaints.append("a traceback")
    return complaints


def _verdict(run: Run, case: Case, where: str, wanted: str, complaints: list[str]) -> Verdict:
    try:
        told = tuple(dict.fromkeys(f"{outage['verdict']}: {outage['why']}" for outage in run.told))
    except OSError:
        told = ()
    verdicts = {each.partition(":")[0] for each in told}
    if verdicts != {wanted}:
        complaints = [*complaints, f"told {', '.join(sorted(verdicts)) or 'nothing'}, not {wanted}"]
    if complaints:
        kept = Path(tempfile.mkdtemp(prefix="lost-connections-")) / "output.txt"
        kept.write_text(run.text)
        complaints = [*complaints, f"see {kept}"]
    return Verdict(case, where, wanted, told, run.process.returncode, tuple(complaints))


def _freeze(postmaster: int) -> None:
    """All processes of a server, for FROZEN_S seconds."""
    frozen = proc.tree(postmaster)
    for pid in frozen:
        proc.send(pid, signal.SIGSTOP)
    try:
        time.sleep(FROZEN_S)
    finally:
        for pid in frozen:
            proc.send(pid, signal.SIGCONT)


def _child(pid: int, wanted: Callable[[list[str]], bool]) -> int:
    """The process among the descendants of another whose command line is the wanted one."""
    deadline = time.monotonic() + STARTED_LIMIT_S
    while time.monotonic() < deadline:
        for each in proc.tree(pid):
            if (words := _words(each)) and wanted(words):
                return each
        time.sleep(0.05)
    raise RuntimeError("there is no such process")


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
    except OSError:
        return []


if __name__ == "__main__":
    main()
