"""Which objects a statement depends on, and what other sessions changed of them meanwhile.

Every name that an object makes begins with the object's own name, so the objects of a statement can be read from its text. An
object depends on the object that it refers to, and on what that one refers to: a session that drops or alters one of these
reaches the object, too.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Protocol

from racehound.data.history import Event, Statement
from racehound.data.object_names import BASE, names_in
from racehound.databases.effects import EffectOf

_DROP = re.compile(r"\s*DROP\b", re.IGNORECASE)
_BEGIN = re.compile(r"\s*(?:BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE)
_END = re.compile(r"\s*(?:COMMIT|ROLLBACK(?!\s+TO\b)|END|ABORT)\b", re.IGNORECASE)


def begins_transaction(sql: str) -> bool:
    """Whether a statement is BEGIN or the like."""
    return bool(_BEGIN.match(sql))


def ends_transaction(sql: str) -> bool:
    """Whether a statement is COMMIT, ROLLBACK or the like."""
    return bool(_END.match(sql))


def is_drop(sql: str) -> bool:
    """Whether a statement drops something."""
    return bool(_DROP.match(sql))


class HasReferences(Protocol):
    """Knows of each of its objects which object that one refers to."""

    @property
    def refers_to(self) -> dict[str, str]: ...


@dataclasses.dataclass(frozen=True)
class WriteInterval:
    """A statement that writes, and the end of its transaction (its own end, outside a transaction)."""

    statement: Statement
    end_ns: int
    visible_ns: int
    """Before this moment no other session can have seen what it wrote: the start of COMMIT, or its own, outside a transaction."""
    committed: bool
    """Whether it succeeded and its transaction was committed."""


class DependencyGraph:
    """The objects of a program, or of a scene, and which object each refers to."""

    def __init__(self, of: HasReferences) -> None:
        self._refers_to = of.refers_to

    def ancestors(self, names: Iterable[str]) -> frozenset[str]:
        """The named objects and all that they depend on."""
        found: set[str] = set()
        for name in names:
            current: str | None = name
            while current is not None and current not in found:
                found.add(current)
                current = self._refers_to.get(current)
        return frozenset(found)

    def dependents(self, names: Iterable[str]) -> frozenset[str]:
        """The named objects and all that depend on them."""
        named = frozenset(names)
        return named | {name for name in self._refers_to if self.ancestors([name]) & named}

    def connected(self, names: Iterable[str]) -> frozenset[str]:
        """The named objects, their ancestors and their dependents: all that dropping or altering the named ones may reach."""
        named = frozenset(names)
        return self.ancestors(named) | self.dependents(named)


def write_intervals(events: Iterable[Event], effect: EffectOf) -> list[WriteInterval]:
    """The writes of a history. One whose transaction was still open at the end of the history never ends."""
    result: list[WriteInterval] = []
    open_at: dict[str, list[Statement]] = {}
    in_transaction: set[str] = set()
    for event in events:
        if not isinstance(event, Statement):
            continue
        if begins_transaction(event.sql):
            in_transaction.add(event.session)
        elif ends_transaction(event.sql):
            in_transaction.discard(event.session)
            result += [_written_until(event, statement) for statement in open_at.pop(event.session, [])]
        elif effect(event.sql).sort == "change":
            if event.session in in_transaction:
                open_at.setdefault(event.session, []).append(event)
            else:
                result.append(WriteInterval(event, event.end_ns, event.start_ns, event.status == "ok"))
    result += [WriteInterval(statement, _NEVER, _NEVER, committed=False) for rest in open_at.values() for statement in rest]
    return result


_NEVER = 2**63 - 1


def _written_until(end: Statement, statement: Statement) -> WriteInterval:
    committed = end.status == "ok" and (end.tag or end.sql).upper().startswith("COMMIT") and statement.status == "ok"
    return WriteInterval(statement, end.end_ns, end.start_ns, committed)


def concurrent_writes(
    statement: Statement, known: Iterable[WriteInterval], graph: DependencyGraph, since_ns: int
) -> list[WriteInterval]:
    """The writes of other sessions that overlap the time from `since_ns` to the statement's end, and could reach the statement.

    A write reaches a statement if it is about an object that is connected with one that the statement names. This is so wide
    because a statement may meet objects that it does not name: DROP OWNED BY may fail at a policy that another session drops.
    """
    connected = graph.connected(names_in(statement.sql) | names_in(statement.message) | {statement.object})
    return [
        interval
        for interval in known
        if interval.statement.session != statement.session
        and interval.statement.start_ns <= statement.end_ns
        and interval.end_ns >= since_ns
        and graph.ancestors(names_in(interval.statement.sql) | {interval.statement.object}) & connected
    ]


def concerning(
    statements: Iterable[Statement], graph: DependencyGraph, names: frozenset[str], effect: EffectOf
) -> tuple[Statement, ...]:
    """What succeeded, in any session, on the named objects and their ancestors, by start; on all objects where none is named.

    Reads are left out. BEGIN and COMMIT are kept where the same try of a step holds one of the other statements.
    """
    wanted = graph.ancestors(names)
    done = [s for s in statements if s.status == "ok" and effect(s.sql).sort != "read"]
    chosen = [s for s in done if not names or s.object in wanted or names_in(s.sql) & (wanted - {BASE})]
    attempts = {(s.session, s.step, s.attempt) for s in chosen if not _is_boundary(s)}
    kept = [s for s in done if (s in chosen or _is_boundary(s)) and (s.session, s.step, s.attempt) in attempts]
    return tuple(sorted(kept, key=lambda s: s.start_ns))


def _is_boundary(statement: Statement) -> bool:
    return begins_transaction(statement.sql) or ends_transaction(statement.sql)
