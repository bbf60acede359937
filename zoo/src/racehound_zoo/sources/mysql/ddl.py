"""Finds out what a DDL statement in the binary log does to tables."""

from __future__ import annotations

import dataclasses
import re
from typing import Literal

_WORD = r"(?:`(?:[^`]|``)+`|[\w$]+)"
_NAME = rf"(?:{_WORD}\s*\.\s*)?{_WORD}"
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_TRUNCATE = re.compile(rf"TRUNCATE\s+(?:TABLE\s+)?({_NAME})", re.IGNORECASE)
_DROP = re.compile(rf"DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?({_NAME}(?:\s*,\s*{_NAME})*)", re.IGNORECASE)
_DROP_DATABASE = re.compile(rf"DROP\s+(?:DATABASE|SCHEMA)\s+(?:IF\s+EXISTS\s+)?({_WORD})", re.IGNORECASE)
_RENAME = re.compile(r"RENAME\s+TABLE\b", re.IGNORECASE)
_RENAMED = re.compile(rf"({_NAME})\s+TO\s+{_NAME}", re.IGNORECASE)
_MOVE = re.compile(rf"ALTER\s+TABLE\s+({_NAME})\s+RENAME\s+(?!COLUMN\b|INDEX\b|KEY\b)", re.IGNORECASE)
_ALTER = re.compile(rf"ALTER\s+TABLE\s+({_NAME})", re.IGNORECASE)
_INDEX = re.compile(rf"(?:CREATE|DROP)\b[^(]*?\bINDEX\b[^(]*?\bON\s+({_NAME})", re.IGNORECASE)


EffectKind = Literal["truncated", "dropped", "altered"]


@dataclasses.dataclass(frozen=True, slots=True)
class TableEffect:
    """An effect on a table; with `table` None, on all tables of the schema."""

    how: EffectKind
    schema: str
    table: str | None


def effects(statement: str, schema: str) -> list[TableEffect]:
    """The effects of a statement that was executed in a schema. A table that is renamed counts as dropped under its old name."""
    text = _COMMENT.sub(" ", statement).strip()
    if (match := _DROP_DATABASE.match(text)) is not None:
        return [TableEffect("dropped", _plain(match[1]), None)]
    how, names = _named(text)
    return [TableEffect(how, *_qualified(name, schema)) for name in names]


def _named(text: str) -> tuple[EffectKind, list[str]]:
    """What happens to tables, and their names as written."""
    if (match := _TRUNCATE.match(text)) is not None:
        return "truncated", [match[1]]
    if (match := _DROP.match(text)) is not None:
        return "dropped", re.findall(_NAME, match[1])
    if (match := _MOVE.match(text)) is not None:
        return "dropped", [match[1]]
    if (match := _RENAME.match(text)) is not None:
        return "dropped", _RENAMED.findall(text[match.end() :])
    match = _ALTER.match(text) or _INDEX.match(text)
    return "altered", [match[1]] if match is not None else []


def _qualified(name: str, schema: str) -> tuple[str, str]:
    words = [_plain(word) for word in re.findall(_WORD, name)]
    return (words[0], words[1]) if len(words) > 1 else (schema, words[0])


def _plain(word: str) -> str:
    return word[1:-1].replace("``", "`") if word.startswith("`") else word
