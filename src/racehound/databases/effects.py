"""What a statement changes, as its text tells.

Most queries only read. But a query may call a function that changes something, lock rows, hold a DELETE in a WITH clause, or
write its result into a new table. A function changes something unless it is known to be harmless. The rules of this module are
those of standard SQL; each database adds its own words and functions.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

Sort = Literal["read", "session", "transaction", "change"]
"""read: it leaves everything as it is. session: it concerns its own session only. transaction: it begins or ends a transaction,
or a part of one. change: other sessions may see a difference."""


class Effect(NamedTuple):
    """What a statement does."""

    sort: Sort
    functions: tuple[str, ...] = ()
    """If it is a query that changes something: the functions that it calls and that are not known to be harmless."""


EffectOf = Callable[[str], Effect]
"""The effect of a statement, by its text (`databases.dialect.Dialect.effect`)."""


def words_of(text: str) -> frozenset[str]:
    """The words of a long list."""
    return frozenset(text.split())


_STANDARD_FUNCTIONS = words_of(
    """
    abs any_value array_agg avg btrim cardinality ceil ceiling char_length character_length concat corr cos count
    covar_pop covar_samp cume_dist current_setting date_part date_trunc dense_rank every exp first_value floor
    generate_series lag last_value lead length listagg ln localtime localtimestamp log log10 lower lpad ltrim max min mod
    now nth_value ntile octet_length percent_rank percentile_cont percentile_disc power random rank regr_slope repeat
    replace round row_number rpad rtrim sign sin sqrt stddev_pop stddev_samp string_agg substr sum tan trunc unnest upper
    var_pop var_samp version width_bucket xmlagg
    """
)
_BEFORE_PARENTHESIS = words_of(
    """
    all and any array as between bit by case cast char character coalesce collation columns cross cube dec decimal
    distinct else end escape except exclude exists extract fetch filter first float for from full greatest group grouping
    having ilike in inner intersect interval into is isnull join json json_array json_arrayagg json_exists json_object
    json_objectagg json_query json_scalar json_serialize json_table json_value lateral least left like limit merge_action
    national natural nchar next normalize not notnull nullif numeric offset on only operator or order outer over overlay
    partition position precision range recursive returning right rollup row rows select sets similar some substring table
    tablesample then time timestamp to treat trim union unique using values varchar varying when where window with within
    xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
    """
)
"""Words before a parenthesis that call no function: keywords, types, and expressions of the language itself."""
_TOKEN = re.compile(
    r"""(?P<blank>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<text>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    |(?P<quoted>"(?:[^"]|"")*")
    |(?P<word>(?:[^\W\d]|\$\{[^}]*\})(?:[\w$]|\$\{[^}]*\})*)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


def tokens(sql: str) -> list[str]:
    """The words and signs of a statement. Comments are left out; a literal is one token, a quoted name keeps its quotes."""
    return [match[0] for match in _TOKEN.finditer(sql) if match.lastgroup != "blank"]


@dataclasses.dataclass(frozen=True, eq=False)
class StatementRules:
    """The rules of one database. Words are in upper case, and each is the first of a statement."""

    reads: frozenset[str] = frozenset({"SHOW", "DESCRIBE", "FETCH"})
    """Statements that change nothing, whatever follows."""
    queries: frozenset[str] = frozenset({"SELECT", "TABLE", "VALUES", "WITH"})
    """Statements that change something only through their parts."""
    session: frozenset[str] = frozenset({"SET", "RESET", "USE", "DECLARE", "OPEN", "CLOSE", "PREPARE", "DEALLOCATE"})
    """Statements that concern their own session only."""
    harmless: Callable[[str, str], bool] = lambda _schema, name: name in _STANDARD_FUNCTIONS
    """Whether a function changes nothing. The first argument is the schema that the call names, or empty."""
    may_call: bool = True
    """Whether queries can change something at all."""

    def effect(self, sql: str) -> Effect:
        """The effect of a statement."""
        return _effect(self, sql)

    def of_tokens(self, found: Sequence[str]) -> Effect:
        """The effect of a statement that has been taken apart."""
        at = next((number for number, each in enumerate(found) if each != "("), len(found))
        first, second = ([token.upper() for token in found[at : at + 2]] + ["", ""])[:2]
        if first == "EXPLAIN":
            explained = _analysed(found[at + 1 :])
            return self.of_tokens(explained) if explained else Effect("read")
        if first == "COPY":
            return self._copy(found[at + 1 :])
        if first in self.queries and self.may_call:
            return self._query(found)
        return Effect(self._sort(first, second))

    def _sort(self, first: str, second: str) -> Sort:
        """By the first two words of a statement."""
        if first in _TRANSACTION or (first, second) == ("START", "TRANSACTION"):
            return "transaction"
        if first in self.session and (first, second) != ("PREPARE", "TRANSACTION"):
            return "session"
        return "read" if first in self.reads or first in self.queries else "change"

    def _query(self, found: Sequence[str]) -> Effect:
        words = [token.upper() for token in found]
        functions = tuple(dict.fromkeys(name for schema, name in _calls(found) if not self.harmless(schema, name)))
        pairs = set(itertools.pairwise(words))
        changes = any(before in "()" and word in _CHANGES for before, word in pairs)
        locks = bool(pairs & _ROW_LOCKS)
        return Effect("change", functions) if functions or changes or locks or "INTO" in words else Effect("read")

    def _copy(self, found: Sequence[str]) -> Effect:
        """COPY reads a table or a query, or writes a table."""
        end = _closing(found, 0) if found and found[0] == "(" else 0
        if end:
            return self.of_tokens(found[1:end])
        direction = next((word for word in (token.upper() for token in found) if word in ("FROM", "TO")), "")
        return Effect("read" if direction == "TO" else "change")


