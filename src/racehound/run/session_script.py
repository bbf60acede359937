"""Session scripts: what one session of an exploration does, read from `.td` or `.sql`, and run statement by statement.

A turn is one statement. In a `.td` script, variables are substituted and expectations judged as the interpreter does it; of the
actions only those that wait for nobody may stand between statements. In an `.sql` file anything may become of a statement.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from racehound.data.program import Phase, Step
from racehound.errors import UserError
from racehound.session import Outcome
from racehound.testdrive.check import check
from racehound.testdrive.errors import CommandFailed, Location, ScriptError
from racehound.testdrive.interpreter import Interpreter
from racehound.testdrive.judgement import Failure, judge
from racehound.testdrive.parser import parse
from racehound.testdrive.printer import print_command
from racehound.testdrive.script import Action, Command, Expected, ExpectedError, Position, Script, Sql
from racehound.testdrive.state import Context
from racehound.testdrive.statements import placed_tokens, split_statements
from racehound.testdrive.variables import UnknownVariableError, substitute, substitute_result

PROMPT_ACTIONS = frozenset({"set", "set-regex", "unset-regex"})
_BEGIN = re.compile(r"(?:BEGIN|START)(?:\s+(?:WORK|TRANSACTION))?", re.IGNORECASE)
SUFFIXES = (".td", ".sql")
PLAIN = "step.sql"
"""File name of a script that was made of a plain step."""
OBJECT = "scripts"
"""The object that all statements of a user's scripts are recorded with: which objects they really touch is not known."""


@dataclasses.dataclass(frozen=True)
class Turn:
    """A statement of a session and the actions that stand before it."""

    sql: Sql
    actions: tuple[Action, ...] = ()
    anything_goes: bool = False
    """Whether nothing is expected of it: it stands in an `.sql` file."""
    has_variables: bool = False
    """Whether `${…}` in it stand for something all the same."""
    object: str = OBJECT
    phase: Phase = "manipulate"


@dataclasses.dataclass(frozen=True)
class SessionScript:
    """One session's turns."""

    file: str
    turns: tuple[Turn, ...]
    source: str = dataclasses.field(default="", repr=False)

    def fragment(self, number: int) -> str:
        """A turn as testdrive text."""
        turn = self.turns[number]
        commands: tuple[Command, ...] = (*turn.actions, turn.sql)
        return "".join(map(print_command, commands))

    def step(self, number: int) -> Step:
        """A turn as a step of a program."""
        turn = self.turns[number]
        return Step(turn.object, turn.phase, self.fragment(number), plain=turn.anything_goes)


@dataclasses.dataclass(frozen=True)
class Scripts:
    """The scripts of an exploration. Those that are no session's run alone: before, at the end of, and after each schedule."""

    sessions: tuple[SessionScript, ...]
    setup: Script | None = None
    check: Script | None = None
    teardown: Script | None = None


def is_sql(file: str) -> bool:
    """Whether a script is an SQL file, in which nothing is said about the rows of a statement."""
    return file.endswith(".sql")


def read_text(path: Path) -> str:
    """The text of a file; UserError where it cannot be read or is none."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text: {error.reason} at byte {error.start}") from error


def read_script(path: Path) -> Script:
    """A whole file as a script, `.sql` too. UserError, with file, line and column, for what cannot be run."""
    text = read_text(path)
    if path.suffix == ".sql":
        return parse_sql(text, str(path))
    if path.suffix != ".td":
        raise UserError(f"{path}: a script is testdrive (.td) or SQL (.sql)")
    script = parse(text, str(path))
    check(script)
    return script


def run_alone(script: Script, context: Context) -> None:
    """Run a whole script while nobody else does anything. CommandFailed where something does not happen as it says.

    In an `.sql` file every statement has to succeed, whatever it returns.
    """
    if not is_sql(script.file):
        with Interpreter(context) as interpreter:
            interpreter.run(script)
        return
    for command in script.commands:
        assert isinstance(command, Sql)
        outcome = context.session.execute(command.text)
        if outcome.error is not None:
            where = Location(script.file, command.position, script.source)
            raise CommandFailed(outcome.error.message, where, sql=command.text, outcome=outcome)


def failures_of_check(script: Script, context: Context) -> list[CommandFailed]:
    """Run a whole script that says what must hold, while nobody else does anything; return what does not.

    In an `.sql` file every statement has to succeed, and one that returns rows must return none. Each is run, up to the first
    that meets an error. A testdrive script ends at the first command that does not do what the script says.
    """
    if not is_sql(script.file):
        try:
            run_alone(script, context)
        except CommandFailed as failure:
            return [failure]
        return []
    found: list[CommandFailed] = []
    for command in script.commands:
        assert isinstance(command, Sql)
        outcome = context.session.execute(command.text)
        wrong = judge(command.expect, outcome, None)
        if wrong is not None:
            where = Location(script.file, command.position, script.source)
            rows = {"expected": wrong.expected, "actual": wrong.actual}
            found.append(CommandFailed(wrong.reason, where, sql=command.text, outcome=outcome, **rows))
        if not outcome.ok:
            break
    return found


def read_session(path: Path) -> SessionScript:
    """The script of a session. UserError for what cannot be run, and for commands that may wait for other sessions."""
    script = read_script(path)
    turns: list[Turn] = []
    actions: list[Action] = []
    for command in script.commands:
        if command.version is not None:
            raise _misplaced("a session's command cannot depend on the version", script, command.position)
        if isinstance(command, Sql):
            turns.append(Turn(command, tuple(actions), anything_goes=path.suffix == ".sql"))
            actions.clear()
        elif command.name in PROMPT_ACTIONS:
            actions.append(command)
        else:
            hint = f"only {', '.join(sorted(PROMPT_ACTIONS))} may stand in a session; the rest belongs into --setup or --check"
            raise _misplaced(f"{command.name} may wait for others: {hint}", script, command.position)
    if not turns:
        raise UserError(f"{path}: no statement in it")
    return SessionScript(str(path), tuple(turns), script.source)


def parse_sql(text: str, file: str) -> Script:
    """The statements of an SQL file. ScriptError at the first of psql's own commands, which no server understands."""
    _refuse_meta_commands(text, file)
    commands = tuple(
        Sql("BEGIN" if _BEGIN.fullmatch(statement) else statement, position=_position(text, at))
        for statement, at in split_statements(text)
    )
    return Script(commands, file, text)


