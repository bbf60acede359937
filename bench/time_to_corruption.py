"""Seconds until `racehound run` reports the first orphaned catalog row, for several seeds, on a release.

On 18.3 orphans are easy to make; 18.6 has fixed that. Run: `python bench/time_to_corruption.py [--release 18.3] [--seeds 5]
[--runtime 120]`; with `--release 18.6` the orphans of objects in dropped schemas, types and functions must be absent.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import subprocess
import sys
import tempfile
import time

CORRUPTION = "*** corruption: "
STILL_THERE = ("pg_shdescription", "pg_auth_members")
"""Catalogs that 18.6 still breaks; what is found in them does not count as an orphan of 18.3."""


def first_corruption(release: str, seed: int, runtime: float) -> tuple[float | None, str]:
    """Seconds from the first plan to the first corruption, and which; None when the runtime ends without."""
    command = [
        sys.executable,
        "-m",
        "racehound",
        "run",
        "--release",
        release,
        "--seed",
        str(seed),
        "--runtime",
        str(runtime),
        "--quiet",
    ]
    with (
        tempfile.TemporaryDirectory() as directory,
        subprocess.Popen([*command, "--out", f"{directory}/out"], stdout=subprocess.PIPE, text=True) as hunt,
    ):
        assert hunt.stdout is not None
        start, found = time.monotonic(), None
        for line in hunt.stdout:
            if line.startswith("--- postgres"):
                start = time.monotonic()
            elif line.startswith(CORRUPTION) and found is None:
                what = line.removeprefix(CORRUPTION).strip()
                if not what.startswith(STILL_THERE):
                    found = (time.monotonic() - start, what)
                    hunt.send_signal(signal.SIGINT)
    return found or (None, "none")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", default="18.3")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--runtime", type=float, default=120)
    arguments = parser.parse_args()
    times = []
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        seconds, what = first_corruption(arguments.release, seed, arguments.runtime)
        print(f"seed {seed}: {'none' if seconds is None else f'{seconds:.1f} s'}  {what}", flush=True)
        times.append(arguments.runtime if seconds is None else seconds)
    print(f"median {statistics.median(times):.1f} s on {arguments.release}")


if __name__ == "__main__":
    main()
