"""Other PostgreSQL servers than the target: named connections, batches of statements, replication slots."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from racehound.session import Session
from racehound.testdrive.errors import ActionError
from racehound.testdrive.redaction import redact, scrub, scrub_outcome
from racehound.testdrive.state import Call, Handler, State, error_text

_SCHEMES = ("postgres://", "postgresql://")


def _connect(call: Call, state: State) -> None:
    state.remember(call["name"], state.connect(call["url"]))


def _execute(call: Call, state: State) -> None:
    """Each input line is one batch; the first error fails the action."""
    if call.flag("background", default=False):
        _execute_in_background(call, state)
        return
    with _session(call["connection"], state) as session:
        for batch in call.input:
            outcome = session.execute(batch)
            if not outcome.ok:
                raise ActionError(f"{redact(batch)}: {scrub(error_text(outcome), batch)}", scrub_outcome(outcome, batch))


def _execute_in_background(call: Call, state: State) -> None:
    url = call["connection"]
    if not url.startswith(_SCHEMES):
        raise ValueError("background=true needs a postgres:// URL as connection")
    state.run_in_background(state.connect(url), call.input)


@contextlib.contextmanager
def _session(connection: str, state: State) -> Iterator[Session]:
    """A named connection, or a new one for a URL that is closed afterwards."""
    if not connection.startswith(_SCHEMES):
        yield state.connection(connection)
        return
    with contextlib.closing(state.connect(connection)) as session:
        yield session


def _verify_slot(call: Call, state: State) -> None:
    """Wait until one slot fits the LIKE pattern and is in use, or is not, as `active` says."""
    pattern = call["slot"].replace("'", "''")
    query = f"SELECT active_pid FROM pg_replication_slots WHERE slot_name LIKE '{pattern}'"
    active = call.flag("active", default=True)
    with _session(call["connection"], state) as session:
        state.wait_for(lambda: _slot_differs(session, query, active=active))


def _slot_differs(session: Session, query: str, *, active: bool) -> str | None:
    outcome = session.execute(query)
    if outcome.rows is None:
        return error_text(outcome)
    pids = [pid for (pid,) in outcome.rows.cells]
    if len(pids) != 1:
        return f"expected one replication slot, found {len(pids)}"
    return (
        None
        if (pids[0] is not None) is active
        else f"the replication slot is {'in' if not active else ''}active, unlike expected"
    )


ACTIONS: Mapping[str, Handler] = MappingProxyType(
    {"postgres-connect": _connect, "postgres-execute": _execute, "postgres-verify-slot": _verify_slot}
)
