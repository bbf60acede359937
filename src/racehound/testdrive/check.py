"""Checks the actions of a script before any command runs."""

from __future__ import annotations

import functools

from racehound.testdrive.actions import ARGUMENT_TYPES, Spec, find
from racehound.testdrive.errors import Location, ScriptError
from racehound.testdrive.script import VARIABLE_MARK, Action, Argument, Position, Script


class _MisuseError(Exception):
    """An action is used wrongly at this position."""

    def __init__(self, message: str, position: Position) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


def check(script: Script) -> None:
    """Check that every action exists, has the arguments it needs and no others, valid values, and input only if it takes some.

    Values with variables are checked when they run. Raises `ScriptError` for the first error.
    """
    for action in script.actions:
        try:
            _check(action)
        except _MisuseError as misuse:
            raise ScriptError(misuse.message, Location(script.file, misuse.position, script.source)) from None


# Only successes are cached, so that an error is reported at the position of this action.
@functools.lru_cache(maxsize=8192)
def _check(action: Action) -> None:
    spec = find(action.name)
    if spec is None:
        raise _MisuseError(f"unknown action {action.name}", action.position)
    for argument in action.arguments:
        _check_argument(argument, spec)
    given = {argument.key for argument in action.arguments}
    for key in spec.required:
        if key not in given:
            raise _MisuseError(f"missing parameter {key}", action.position)
    if action.input and not spec.takes_input:
        raise _MisuseError(f"{action.name} takes no input", action.input_position or action.position)


def _check_argument(argument: Argument, spec: Spec) -> None:
    if not spec.takes_any_argument and argument.key not in spec.required and argument.key not in spec.optional:
        raise _MisuseError(f"unknown parameter {argument.key}", argument.position)
    read = ARGUMENT_TYPES.get(argument.key)
    if read is None or spec.takes_any_argument or VARIABLE_MARK in argument.value:
        return
    try:
        read(argument.value)
    except ValueError as error:
        raise _MisuseError(f"parameter {argument.key}: {error}", argument.position) from None
