"""Verification: whether the forms of a kit show its finding on a stock server, and the file that keeps it in the kit."""

from __future__ import annotations

from pathlib import Path

import msgspec

from racehound.data.finding import write_atomically
from racehound.errors import UserError

FILE = "verified.json"
SHOWN = "shown"
NOT_SHOWN = "not shown"
RUNS = 2
"""How often each form is run: what the first run leaves must not disturb the second."""


class Verification(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the forms of a kit did on a freshly initialised server with default settings, apart from those in `settings`."""

    release: str
    version: str = ""
    """What `SELECT version()` returned."""
    system: str = ""
    """The operating system."""
    settings: tuple[str, ...] = ()
    """Settings that the server got, a line each, as in its configuration file."""
    forms: dict[str, tuple[str, ...]] = {}
    """By form, for each run: `shown`, `not shown`, or why that cannot be told."""
    left_out: dict[str, str] = {}
    """Forms that could not be written, and why."""
    observed: tuple[str, ...] = ()
    """What psql printed that shows the finding, a line each."""
    consequences: tuple[str, ...] = ()
    """What fails afterwards because of it, before the clean-up, a line each."""
    hindered: str = ""
    """Why not all forms were run; "" where they were."""
    seconds: float = 0.0

    @property
    def failures(self) -> dict[str, tuple[str, ...]]:
        """The forms that did not show the finding each time."""
        return {form: runs for form, runs in self.forms.items() if runs != (SHOWN,) * RUNS}

    @property
    def as_promised(self) -> bool:
        """Whether every form was run so often and showed the finding each time."""
        return bool(self.forms) and not self.hindered and not self.failures

    @property
    def facts(self) -> str:
        """What came of it, in one line."""
        if not self.forms:
            return f"not verified: {self.hindered}"
        good = [form for form in self.forms if form not in self.failures]
        said = f"verified on a stock server, {self.release}: {', '.join(good) or 'nothing'} showed it {RUNS} of {RUNS} times"
        for form, runs in self.failures.items():
            said += f"; {form}: {', then '.join(dict.fromkeys(runs))}"
        return f"{said}; {self.hindered}" if self.hindered else said


_VERIFICATION = msgspec.json.Decoder(Verification)


def write_verification(kit: Path, verification: Verification) -> None:
    """Write it into the kit's directory."""
    write_atomically(kit / FILE, msgspec.json.format(msgspec.json.encode(verification), indent=1) + b"\n")


def read_verification(kit: Path) -> Verification | None:
    """What is known of the kit in this directory; None where it was not verified. UserError for another file."""
    path = kit / FILE
    try:
        return _VERIFICATION.decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise UserError(f"{path} is no verification that this version can read: {error}") from error
