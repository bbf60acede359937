"""Materialize's known error messages, as named regular expressions: those that a race may cause, and all others.

Most errors of Materialize have SQLSTATE XX000, which is an internal error in other databases. Therefore the message decides. A
message that matches no expression counts as an internal error, so that a new one is noticed.

The messages were recorded from a real server (v0.147), or are in the public documentation of later releases.
"""

from __future__ import annotations

import dataclasses
import re

from racehound.databases.dialect import Reach

_GONE = re.compile(r"\b(?:DROP|RENAME|SWAP|APPLY\s+REPLACEMENT|OR\s+REPLACE|ROLLBACK)\b", re.IGNORECASE)
"""Statements after which a name no longer exists."""
_MADE = re.compile(r"\b(?:CREATE|RENAME|SWAP)\b", re.IGNORECASE)
"""Statements after which a new name exists."""
_USED = re.compile(r"\b(?:CREATE|SET\s+FROM|ALTER\s+CONNECTION|GRANT|OWNER|REASSIGN|SET\s+CLUSTER)\b", re.IGNORECASE)
"""Statements after which an object has a new dependency."""
_RIGHTS = re.compile(r"\b(?:GRANT|REVOKE|OWNER|OWNED|ROLE|PRIVILEGES|DROP|CREATE)\b", re.IGNORECASE)
"""Statements after which a role has other privileges."""
_SHAPE = re.compile(r"\b(?:ADD\s+COLUMN|DROP|CREATE|RENAME|SWAP|APPLY\s+REPLACEMENT)\b", re.IGNORECASE)
"""Statements after which a name refers to an object with other columns."""
_REPLICAS = re.compile(r"\b(?:CLUSTER|REPLICAS?)\b", re.IGNORECASE)
"""Statements after which a cluster has other replicas."""
_DEFINITION = re.compile(r"\b(?:CREATE|DROP|ALTER|COMMENT|GRANT|REVOKE|REASSIGN)\b", re.IGNORECASE)
"""Statements that write to the catalog."""


@dataclasses.dataclass(frozen=True)
class ErrorPattern:
    """A sort of error, recognised by its message."""

    name: str
    message: re.Pattern[str]
    """It matches at the beginning of the message."""
    cause: re.Pattern[str] | None = None
    """It matches in every statement that can cause the error when it runs at the same time; None if no statement can."""
    reach: Reach = "none"
    """How near such a statement must be to cause the error."""


def _race(name: str, message: str, cause: re.Pattern[str], reach: Reach = "named") -> ErrorPattern:
    return ErrorPattern(name, re.compile(message), cause, reach)


def _other(name: str, message: str) -> ErrorPattern:
    return ErrorPattern(name, re.compile(message))


_NOUN = r"(?:table|view|materialized view|index|source|sink|connection|secret|type|function|role|cluster|schema|database)"

RACE_ERRORS: tuple[ErrorPattern, ...] = (
    _race("missing item", r"unknown catalog item '", _GONE),
    _race("missing type", r"type \"[^\"]*\" does not exist", _GONE),
    _race("missing cluster", r"unknown cluster '", _GONE),
    _race("missing schema", r"unknown schema '", _GONE),
    _race("missing database", r"unknown database '", _GONE),
    _race("missing role", r"unknown role '", _GONE),
    _race("missing replica", r"CLUSTER \S+ has no CLUSTER REPLICA named|unknown cluster replica '", _REPLICAS),
    _race("missing path", r"no object was found at the path", _GONE),
    _race("missing column", r"column \"[^\"]*\" (?:of relation \"[^\"]*\" )?does not exist", _SHAPE),
    _race("item exists", r"catalog item '[^']*' already exists", _MADE, "exact"),
    _race("object exists", rf"{_NOUN} ['\"].*['\"] already exists", _MADE, "exact"),
    _race(
        "column exists",
        r"column \"[^\"]*\" of relation \"[^\"]*\" already exists",
        re.compile(r"\bADD\s+COLUMN\b", re.IGNORECASE),
    ),
    _race("name taken", r"uniqueness violation", _MADE, "exact"),
    _race("replica exists", r"cannot create multiple replicas named", _REPLICAS),
    _race("still depended upon", rf"cannot drop {_NOUN} .*: still depended upon by", _USED, "exact"),
    _race("cluster in use", r"cannot drop cluster \"[^\"]*\" because other objects depend on it", _USED, "exact"),
    _race("role in use", r"role \"[^\"]*\" cannot be dropped because some objects depend on it", _RIGHTS, "related"),
    _race("schema in use", r"schema '[^']*' cannot be dropped without CASCADE", _MADE, "exact"),
    _race("database in use", r"database '[^']*' cannot be dropped with RESTRICT", _MADE, "exact"),
    _race("dependency removed", r"dependency was removed", _GONE),
    _race("removed", r".* was (?:concurrently )?removed$", _GONE),
    _race("concurrently dropped", r".* was concurrently dropped", _GONE),
    _race("dropped meanwhile", r".* was dropped while executing a statement", _GONE),
    _race("relation dropped", r"query could not complete because .* (?:was|were) dropped", _GONE),
    _race("subscription ended", r"subscribe has been terminated because .* (?:was|were) dropped", _GONE),
    _race("active cluster dropped", r"the transaction's active cluster has been dropped", _GONE),
    _race("no readable timestamp", r".*is not readable at any timestamp", _DEFINITION, "anywhere"),
    _race(
        "catalog modified", r"another session modified the catalog while this DDL transaction was open", _DEFINITION, "anywhere"
    ),
    _race("state changed", r"object state changed while transaction was in progress", _DEFINITION, "anywhere"),
    _race("result type changed", r"cached plan must not change result type", _SHAPE),
    _race("no replicas", r"CLUSTER \"[^\"]*\" has no replicas available", _REPLICAS),
    _race("no privilege", r"permission denied for", _RIGHTS, "related"),
    _race("not the owner", r"must be owner of", _RIGHTS, "related"),
    _race("not a member", r"must be a member of", _RIGHTS, "related"),
    _race("circular membership", r"role \"[^\"]*\" is a member of role", _RIGHTS, "related"),
    # The watchdog cancels a statement that takes too long.
    _race("cancelled", r"canceling statement due to", _DEFINITION, "anywhere"),
    # The transaction had one of the errors above before.
    _race("failed transaction", r"current transaction is aborted", _DEFINITION, "anywhere"),
)
"""The errors that a statement may get because other sessions changed its objects."""

