"""Which statements can have brought an internal error of PostgreSQL about, by the error's message and the statement's text.

Most internal errors have one of three causes. What a message calls missing was dropped after the failed statement had found it.
What was `concurrently updated` or `deleted` is a catalog row that another session wrote. And a key that a catalog's index has
already was inserted by a statement of the same sort.
"""

from __future__ import annotations

import functools
import re

from racehound.data.history import Statement
from racehound.databases.dialect import Suspicion

_MISSING = re.compile(
    r"(?:cache lookup failed for|could not find tuple for(?: parent of)?|could not find(?: entry for)?)\s+"
    r"(?P<sort>[a-zACL -]*[a-zL])(?= [\d\"(]|$)|(?P<other>\w+) \d+ (?:was concurrently dropped|deleted while still in use)"
    r"|(?P<relation>could not open relation with OID|no relation entry|could not open file|missing chunk)"
)
_WRITTEN = re.compile(r"tuple (?:concurrently (?P<how>updated|deleted)|already updated by self)")

_RELATIONS = "TABLE|VIEW|INDEX|SEQUENCE|COLUMN"
_NOUNS = {
    "default ACL": "PRIVILEGES|SCHEMA",
    "relation": _RELATIONS,
    "attribute": "TABLE|VIEW|TYPE|COLUMN",
    "index": "INDEX|TABLE|CONSTRAINT",
    "constraint": "CONSTRAINT|TABLE|DOMAIN|INDEX|COLUMN|NOT NULL",
    "attrdef": "TABLE|COLUMN|DEFAULT",
    "default": "TABLE|COLUMN|DEFAULT|SEQUENCE|FUNCTION",
    "trigger": "TRIGGER|TABLE|CONSTRAINT|FUNCTION",
    "rule": "RULE|VIEW|TABLE",
    "policy": "POLICY|TABLE|ROLE",
    "type": "TYPE|DOMAIN|TABLE|VIEW|COLUMN",
    "function": "FUNCTION|PROCEDURE|AGGREGATE|ROUTINE",
    "role": "ROLE|USER|GROUP",
    "namespace": "SCHEMA",
    "schema": "SCHEMA",
    "operator": "OPERATOR",
    "opclass": "OPERATOR",
    "opfamily": "OPERATOR",
    "database": "DATABASE",
    "statistics": "STATISTICS|TABLE|COLUMN",
    "server": "SERVER|FOREIGN DATA",
    "user mapping": "USER MAPPING|SERVER",
    "text search": "TEXT SEARCH",
    "publication": "PUBLICATION|TABLE|SCHEMA",
    "subscription": "SUBSCRIPTION",
    "large object": "LARGE OBJECT",
}
"""By a word of a message: nouns of the statements that remove such objects. Objects of other sorts have a noun of their own."""
_ALONE = ("role", "database", "tablespace", "subscription", "large object", "default ACL", "replication slot")
"""Sorts of objects that no CASCADE of another one removes."""
_SHARED = re.compile(r"(?:ROLE|USER|GROUP|TABLESPACE|DATABASE|SUBSCRIPTION)\b", re.IGNORECASE)
"""The drop of one of these removes nothing else."""
_GROUPS = {
    "TABLESPACE": "tablespace", "DATABASE": "database", "SCHEMA": "schema", "ROLE": "role", "USER": "role", "GROUP": "role",
    "TYPE": "type", "DOMAIN": "type", "FUNCTION": "function", "PROCEDURE": "function", "ROUTINE": "function",
    "AGGREGATE": "function", "LANGUAGE": "language", "SERVER": "server", "WRAPPER": "wrapper", "PUBLICATION": "publication",
    "SUBSCRIPTION": "subscription", "EXTENSION": "extension", "OPERATOR": "operator", "COLLATION": "collation",
    "STATISTICS": "statistics", "TABLE": "relation", "VIEW": "relation", "INDEX": "relation", "SEQUENCE": "relation",
    "COLUMN": "relation", "CONSTRAINT": "relation", "TRIGGER": "relation", "RULE": "relation", "POLICY": "relation",
}  # fmt: skip
"""The first of these nouns in a statement tells which catalog's row it writes above all."""
_NOUN = re.compile(rf"\b(?:{'|'.join(_GROUPS)})\b", re.IGNORECASE)
_WRITES_ROWS = re.compile(r"(?:INSERT|UPDATE|DELETE|MERGE|COPY|SELECT|VALUES|WITH|TABLE|EXPLAIN|TRUNCATE|LOCK)\b", re.IGNORECASE)
"""Statements that write contents, and no row of a catalog but those of statistics."""
_UNKNOWN = re.compile(r"(?:DO|CALL|EXECUTE|FETCH|MOVE)\b", re.IGNORECASE)
"""Their texts do not tell what they do."""
_OWNED = re.compile(r"DROP\s+OWNED\b", re.IGNORECASE)
_DROP = re.compile(r"DROP\s+(?P<what>[\w\s]+)", re.IGNORECASE)
_PART_DROPPED = re.compile(r"ALTER\b.*?\b(?P<what>(?:DROP|DETACH)\b.*)", re.IGNORECASE | re.DOTALL)
_REPLACED = re.compile(
    r"REINDEX\b|CLUSTER\b|VACUUM\s+(?:\([^)]*)?\bFULL\b|REFRESH\b|CREATE\s+OR\s+REPLACE\b|TRUNCATE\b"
    r"|ALTER\b.*\b(?:TYPE|SET\s+(?:UN)?LOGGED|SET\s+ACCESS|SET\s+TABLESPACE|SET\s+EXPRESSION)\b",
    re.IGNORECASE | re.DOTALL,
)
"""Statements that put another object, or another file, in the place of one."""
_CREATE = re.compile(r"CREATE\b", re.IGNORECASE)
_MAY_REMOVE = re.compile(r"(?:ALTER|REVOKE|REASSIGN|DISCARD)\b", re.IGNORECASE)
"""Other statements after which something may be missing."""
_DEFAULT_RIGHTS = re.compile(r"ALTER\s+DEFAULT\s+PRIVILEGES\b", re.IGNORECASE)
_RIGHTS = re.compile(r"(?:GRANT|REVOKE|ALTER\s+DEFAULT\s+PRIVILEGES|REASSIGN)\b", re.IGNORECASE)


