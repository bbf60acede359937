"""Running files of the language one after the other, each on a session of its own, and telling which failed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from racehound.errors import UserError
from racehound.targets.session import Session
from racehound.testdrive.errors import CommandFailed
from racehound.testdrive.interpreter import Interpreter
from racehound.testdrive.parser import parse
from racehound.testdrive.script import Script
from racehound.testdrive.state import Context

STANDARD_INPUT = "-"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the command line says. Times in seconds."""

    seed: int
    arguments: Mapping[str, str]
    timeout: float
    initial_backoff: float
    backoff_factor: float
    max_errors: int


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What the scripts meet: the target's address, how to connect to it or another one, psql, a directory for files."""

    url: str
    connect: Callable[[str], Session]
    renew: Callable[[], None]
    """Called before each file: a clean place, where the target is ours to clean."""
    psql: str
    temp_dir: Path
    variables: Mapping[str, str]


def read_scripts(files: Sequence[str], standard_input: TextIO) -> list[Script]:
    """Read and parse all files before any runs. UserError for one that cannot be read or is written wrongly."""
    return [_read(file, standard_input) for file in files]


def run_scripts(scripts: Sequence[Script], settings: Settings, around: Surroundings, tell: Callable[[str], object]) -> int:
    """Run them in order until `max_errors` have failed; how many did. A script that is written wrongly raises `ScriptError`."""
    failures = 0
    for script in scripts:
        if failures == settings.max_errors:
            tell(f"stopped after {failures} failed files")
            break
        around.renew()
        failures += not _passes(script, settings, around, tell)
    return failures


def _passes(script: Script, settings: Settings, around: Surroundings, tell: Callable[[str], object]) -> bool:
    session = around.connect(around.url)
    context = Context(
        session=session,
        variables={**around.variables, **{f"arg.{name}": value for name, value in settings.arguments.items()}},
        connect=around.connect,
        timeout=settings.timeout,
        initial_backoff=settings.initial_backoff,
        backoff_factor=settings.backoff_factor,
        temp_dir=around.temp_dir,
        url=around.url,
        psql=around.psql,
        seed=settings.seed,
        output=tell,
    )
    try:
        with Interpreter(context) as interpreter:
            interpreter.run(script)
    except CommandFailed as failure:
        tell(str(failure))
        return False
    finally:
        session.close()
    tell(f"{script.file}: ok")
    return True


def _read(file: str, standard_input: TextIO) -> Script:
    if file == STANDARD_INPUT:
        return parse(standard_input.read(), "<stdin>")
    try:
        return parse(Path(file).read_text(encoding="utf-8"), file)
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not UTF-8 text: {error.reason} at byte {error.start}") from error
