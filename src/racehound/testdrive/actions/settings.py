"""Variables, the regular expression over results, and how long and how often statements are tried."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from racehound.testdrive import values
from racehound.testdrive.errors import ActionError
from racehound.testdrive.judgement import rewriter
from racehound.testdrive.rows import to_text
from racehound.testdrive.state import Call, Handler, State, error_text, limited

_ARGUMENT = "arg."


def _set(call: Call, state: State) -> None:
    """`set a=1 b=2`; a name without a value gets the input."""
    for name, value in call.arguments.items():
        state.variables[name] = value or call.text


def _set_argument_default(call: Call, state: State) -> None:
    for name, value in call.arguments.items():
        state.variables.setdefault(_ARGUMENT + name, value)


def query_cell(call: Call, state: State) -> str:
    """Run the input as a query and return its only cell in the form of scripts. Raises `ActionError`."""
    outcome = state.session.execute(call.text)
    if not outcome.ok:
        raise ActionError(error_text(outcome), outcome)
    rows = to_text(outcome.rows)
    if len(rows) != 1 or len(rows[0]) != 1:
        raise ActionError(f"{call.name} needs one row of one column, got {len(rows)} rows", outcome)
    return rows[0][0]


def _set_from_sql(call: Call, state: State) -> None:
    state.variables[call["var"]] = query_cell(call, state)


def _set_from_file(call: Call, state: State) -> None:
    for name, path in call.arguments.items():
        try:
            state.variables[name] = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ActionError(f"cannot read {path}: {error}") from error


def _set_regex(call: Call, state: State) -> None:
    state.rewrite = rewriter(values.regex(call["match"]), call.get("replacement", "<regex_match>"))


def _unset_regex(_: Call, state: State) -> None:
    state.rewrite = None


def _set_sql_timeout(call: Call, state: State) -> None:
    """Set the timeout. One below the default is ignored unless forced: users of slow machines raise the default."""
    default = state.context.timeout
    wanted = default if call["duration"].lower() == "default" else values.duration(call["duration"])
    timeout = wanted if call.flag("force", default=False) else max(wanted, default)
    state.policy = dataclasses.replace(state.policy, timeout=timeout)


def _set_max_tries(call: Call, state: State) -> None:
    tries = values.integer(call["max-tries"])
    if tries < 1:
        raise ValueError("max-tries must be at least 1")
    state.policy = limited(state.policy, tries)


ACTIONS: Mapping[str, Handler] = MappingProxyType(
    {
        "set": _set,
        "set-arg-default": _set_argument_default,
        "set-from-sql": _set_from_sql,
        "set-from-file": _set_from_file,
        "set-regex": _set_regex,
        "unset-regex": _unset_regex,
        "set-sql-timeout": _set_sql_timeout,
        "set-max-tries": _set_max_tries,
    }
)
