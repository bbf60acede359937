"""The errors that are shown to users.

An error of the user (an option, a file, an address, a script) is raised as `UserError`; the command line prints its one line
and exits with 2. Any other exception that reaches the command line is a bug of racehound.
"""

from __future__ import annotations


class RacehoundError(Exception):
    """Base of every error that racehound raises on purpose."""


class UserError(RacehoundError):
    """Bad input: what was wrong, where, and what to do about it, in one line."""


class TargetError(RacehoundError):
    """The target or a service did not do what racehound itself needed (start, reset, answer); not a finding."""


class TimeIsUpError(RacehoundError):
    """What was asked for is not over, and the time that there was for it is."""


class UnreachableError(TargetError):
    """No connection to the server could be made, or the one there was has ended."""

    def __init__(self, message: str, *, silent: bool = False) -> None:
        super().__init__(message)
        self.silent = silent
        """Whether the server did not answer at all, in contrast to a refusal."""


class TerminatedError(KeyboardInterrupt):
    """The process was asked to end (SIGTERM). It cleans up and reports as after Ctrl-C."""


TERMINATED = "the process was asked to end (SIGTERM)"
"""Why a run ended early, for people."""


class LeftBehindError(TargetError):
    """A run could not remove all that it had created on a server of the user's."""

    def __init__(self, reason: str, left: tuple[str, ...]) -> None:
        super().__init__(f"the run could not remove all of its objects: {reason}")
        self.left = left
        """What may still be there, as far as it is known: the sort and name of each object."""


class ServerGoneError(TargetError):
    """The server was lost and did not come back within the time that the user allows (`--reconnect`)."""


def reason_of(error: OSError) -> str:
    """Why a file, or another resource of the machine, could not be used, in one line."""
    return f"{error.filename or 'input or output'}: {error.strerror or error}"
