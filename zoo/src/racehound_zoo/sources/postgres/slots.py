"""Replication slots: made, found, and dropped though somebody may still read them."""

from __future__ import annotations

import uuid

from racehound_zoo.sources.postgres.replication import ReplicationConnection
from racehound_zoo.sources.postgres.spelling import identifier, literal, lsn_of
from racehound_zoo.sources.upstream import UpstreamError


def new_name() -> str:
    """As Materialize names them."""
    return f"materialize_{uuid.uuid4().hex}"


def create(link: ReplicationConnection, slot: str) -> int:
    """A slot that outlives its connection, which must be for replication. The LSN behind which it has everything."""
    [(_, place, *_)] = link.rows(f"CREATE_REPLICATION_SLOT {identifier(slot)} LOGICAL pgoutput (SNAPSHOT 'nothing')")
    return lsn_of(place or "0/0")


def begin_snapshot(link: ReplicationConnection) -> int:
    """Have a connection, which must be for replication, see the database as it is at one place of its log: which one."""
    link.rows("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    name = identifier(new_name())
    [(_, place, *_)] = link.rows(f"CREATE_REPLICATION_SLOT {name} TEMPORARY LOGICAL pgoutput (SNAPSHOT 'use')")
    return lsn_of(place or "0/0")


def drop(link: ReplicationConnection, slot: str) -> bool:
    """Whether it is gone. Whoever still reads it is asked to end, for the next try."""
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
