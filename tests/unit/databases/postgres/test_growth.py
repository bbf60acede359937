from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from racehound.databases.postgres.oracles.growth import FILES_LIMIT, MEMORY_LIMIT_KIB, Size, grown, sizes

GLUTTON = f"""
import sys
input()
hoard = bytearray({MEMORY_LIMIT_KIB + 20_000} * 1024)
hoard[::4096] = b"x" * len(hoard[::4096])
print("full", flush=True)
input()
"""


def test_a_process_that_piles_up_memory_is_told() -> None:
    with subprocess.Popen([sys.executable, "-c", GLUTTON], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as glutton:
        assert glutton.stdin is not None
        assert glutton.stdout is not None
        before = sizes([glutton.pid])
        glutton.stdin.write("\n")
        glutton.stdin.flush()
        assert glutton.stdout.readline() == "full\n"
        after = sizes([glutton.pid])
        glutton.communicate("\n")
    ((what, how),) = grown(before, after)
    assert what == "memory"
    assert f"process {glutton.pid} grew from" in how


def test_open_files_are_counted_and_told_beyond_the_limit() -> None:
    before = sizes([os.getpid()])[os.getpid()].files
    with Path(os.devnull).open(), Path(os.devnull).open():
        assert sizes([os.getpid()])[os.getpid()].files == before + 2
    assert grown({7: Size(1, 10)}, {7: Size(1, 10 + FILES_LIMIT)}) == []
    assert grown({7: Size(1, 10)}, {7: Size(1, 11 + FILES_LIMIT)}) == [
        ("open files", f"process 7 went from 10 to {11 + FILES_LIMIT} open files")
    ]


def test_a_process_that_is_gone_is_left_out() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    assert sizes([gone.pid]) == {}
