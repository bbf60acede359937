"""Runs scripts: every command in order, on one session.

Racehound's sessions run small fragments thousands of times a second through it, so a statement without variables, whose
context allows one try, goes straight to the session and from there to its judgement.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import NoReturn, Self

from racehound.errors import TargetError, UserError
from racehound.session import Outcome
from racehound.testdrive import actions
from racehound.testdrive.check import check
from racehound.testdrive.errors import ActionError, CommandFailed, Location, ScriptError
from racehound.testdrive.judgement import Failure, judge
from racehound.testdrive.parser import parse
from racehound.testdrive.redaction import holds_secret, redact, scrub, scrub_outcome
from racehound.testdrive.retry import Policy, until_success
from racehound.testdrive.script import Action, Command, Expected, ExpectedError, Script, Sql
from racehound.testdrive.state import Call, Context, State, UnexpectedResult, limited
from racehound.testdrive.statements import count_statements, is_failure_retried, is_retried
from racehound.testdrive.values import regex
from racehound.testdrive.variables import UnknownVariableError, substitute, substitute_result


class Interpreter:
    """Runs scripts one after the other on the session of its context. They share variables and named connections."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.state = State(context)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the resources of the scripts; the session of the context stays open."""
        self.state.close()

    def run(self, script: Script) -> None:
        """Run every command in order.

        Raises `ScriptError` before anything runs for what can be seen to be wrong, or at a command whose variables are
        unknown or have unreadable values; `CommandFailed` at the first command that does not do what it says.
        """
        check(script)
        state = self.state
        state.skipping = False
        if script.has_version_bounds and state.version is None:
            state.version = self._ask_version(script)
        for command in script.commands:
            if command.version is not None and state.version is not None and not command.version.admits(state.version):
                continue
            if isinstance(command, Action):
                if not state.skipping or actions.spec(command.name).ends_skipping:
                    self._run_action(script, command)
            elif not state.skipping:
                self._run_sql(script, command)

    # SQL

    def _run_sql(self, script: Script, command: Sql) -> None:
        text, expect = command.text, command.expect
        if command.has_variables:
            text, expect = self._substitute_sql(script, command)
        self._require_valid_regex(script, command, expect)
        policy = self._policy_for(text, expect)
        if self.context.max_tries == 1 and policy.max_tries == 1 and not _expects_timeout(expect):
            failure = judge(expect, self.state.session.execute(text), self.state.rewrite)
        else:
            failure = self._try_until(text, expect, policy)
        if failure is not None and not self._amended(script, command, failure):
            _fail(script, command, text, failure)
        if self.context.checks_statements and not isinstance(expect, ExpectedError):
            self.check_consistency(script, command)

    def _amended(self, script: Script, command: Sql, failure: Failure) -> bool:
        """Whether the context accepts a result that differs from the expected one."""
        if self.context.amend is None or not failure.outcome.ok or isinstance(command.expect, ExpectedError):
            return False
        return self.context.amend(UnexpectedResult(script, command, failure.outcome, self.state.rewrite, self._substitute))

    def check_consistency(self, script: Script, command: Command) -> None:
        """Let the target check itself, if it can. Raises `CommandFailed` at this command with what is wrong."""
        check_target = self.context.support.check_consistency
        if check_target is None:
            return
        try:
            check_target(self.state)
        except ActionError as error:
            raise CommandFailed(error.reason, _location(script, command)) from error

    def _try_until(self, text: str, expect: Expected, policy: Policy) -> Failure | None:
        def attempt() -> Failure | None:
            outcome, late = self._execute_bounded(text)
            failure = judge(expect, outcome, self.state.rewrite, late=late)
            if failure is not None and outcome.error is not None and self.context.is_final(outcome.error):
                return dataclasses.replace(failure, is_final=True)
            return failure

        return until_success(attempt, policy, self.context.clock, self.context.sleep)

    def _execute_bounded(self, text: str) -> tuple[Outcome, bool]:
        """Run a statement, cancel it at the timeout, and return whether that happened."""
        late = threading.Event()
        timer = threading.Timer(self.state.policy.timeout, self._cancel, (late,))
        timer.daemon = True
        timer.start()
        try:
            return self.state.session.execute(text), late.is_set()
        finally:
            timer.cancel()
            timer.join()

    def _cancel(self, late: threading.Event) -> None:
        late.set()
        self.state.session.cancel()

    def _policy_for(self, text: str, expect: Expected) -> Policy:
        policy = self.state.policy
        if policy.max_tries == 1:
            return policy
        if isinstance(expect, ExpectedError):
            retried = expect.match != "timeout" and is_failure_retried(text)
        else:
            retried = is_retried(text)
        return policy if retried else limited(policy, 1)

    def _require_valid_regex(self, script: Script, command: Sql, expect: Expected) -> None:
        if isinstance(expect, ExpectedError) and expect.match == "regex":
            with _misuse(script, command):
                regex(expect.text)

    # Variables

    def _substitute_sql(self, script: Script, command: Sql) -> tuple[str, Expected]:
        with _misuse(script, command):
            text = self._substitute(command.text)
            if count_statements(text) > 1:
                raise ValueError(f"a {command.sigil} takes one statement, not {count_statements(text)}")
            return text, self._substitute_expected(command.expect)

    def _substitute(self, text: str) -> str:
        return substitute(text, self.state.variables, self.context.environment)

    def _substitute_expected(self, expect: Expected) -> Expected:
        if isinstance(expect, ExpectedError):
            return self._substitute_error(expect)
        return substitute_result(expect, self._substitute)

    def _substitute_error(self, expect: ExpectedError) -> ExpectedError:
        escape = re.escape if expect.match == "regex" else str
        text = substitute(expect.text, self.state.variables, self.context.environment, escape=escape)
        return ExpectedError(expect.match, text, *map(self._substitute_optional, (expect.detail, expect.hint)))

    def _substitute_optional(self, text: str | None) -> str | None:
        return None if text is None else self._substitute(text)

    # Actions

    def _run_action(self, script: Script, action: Action) -> None:
        with _misuse(script, action):
            call = self._call(action)
        try:
            actions.handler(action.name)(call, self.state)
        except ActionError as error:
            raise CommandFailed(
                error.reason, _location(script, action), outcome=error.outcome, expected=error.expected, actual=error.actual
            ) from error
        except TargetError as error:
            raise CommandFailed(str(error), _location(script, action)) from error
        except (UserError, ValueError) as error:
            raise ScriptError(str(error), _location(script, action)) from error

    def _call(self, action: Action) -> Call:
        def value(text: str) -> str:
            return substitute(text, self.state.variables, self.context.environment, action=action.name)

        arguments = {argument.key: value(argument.value) for argument in action.arguments}
        return Call(action.name, arguments, tuple(map(value, action.input)))

    # Version

    def _ask_version(self, script: Script) -> int:
        version = self.context.support.version(self.state.session)
        if version is None:
            command = next(command for command in script.commands if command.version is not None)
            raise CommandFailed("a version bound needs the target's version, which is not known", _location(script, command))
        return version


