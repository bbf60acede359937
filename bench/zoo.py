"""How soon `racehound run materialize` finds each seeded race of the zoo, and what it finds when none is on.

For every defect and seed, the emulator is started with that defect, and racehound hunts in it until the oracle that should find
the defect has found it or the time limit has passed. With `--off N`, racehound hunts for N repetitions in an emulator without
defects: every finding there is false. Kafka, a schema registry, PostgreSQL, MySQL and S3 run besides the emulator.

Run: `python bench/zoo.py [--seeds 10] [--limit 120] [--defects A,B|none] [--off 1000] [--jobs 2]`.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from racehound.report.columns import columns
from racehound_zoo.defects import DEFECTS, Defect

RACEHOUND = (sys.executable, "-m", "racehound")
SERVICES = ("seaweedfs", "kafka", "schema-registry", "postgres", "mysql")
LOOK_S = 0.2
CHUNK_S = 60.0
"""A hunt without defects is asked for in pieces, until it has done its repetitions."""


@dataclasses.dataclass(frozen=True)
class Try:
    """One hunt: seconds until the oracle that should find it did (None: not within the limit), and the severity."""

    seconds: float | None
    severity: str
    others: tuple[str, ...]
    """What other oracles have found by then."""


def main() -> None:
    arguments = _arguments()
    # However it is ended, it ends what it has begun.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chosen = [defect for defect in DEFECTS if not arguments.defects or defect.name in arguments.defects]
    with services() as composition:
        kinds = ("--kinds", arguments.kinds) if arguments.kinds else ()
        options = ("--composition", composition, *kinds)
        with cancelling(ThreadPoolExecutor(arguments.jobs)) as pool:
            pending = {
                defect: [
                    pool.submit(hunt_for, defect, seed, arguments.limit, options)
                    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds)
                ]
                for defect in chosen
            }
            found = sum(report(defect, [each.result() for each in tries], arguments.limit) for defect, tries in pending.items())
        print(f"{found} of {len(chosen)} found by their oracle within {arguments.limit:g} s in the median")
        if arguments.off:
            print(f"{false_findings(arguments.off, options)} findings in {arguments.off} repetitions with all defects off")


@contextlib.contextmanager
def cancelling(pool: ThreadPoolExecutor) -> Iterator[ThreadPoolExecutor]:
    """Whatever ends it, what has not begun by then is not begun."""
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=120.0, metavar="SECONDS")
    parser.add_argument("--defects", type=names, default=(), metavar="A,B")
    parser.add_argument("--off", type=int, default=1000, metavar="REPETITIONS")
    parser.add_argument("--kinds", default="", metavar="A,B", help="Draw only from these.")
    parser.add_argument("--jobs", type=int, default=1, help="Hunts at the same time.")
    return parser.parse_args()


def names(text: str) -> tuple[str, ...]:
    """The names of defects, separated by commas, or `none`."""
    given = tuple(text.split(","))
    if strange := {*given} - {*(defect.name for defect in DEFECTS), "none"}:
        raise argparse.ArgumentTypeError(f"no defect of the zoo: {', '.join(sorted(strange))}")
    return given


@contextlib.contextmanager
def services() -> Iterator[str]:
    """The name of a composition of real services that is up."""
    name = f"bench-{secrets.token_hex(3)}"
    subprocess.run([*RACEHOUND, "services", "up", *SERVICES, "--composition", name], check=True, stdout=subprocess.DEVNULL)
    try:
        yield name
    finally:
        subprocess.run([*RACEHOUND, "services", "down", "--composition", name], check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def zoo(*defects: str) -> Iterator[dict[str, str]]:
    """Run the emulator in a process of its own. Yields its addresses, by the options of `racehound run` that take them."""
    command = [sys.executable, "-m", "racehound_zoo", *(word for name in defects for word in ("--defect", name))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        told = {line[:15].strip(): line[15:].strip() for _, line in zip(range(5), process.stdout, strict=False)}
        try:
            yield {
                "--url": told["sql"],
                "--materialize-internal-url": told["internal sql"],
                "--materialize-http-url": told["http"],
                "--materialize-internal-http-url": told["internal http"],
                "--materialize-log": told["log"],
            }
        finally:
            process.terminate()


def arguments_of(addresses: dict[str, str], out: Path, *options: str) -> list[str]:
    """The command that hunts in a zoo."""
    given = [word for pair in addresses.items() for word in pair]
    known = ("--upsert-records", "500", "--reduce", "0", "--quiet")
    return [*RACEHOUND, "run", "materialize", *given, *known, "--out", str(out), *options]


def hunt(addresses: dict[str, str], *options: str) -> dict[str, Any]:
    """The summary of a hunt in a zoo."""
    with tempfile.TemporaryDirectory() as directory:
        command = arguments_of(addresses, Path(directory) / "run", *options)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise SystemExit(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        summary: dict[str, Any] = json.loads((Path(directory) / "run" / "summary.json").read_text())
        return summary


def hunt_for(defect: Defect, seed: int, limit: float, options: Sequence[str]) -> Try:
    """Hunt in a zoo with that defect until the oracle that should find it has a finding."""
    with zoo(defect.name) as addresses, tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "run"
        asked = ("--seed", str(seed), "--runtime", str(limit))
        with subprocess.Popen(arguments_of(addresses, out, *options, *asked), stdout=subprocess.DEVNULL) as process:
            began = time.monotonic()
            while process.poll() is None and not any(each["oracle"] in defect.oracles for each in findings(out)):
                time.sleep(LOOK_S)
            seconds = time.monotonic() - began
            if process.returncode is None:
                process.terminate()  # in the background SIGINT may be ignored
            elif process.returncode not in (0, 1):
                raise SystemExit(f"racehound run failed: exit code {process.returncode}")
        found = findings(out)
    right = [each["severity"] for each in found if each["oracle"] in defect.oracles]
    others = tuple(f"{each['oracle']}: {each['title']}" for each in found if each["oracle"] not in defect.oracles)
    return Try(seconds if right and seconds < limit else None, right[0] if right else "", others)


def findings(out: Path) -> list[dict[str, Any]]:
    """What a run has found so far."""
    return [json.loads(path.read_text()) for path in sorted(out.glob("findings/*/finding.json"))]


def report(defect: Defect, tries: Sequence[Try], limit: float) -> bool:
    """Print what became of a defect's tries; whether its oracle found it in the median."""
    times = sorted(limit if each.seconds is None else each.seconds for each in tries)
    median = statistics.median(times)
    severities = Counter(each.severity for each in tries if each.seconds is not None)
    ok = median < limit
    row = (
        "found" if ok else "MISSED", defect.name, f"median {median:.1f} s", f"{times[0]:.1f}…{times[-1]:.1f}",
        f"by {' or '.join(defect.oracles)} {severities.total()} of {len(tries)}",
        ", ".join(f"{severity} {count}" for severity, count in severities.most_common()),
    )  # fmt: skip
    print("  ".join(row), flush=True)
    for title in dict.fromkeys(title for each in tries for title in each.others):
        print(f"      {title}", flush=True)
    return ok


def false_findings(repetitions: int, options: Sequence[str]) -> int:
    """Findings of a hunt in a zoo without defects, over that many repetitions; each is printed."""
    done, seed, found = 0, 1, 0
    while done < repetitions:
        with zoo() as addresses:
            chunk = ("--seed", str(seed), "--runtime", str(CHUNK_S))
            summary = hunt(addresses, *options, *chunk)
        done, seed = done + summary["repetitions"], seed + 1
        for finding in summary["findings"]:
            found += 1
            print(f"false: {finding['oracle']}: {finding['title']}", flush=True)
    print(columns(("repetitions", "seeds"), [(str(done), str(seed - 1))]))
    return found


if __name__ == "__main__":
    main()