def _refuse_meta_commands(text: str, file: str) -> None:
    for word, at, _ in placed_tokens(text):
        if word == "\\":
            message = f"{text[at:].split(None, 1)[0]} is a command of psql, not SQL: leave it out"
            raise ScriptError(message, Location(file, _position(text, at), text))


def _position(text: str, at: int) -> Position:
    return Position(text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1)


def _misplaced(message: str, script: Script, position: Position) -> ScriptError:
    return ScriptError(message, Location(script.file, position, script.source))


@dataclasses.dataclass(frozen=True)
class Request:
    """A statement about to be sent, and what is expected of it; None for anything."""

    sql: str
    expect: Expected | None


class ScriptCursor:
    """One run of a session script, turn by turn; variables and `set-regex` last from one turn to the next."""

    def __init__(self, script: SessionScript, context: Context) -> None:
        self._script = script
        self._interpreter = Interpreter(context)
        self._next = 0

    @property
    def turn(self) -> int:
        """Number of the next turn, from 0."""
        return self._next

    @property
    def following(self) -> Turn:
        """The next turn; there is none after the end."""
        return self._script.turns[self._next]

    @property
    def ended(self) -> bool:
        return self._next == len(self._script.turns)

    def request(self) -> Request:
        """What the next turn sends. ScriptError for unknown variables and unreadable values."""
        turn = self._script.turns[self._next]
        self._next += 1
        if turn.actions:
            self._interpreter.run(Script(turn.actions, self._script.file, self._script.source))
        if turn.anything_goes:
            return Request(self._substitute(turn.sql.text) if turn.has_variables else turn.sql.text, None)
        if not turn.sql.has_variables:
            return Request(turn.sql.text, turn.sql.expect)
        try:
            return Request(self._substitute(turn.sql.text), self._expectation(turn.sql.expect))
        except UnknownVariableError as error:
            raise ScriptError(str(error), Location(self._script.file, turn.sql.position, self._script.source)) from error

    def judge(self, expect: Expected | None, outcome: Outcome) -> Failure | None:
        """How the outcome differs from what the script expects; None where it does not."""
        if expect is None:
            return None if outcome.ok else Failure("", outcome)
        return judge(expect, outcome, self._interpreter.state.rewrite)

    def _substitute(self, text: str) -> str:
        return substitute(text, self._interpreter.state.variables, self._interpreter.context.environment)

    def _expectation(self, expect: Expected) -> Expected:
        if not isinstance(expect, ExpectedError):
            return substitute_result(expect, self._substitute)
        escape = re.escape if expect.match == "regex" else str
        variables, environment = self._interpreter.state.variables, self._interpreter.context.environment
        texts = [
            text if text is None else substitute(text, variables, environment, escape=way)
            for text, way in ((expect.text, escape), (expect.detail, str), (expect.hint, str))
        ]
        return ExpectedError(expect.match, texts[0] or "", texts[1], texts[2])


def lengths(scripts: Sequence[SessionScript]) -> list[int]:
    """Statements of each."""
    return [len(script.turns) for script in scripts]
