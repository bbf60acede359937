"""A chain: each object refers to the one before. Created in order, manipulated, destroyed in reverse, by one session."""

from __future__ import annotations

from racehound.data.plan import Plan
from racehound.data.program import Program, ProgramSession
from racehound.scenarios.object_steps import KindLookup, objects_of, references, title, worth_running


def build(plan: Plan, lookup: KindLookup, tries: int) -> Program:  # noqa: ARG001 one session: a failure is final
    """Prepare all once; each repetition: create all, manipulate all but the base, verify all, destroy in reverse."""
    everyone = objects_of(plan, lookup)
    steps = [p.create() for p in everyone]
    steps += [p.manipulate() for p in everyone[1:]]
    steps += [p.verify() for p in everyone]
    steps += [p.destroy() for p in reversed(everyone)]
    return Program(
        seed=plan.seed,
        scenario=plan.scenario,
        title=title(everyone),
        refers_to=references(everyone),
        reset_each=False,
        once=worth_running(*(p.prepare() for p in everyone)),
        setup=(),
        sessions=(ProgramSession("main", worth_running(*steps)),),
        verify=(),
        teardown=(),
    )
