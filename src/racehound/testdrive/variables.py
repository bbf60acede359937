"""`${name}`: what a script's variables stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from racehound.errors import RacehoundError
from racehound.testdrive.script import VARIABLE_MARK

ENVIRONMENT = "env."
_VARIABLE = re.compile(r"\$\{([^}]+)\}")


class UnknownVariableError(RacehoundError):
    """A script asks for a variable that nobody has set."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown variable {name}")
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
