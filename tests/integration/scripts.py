"""Running scripts in tests, and what is to be said of those that fail."""

from __future__ import annotations

import dataclasses

import pytest

from racehound.testdrive.errors import CommandFailed, ScriptError
from racehound.testdrive.interpreter import Context, Interpreter
from racehound.testdrive.parser import parse


def run(text: str, context: Context) -> dict[str, str]:
    """Run a script to its end; its variables."""
    with Interpreter(context) as interpreter:
        interpreter.run(parse(text, "some.td"))
        return interpreter.state.variables


def failure(text: str, context: Context) -> CommandFailed:
    """How a script fails that is written correctly."""
    with pytest.raises(CommandFailed) as raised:
        run(text, context)
    return raised.value


def misuse(text: str, context: Context) -> str:
    """What is wrong with a script that is written wrongly."""
    with pytest.raises(ScriptError) as raised:
        run(text, context)
    return raised.value.message


def hasty(context: Context) -> Context:
    """The same context for scripts that wait in vain."""
    return dataclasses.replace(context, timeout=1.5)
