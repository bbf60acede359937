"""One object after another over the same base, by one session. Nothing can race: a finding is a bug of a kind or an oracle."""

from __future__ import annotations

from racehound.data.plan import Plan
from racehound.data.program import Program, ProgramSession
from racehound.scenarios.object_steps import KindLookup, objects_of, references, title, worth_running


def build(plan: Plan, lookup: KindLookup, tries: int) -> Program:  # noqa: ARG001 one session: a failure is final
    """Prepare all once; each repetition: create the base; create, manipulate, verify, destroy each object; destroy the base."""
    base, *objects = everyone = objects_of(plan, lookup)
    steps = [step for p in objects for step in (p.create(), p.manipulate(), p.verify(), p.destroy())]
    return Program(
        seed=plan.seed,
        scenario=plan.scenario,
        title=title(everyone),
        refers_to=references(everyone),
        reset_each=False,
        once=worth_running(*(p.prepare() for p in everyone)),
        setup=worth_running(base.create()),
        sessions=(ProgramSession("main", worth_running(*steps)),),
        verify=worth_running(base.verify()),
        teardown=worth_running(base.destroy()),
    )
