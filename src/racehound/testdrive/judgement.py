"""Compares the outcome of a statement with what the script expects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from racehound.session import Outcome, ServerError
from racehound.testdrive import values
from racehound.testdrive.rows import md5_of, text_block, to_text
from racehound.testdrive.script import Expected, ExpectedError, ExpectedHash, ExpectedResult, ExpectedRows, ExpectedText, Row

if TYPE_CHECKING:
    from regex import Pattern

SYNTAX_ERROR = "42601"
QUERY_CANCELED = "57014"

Rewrite = Callable[[str], str]
"""Applies the active `set-regex` to a cell or a message."""


@dataclass(frozen=True)
class Failure:
    """Why an outcome is not the expected one; the rows are sorted, None where rows were not compared."""

    reason: str
    outcome: Outcome
    expected: tuple[Row, ...] | None = None
    actual: tuple[Row, ...] | None = None
    is_final: bool = False


def judge(expect: Expected, outcome: Outcome, rewrite: Rewrite | None, *, late: bool = False) -> Failure | None:
    """None if the outcome is the expected one. `late`: the statement was cancelled after the timeout."""
    if outcome.status == "lost":
        return Failure(_describe("the connection was lost", outcome.error), outcome, is_final=True)
    if isinstance(expect, ExpectedError):
        return _judge_error(expect, outcome, rewrite, late=late)
    if outcome.status == "error":
        return Failure(_describe("no answer within the timeout" if late else "", outcome.error), outcome)
    return _judge_result(expect, outcome, rewrite)


def _judge_result(expect: ExpectedResult, outcome: Outcome, rewrite: Rewrite | None) -> Failure | None:
    match expect:
        case ExpectedRows(rows=(), columns=None) if outcome.rows is None or not outcome.rows.cells:
            return None
        case ExpectedRows():
            return _judge_rows(expect, outcome, rewrite)
        case ExpectedHash():
            return _judge_hash(expect, outcome, rewrite)
        case ExpectedText():
            return _judge_text(expect, outcome, rewrite)


def actual_rows(outcome: Outcome, rewrite: Rewrite | None) -> list[Row]:
    """The rows of a result as scripts write them, in the server's order."""
    rows = to_text(outcome.rows)
    return rows if rewrite is None else [tuple(map(rewrite, row)) for row in rows]


def actual_text(outcome: Outcome, rewrite: Rewrite | None) -> str:
    """A result as the one cell of text that `?` expects. The rows of a plan that is sent line by line are joined."""
    text = "\n".join(" ".join(row) for row in to_text(outcome.rows))
    return text_block((text if rewrite is None else rewrite(text)).split("\n"))


def _judge_columns(columns: Row | None, outcome: Outcome) -> Failure | None:
    actual = actual_columns(outcome)
    if columns is None or columns == actual:
        return None
    return Failure("column names differ", outcome, (columns,), (actual,))


def actual_columns(outcome: Outcome) -> Row:
    """The names of the columns of a result; none where the statement returns no rows."""
    return outcome.rows.columns if outcome.rows is not None else ()


def _judge_rows(expect: ExpectedRows, outcome: Outcome, rewrite: Rewrite | None) -> Failure | None:
    expected, actual = sorted(expect.rows), sorted(actual_rows(outcome, rewrite))
    if expected != actual:
        return Failure("rows differ", outcome, tuple(expected), tuple(actual))
    return _judge_columns(expect.columns, outcome)


def _judge_hash(expect: ExpectedHash, outcome: Outcome, rewrite: Rewrite | None) -> Failure | None:
    actual = actual_rows(outcome, rewrite)
    if len(actual) != expect.count:
        return Failure(f"expected {expect.count} rows, got {len(actual)}", outcome)
    if (md5 := md5_of(actual)) != expect.md5:
        return Failure(f"the rows hash to {md5}, not to {expect.md5}", outcome)
    return _judge_columns(expect.columns, outcome)


def _judge_text(expect: ExpectedText, outcome: Outcome, rewrite: Rewrite | None) -> Failure | None:
    text = actual_text(outcome, rewrite)
    return None if text == expect.text else Failure("the text differs", outcome, ((expect.text,),), ((text,),))


def _judge_error(expect: ExpectedError, outcome: Outcome, rewrite: Rewrite | None, *, late: bool) -> Failure | None:
    if expect.match == "timeout":
        ended = late or (outcome.error is not None and outcome.error.sqlstate == QUERY_CANCELED)
        return None if ended else Failure(_describe("expected no answer within the timeout", outcome.error), outcome)
    if outcome.error is None:
        return Failure(f"the statement succeeded ({outcome.tag or 'ok'}) although it must fail", outcome)
    rewrite = rewrite or str
    error = outcome.error
    fields = (
        (_matches(expect, rewrite(error.message)), f"{expect.match}:{expect.text}"),
        (expect.detail is None or expect.detail in rewrite(error.detail), f"detail:{expect.detail}"),
        (expect.hint is None or expect.hint in rewrite(error.hint), f"hint:{expect.hint}"),
    )
    missed = next((wanted for matched, wanted in fields if not matched), None)
    if missed is None:
        return None
    # A statement with a syntax error fails at every try.
    return Failure(f"expected {missed}, got {_message(error)}", outcome, is_final=error.sqlstate == SYNTAX_ERROR)


def _matches(expect: ExpectedError, message: str) -> bool:
    match expect.match:
        case "exact":
            return message == expect.text
        case "regex":
            return values.regex(expect.text).search(message) is not None
        case _:
            return expect.text in message


def _describe(reason: str, error: ServerError | None) -> str:
    return ": ".join(filter(None, (reason, _message(error) if error is not None else "")))


def _message(error: ServerError) -> str:
    extras = "".join(f"; {name}: {text}" for name, text in (("detail", error.detail), ("hint", error.hint)) if text)
    return f"{error.message} ({error.sqlstate}){extras}" if error.sqlstate else f"{error.message}{extras}"


def rewriter(match: Pattern[str], replacement: str) -> Rewrite:
    """The function of a `set-regex`: it replaces every match in a cell or message."""
    return lambda text: values.replace_all(match, replacement, text)
