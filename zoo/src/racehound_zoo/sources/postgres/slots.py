"""Creates, finds and drops replication slots."""

from __future__ import annotations

import uuid

from racehound_zoo.sources.postgres.replication import ReplicationConnection
from racehound_zoo.sources.postgres.spelling import identifier, literal, lsn_of
from racehound_zoo.sources.upstream import UpstreamError


def new_name() -> str:
    """A name for a slot, in Materialize's format."""
    return f"materialize_{uuid.uuid4().hex}"


def create(link: ReplicationConnection, slot: str) -> int:
    """Create a permanent slot, on a replication connection. Returns the LSN after which the slot has all changes."""
    [(_, position, *_)] = link.rows(f"CREATE_REPLICATION_SLOT {identifier(slot)} LOGICAL pgoutput (SNAPSHOT 'nothing')")
    return lsn_of(position or "0/0")


def begin_snapshot(link: ReplicationConnection) -> int:
    """Begin a transaction that sees the database at one LSN, on a replication connection. Returns the LSN."""
    link.rows("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    name = identifier(new_name())
    [(_, position, *_)] = link.rows(f"CREATE_REPLICATION_SLOT {name} TEMPORARY LOGICAL pgoutput (SNAPSHOT 'use')")
    return lsn_of(position or "0/0")


def drop(link: ReplicationConnection, slot: str) -> bool:
    """Try to drop a slot.

    Returns whether it is gone. A backend that still uses the slot is terminated, so that the next try succeeds.
    """
    name = literal(slot)
    readers = link.rows(f"SELECT active_pid FROM pg_replication_slots WHERE slot_name = {name}")
    if readers and readers[0][0] is not None:
        link.rows(f"SELECT pg_terminate_backend({readers[0][0]})")
        return False
    try:
        link.rows(f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = {name}")
    except UpstreamError as error:
        if "is active for PID" in str(error):
            return False
        raise
    return True


def is_there(link: ReplicationConnection, slot: str) -> bool:
    return bool(link.rows(f"SELECT 1 FROM pg_replication_slots WHERE slot_name = {literal(slot)}"))