def run_file(text: str, file: str, context: Context) -> None:
    """Parse and run one script, and close its resources. Raises as `parse` and `Interpreter.run` do."""
    with Interpreter(context) as interpreter:
        interpreter.run(parse(text, file))


def _location(script: Script, command: Command) -> Location:
    return Location(script.file, command.position, script.source)


def _expects_timeout(expect: Expected) -> bool:
    return isinstance(expect, ExpectedError) and expect.match == "timeout"


@contextlib.contextmanager
def _misuse(script: Script, command: Command) -> Iterator[None]:
    """Turn errors in a command's text, which show only when its variables are known, into `ScriptError`."""
    try:
        yield
    except (UnknownVariableError, ValueError) as error:
        raise ScriptError(str(error), _location(script, command)) from error


def _fail(script: Script, command: Sql, text: str, failure: Failure) -> NoReturn:
    reason, outcome = failure.reason, failure.outcome
    if holds_secret(text):
        reason, outcome = scrub(reason, text), scrub_outcome(outcome, text)
    raise CommandFailed(
        reason or "the statement failed",
        _location(script, command),
        sql=redact(text),
        outcome=outcome,
        expected=failure.expected,
        actual=failure.actual,
    )


__all__ = ["CommandFailed", "Context", "Interpreter", "ScriptError", "run_file"]
