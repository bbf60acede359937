"""`${name}`: what a script's variables stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from racehound.errors import RacehoundError
from racehound.testdrive.script import VARIABLE_MARK, ExpectedHash, ExpectedResult, ExpectedRows, ExpectedText, Row

ENVIRONMENT = "env."
_VARIABLE = re.compile(r"\$\{([^}]+)\}")


_WAYS = {
    "arg.": ": --var NAME=VALUE sets it",
    "testdrive.": ": what it names is not configured; see `racehound services up`, and the options for addresses",
    "racehound.": ": no service that it names is up; see `racehound services up`",
}
"""What sets the predefined variables, by the beginning of their names."""


class UnknownVariableError(RacehoundError):
    """A script uses a variable that is not set."""

    def __init__(self, name: str) -> None:
        way = next((way for start, way in _WAYS.items() if name.startswith(start)), "")
        super().__init__(f"unknown variable {name}{way}")
        self.name = name


def _as_it_is(value: str) -> str:
    return value


def substitute(
    text: str,
    variables: Mapping[str, str],
    environment: Mapping[str, str],
    *,
    action: str = "",
    escape: Callable[[str], str] = _as_it_is,
) -> str:
    """The text with every `${name}` replaced; `${env.NAME}` comes from `environment`.

    `${action.x}` inside the action of that name is left to the action. `escape` is applied to every value. Values are not
    substituted again. Raises `UnknownVariableError`.
    """
    if VARIABLE_MARK not in text:
        return text
    own = f"{action}." if action else None

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if own is not None and name.startswith(own):
            return found[0]
        known = variables.get(name)
        if known is None and name.startswith(ENVIRONMENT):
            known = environment.get(name.removeprefix(ENVIRONMENT))
        if known is None:
            raise UnknownVariableError(name)
        return escape(known)

    return _VARIABLE.sub(value, text)


def substitute_result(expect: ExpectedResult, value: Callable[[str], str]) -> ExpectedResult:
    """What a script expects of a statement that succeeds, with `value` applied to every text in it."""

    def row(cells: Row) -> Row:
        return tuple(map(value, cells))

    match expect:
        case ExpectedRows(rows=rows, columns=columns):
            return ExpectedRows(tuple(map(row, rows)), columns and row(columns))
        case ExpectedHash(count=count, md5=md5, columns=columns):
            return ExpectedHash(count, md5, columns and row(columns))
        case ExpectedText(text=text):
            return ExpectedText(value(text))
