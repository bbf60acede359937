"""Scenarios: each turns a plan into a program and does nothing else, so that all of them can be printed, replayed and reduced."""

from __future__ import annotations

from collections.abc import Callable

from racehound.data.plan import Plan, ScenarioName
from racehound.data.program import Program
from racehound.scenarios import concurrent, subsequent, subsequent_chain
from racehound.scenarios.casting import Cast

_BUILDERS: dict[ScenarioName, Callable[[Plan, Cast, int], Program]] = {
    "subsequent": subsequent.build,
    "subsequent-chain": subsequent_chain.build,
    "concurrent": concurrent.build,
}


def build_program(plan: Plan, cast: Cast, tries: int) -> Program:
    """The program of a plan; `tries` bounds how often a session tries a step of the concurrent scenario."""
    return _BUILDERS[plan.scenario](plan, cast, tries)
