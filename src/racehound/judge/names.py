"""Names: whether the catalog at rest has what successful statements made or granted, and nothing that they dropped or revoked."""

from __future__ import annotations

from racehound.data.finding import Finding, normalise
from racehound.data.object_names import names_in
from racehound.judge.claims import Claim, Claims, differing
from racehound.judge.dependencies import DependencyGraph, concerning
from racehound.judge.oracle import ObservedHistory, RestOracle, TargetAtRest
from racehound.judge.shapes import shape


class NamesOracle(RestOracle):
    """Judges after every repetition. The target is only asked where there is something to compare."""

    def judge(self, rest: TargetAtRest) -> list[Finding]:
        history = rest.history
        claims = Claims(history.statements, DependencyGraph(history.program), rest.target.database).claims()
        there = rest.target.names() if claims else None
        return [] if there is None else [_finding(history, claim) for claim in differing(claims, there)]


def _finding(history: ObservedHistory, claim: Claim) -> Finding:
    verb = shape(claim.statements[-1].sql)
    what = "privilege" if claim.key.space == "right" else claim.key.space
    state = "is not there" if claim.present else "is still there"
    return history.finding(
        "names", "corruption", f"{what} {state} after {normalise(verb)}",
        f"{what} {claim.key} {state}, though {verb} succeeded",
        detail=tuple(f"statement: {statement.sql}" for statement in claim.statements),
        statements=concerning(
            history.statements, DependencyGraph(history.program), names_in(str(claim.key)), history.dialect.effect
        ),
    )  # fmt: skip
