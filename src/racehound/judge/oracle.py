"""What an oracle is given, and what it gives back.

There are two sorts of oracles. A history oracle is a function of what was recorded; it can be asked again at any time, without a
server. An oracle at rest also reads the target, after all sessions have finished and before anything is cleaned up.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias

from racehound.data.finding import Culprit, Finding, Severity
from racehound.data.history import Event, Retried, Statement, retries_of
from racehound.data.program import Program
from racehound.databases.dialect import Dialect
from racehound.databases.target import Target
from racehound.judge.classification import Classification, KnownErrors
from racehound.judge.injected_faults import InjectedFaults


def _no_log(_pids: Collection[int]) -> Sequence[str]:
    return ()


@dataclasses.dataclass(frozen=True, eq=False)
class ObservedHistory:
    """One repetition as it was recorded."""

    program: Program
    number: int
    """Of the repetition, from 1."""
    events: list[Event]
    dialect: Dialect
    release: str = ""
    """Version of the server."""
    known_errors: KnownErrors = frozenset()
    objects: Mapping[int, str] = dataclasses.field(default_factory=dict)
    """What the objects are, at rest, whose numbers internal errors name (`Target.objects`)."""
    log_around: Callable[[Collection[int]], Sequence[str]] = _no_log
    """The last lines that the server logged for these processes."""

    @functools.cached_property
    def statements(self) -> list[Statement]:
        """All statements, in the order in which they were recorded."""
        return [event for event in self.events if isinstance(event, Statement)]

    @functools.cached_property
    def injected_faults(self) -> InjectedFaults:
        """The faults that perturbations injected, and which errors they account for."""
        return InjectedFaults(self.events)

    @functools.cached_property
    def classification(self) -> Classification:
        """The class of each failed statement."""
        return Classification(self.program, self.statements, self.dialect, self.injected_faults, self.known_errors)

    @functools.cached_property
    def retries(self) -> dict[int, Retried]:
        """What became of failed statements that were run again at rest, by the identity of the statement."""
        return retries_of(self.number, self.events)

    def finding(
        self, oracle: str, severity: Severity, signature: str, title: str, *,
        detail: tuple[str, ...] = (), statements: tuple[Statement, ...] = (), culprits: tuple[Culprit, ...] = (),
    ) -> Finding:  # fmt: skip
        """A finding of this repetition, with the server's log around its statements."""
        pids = {statement.pid for statement in statements}
        return Finding(
            oracle, severity, signature, title, self.program.seed, self.number, 1, self.release,
            detail, statements, tuple(self.log_around(pids)), culprits=culprits, database=self.dialect.title,
        )  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class TargetAtRest:
    """A target after the sessions of a repetition have finished, and the history of that repetition. Oracles only read it."""

    history: ObservedHistory
    target: Target
    own_pids: frozenset[int]
    """Server processes of racehound's own sessions."""


@dataclasses.dataclass(frozen=True)
class HistoryOracle:
    """An oracle that needs nothing but the history of a repetition."""

    judge: Callable[[ObservedHistory], list[Finding]]


class RestOracle(abc.ABC):
    """An oracle that reads the target at rest. It changes nothing there. Its methods may raise TargetError."""

    def begin(self, target: Target) -> None:  # noqa: B027 most have nothing to compare with
        """Read a new working database before anything is done in it, to compare with later."""

    def suspects(self, rest: TargetAtRest) -> bool:  # noqa: ARG002 without a quick look nothing can be excluded
        """False only if `judge` would certainly find nothing; must be quick."""
        return True

    @abc.abstractmethod
    def judge(self, rest: TargetAtRest) -> list[Finding]:
        """Called after every repetition."""

    def judge_plan(self, rest: TargetAtRest) -> list[Finding]:  # noqa: ARG002 most judge everything after every repetition
        """Called after the last repetition of a plan, for checks that are too slow for every repetition."""
        return []


Oracle: TypeAlias = HistoryOracle | RestOracle
