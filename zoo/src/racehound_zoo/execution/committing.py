"""COMMIT: what a block holds is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from racehound_zoo.errors import SqlError, unknown_item
from racehound_zoo.execution.transaction import Transaction

if TYPE_CHECKING:
    from racehound_zoo.execution.session import Session

CHANGED = "object state changed while transaction was in progress"


def commit(session: Session, transaction: Transaction) -> str:
    """The tag. SqlError when it cannot be done."""
    if transaction.mode == "writing":
        _write(session, transaction)
    elif transaction.mode == "single" and transaction.single is not None:
        session.transaction = None
        done = session.ddl.run(transaction.single, session.scope, session.cluster, session.interrupted)
        session.notices += done.notices
    elif transaction.mode == "changing":
        _change(session, transaction)
    return "COMMIT"


def _write(session: Session, transaction: Transaction) -> None:
    catalog = session.engine.catalog

    def allowed() -> None:
        for key, _, _ in transaction.writes:
            if catalog.state.item(key) is None:
                raise unknown_item(key)

    session.engine.storage.write_all(transaction.writes, allowed)


def _change(session: Session, transaction: Transaction) -> None:
    """All plans were made one on the other, the first on `base`: they hold if nothing has changed since."""
    assert transaction.base is not None
    if not transaction.plans:
        return
    last = transaction.plans[-1]
    for earlier in transaction.plans[:-1]:
        last.events[:0] = earlier.events
    if not session.ddl.install_if_unchanged(last, transaction.base):
        raise SqlError(CHANGED, "40001")
    transaction.plans.clear()
