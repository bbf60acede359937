"""Which objects a statement touches, and what another one did to them meanwhile.

Every name that an object makes begins with the object's own name, so the objects of a statement can be read off its text. What
an object refers to belongs to it: who drops or alters that, drops or alters what stands on it, and so reaches those, too.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Protocol

from racehound.data.history import Event, Statement
from racehound.data.object_names import BASE, names_in

_READ = re.compile(r"\s*(?:SELECT|TABLE|VALUES|SHOW|EXPLAIN|FETCH|SUBSCRIBE|DECLARE|CLOSE|VALIDATE)\b", re.IGNORECASE)
_SESSION = re.compile(r"\s*(?:BEGIN|SET|RESET|DISCARD|LISTEN)\b", re.IGNORECASE)
_DROP = re.compile(r"\s*DROP\b", re.IGNORECASE)
_END = re.compile(r"\s*(?:COMMIT|ROLLBACK|END|ABORT)\b", re.IGNORECASE)


def is_read(sql: str) -> bool:
    """Whether a statement only reads (as far as its first word tells)."""
    return bool(_READ.match(sql))


def ends_transaction(sql: str) -> bool:
    """Whether a statement is COMMIT, ROLLBACK or the like."""
    return bool(_END.match(sql))


def is_drop(sql: str) -> bool:
    """Whether a statement drops something."""
    return bool(_DROP.match(sql))


def changes_something(sql: str) -> bool:
    """Whether a statement may change a catalog or contents: no read, no setting, no end of a transaction."""
    return not (is_read(sql) or _SESSION.match(sql) or ends_transaction(sql))


class HasReferences(Protocol):
    """What says of each of its objects what that refers to."""

    @property
    def refers_to(self) -> dict[str, str]: ...


@dataclasses.dataclass(frozen=True)
class Change:
    """A statement that changes something, from its start to the end of the transaction that it stands in."""

    statement: Statement
    end_ns: int


class DependencyGraph:
    """The objects of a program, or of a scene, and what refers to what."""

    def __init__(self, of: HasReferences) -> None:
        self._refers_to = of.refers_to

    def ancestors(self, names: Iterable[str]) -> frozenset[str]:
        """The named objects and all that they stand on."""
        found: set[str] = set()
        for name in names:
            current: str | None = name
            while current is not None and current not in found:
                found.add(current)
                current = self._refers_to.get(current)
        return frozenset(found)

    def dependents(self, names: Iterable[str]) -> frozenset[str]:
        """The named objects and all that stand on them: what goes with them."""
        named = frozenset(names)
        return named | {name for name in self._refers_to if self.ancestors([name]) & named}

    def connected(self, names: Iterable[str]) -> frozenset[str]:
        """The named objects, all that they stand on, and all that stands on them: what dropping or altering them may reach."""
        named = frozenset(names)
        return self.ancestors(named) | self.dependents(named)


def changes(events: Iterable[Event]) -> list[Change]:
    """The changes of a history, each lasting until its transaction ended (its own end, outside a transaction)."""
    result: list[Change] = []
    open_at: dict[str, list[Statement]] = {}
    in_transaction: set[str] = set()
    for event in events:
        if not isinstance(event, Statement):
            continue
        if event.sql == "BEGIN":
            in_transaction.add(event.session)
        elif ends_transaction(event.sql):
            in_transaction.discard(event.session)
            result += [Change(statement, event.end_ns) for statement in open_at.pop(event.session, [])]
        elif changes_something(event.sql):
            if event.session in in_transaction:
                open_at.setdefault(event.session, []).append(event)
            else:
                result.append(Change(event, event.end_ns))
    result += [Change(statement, 2**63 - 1) for rest in open_at.values() for statement in rest]
    return result


def disturbers(statement: Statement, known: Iterable[Change], web: DependencyGraph, since_ns: int) -> list[Statement]:
    """The changes by other sessions, under way at some moment from `since_ns` to the statement's end, within its reach.

    A change is under way from its start to the end of its transaction. The reach of a statement is what it names, all that this
    stands on and all that stands on it: DROP OWNED BY stumbles over a policy that goes away meanwhile, and over a privilege on
    the ground that it shares with another role, and names neither. The first such changes are those that name the same objects.
    """
    names = names_in(statement.sql) | names_in(statement.message) | {statement.object}
    reach = web.connected(names)
    found = [
        change.statement
        for change in known
        if change.statement.session != statement.session
        and change.statement.start_ns <= statement.end_ns
        and change.end_ns >= since_ns
        and web.ancestors(names_in(change.statement.sql) | {change.statement.object}) & reach
    ]
    closest = [other for other in found if names_in(other.sql) & names]
    return closest or found


def concerning(statements: Iterable[Statement], web: DependencyGraph, names: frozenset[str]) -> tuple[Statement, ...]:
    """What succeeded on the named objects and on what they stand on, whoever did it, by start; on all where no name is known.

    Reads are left out, and transactions that hold nothing else.
    """
    wanted = web.ancestors(names)
    done = [s for s in statements if s.status == "ok" and not is_read(s.sql)]
    chosen = [s for s in done if not names or s.object in wanted or names_in(s.sql) & (wanted - {BASE})]
    attempts = {(s.session, s.step, s.attempt) for s in chosen if not _is_boundary(s)}
    told = [s for s in done if (s in chosen or _is_boundary(s)) and (s.session, s.step, s.attempt) in attempts]
    return tuple(sorted(told, key=lambda s: s.start_ns))


def _is_boundary(statement: Statement) -> bool:
    return statement.sql == "BEGIN" or ends_transaction(statement.sql)
