"""Secrets stay out of messages: the text of CREATE SECRET (and ALTER SECRET) never reaches a log or a report."""

from __future__ import annotations

import re

import msgspec

from racehound.targets.session import Outcome

HIDDEN = "<redacted>"
_SECRET = re.compile(r"(\b(?:create|alter)\s+secret\b).*", re.IGNORECASE | re.DOTALL)
_LITERAL = re.compile(r"'((?:[^']|'')*)'?")


def redact(text: str) -> str:
    """The text with all that follows CREATE SECRET or ALTER SECRET hidden, the name included."""
    return _SECRET.sub(rf"\1 {HIDDEN}", text) if "secret" in text.casefold() else text


def holds_secret(text: str) -> bool:
    """Whether the text contains a statement that carries a secret."""
    return "secret" in text.casefold() and _SECRET.search(text) is not None


def scrub(message: str, statement: str) -> str:
    """A server's message about a statement, with every string literal of it hidden if it carries a secret."""
    if not holds_secret(statement):
        return message
    for literal in sorted(filter(None, _LITERAL.findall(statement)), key=len, reverse=True):
        for form in (literal, literal.replace("''", "'")):
            message = message.replace(form, HIDDEN)
    return message


def scrub_outcome(outcome: Outcome, statement: str) -> Outcome:
    """What became of a statement, with `scrub` applied to all that the server said."""
    if outcome.error is None or not holds_secret(statement):
        return outcome
    error = outcome.error
    fields = {name: scrub(getattr(error, name), statement) for name in ("message", "detail", "hint", "context")}
    return msgspec.structs.replace(outcome, error=msgspec.structs.replace(error, **fields))
