"""Executes COMMIT."""

from __future__ import annotations

from racehound_zoo.errors import SqlError, unknown_item
from racehound_zoo.execution.session import Session
from racehound_zoo.execution.transaction import TransactionBlock

CHANGED = "object state changed while transaction was in progress"


def commit(session: Session) -> str:
    """End the session's transaction block. Returns the command tag.

    SqlError when what the block holds is refused; the block has ended in any case.
    """
    transaction = session.transaction
    if transaction is None:
        session.notice("there is no transaction in progress", "25P01", "WARNING")
        return "COMMIT"
    if transaction.failed:
        session.rollback()
        return "ROLLBACK"
    try:
        _commit(session, transaction)
    finally:
        session.end_transaction()
    return "COMMIT"


def end_implicitly(session: Session) -> None:
    """End the implicit block of a message with several statements, if there is one. SqlError when COMMIT fails."""
    if session.transaction is not None and session.transaction.implicit:
        commit(session)


def _commit(session: Session, transaction: TransactionBlock) -> None:
    if transaction.mode == "writing":
        _write(session, transaction)
    elif transaction.mode == "single" and transaction.single is not None:
        session.transaction = None
        done = session.ddl.run(transaction.single, session.scope, session.cluster, session.interrupted)
        session.notices += done.notices
    elif transaction.mode == "changing":
        _change(session, transaction)


def _write(session: Session, transaction: TransactionBlock) -> None:
    catalog = session.engine.catalog

    def allowed() -> None:
        for key, _, _ in transaction.writes:
            if catalog.state.item(key) is None:
                raise unknown_item(key)

    session.engine.storage.write_all(transaction.writes, allowed)


def _change(session: Session, transaction: TransactionBlock) -> None:
    """Install the last plan of the block.

    Each plan was made on the state of the one before it, the first on `base`, so they are valid only if the catalog has not
    changed since then.
    """
    assert transaction.base is not None
    if not transaction.plans:
        return
    last = transaction.plans[-1]
    for earlier in transaction.plans[:-1]:
        last.events[:0] = earlier.events
    if not session.ddl.install_if_unchanged(last, transaction.base):
        raise SqlError(CHANGED, "40001")
    transaction.plans.clear()
