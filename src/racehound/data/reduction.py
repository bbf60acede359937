"""Reduction: what a finding was reduced to, and the file that keeps it in the finding's directory."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from racehound.data.finding import Reproduction, write_atomically
from racehound.data.older_files import decode
from racehound.data.program import Program
from racehound.data.scene import Scene
from racehound.errors import UserError

FILE = "reduction.json"
Ending = Literal["minimal", "time is up", "interrupted"]


class Pass(msgspec.Struct):
    """How many changes of one sort were tried, and with what result."""

    name: str
    tried: int = 0
    shown: int = 0
    """How many of them still showed the finding, and were kept."""
    seconds: float = 0.0


class Reduction(msgspec.Struct, frozen=True, omit_defaults=True):
    """The smallest thing that is known to show a finding: a scene, for lock-step, or else a program, for a storm."""

    finding: str
    """Its id."""
    database: str
    release: str
    """The version of the server that it was reduced on."""
    reproduction: Reproduction
    seconds: float
    ending: Ending
    """Whether nothing more could be left out, or why that is not known."""
    passes: tuple[Pass, ...]
    scene: Scene | None = None
    program: Program | None = None
    tried: str = ""
    """Of a program: what was tried in lock-step, where it does not show."""
    serial: bool = False
    """Whether no race is needed: the scene's sessions run one after the other."""
    serial_orders: tuple[int, int] = (0, 0)
    """How many serial orders of it were tried, each once, and how many it has."""
    replays: dict[str, Reproduction] = {}
    """By release: how often the scene showed it when it was replayed there."""

    @property
    def releases(self) -> dict[str, Reproduction]:
        """How often it showed the finding, by release; the one that it was reduced on comes first."""
        return {self.release: self.reproduction, **self.replays}

    @property
    def facts(self) -> str:
        """Size, rate and effort in one line."""
        again = f"{self.reproduction.reproduced} of {self.reproduction.tried}"
        tried = sum(done.tried for done in self.passes)
        how = "one after the other" if self.serial else "in lock-step"
        what = f"{self.scene.size}, {how}" if self.scene else f"{_program_size(self.program)}, in a storm"
        ended = "" if self.ending == "minimal" else f"; {self.ending}, it may be smaller yet"
        not_in_lockstep = f"; {self.tried}" if self.tried else ""
        some, all_orders = self.serial_orders
        orders = f"; {some} of its {all_orders} serial orders were tried" if some < all_orders else ""
        return f"{what}, shown {again} times ({self.seconds:.0f} s, {tried} candidates{ended}){orders}{not_in_lockstep}"


def _program_size(program: Program | None) -> str:
    steps = sum(len(session.steps) for session in program.sessions) if program else 0
    return f"{steps} steps of {len(program.sessions) if program else 0} sessions"


@dataclasses.dataclass(frozen=True)
class HandOver:
    """A reduced finding in forms that can be run without racehound, and what a bug report says of it."""

    files: Mapping[str, str]
    """File names and texts."""
    how: Sequence[str]
    """How each form is run, a sentence each."""
    scene: Scene
    """The statements as the files have them."""
    check: str = ""
    """A query whose rows show the finding; "" where there is none."""
    what: str = ""
    """What is wrong, as a clause; "" where only the finding's title says it."""
    follows: Sequence[str] = ()
    """What is known to follow from it, a line each."""
    expected: str = ""
    """What should be instead, a sentence."""
    settings: Sequence[str] = ()
    """Settings that the server must have, a line each, as in its configuration file."""
    session_settings: Mapping[int, Sequence[str]] = dataclasses.field(default_factory=dict)
    """The SET statements that a session runs first, by its number."""
    needs: Sequence[str] = ()
    """What else whoever runs it has to provide, a line each."""
    cleanup: Sequence[str] = ()
    """The statements that remove what it makes."""
    left_out: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Forms that cannot be written: the name of the file, and why."""


_REDUCTION = msgspec.json.Decoder(Reduction)


def write_reduction(directory: Path, reduction: Reduction) -> None:
    """Write it into the finding's directory."""
    write_atomically(directory / FILE, msgspec.json.format(msgspec.json.encode(reduction), indent=1) + b"\n")


def read_reduction(directory: Path) -> Reduction | None:
    """What the finding in this directory was reduced to; None where it was not. UserError for a file that says something else."""
    path = directory / FILE
    try:
        return decode(path.read_bytes(), _REDUCTION)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise UserError(f"{path} is no reduction that this version can read: {error}") from error
