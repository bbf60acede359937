"""While a hunt runs and after it, another user of the machine reads none of its files, and nothing shows its password."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.command import COMMAND
from tests.stranger import NEEDS_ROOT, command_lines, readable


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that all users can read, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@NEEDS_ROOT
@pytest.mark.parametrize("there", [False, True], ids=["new", "made-by-the-user"])
def test_another_user_reads_no_file_of_a_run_and_nothing_shows_its_password(public: Path, *, there: bool) -> None:
    out = public / "out"
    if there:
        out.mkdir(mode=0o755)
    running = subprocess.Popen(
        [*COMMAND, "run", "--seed", "3", "--out", str(out)],
        cwd=public, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert running.stdout is not None
    said = ""
    for line in running.stdout:
        said += line
        if "s left" in line:
            break
    run_id = json.loads((out / "run.json").read_bytes())["run_id"]
    roots = (Path(tempfile.gettempdir()), Path("/dev/shm"))
    (passfile,) = [file for root in roots for file in root.glob(f"racehound-{run_id}-*/pg*/pgpass")]
    password = passfile.read_text().strip().rpartition(":")[2]
    shown = [line for line in command_lines() if password in line]
    seen = readable([passfile.parents[1], out])
    running.send_signal(signal.SIGINT)
    said += running.stdout.read()
    running.stdout.close()
    assert running.wait() in (0, 1, 130), said
    assert shown == []
    assert password not in said
    # A directory that the user has made keeps its mode, and shows the names in it.
    assert seen == ([out] if there else [])
    assert readable([out]) == ([out] if there else [])
    for path in filter(Path.is_file, out.rglob("*")):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert password.encode() not in content, path
