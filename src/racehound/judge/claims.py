"""What must be there at rest, going by the statements that succeeded: names that were made or dropped, privileges.

Each successful statement says something about some names at some moment between its start and its end (its transaction's end,
inside one). What is said last about a name holds; where several of the last overlap in time they must agree, or nothing is
claimed. What a statement does besides, to objects that stand on the one that it names or lie in it, is not worked out: nothing
that was said before is claimed of those any more. So a claim can be missing, but not wrong.
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
"""What shares a space of names with what. A type and an item of one name may live side by side."""
_NOUN = r"(?:MATERIAL\w+ )?(?P<noun>%s)" % "|".join(sorted(_NOUNS, key=len, reverse=True))
"""The adjective is that of a view whose rows are stored."""
_CREATE = re.compile(
    rf"CREATE (?:OR REPLACE |REPLACEMENT )?{_NOUN} (?:IF NOT EXISTS )?"
    rf"(?!(?:IN|ON|REPLICA) )(?P<name>{_IDENT})(?= |$|\()"
)
_INDEXED = re.compile(r"CREATE INDEX .*?\bON (?P<path>(?:\w+\.)*)\w+")
"""An index is named without a schema: it lies in that of its relation."""
_DROP = re.compile(rf"DROP {_NOUN} (?:IF EXISTS )?(?P<name>{_IDENT})(?: CASCADE| RESTRICT)?$")
_RENAME = re.compile(rf"ALTER {_NOUN} (?P<name>{_IDENT}) RENAME TO (?P<new>\w+)$")
_RIGHT = re.compile(
    rf"(?P<verb>GRANT|REVOKE) (?P<right>SELECT|INSERT|UPDATE|DELETE) ON (?:TABLE )?(?P<name>{_IDENT}) (?:TO|FROM) (?P<role>\w+)$"
)
_ALL_RIGHTS = re.compile(rf"(?P<verb>GRANT|REVOKE) ALL ON SCHEMA (?P<name>{_IDENT}) (?:TO|FROM) (?P<role>\w+)$")
_OF_SCHEMAS = ("CREATE", "USAGE")
_CONTAINERS = ("schema", "database")
_RESHAPING = re.compile(r"SWAP WITH|OWNED|\bOWNER TO\b|\bREASSIGN\b|APPLY REPLACEMENT")
"""What touches more than it names, or what privileges there are."""


@dataclasses.dataclass(frozen=True, order=True)
class Key:
    """A name in one space of names, or a privilege on an item or schema: `("right", "db.public.o_0", "SELECT rh…_o_1")`."""

    space: str
    name: str
    """In full: with database and schema where it lies in some."""
    right: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.right}".rstrip()


@dataclasses.dataclass(frozen=True)
class _Said:
    """Something was so at some moment from `start_ns` to `end_ns`; None: it may be either way from then on."""

    start_ns: int
    end_ns: int
    present: bool | None
    statement: Statement


@dataclasses.dataclass(frozen=True)
class Claim:
    """It must be there, or must not, since the statements that said so last."""

    key: Key
    present: bool
    statements: tuple[Statement, ...]


class Claims:
    """Of a repetition's statements. `database`: the one that unqualified names lie in, in its schema `public`."""

    def __init__(self, statements: Sequence[Statement], web: DependencyGraph, database: str) -> None:
        self._database = database
        self._web = web
        self._said: dict[Key, list[_Said]] = defaultdict(list)
        self._doubts: list[tuple[_Said, Callable[[Key], bool]]] = []
        for statement, end_ns, certain in lasting(statements):
            if certain:
                self._hear(statement, end_ns)
            else:
                self._doubt(statement, end_ns, self._reached(statement))

    def claims(self) -> list[Claim]:
        """What must be so, in the order of keys."""
        found = []
        for key, said in sorted(self._said.items()):
            last = _last([*said, *(doubt for doubt, concerns in self._doubts if concerns(key))])
            opinions = {each.present for each in last}
            if len(opinions) == 1 and (present := opinions.pop()) is not None:
                found.append(Claim(key, present, tuple(each.statement for each in last)))
        return found

    def _hear(self, statement: Statement, end_ns: int) -> None:
        sql = " ".join(statement.sql.split())
        if right := _RIGHT.match(sql):
            key = Key("right", self._full("item", right["name"]), f"{right['right']} {right['role']}")
            self._said[key].append(_Said(statement.start_ns, end_ns, right["verb"] == "GRANT", statement))
        elif all_rights := _ALL_RIGHTS.match(sql):
            for word in _OF_SCHEMAS:
                key = Key("right", self._full("schema", all_rights["name"]), f"{word} {all_rights['role']}")
                self._said[key].append(_Said(statement.start_ns, end_ns, all_rights["verb"] == "GRANT", statement))
        elif created := _CREATE.match(sql):
            if created["noun"] == "SOURCE":
                # It may make subsources, which it does not name.
                self._doubt(statement, end_ns, self._reached(statement), but=self._key("SOURCE", created["name"]))
            indexed = _INDEXED.match(sql)
            path = indexed["path"] if indexed else ""
            self._say(statement, end_ns, created["noun"], path + created["name"], present=True)
        elif dropped := _DROP.match(sql):
            if dropped["noun"] != "INDEX":
                self._doubt(statement, end_ns, self._reached(statement), but=self._key(dropped["noun"], dropped["name"]))
            self._say(statement, end_ns, dropped["noun"], dropped["name"], present=False)
        elif renamed := _RENAME.match(sql):
            path, dot, _ = renamed["name"].rpartition(".")
            self._say(statement, end_ns, renamed["noun"], renamed["name"], present=False)
            self._say(statement, end_ns, renamed["noun"], f"{path}{dot}{renamed['new']}", present=True)
        elif sql.startswith(("CREATE ", "DROP ", "GRANT ", "REVOKE ")) or _RESHAPING.search(sql):
            self._doubt(statement, end_ns, self._reached(statement))

    def _say(self, statement: Statement, end_ns: int, noun: str, name: str, *, present: bool) -> None:
        """A name's coming or going also unsettles what lies in it, and what privileges there are on it."""
        key = self._key(noun, name)
        self._said[key].append(_Said(statement.start_ns, end_ns, present, statement))
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
        doubt = _Said(statement.start_ns, end_ns, None, statement)
        self._doubts.append((doubt, lambda key: key != but and concerns(key)))

    def _reached(self, statement: Statement) -> Callable[[Key], bool]:
        """Names of the objects that a statement names, or that stand on those: what CASCADE may reach."""
        reached = self._web.dependents(names_in(statement.sql) | {statement.object})
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
    """The statements that may have had an effect, the moment by which they had it, and whether it is certain that they had.

    What was rolled back had none. Of one whose connection was lost, or whose transaction was not ended, it is not certain.
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
    """The claims that do not hold. `there`: by space, the names (as `str` of a key has them) that the catalog has."""
    return [claim for claim in claims if claim.present != (str(claim.key) in there.get(claim.key.space, frozenset()))]


def _last(said: Sequence[_Said]) -> list[_Said]:
    """Those after which nothing was said for sure."""
    latest = max(each.start_ns for each in said)
    return [each for each in said if each.end_ns >= latest]


_NEVER = 2**63 - 1