_NUMBER = re.compile(r"\b[1-9]\d{4,9}\b")
_FIRST_NORMAL_OID = 16384
"""`FirstNormalObjectId` of access/transam.h: no object of a user has a lower OID."""


def oids_in(message: str) -> tuple[int, ...]:
    """The numbers of a message that may be OIDs of objects which users have made."""
    return tuple(number for text in _NUMBER.findall(message) if _FIRST_NORMAL_OID <= (number := int(text)) < 2**32)


def suspicion(error: Statement, other: str) -> Suspicion:
    """How well a statement of another session accounts for an internal error."""
    return _suspicion(error.sqlstate, error.message, error.sql.strip(), other.strip())


@functools.lru_cache(maxsize=5_000)
def _suspicion(sqlstate: str, message: str, failed: str, other: str) -> Suspicion:
    if _UNKNOWN.match(other):
        return "weak"
    if sqlstate == "23505":
        return _inserts(failed, other)
    if written := _WRITTEN.match(message):
        return _of_one_sort(failed, other, _writes(other, deleted=written["how"] == "deleted"))
    if missing := _MISSING.match(message):
        return _removes(other, (missing["sort"] or missing["other"] or "relation").strip())
    return "none" if _WRITES_ROWS.match(other) and not _REPLACED.match(other) else "some" if _DROP.match(other) else "weak"


def _removes(other: str, sort: str) -> Suspicion:
    """For a message that calls an object of that sort missing."""
    if _OWNED.match(other):
        return "strong"
    nouns = next((known for word, known in _NOUNS.items() if re.search(rf"\b{word}\b", sort)), sort.upper())
    dropped = _DROP.match(other) or _PART_DROPPED.match(other)
    if dropped:
        elsewhere: Suspicion = "none" if sort in _ALONE or _SHARED.match(dropped["what"]) else "some"
        return "strong" if re.search(rf"\b(?:{nouns})\b", dropped["what"], re.IGNORECASE) else elsewhere
    if _REPLACED.match(other):
        return "none" if sort in _ALONE else "some"
    if sort == "default ACL" and _DEFAULT_RIGHTS.match(other):
        return "strong"
    calls = re.search(r"\blo_unlink\b|_slot\b", other) if sort in ("large object", "replication slot") else None
    if calls:
        return "strong"
    return "weak" if _MAY_REMOVE.match(other) and sort not in _ALONE else "none"


def _writes(other: str, *, deleted: bool) -> Suspicion:
    """For a message that says that a catalog row was written meanwhile."""
    if _OWNED.match(other):
        return "strong"
    if _WRITES_ROWS.match(other) and not re.search(r"\blo_\w+\(|\bnextval\b|\bsetval\b", other):
        return "none"
    removes = bool(_DROP.match(other) or _PART_DROPPED.match(other))
    if removes or (deleted and _RIGHTS.match(other)):
        return "strong" if deleted else "some"
    return "weak" if deleted else "some" if _CREATE.match(other) else "strong"


def _of_one_sort(failed: str, other: str, suspicion: Suspicion) -> Suspicion:
    """Less, where both name a sort of object and these differ: a message does not tell which catalog's row it is about."""
    sorts = {_GROUPS[noun[0].upper()] for noun in (_NOUN.search(failed), _NOUN.search(other)) if noun}
    return "some" if len(sorts) > 1 and suspicion == "strong" and not _OWNED.match(other) else suspicion


def _inserts(failed: str, other: str) -> Suspicion:
    """For a key that an index of a catalog has already."""
    if _DROP.match(other) or _WRITES_ROWS.match(other):
        return "none"
    words, others = failed.upper().split(None, 2), other.upper().split(None, 2)
    return "strong" if words[:2] == others[:2] else "some" if words[0] == others[0] else "weak"
