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
