"""Runs script files one after the other, each on a session of its own, and reports which failed."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

from racehound.data.addresses import ServiceAddresses
from racehound.errors import TargetError
from racehound.session import Session
from racehound.testdrive.check import check
from racehound.testdrive.errors import CommandFailed, ScriptError
from racehound.testdrive.interpreter import Interpreter
from racehound.testdrive.parser import parse
from racehound.testdrive.rewrite import Rewriter
from racehound.testdrive.script import Script
from racehound.testdrive.state import Context
from racehound.testdrive.support import ScriptSupport

STANDARD_INPUT = "-"

Consistency = Literal["file", "statement", "disable"]
"""When the target's own checks are made: after each file, after each statement too, never."""
Verdict = Literal["passed", "failed", "broken", "died"]
"""failed: a command did not do what it says. broken: the file cannot be run. died: a service ended, so nothing is judged."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """The options of the command line. Times are in seconds."""

    seed: int
    arguments: Mapping[str, str]
    timeout: float
    initial_backoff: float
    backoff_factor: float
    max_errors: int
    consistency: Consistency = "file"
    rewrites: bool = False
    """Whether expectations that differ from the results are rewritten in the files."""


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """The target and services for the scripts, and a directory for their files. `connect` opens a session by URL."""

    url: str
    connect: Callable[[str], Session]
    prepare: Callable[[Script], object]
    """Called before each file: cleans the target and Kafka, unless the user has forbidden it."""
    temp_dir: Path
    variables: Mapping[str, str]
    services: ServiceAddresses = dataclasses.field(default_factory=ServiceAddresses)
    support: ScriptSupport = dataclasses.field(default_factory=ScriptSupport)
    programs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Paths of client programs by name."""
    deaths: Callable[[], list[str]] = list
    """One line for each service that has died."""


@dataclasses.dataclass(frozen=True)
class Result:
    """The verdict of a file, and how long it took."""

    file: str
    verdict: Verdict
    seconds: float = 0.0
    text: str = ""
    """The report about it, without secrets."""


def read_script(file: str, standard_input: BinaryIO) -> Script | Result:
    """Read, parse and check a file; a `Result` where it is wrong."""
    name = "<stdin>" if file == STANDARD_INPUT else file
    try:
        content = standard_input.read() if file == STANDARD_INPUT else Path(file).read_bytes()
        script = parse(content.decode("utf-8"), name)
        check(script)
    except OSError as error:
        return Result(name, "broken", text=f"{name}: {error.strerror}")
    except UnicodeDecodeError as error:
        return Result(name, "broken", text=f"{name}: not UTF-8 text: {error.reason} at byte {error.start}")
    except ScriptError as error:
        return Result(name, "broken", text=str(error))
    return script


def run_scripts(
    scripts: Sequence[Script | Result], settings: Settings, around: Callable[[], Surroundings], tell: Callable[[str], object]
) -> Iterator[Result]:
    """Run the scripts in order and yield each result. Ends after `max_errors` failed files, or when a service has ended.

    `around` is called before each script that can run, so that nothing is started for scripts that cannot.
    """
    errors = 0
    for script in scripts:
        if errors == settings.max_errors:
            tell(f"stopped after {errors} failed files")
            return
        result = script if isinstance(script, Result) else _run(script, settings, around(), tell)
        errors += result.verdict != "passed"
        tell(result.text)
        yield result
        if result.verdict == "died":
            return


def _run(script: Script, settings: Settings, around: Surroundings, tell: Callable[[str], object]) -> Result:
    began = time.monotonic()
    rewriter = Rewriter(script) if settings.rewrites else None
    verdict, text = _judge(script, _context(settings, around, rewriter, tell), settings, around)
    if rewriter is not None and rewriter.rewritten:
        _write(Path(script.file), rewriter.text)
        text += f"\n{script.file}: rewrote what is expected at line {', '.join(map(str, rewriter.rewritten))}"
    if verdict == "failed" and (deaths := around.deaths()):
        verdict, text = "died", "\n".join([f"{script.file}: stopped, because a service has died:", *deaths, "", text])
    return Result(script.file, verdict, time.monotonic() - began, text)


def _judge(script: Script, make: Callable[[Session], Context], settings: Settings, around: Surroundings) -> tuple[Verdict, str]:
    try:
        around.prepare(script)
        session = around.connect(around.url)
    except TargetError as error:
        return "failed", f"{script.file}: {error}"
    try:
        with Interpreter(make(session)) as interpreter:
            interpreter.run(script)
            if settings.consistency != "disable" and script.commands:
                interpreter.check_consistency(script, script.commands[-1])
    except CommandFailed as failure:
        return "failed", str(failure)
    except ScriptError as error:
        return "broken", str(error)
    finally:
        session.close()
    return "passed", f"{script.file}: ok"


def _context(
    settings: Settings, around: Surroundings, rewriter: Rewriter | None, tell: Callable[[str], object]
) -> Callable[[Session], Context]:
    """A function that makes the context of a script from its session."""

    def context(session: Session) -> Context:
        return Context(
            session=session,
            variables={**around.variables, **{f"arg.{name}": value for name, value in settings.arguments.items()}},
            connect=around.connect,
            timeout=settings.timeout,
            initial_backoff=settings.initial_backoff,
            backoff_factor=settings.backoff_factor,
            temp_dir=around.temp_dir,
            url=around.url,
            programs=around.programs,
            support=around.support,
            seed=settings.seed,
            output=tell,
            checks_statements=settings.consistency == "statement",
            amend=rewriter,
            services=around.services,
        )

    return context


def _write(file: Path, text: str) -> None:
    """Replace the text of the file in one step; links and permissions stay."""
    target = file.resolve()
    with tempfile.NamedTemporaryFile("wb", dir=target.parent, prefix=f".{target.name}.", delete=False) as written:
        written.write(text.encode("utf-8"))
    shutil.copymode(target, written.name)
    Path(written.name).replace(target)