@functools.lru_cache(maxsize=5_000)
def _effect(rules: StatementRules, sql: str) -> Effect:
    return rules.of_tokens(tokens(sql))


_TRANSACTION = frozenset({"BEGIN", "COMMIT", "ROLLBACK", "END", "ABORT", "SAVEPOINT", "RELEASE"})
_CHANGES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_ROW_LOCKS = frozenset({("FOR", "UPDATE"), ("FOR", "SHARE"), ("FOR", "NO"), ("FOR", "KEY")})
_OFF = frozenset({"FALSE", "OFF", "0"})


def _analysed(found: Sequence[str]) -> Sequence[str]:
    """The statement that EXPLAIN runs; nothing where it only plans it."""
    if found and found[0] == "(":
        end = _closing(found, 0)
        options = [token.upper() for token in found[1 : end + 1]]
        values = [value for option, value in itertools.pairwise(options) if option == "ANALYZE"]
        return found[end + 1 :] if values and values[-1] not in _OFF else ()
    words = [token.upper() for token in found[:2]]
    return [token for token in found if token.upper() not in ("ANALYZE", "VERBOSE")] if "ANALYZE" in words else ()


def _calls(found: Sequence[str]) -> list[tuple[str, str]]:
    """Schema and name of what is followed by a parenthesis and may be a function; the schema is empty where none is named."""
    calls = []
    for at, (token, following) in enumerate(itertools.pairwise(found)):
        if following != "(" or not (token[0] == '"' or token[0].isalpha() or token[0] in "_$"):
            continue
        before = found[at - 1].upper() if at else ""
        if before == "NOT" and at > 1 and found[at - 2].upper() == "AS":
            continue  # the hint of a WITH clause
        if before == ".":
            calls.append((_name(found[at - 2]), _name(token)))
        elif token.lower() not in _BEFORE_PARENTHESIS and before not in _ALIASED and not _is_common_table(found, at):
            calls.append(("", _name(token)))
    return calls


_ALIASED = frozenset({"AS", ")", "RECURSIVE", "TABLESAMPLE"})
"""What follows one of these and has a parenthesis is the name of a table with its columns, or a way to sample."""


def _is_common_table(found: Sequence[str], at: int) -> bool:
    """Whether this is `NAME (COLUMN, …) AS (`, a table of a WITH clause. A hint of one or two words may follow AS."""
    following = [token.upper() for token in found[_closing(found, at + 1) + 1 :][:4]]
    return following[:1] == ["AS"] and "(" in following[1:3] + (following[3:] if following[1:2] == ["NOT"] else [])


def _closing(found: Sequence[str], opening: int) -> int:
    """Where the parenthesis that opens there is closed; the last token where it never is."""
    depth = 0
    for at in range(opening, len(found)):
        depth += (found[at] == "(") - (found[at] == ")")
        if depth == 0:
            return at
    return len(found) - 1


def _name(token: str) -> str:
    return token[1:-1] if token[0] == '"' else token.lower()


STANDARD = StatementRules()
"""The rules for a database of which nothing more is known."""
