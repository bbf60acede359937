"""What the language asks of a database. Each database's package provides a `ScriptSupport`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from racehound.session import Session

if TYPE_CHECKING:
    from racehound.testdrive.state import State


def _no_version(_: Session) -> int | None:
    return None


@dataclass(frozen=True)
class ScriptSupport:
    """Functions and facts of one database. The defaults are those of a database about which nothing is known."""

    version: Callable[[Session], int | None] = _no_version
    """Asks the server for its version as the number that version bounds (`>[version>=…]`) compare with; None: it has none."""
    check_consistency: Callable[[State], None] | None = None
    """Lets the target check itself. Raises `ActionError` that says what is wrong.

    It does nothing where the script has turned the checks off, or where their address is not known. None: there are no checks.
    """
    sink_topics: Callable[[Session, str], Sequence[str]] | None = None
    """Looks up the Kafka topics of the sinks that have this name. Raises ValueError for a text that is not a name of a sink,
    and `ActionError` where the lookup fails. None: the database has no sinks."""
    incomplete_marker: str = ""
    """A text in the key of an S3 object that exists for as long as the target still writes files beside it; "": no such key."""
