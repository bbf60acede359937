"""How commands end early, with a report of what they have."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from racehound.errors import TERMINATED, TargetError, TerminatedError, reason_of

if TYPE_CHECKING:
    from racehound.databases.database import Choice


def report_on_terminate() -> None:
    """From now on SIGTERM raises TerminatedError in the main thread: it ends a command as Ctrl-C does."""

    def terminate(_number: int, _frame: FrameType | None) -> None:
        raise TerminatedError

    signal.signal(signal.SIGTERM, terminate)


def tell(line: str) -> None:
    """A line that a person is to read while a command goes on."""
    click.echo(f"--- {line}")


@dataclasses.dataclass
class Early:
    """Whether a command has ended early."""

    ended: bool = False


@contextlib.contextmanager
def ending_early(choice: Choice, directory: Path) -> Iterator[Early]:
    """What makes it impossible to go on (SIGTERM, a lost server, a full disk) ends the block. It is told, with the run directory
    and the command that cleans up.
    """
    from racehound.databases.registry import clean_command
    from racehound.report.summary import early_lines

    report_on_terminate()
    early = Early()
    reason = ""
    try:
        yield early
    except TerminatedError:
        reason = TERMINATED
    except TargetError as error:
        reason = str(error)
    except OSError as error:
        reason = reason_of(error)
    if reason:
        early.ended = True
        click.echo("\n".join([*early_lines(reason, clean_command(choice)), f"everything is in {directory}"]))
