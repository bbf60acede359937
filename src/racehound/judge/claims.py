"""Claims: which names and privileges must exist at rest, and which must not, going by the statements that succeeded.

A successful statement takes effect at some moment between its start and its end, or the end of its transaction. The last
statement about a name decides whether the name exists. Where several last ones overlap in time they must agree, or there is no
claim. What a statement does to objects that depend on the one that it names, or are contained in it, is not worked out: earlier
statements give no claims about those any more. So a claim can be missing, but not wrong.
"""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from racehound.data.history import Statement
from racehound.data.object_names import names_in
from racehound.judge.dependencies import DependencyGraph, ends_transaction

_IDENT = r"[\w.]+"
_NOUNS = {
    "TABLE": "item", "VIEW": "item", "SOURCE": "item", "SINK": "item", "INDEX": "item",
    "CONNECTION": "item", "SECRET": "item", "TYPE": "type", "SCHEMA": "schema", "DATABASE": "database", "CLUSTER": "cluster",
    "ROLE": "role",
}  # fmt: skip
"""Nouns of statements, and the space of names that each belongs to. A type and an item may have the same name."""
_NOUN = rf"(?:MATERIAL\w+ )?(?P<noun>{'|'.join(sorted(_NOUNS, key=len, reverse=True))})"
"""The adjective is that of a view whose rows are stored."""
_CREATE = re.compile(
    rf"CREATE (?:OR REPLACE |REPLACEMENT )?{_NOUN} (?:IF NOT EXISTS )?"
    rf"(?!(?:IN|ON|REPLICA) )(?P<name>{_IDENT})(?= |$|\()"
)
_INDEXED = re.compile(r"CREATE INDEX .*?\bON (?P<path>(?:\w+\.)*)\w+")
"""An index is named without a schema: it is in that of its relation."""
_DROP = re.compile(rf"DROP {_NOUN} (?:IF EXISTS )?(?P<name>{_IDENT})(?: CASCADE| RESTRICT)?$")
_RENAME = re.compile(rf"ALTER {_NOUN} (?P<name>{_IDENT}) RENAME TO (?P<new>\w+)$")
_RIGHT = re.compile(
    rf"(?P<verb>GRANT|REVOKE) (?P<right>SELECT|INSERT|UPDATE|DELETE) ON (?:TABLE )?(?P<name>{_IDENT}) (?:TO|FROM) (?P<role>\w+)$"
)
_ALL_RIGHTS = re.compile(rf"(?P<verb>GRANT|REVOKE) ALL ON SCHEMA (?P<name>{_IDENT}) (?:TO|FROM) (?P<role>\w+)$")
_OF_SCHEMAS = ("CREATE", "USAGE")
_CONTAINERS = ("schema", "database")
_RESHAPING = re.compile(r"SWAP WITH|OWNED|\bOWNER TO\b|\bREASSIGN\b|APPLY REPLACEMENT")
"""Statements that change more than the object that they name, or that change privileges."""


@dataclasses.dataclass(frozen=True, order=True)
class Key:
    """A name in one space of names, or a privilege on an item or schema: `("right", "db.public.o_0", "SELECT rh…_o_1")`."""

    space: str
    name: str
    """In full: with database and schema where it is in some."""
    right: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.right}".rstrip()


@dataclasses.dataclass(frozen=True)
class _Effect:
    """What a statement did at some moment from `start_ns` to `end_ns`. present: whether the name then existed; None: unknown."""

    start_ns: int
    end_ns: int
    present: bool | None
    statement: Statement


@dataclasses.dataclass(frozen=True)
class Claim:
    """A name that must exist, or must not, because of the last statements about it."""

    key: Key
    present: bool
    statements: tuple[Statement, ...]


