"""Health: what a target finds wrong with itself at rest, by its own checks (`MaterializeTarget.problems`)."""

from __future__ import annotations

from typing import cast

from racehound.data.finding import Finding, normalise
from racehound.data.object_names import names_in
from racehound.databases.materialize.target import MaterializeTarget
from racehound.judge.dependencies import DependencyGraph, concerning
from racehound.judge.oracle import RestOracle, TargetAtRest


class HealthJudge(RestOracle):
    """Judges after every repetition. What a reset could not remove is reported with the repetition after it."""

    def judge(self, rest: TargetAtRest) -> list[Finding]:
        history = rest.history
        graph = DependencyGraph(history.program)
        return [
            history.finding(
                "health", problem.severity, normalise(problem.what), problem.title,
                statements=concerning(history.statements, graph, names_in(problem.title)),
            )
            for problem in cast("MaterializeTarget", rest.target).problems()
        ]  # fmt: skip
