"""Names: whether a catalog has at rest what the statements that succeeded say must be there, and nothing that they dropped."""

from __future__ import annotations

from typing import cast

from racehound.data.finding import Finding, normalise
from racehound.data.object_names import names_in
from racehound.databases.materialize.target import MaterializeTarget
from racehound.databases.target import Target
from racehound.judge.claims import Claim, Claims, differing
from racehound.judge.dependencies import DependencyGraph, concerning
from racehound.judge.errors import shape
from racehound.judge.oracle import Observed


class NamesJudge:
    """After every repetition; a program that makes nothing new is not asked about."""

    def begin(self, target: Target) -> None:
        """What is there already is nobody's claim."""

    def judge(self, observed: Observed) -> list[Finding]:
        target = cast("MaterializeTarget", observed.target)
        claims = Claims(observed.statements, DependencyGraph(observed.program), target.database).claims()
        return [_finding(observed, claim) for claim in differing(claims, target.names())] if claims else []

    def judge_plan(self, observed: Observed) -> list[Finding]:  # noqa: ARG002 all was judged with its repetition
        return []


def _finding(observed: Observed, claim: Claim) -> Finding:
    said = shape(claim.statements[-1].sql)
    what = "privilege" if claim.key.space == "right" else claim.key.space
    became = "is not there" if claim.present else "is still there"
    return observed.finding(
        "names", "corruption", f"{what} {became} after {normalise(said)}",
        f"{what} {claim.key} {became}, though {said} succeeded",
        detail=tuple(f"statement: {statement.sql}" for statement in claim.statements),
        statements=concerning(observed.statements, DependencyGraph(observed.program), names_in(str(claim.key))),
    )  # fmt: skip