class Claims:
    """The claims of a repetition. `database`: the one that unqualified names are in, in its schema `public`."""

    def __init__(self, statements: Sequence[Statement], graph: DependencyGraph, database: str) -> None:
        self._database = database
        self._graph = graph
        self._effects: dict[Key, list[_Effect]] = defaultdict(list)
        self._doubts: list[tuple[_Effect, Callable[[Key], bool]]] = []
        for statement, end_ns, certain in lasting(statements):
            if certain:
                self._add(statement, end_ns)
            else:
                self._doubt(statement, end_ns, self._reached(statement))

    def claims(self) -> list[Claim]:
        """All claims, in the order of keys."""
        found = []
        for key, effects in sorted(self._effects.items()):
            last = _last([*effects, *(doubt for doubt, concerns in self._doubts if concerns(key))])
            opinions = {each.present for each in last}
            if len(opinions) == 1 and (present := opinions.pop()) is not None:
                found.append(Claim(key, present, tuple(each.statement for each in last)))
        return found

    def _add(self, statement: Statement, end_ns: int) -> None:
        sql = " ".join(statement.sql.split())
        if right := _RIGHT.match(sql):
            key = Key("right", self._full("item", right["name"]), f"{right['right']} {right['role']}")
            self._effects[key].append(_Effect(statement.start_ns, end_ns, right["verb"] == "GRANT", statement))
        elif all_rights := _ALL_RIGHTS.match(sql):
            for word in _OF_SCHEMAS:
                key = Key("right", self._full("schema", all_rights["name"]), f"{word} {all_rights['role']}")
                self._effects[key].append(_Effect(statement.start_ns, end_ns, all_rights["verb"] == "GRANT", statement))
        elif created := _CREATE.match(sql):
            if created["noun"] == "SOURCE":
                # It may make subsources, which it does not name.
                self._doubt(statement, end_ns, self._reached(statement), but=self._key("SOURCE", created["name"]))
            indexed = _INDEXED.match(sql)
            path = indexed["path"] if indexed else ""
            self._add_name(statement, end_ns, created["noun"], path + created["name"], present=True)
        elif dropped := _DROP.match(sql):
            if dropped["noun"] != "INDEX":
                self._doubt(statement, end_ns, self._reached(statement), but=self._key(dropped["noun"], dropped["name"]))
            self._add_name(statement, end_ns, dropped["noun"], dropped["name"], present=False)
        elif renamed := _RENAME.match(sql):
            path, dot, _ = renamed["name"].rpartition(".")
            self._add_name(statement, end_ns, renamed["noun"], renamed["name"], present=False)
            self._add_name(statement, end_ns, renamed["noun"], f"{path}{dot}{renamed['new']}", present=True)
        elif sql.startswith(("CREATE ", "DROP ", "GRANT ", "REVOKE ")) or _RESHAPING.search(sql):
            self._doubt(statement, end_ns, self._reached(statement))

    def _add_name(self, statement: Statement, end_ns: int, noun: str, name: str, *, present: bool) -> None:
        """After a name was made or dropped, nothing is known of what is in it, and of privileges on it."""
        key = self._key(noun, name)
        self._effects[key].append(_Effect(statement.start_ns, end_ns, present, statement))
        inside = f"{key.name}." if key.space in _CONTAINERS else None
        self._doubt(
            statement,
            end_ns,
            lambda other: (
                (other.space == "right" and other.name == key.name)
                or (inside is not None and other.name.startswith(inside))
                or (key.space == "role" and other.right.endswith(f" {key.name}"))
            ),
        )

    def _doubt(self, statement: Statement, end_ns: int, concerns: Callable[[Key], bool], but: Key | None = None) -> None:
        doubt = _Effect(statement.start_ns, end_ns, None, statement)
        self._doubts.append((doubt, lambda key: key != but and concerns(key)))

    def _reached(self, statement: Statement) -> Callable[[Key], bool]:
        """The objects that a statement names, and those that depend on them: CASCADE may reach these."""
        reached = self._graph.dependents(names_in(statement.sql) | {statement.object})
        return lambda key: bool(names_in(str(key)) & reached)

    def _key(self, noun: str, name: str) -> Key:
        return Key(_NOUNS[noun], self._full(_NOUNS[noun], name))

    def _full(self, space: str, name: str) -> str:
        """As the catalog has it."""
        parts = name.split(".")
        if space in ("item", "type"):
            schema = ("public",) if len(parts) == 1 else ()
            return ".".join((self._database, *schema, *parts)[-3:])
        return ".".join((self._database, *parts)[-2:]) if space == "schema" else name


def lasting(statements: Iterable[Statement]) -> Iterator[tuple[Statement, int, bool]]:
    """The statements that may have taken effect, by when, and whether that is certain.

    Those that were rolled back are left out. It is not certain after a lost connection, and inside a transaction without an end.
    """
    open_at: dict[str, list[Statement]] = defaultdict(list)
    inside: set[str] = set()
    for statement in statements:
        held = open_at[statement.session]
        if statement.sql == "BEGIN":
            inside.add(statement.session)
        elif ends_transaction(statement.sql):
            inside.discard(statement.session)
            committed = statement.status == "ok" and statement.tag == "COMMIT"
            if committed or statement.status == "lost":
                yield from ((each, statement.end_ns if committed else _NEVER, committed) for each in held)
            held.clear()
        elif statement.status == "lost":
            yield statement, _NEVER, False
        elif statement.status == "ok":
            if statement.session in inside:
                held.append(statement)
            else:
                yield statement, statement.end_ns, True
    yield from ((each, _NEVER, False) for held in open_at.values() for each in held)


def differing(claims: Iterable[Claim], there: Mapping[str, frozenset[str]]) -> list[Claim]:
    """The claims that are wrong. `there`: by space, the names that the catalog has, as `str` of a key writes them."""
    return [claim for claim in claims if claim.present != (str(claim.key) in there.get(claim.key.space, frozenset()))]


def _last(effects: Sequence[_Effect]) -> list[_Effect]:
    """The effects that no other one certainly follows."""
    latest = max(each.start_ns for each in effects)
    return [each for each in effects if each.end_ns >= latest]


_NEVER = 2**63 - 1
