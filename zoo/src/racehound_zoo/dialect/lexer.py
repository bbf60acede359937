"""The lexer. A token has its position, so that a query can be cut out of the text exactly as it was written."""

from __future__ import annotations

import dataclasses
import re
from typing import Literal

from racehound_zoo.errors import syntax

TokenKind = Literal["word", "quoted", "string", "number", "parameter", "operator", "end"]

_PATTERN = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*)
    | (?P<comment>/\*)
    | (?P<escaped>[eE]'(?:[^'\\]|''|\\.)*')
    | (?P<string>'(?:[^']|'')*')
    | (?P<dollar>\$(?P<tag>[A-Za-z_]\w*)?\$.*?\$(?(tag)(?P=tag))\$)
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<parameter>\$\d+)
    | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
    | (?P<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)
    | (?P<operator>::|=>|->>|->|\#>>|\#>|<=|>=|<>|!=|\|\||@>|<@|~\*|!~\*|!~|[-+*/%^<>=~!@#&|?.,;()\[\]{}:])
    """,
    re.VERBOSE | re.DOTALL,
)
_PUNCTUATION = {"(": "left parenthesis", ")": "right parenthesis", ",": "comma", ".": "dot", ";": "semicolon"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}

KEYWORDS = frozenset(
    """
    ACCESS ADD ADDED ALL ALTER ANALYZE AND ANY APPEND AS ASC AT AUCTION AUTHORITY AVAILABILITY AVRO AWS BATCH BEGIN BETWEEN
    BODY BOTH BROKER BROKERS BY BYTES CASCADE CASE CAST CHECK CLOCK CLOSE CLUSTER CLUSTERS COLUMN COLUMNS COMMENT COMMIT
    CONFLUENT CONNECTION CONNECTIONS CONSTRAINT COPY COUNTER CREATE CREATECLUSTER CREATEDB CREATEROLE CREATION CROSS CSV
    CURRENT CURSOR DATABASE DATABASES DATUMS DEALLOCATE DEBEZIUM DECLARE DEFAULT DELETE DESC DETAILS DISCARD DISK DISTINCT
    DROP ELEMENT ELSE END ENVELOPE EVERY EXCEPT EXECUTE EXISTS EXPLAIN EXPOSE FACTOR FALSE FETCH FILTER FIRST FOR FOREIGN
    FORMAT FROM FULL GENERATOR GRANT GREATEST GROUP HAVING HEADERS HOST ICEBERG IF IN INCLUDE INDEX INDEXES INHERIT INNER
    INSERT INTERSECT INTERVAL INTO INTROSPECTION IS ISOLATION JOIN JSON KAFKA KEY KEYS LAST LATERAL LEFT LEVEL LIKE LIMIT
    LIST LOAD LOGIN MANAGED MANUAL MAP MARKETING MATERIALIZED MEMBERSHIP MYSQL NATURAL NETWORK NO NOINHERIT NOT NULL OBJECTS
    OF OFFSET ON ONLY OPTIONS OR ORDER OUTER OWNED OWNER PARTITIONS PASSWORD PLAN POLICIES PORT POSTGRES PREPARE PRIMARY
    PRIVILEGES PROGRESS PROTOBUF PROTOCOL PUBLICATION READ REASSIGN REFERENCE REFERENCES REFRESH REGISTRY RENAME REPEATABLE
    REPLACE REPLICA REPLICAS REPLICATION RESET RESTRICT RETAIN RETURNING REVOKE RIGHT ROLE ROLES ROLLBACK ROTATE ROW ROWS
    SCALE SCHEDULE SCHEMA SCHEMAS SECRET SECRETS SECURITY SELECT SERIALIZABLE SERVER SESSION SET SHOW SINK SINKS SIZE
    SNAPSHOT SOURCE SOURCES SQL SSH START STRICT SUBSCRIBE SUBSOURCE SUBSOURCES SUPERUSER SWAP SYSTEM TABLE TABLES TEMP
    TEMPORARY TEXT THEN TICK TIMESTAMP TO TOPIC TPCH TRANSACTION TRUE TYPE TYPES UNION UNIQUE UP UPDATE UPSERT URL USAGE
    USER USING VALIDATE VALUE VALUES VIEW VIEWS WAIT WEBHOOK WHEN WHERE WITH WITHOUT WORK WORKLOAD ZONES
    """.split()  # noqa: SIM905 a list would take 230 lines
)
"""Words that an error prints in capitals when another token was expected. The server calls all other words identifiers."""


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """A token. `value` is its meaning: a word in lower case, a string without its quotes."""

    kind: TokenKind
    value: str
    start: int
    end: int

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these words, which are given in capitals, and is not quoted."""
        return self.kind == "word" and self.value.upper() in words

    def is_operator(self, *operators: str) -> bool:
        return self.kind == "operator" and self.value in operators

    @property
    def is_name(self) -> bool:
        return self.kind in {"word", "quoted"}

    def found(self) -> str:
        """How an error message names the token."""
        if self.kind == "end":
            return "EOF"
        if self.kind == "operator":
            return _PUNCTUATION.get(self.value, f'operator "{self.value}"')
        if self.kind == "word" and self.value.upper() in KEYWORDS:
            return self.value.upper()
        return {
            "string": f"string literal '{self.value}'",
            "number": f'number "{self.value}"',
            "parameter": f"parameter {self.value}",
        }.get(self.kind, f'identifier "{self.value}"')


def tokenize(text: str) -> list[Token]:
    """The tokens of a text, followed by one of kind "end". SqlError 42601 for an invalid or unterminated token."""
    tokens = []
    position = 0
    while position < len(text):
        match = _PATTERN.match(text, position)
        if match is None:
            raise syntax(_complaint(text[position]))
        position = match.end()
        kind = match.lastgroup
        if kind == "comment":
            position = _comment_end(text, match.start())
        elif kind != "space":
            tokens.append(_token(match))
    tokens.append(Token("end", "", len(text), len(text)))
    return tokens


def statements(tokens: list[Token]) -> list[list[Token]]:
    """Split the tokens at semicolons. Empty statements are left out. Each list ends with a token of kind "end"."""
    found: list[list[Token]] = []
    current: list[Token] = []
    for token in tokens:
        if token.is_operator(";") or token.kind == "end":
            if current:
                found.append([*current, Token("end", "", current[-1].end, current[-1].end)])
            current = []
        else:
            current.append(token)
    return found


def _token(match: re.Match[str]) -> Token:
    text = match.group()
    kind: TokenKind = "operator"
    value = text
    if match["word"]:
        kind, value = "word", text.lower()
    elif match["quoted"]:
        kind, value = "quoted", text[1:-1].replace('""', '"')
    elif match["number"]:
        kind = "number"
    elif match["parameter"]:
        kind = "parameter"
    elif not match["operator"]:
        kind, value = "string", _string(match, text)
    return Token(kind, value, *match.span())


def _string(match: re.Match[str], text: str) -> str:
    """The value of a string literal."""
    if match["dollar"]:
        width = len(match["tag"] or "") + 2
        return text[width:-width]
    if match["escaped"]:
        return _unescaped(text[2:-1].replace("''", "'"))
    return text[1:-1].replace("''", "'")


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), text, flags=re.DOTALL)


def _comment_end(text: str, start: int) -> int:
    """The end of a comment. Comments may be nested."""
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    raise syntax("unterminated multiline comment")


def _complaint(character: str) -> str:
    if character == "'":
        return "unterminated quoted string"
    if character == '"':
        return "unterminated quoted identifier"
    return f"unexpected character in input: {character}"
