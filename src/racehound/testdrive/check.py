"""What can be known to be wrong with the actions of a script before any of it runs."""

from __future__ import annotations

import functools

from racehound.testdrive.actions import ARGUMENT_TYPES, Spec, find
from racehound.testdrive.errors import Location, ScriptError
from racehound.testdrive.script import VARIABLE_MARK, Action, Argument, Position, Script


class _MisuseError(Exception):
    """An action that is used wrongly, and where."""

    def __init__(self, message: str, position: Position) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


def check(script: Script) -> None:
    """Every action exists, has the arguments it needs and no others, readable values, and input only where it takes some.

    Values that hold variables are left to the run. Raises `ScriptError` for the first flaw.
    """
    for action in script.actions:
        try:
            _check(action)
        except _MisuseError as misuse:
            raise ScriptError(misuse.message, Location(script.file, misuse.position, script.source)) from None


# Only success is remembered, so a flaw is always reported at the position of the action at hand.
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
