"""Health: what a target finds wrong with itself at rest, by its own checks (`MaterializeTarget.complaints`)."""

from __future__ import annotations

from typing import cast

from racehound.data.finding import Finding, normalise
from racehound.data.object_names import names_in
from racehound.databases.materialize.target import MaterializeTarget
from racehound.databases.target import Target
from racehound.judge.dependencies import DependencyGraph, concerning
from racehound.judge.oracle import Observed


class HealthJudge:
    """After every repetition; what its last reset has found left is told with the repetition after."""

    def begin(self, target: Target) -> None:
        """A clean environment has nothing to complain of."""

    def judge(self, observed: Observed) -> list[Finding]:
        web = DependencyGraph(observed.program)
        return [
            observed.finding(
                "health", complaint.severity, normalise(complaint.what), complaint.title,
                statements=concerning(observed.statements, web, names_in(complaint.title)),
            )
            for complaint in cast("MaterializeTarget", observed.target).complaints()
        ]  # fmt: skip

    def judge_plan(self, observed: Observed) -> list[Finding]:  # noqa: ARG002 all was judged with its repetition
        return []