OTHER_ERRORS: tuple[ErrorPattern, ...] = (
    _other("syntax", r"Expected .*, found "),
    _other("wrong kind", r"\S+ is (?:a|an) .* not (?:a|an) |\S+ is not (?:a|an) |catalog item '[^']*' is a \w+ and so cannot"),
    _other("not writable", r"cannot (?:insert into|mutate|validate) "),
    _other("too many expressions", r"INSERT has more expressions than target columns"),
    _other(
        "repeated or ambiguous column", r"column \"[^\"]*\" specified more than once|column reference \"[^\"]*\" is ambiguous"
    ),
    _other("not a value", r"invalid input syntax for|division by zero|value out of range|numeric field overflow"),
    _other("no such function", r"function \"[^\"]*\" does not exist|operator does not exist"),
    _other("no such reference", r"reference to \S+ not found in source"),
    _other("no such topic", r"Topic does not exist"),
    _other("not reachable", r"Broker transport failure|failed to connect to|.*connection refused|failed to lookup address"),
    _other("not a connection", r"invalid CONNECTION"),
    _other("not a privilege", r"invalid privilege types"),
    _other("no such size", r"unknown cluster replica size"),
    _other("managed cluster", r"cannot (?:modify|drop replica of) managed cluster"),
    _other("reserved", r"(?:role|cluster|schema) name \"[^\"]*\" is reserved|cannot drop \w+ \S+ because it is required"),
    _other("reserved for the system", r"permission denied to alter system|current role cannot be dropped"),
    _other("no such replacement", r"replacement schema differs from|cannot replace "),
    _other("not supported", r".*(?:not yet supported|is not supported|does not support ALTER SOURCE)"),
    _other("not for this source", r"LOAD GENERATOR source validation"),
    _other("not materializable", r"cannot materialize call|cannot use wildcard expansions"),
    _other("depends on a temporary item", r"non-temporary items cannot depend on temporary item"),
    _other("no schema selected", r"no schema has been selected"),
    _other("not in a transaction", r".*cannot be run inside a transaction block|this transaction can only execute a single"),
    _other("wrong transaction mode", r"transaction in (?:write|read)-only mode"),
    _other("only in a transaction", r".*can only be used in transaction blocks"),
    _other("no such cursor", r"cursor \"[^\"]*\" does not exist"),
    _other("no such statement", r"unknown prepared statement|prepared statement \"[^\"]*\" (?:does not exist|already exists)"),
    _other("invalid timestamp", r"Timestamp \(\d+\) is not valid|subscription lower"),
    _other("limit exceeded", r"creating .* would violate .* limit|.*exceeds? (?:maximum|max) .*"),
)
"""The errors that have their cause in the statement itself, or in the services that the server uses."""


def race_error(message: str) -> ErrorPattern | None:
    """The pattern of a message that a race may cause; None for any other message."""
    return next((pattern for pattern in RACE_ERRORS if pattern.message.match(message)), None)


def other_error(message: str) -> ErrorPattern | None:
    """The pattern of a known message that no race causes; None for any other message."""
    return next((pattern for pattern in OTHER_ERRORS if pattern.message.match(message)), None)
