"""Scenarios: each turns a plan into a program and does nothing else, so that all of them can be printed, replayed and reduced."""

from __future__ import annotations

from collections.abc import Callable

from racehound.data.plan import Plan, ScenarioName
from racehound.data.program import Program
from racehound.scenarios import concurrent, subsequent, subsequent_chain
from racehound.scenarios.object_steps import KindLookup

_BUILDERS: dict[ScenarioName, Callable[[Plan, KindLookup, int], Program]] = {
    "subsequent": subsequent.build,
    "subsequent-chain": subsequent_chain.build,
    "concurrent": concurrent.build,
}


def build_program(plan: Plan, lookup: KindLookup, tries: int) -> Program:
    """The program of a plan; `tries` bounds how often a session tries a step of the concurrent scenario."""
    return _BUILDERS[plan.scenario](plan, lookup, tries)
