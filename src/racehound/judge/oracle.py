"""What an oracle is given and what it gives back."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from racehound.data.finding import Finding, Severity
from racehound.data.history import Event, Statement
from racehound.data.program import Program
from racehound.databases.target import Target
from racehound.judge.injected_faults import InjectedFaults


@dataclasses.dataclass(frozen=True, eq=False)
class Observed:
    """A repetition after its sessions have come to rest."""

    program: Program
    number: int
    events: list[Event]
    target: Target
    own_pids: frozenset[int]
    """Server processes of racehound's own sessions."""
    excused: frozenset[tuple[str, int, str]] = frozenset()
    """Errors, by session, step and SQLSTATE, that are known to come without any race: in a serial order of the same steps, or
    because the step itself asks for them."""

    @functools.cached_property
    def statements(self) -> list[Statement]:
        return [event for event in self.events if isinstance(event, Statement)]

    @functools.cached_property
    def excuses(self) -> InjectedFaults:
        """What racehound itself has brought about."""
        return InjectedFaults(self.events)

    def finding(
        self, oracle: str, severity: Severity, signature: str, title: str, *,
        detail: tuple[str, ...] = (), statements: tuple[Statement, ...] = (), pairs: dict[str, int] | None = None,
    ) -> Finding:  # fmt: skip
        """A finding of this repetition, with the server's log around it."""
        pids = {statement.pid for statement in statements}
        return Finding(
            oracle, severity, signature, title, self.program.seed, self.number, 1, self.target.release,
            detail, statements, tuple(self.target.log_around(pids)), pairs or {}, database=self.target.dialect.title,
        )  # fmt: skip


class Oracle(Protocol):
    """Judges; never changes what it judges."""

    def begin(self, target: Target) -> None:
        """Look at a clean working database before anything is done in it."""

    def judge(self, observed: Observed) -> list[Finding]:
        """After every repetition, at rest."""

    def judge_plan(self, observed: Observed) -> list[Finding]:
        """After the last repetition of a plan, at rest: checks that are too slow for every one."""


@runtime_checkable
class RestOracle(Oracle, Protocol):
    """An oracle that looks at the target's state at rest."""

    def suspects(self, observed: Observed) -> bool:
        """Whether a single look, without patience, shows anything: if not, `judge` would find nothing either."""


@dataclasses.dataclass(frozen=True)
class HistoryOracle:
    """An oracle that needs nothing but what was observed."""

    function: Callable[[Observed], list[Finding]]

    def begin(self, target: Target) -> None:
        """The target's state is of no interest."""

    def judge(self, observed: Observed) -> list[Finding]:
        return self.function(observed)

    def judge_plan(self, observed: Observed) -> list[Finding]:  # noqa: ARG002 all was judged with its repetition
        return []
