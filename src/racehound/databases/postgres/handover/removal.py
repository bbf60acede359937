"""The statements that remove what a kit makes, so that it can be run again. None fails where there is nothing to remove."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence

_NAME = r'(?P<name>(?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))?)'
_CREATE = re.compile(
    r"\bCREATE\s+(?:OR\s+REPLACE\s+)?(?:(?:GLOBAL|LOCAL|TEMP|TEMPORARY|UNLOGGED|RECURSIVE|TRUSTED|PROCEDURAL|DEFAULT)\s+)*"
    r"(?P<noun>MATERIALIZED\s+VIEW|FOREIGN\s+TABLE|FOREIGN\s+DATA\s+WRAPPER|EVENT\s+TRIGGER|ACCESS\s+METHOD"
    r"|TEXT\s+SEARCH\s+(?:CONFIGURATION|DICTIONARY|PARSER|TEMPLATE)|TABLESPACE|TABLE|VIEW|SEQUENCE|TYPE|DOMAIN|COLLATION|CONVERSION"
    r"|STATISTICS|SCHEMA|EXTENSION|LANGUAGE|SERVER|PUBLICATION|SUBSCRIPTION|ROLE|USER(?!\s+MAPPING)|GROUP|DATABASE"
    r"|FUNCTION|PROCEDURE|AGGREGATE)\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    rf"(?!AUTHORIZATION\b){_NAME}",
    re.IGNORECASE,
)
"""What has a name of its own. Operators, casts, triggers and the like go with what they are made of."""
_RENAMED = re.compile(
    r"\bALTER\s+(?P<noun>[A-Z]+(?:\s+[A-Z]+){0,2}?)\s+(?:IF\s+EXISTS\s+)?"
    rf"{_NAME}(?:\s*\([^)]*\))?\s+RENAME\s+TO\s+(?P<new>\"[^\"]+\"|\w+)",
    re.IGNORECASE,
)
_PREPARED = re.compile(r"\bPREPARE\s+TRANSACTION\s+('(?:[^']|'')+')", re.IGNORECASE)
_SLOT = re.compile(r"\bpg_create_(?:logical|physical)_replication_slot\s*\(\s*('(?:[^']|'')+')", re.IGNORECASE)
_LARGE_OBJECT = re.compile(r"\blo_(?:create|from_bytea|creat|import)\s*\(", re.IGNORECASE)
_ROLES = ("ROLE", "USER", "GROUP")
MOVED = "broken_"
"""What the name of a schema begins with in which something stays that no DROP can reach any more."""
_CAREFUL = ("TYPE", "DOMAIN", "FUNCTION", "PROCEDURE", "AGGREGATE", "SCHEMA")
"""What cannot be dropped where a row that it needs is missing: the server fails to describe it."""
_ROUTINES = ("FUNCTION", "PROCEDURE", "AGGREGATE")


@dataclasses.dataclass(frozen=True)
class Removal:
    """The statements in their order."""

    statements: tuple[str, ...]

    @property
    def blocks(self) -> list[list[str]]:
        """The statements in the same order, grouped: those of one group may be one transaction."""
        found: list[list[str]] = []
        for statement in self.statements:
            if found and not _stands_alone(statement) and not _stands_alone(found[-1][-1]):
                found[-1].append(statement)
            else:
                found.append([statement])
        return found


def removal_of(statements: Sequence[str], broken_rows: str) -> Removal:
    """What removes all that these statements make, and the broken catalog rows (a statement for these, or "")."""
    made = _made(statements)
    roles = [name for noun, name in made if noun in _ROLES]
    databases = [name for noun, name in made if noun == "DATABASE"]
    tablespaces = [name for noun, name in made if noun == "TABLESPACE"]
    shared = (*_ROLES, "DATABASE", "TABLESPACE")
    local = [(noun, name) for noun, name in made if noun not in shared]
    whole = "\n".join(statements)
    slots = ", ".join(dict.fromkeys(_SLOT.findall(whole)))
    lines = [f"ROLLBACK PREPARED {gid}" for gid in dict.fromkeys(_PREPARED.findall(whole))]
    careful = _CAREFUL if broken_rows else ()
    lines += [_drop_or_move(noun, name) if noun in careful else _drop(noun, name) for noun, name in reversed(local)]
    if _LARGE_OBJECT.search(whole):
        lines.append("SELECT lo_unlink(oid) FROM pg_largeobject_metadata")
    if slots:
        lines.append(f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name IN ({slots})")
    lines += [f"DROP DATABASE IF EXISTS {name} WITH (FORCE)" for name in reversed(databases)]
    if broken_rows:
        lines.append(broken_rows)
    lines += [_where_it_exists(f"DROP OWNED BY {name} CASCADE") for name in reversed(roles)]
    lines += [f"DROP TABLESPACE IF EXISTS {name}" for name in reversed(tablespaces)]
    if roles:
        lines.append(f"DROP ROLE IF EXISTS {', '.join(reversed(roles))}")
    return Removal(tuple(lines))


def _made(statements: Iterable[str]) -> list[tuple[str, str]]:
    """Noun and name of what the statements make, also under the names that it is given later, first made first."""
    found: dict[tuple[str, str], None] = {}
    for sql in statements:
        for match in _CREATE.finditer(sql):
            found[" ".join(match["noun"].upper().split()), match["name"]] = None
        for match in _RENAMED.finditer(sql):
            schema = match["name"].rpartition(".")[0]
            found[" ".join(match["noun"].upper().split()), f"{schema}.{match['new']}" if schema else match["new"]] = None
    nouns = {
        noun for noun in {noun for noun, _ in found} if noun.split()[0] not in ("INDEX", "TRIGGER", "POLICY", "RULE", "OPERATOR")
    }
    return [(noun, name) for noun, name in found if noun in nouns]


def _drop(noun: str, name: str) -> str:
    if noun == "SUBSCRIPTION":
        return _where_it_exists(
            f"ALTER SUBSCRIPTION {name} DISABLE; ALTER SUBSCRIPTION {name} SET (slot_name = NONE); DROP SUBSCRIPTION {name}"
        )
    return f"DROP {'ROUTINE' if noun in _ROUTINES else noun} IF EXISTS {name} CASCADE"


def _drop_or_move(noun: str, name: str) -> str:
    """A DROP; where the server fails to describe the object, its schema gets another name, so that the old one is free."""
    schema = name if noun == "SCHEMA" else name.rpartition(".")[0] or "public"
    again = " CREATE SCHEMA public;" if schema == "public" else ""
    moved = f"EXECUTE 'ALTER SCHEMA {schema} RENAME TO {MOVED}' || txid_current();{again}"
    return f"DO $$BEGIN {_drop(noun, name)}; EXCEPTION WHEN internal_error THEN {moved} END$$"


def _where_it_exists(sql: str) -> str:
    return f"DO $$BEGIN {sql}; EXCEPTION WHEN undefined_object THEN NULL; END$$"


def _stands_alone(statement: str) -> bool:
    """Whether it may not stand in one transaction with others, or may fail."""
    return statement.startswith(("DROP DATABASE", "DROP TABLESPACE", "ROLLBACK PREPARED", "SELECT pg_drop_replication_slot"))
