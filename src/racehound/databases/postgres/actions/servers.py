"""The testdrive actions for named connections to PostgreSQL servers, batches of statements and replication slots."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from racehound.databases import addresses
from racehound.session import Outcome, Session
from racehound.testdrive.errors import ActionError
from racehound.testdrive.redaction import redact, scrub, scrub_outcome
from racehound.testdrive.state import Call, Handler, State, error_text

_SCHEMES = ("postgres://", "postgresql://")
_background_numbers = itertools.count()


def _connect(call: Call, state: State) -> None:
    state.replace_resource(_key(call["name"]), _open(call["url"], state))


def _key(name: str) -> str:
    return f"PostgreSQL connection {name}"


def _open(url: str, state: State) -> Session:
    """Open a new session, which the caller closes. Raises `ActionError` when the context cannot open one."""
    if state.context.connect is None:
        raise ActionError("no PostgreSQL is configured to connect to")
    address = state.context.services.url(url)
    return state.context.connect(addresses.with_password_of(address, state.context.url))


def connection(name: str, state: State) -> Session:
    """The session that postgres-connect opened under this name. Raises `ActionError` when there is none."""

    def missing() -> Session:
        raise ActionError(f"there is no connection named {name}")

    return state.resource(_key(name), missing)


def _execute(call: Call, state: State) -> None:
    """Run each input line as one batch. The first error fails the action."""
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
    background = _Background(_open(url, state), call.input, state.context.output)
    state.replace_resource(f"PostgreSQL batches in the background {next(_background_numbers)}", background)


@contextlib.contextmanager
def _session(name_or_url: str, state: State) -> Iterator[Session]:
    """A named connection, or a new one to a URL, which is closed afterwards."""
    if not name_or_url.startswith(_SCHEMES):
        yield connection(name_or_url, state)
        return
    with contextlib.closing(_open(name_or_url, state)) as session:
        yield session


def _verify_slot(call: Call, state: State) -> None:
    """Wait until exactly one slot matches the LIKE pattern and is in use (`active=true`) or not in use (`active=false`)."""
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


class _Background:
    """Batches that a thread runs on their own session. It prints the first error and stops."""

    def __init__(self, session: Session, batches: tuple[str, ...], output: Callable[[str], object]) -> None:
        self._session = session
        self._batches = batches
        self._output = output
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="testdrive-background", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            for batch in self._batches:
                if self._stopped.is_set() or not self._report(self._session.execute(batch)):
                    return
        finally:
            self._session.close()

    def _report(self, outcome: Outcome) -> bool:
        if not outcome.ok and not self._stopped.is_set():
            self._output(f"in the background: {error_text(outcome)}")
        return outcome.ok

    def close(self) -> None:
        """Cancel the running statement, repeatedly: a cancel between two batches has no effect."""
        self._stopped.set()
        while self._thread.is_alive():
            self._session.cancel()
            self._thread.join(timeout=0.05)


ACTIONS: Mapping[str, Handler] = MappingProxyType(
    {"postgres-connect": _connect, "postgres-execute": _execute, "postgres-verify-slot": _verify_slot}
)
