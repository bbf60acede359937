"""Hides passwords, and the values in CREATE SECRET and ALTER SECRET, in messages, logs and reports."""

from __future__ import annotations

import re

import msgspec

from racehound.session import Outcome

HIDDEN = "<redacted>"
_SECRET = re.compile(
    r"""(\b(?:create|alter)\s+secret\b(?:\s+(?:if\s+(?:not\s+)?exists\s+)?(?:[\w.]|"[^"]*")+\s+as\b)?).*""",
    re.IGNORECASE | re.DOTALL,
)
_LITERAL = re.compile(r"'((?:[^']|'')*)'?")
# As an argument (password=…), in a connection string (Password=…;) and in SQL: PASSWORD '…', PASSWORD = '…', IDENTIFIED BY '…'.
# The name of a secret or a variable after the word is not a password.
_PASSWORD = re.compile(
    r"""(\b(?:password|pwd)\s*=\s*|\bpassword\s+(?=['"])|\bidentified\s+(?:with\s+\S+\s+)?by\s+)"""
    r"""(?!secret\b|\$\{)('(?:[^']|'')*'?|"[^"]*"?|\{[^}]*\}?|[^\s;,)]+)""",
    re.IGNORECASE,
)
_PASSWORD_MARKS = ("password", "pwd", "identified")


def redact(text: str) -> str:
    """The text without passwords and without what follows CREATE SECRET or ALTER SECRET, except `NAME AS`."""
    folded = text.casefold()
    if any(mark in folded for mark in _PASSWORD_MARKS):
        text = _PASSWORD.sub(rf"\1{HIDDEN}", text)
    return _SECRET.sub(rf"\1 {HIDDEN}", text) if "secret" in folded else text


def holds_secret(text: str) -> bool:
    """Whether the text contains a statement that carries a secret."""
    return "secret" in text.casefold() and _SECRET.search(text) is not None


def scrub(message: str, statement: str) -> str:
    """A server's message about a statement without passwords, and without the literals of a statement that carries a secret."""
    if not holds_secret(statement):
        return _without_passwords(message, statement)
    for literal in sorted(filter(None, _LITERAL.findall(statement)), key=len, reverse=True):
        for form in (literal, literal.replace("''", "'")):
            message = message.replace(form, HIDDEN)
    return message


def _without_passwords(message: str, statement: str) -> str:
    for _, password in _PASSWORD.findall(statement):
        message = message.replace(password.strip("'\""), HIDDEN) if password.strip("'\"") else message
    return redact(message)


def scrub_outcome(outcome: Outcome, statement: str) -> Outcome:
    """The outcome of a statement, with `scrub` applied to all texts of the server."""
    if outcome.error is None or not holds_secret(statement):
        return outcome
    error = outcome.error
    fields = {name: scrub(getattr(error, name), statement) for name in ("message", "detail", "hint", "context")}
    return msgspec.structs.replace(outcome, error=msgspec.structs.replace(error, **fields))
