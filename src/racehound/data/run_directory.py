"""The run directory: all files that a run keeps. Other programs can read them, too.

```
run.json              what was run: version, target, release, options, seed, calendar time of the monotonic clock's zero
history/000001-SEED.jsonl[.gz]   every event of a plan, the first one holds its program
findings/ID/          finding.json, program.json, history.jsonl (the repetition), sessions.sql (to paste into psql)
consequences/ID/      the same of what was met before the finding that it follows from
server.log            the log of a server that racehound started
summary.json          written at the end
```
"""

from __future__ import annotations

import platform
import re
import time
from pathlib import Path
from typing import Any

import msgspec

from racehound.data.finding import write_atomically
from racehound.errors import UserError
from racehound.version import __version__

_PASSWORD = re.compile(r"(password\s*=\s*)('[^']*'|\S+)|(://[^:/@\s]*:)[^@\s]*(@)", re.IGNORECASE)


def redact(text: str) -> str:
    """An address without its password."""
    return _PASSWORD.sub(lambda m: f"{m[1] or m[3]}***{m[4] or ''}", text)


class RunDirectory:
    """Makes and names the files of a run. UserError where the directory cannot be made or is another run's.

    `goes_on`: the directory is that of a run that ended early and is continued.
    """

    def __init__(self, path: Path, *, goes_on: bool = False) -> None:
        self.path = path.absolute()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for name in ("history", "findings"):
                (self.path / name).mkdir(exist_ok=goes_on)
        except FileExistsError as error:
            raise UserError(f"--out {path}: there is a run, or something else, already; name another directory") from error
        except OSError as error:
            raise UserError(f"--out {path}: cannot be written ({error.strerror})") from error

    def discard_unused(self) -> None:
        """Remove the directory if nothing was written to it, because the run never began."""
        if (self.path / "run.json").exists() or self.server_log.exists():
            return
        for name in ("history", "findings"):
            (self.path / name).rmdir()
        self.path.rmdir()

    @property
    def findings(self) -> Path:
        return self.path / "findings"

    @property
    def server_log(self) -> Path:
        return self.path / "server.log"

    def history(self, number: int, seed: int) -> Path:
        return self.path / "history" / f"{number:06}-{seed}.jsonl"

    def write_run(self, **facts: Any) -> None:  # noqa: ANN401 whatever the run wants to tell
        """Write run.json: the facts, and what ties monotonic times to the calendar."""
        zero_s = time.time() - time.monotonic()
        known = {"racehound": __version__, "python": platform.python_version(), "clock_zero_unix_s": zero_s}
        self._write("run.json", {**known, **facts})

    def write_summary(self, summary: object) -> None:
        self._write("summary.json", summary)

    def _write(self, name: str, content: object) -> None:
        write_atomically(self.path / name, msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")


def read_run(path: Path) -> dict[str, Any]:
    """The contents of run.json; UserError when it is no run directory, or the file does not say which database was tested."""
    try:
        facts = msgspec.json.decode((path / "run.json").read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise UserError(f"{path} is no run directory: run.json cannot be read ({error.strerror})") from error
    except msgspec.MsgspecError as error:
        raise UserError(f"{path / 'run.json'}: {error}") from error
    if not isinstance(facts.get("target"), str):
        raise UserError(f"{path / 'run.json'}: it does not name the database that was tested")
    return facts
