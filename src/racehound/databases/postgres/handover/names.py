"""Readable names in place of those of a run: `role_1`, `table_2`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from racehound.data.object_names import RUN_ID
from racehound.databases.postgres.kinds.shared_operations import OTHER_SCHEMA

RUN = "${racehound.run}"
_TOKEN = rf"(?:{re.escape(RUN)}_\w+|(?<![A-Za-z0-9{{}}])o_(?:base|\d+)\w*|\b{OTHER_SCHEMA}\b)"
_NAME = re.compile(_TOKEN)

_WORDS = {
    "MATERIALIZED VIEW": "view",
    "FOREIGN TABLE": "foreign_table",
    "FOREIGN DATA WRAPPER": "wrapper",
    "FOREIGN SERVER": "server",
    "EVENT TRIGGER": "event_trigger",
    "TEXT SEARCH CONFIGURATION": "configuration",
    "TEXT SEARCH DICTIONARY": "dictionary",
    "ACCESS METHOD": "access_method",
    "OPERATOR CLASS": "operator_class",
    "OPERATOR FAMILY": "operator_family",
    **{
        noun: noun.lower()
        for noun in ("TABLESPACE", "TABLE", "VIEW", "INDEX", "SEQUENCE", "TYPE", "DOMAIN", "FUNCTION", "PROCEDURE", "AGGREGATE",
                     "SCHEMA", "DATABASE", "EXTENSION", "LANGUAGE", "PUBLICATION", "SUBSCRIPTION", "STATISTICS", "COLLATION",
                     "CONVERSION", "POLICY", "RULE", "TRIGGER", "SERVER", "CONSTRAINT", "COLUMN", "ROLE", "CAST")
    },
    "USER": "role",
    "GROUP": "role",
}  # fmt: skip
"""What SQL calls an object: the word that its readable name begins with."""

_NOUN = "|".join(word.replace(" ", r"\s+") for word in _WORDS)
_SPOKEN = re.compile(
    rf"\b({_NOUN})\s+(?:CONCURRENTLY\s+)?(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?:ONLY\s+)?(?:[\w${{}}.]+\.)?\"?({_TOKEN})", re.IGNORECASE
)
_RENAMED = re.compile(rf"\b({_NOUN})\s+(?:[\w${{}}.]+\.)?\"?{_TOKEN}\"?\s+RENAME\s+TO\s+\"?({_TOKEN})", re.IGNORECASE)
_RENAMED_COLUMN = re.compile(rf"\bRENAME\s+(?:COLUMN\s+)?\"?\w+\"?\s+TO\s+\"?({_TOKEN})", re.IGNORECASE)
_HINTS = (
    (
        re.compile(
            rf"\b(?:OWNER\s+TO|OWNED\s+BY|REASSIGN\s+OWNED\s+BY|IN\s+ROLE|SET\s+ROLE|AUTHORIZATION|OWNER)\s+\"?({_TOKEN})", re.I
        ),
        "role",
    ),
    (re.compile(rf"\bsearch_path\s*(?:=|TO)\s*\"?({_TOKEN})", re.IGNORECASE), "schema"),
    (re.compile(rf"\b(?:GRANT|REVOKE)\s+\"?({_TOKEN})\"?\s+(?:TO|FROM)\b", re.IGNORECASE), "role"),
    (re.compile(rf"\b(?:GRANT|REVOKE)\b[^;]*\b(?:TO|FROM)\s+\"?({_TOKEN})", re.IGNORECASE), "role"),
    (
        re.compile(rf"\b(?:FROM|INTO|UPDATE|JOIN|ON|OF|REFERENCES)\s+(?:ONLY\s+)?(?:[\w${{}}.]+\.)?\"?({_TOKEN})", re.IGNORECASE),
        "table",
    ),
    (re.compile(rf"({_TOKEN})\s*\(", re.IGNORECASE), "function"),
)
"""Places where a name stands without its noun, the surest first."""
_OTHER = "object"


class Names:
    """The readable names of all objects that some statements name."""

    def __init__(self, statements: Iterable[str]) -> None:
        texts = list(statements)
        whole = "\n".join(texts)
        words = _words(texts)
        counts: dict[str, int] = {}
        self._readable: dict[str, str] = {}
        for name in dict.fromkeys(sorted(_NAME.findall(whole), key=lambda name: not name.startswith(RUN))):
            shared = self._readable.get(f"{RUN}_{name}")
            if shared and name not in words:
                self._readable[name] = shared  # the object's own name, in a comment
                continue
            word = words.get(name, _OTHER)
            number = counts.get(word, 0) + 1
            while re.search(rf"\b{word}_{number}\b", whole):
                number += 1  # a statement of the user's has this name already
            counts[word] = number
            self._readable[name] = f"{word}_{number}"

    def of(self, name: str) -> str:
        """The readable name; the name itself where no statement has it."""
        return self._readable.get(name, name)

    def has(self, name: str) -> bool:
        """Whether a statement names it."""
        return name in self._readable

    def read(self, text: str) -> str:
        """The text with readable names, and without the id of any run."""
        text = RUN_ID.sub(lambda _: RUN, text)
        return _NAME.sub(lambda match: self.of(match[0]), text).replace(RUN, "run")


def _words(texts: list[str]) -> dict[str, str]:
    """For each name the word that says what it is, as the first statement tells that gives it a noun."""
    found: dict[str, str] = {}
    for text in texts:
        for pattern in (_RENAMED, _SPOKEN):
            for match in pattern.finditer(text):
                found.setdefault(match[2], _WORDS[" ".join(match[1].upper().split())])
        for match in _RENAMED_COLUMN.finditer(text):
            found.setdefault(match[1], "column")
    for pattern, word in _HINTS:
        for text in texts:
            for match in pattern.finditer(text):
                found.setdefault(match[1], word)
    return found
