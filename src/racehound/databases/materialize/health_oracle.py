"""The oracle `health`: it reports the problems that checks of a target at rest find (`MaterializeTarget.problems`)."""

from __future__ import annotations

from typing import cast

from racehound.data.finding import Finding, normalise
from racehound.data.object_names import names_in
from racehound.databases.materialize.target import MaterializeTarget
from racehound.judge.dependencies import DependencyGraph, concerning
from racehound.judge.oracle import RestOracle, TargetAtRest


class HealthJudge(RestOracle):
    """Judges every repetition. Leaks that a reset finds are reported with the repetition after it."""

    def judge(self, rest: TargetAtRest) -> list[Finding]:
        history = rest.history
        graph = DependencyGraph(history.program)
        return [
            history.finding(
                "health", problem.severity, normalise(problem.what), problem.title,
                statements=concerning(history.statements, graph, names_in(problem.title), history.dialect.effect),
            )
            for problem in cast("MaterializeTarget", rest.target).problems()
        ]  # fmt: skip
