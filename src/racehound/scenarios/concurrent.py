"""All objects at the same time, each with a session of its own, over one base. One session drops what another builds on.

A session waits at rendezvous for the others: rendezvous number `lag` comes before its create, the next one before its
manipulation, a later one before its destroy. An object's lag is one or two more than that of the object it is built over, so that
its create runs together with the other one's manipulation or destroy. The base may have a session, too, which manipulates it or
drops it and makes it again. Some objects are destroyed at the very end, when what the race has made of them was judged.
"""

from __future__ import annotations

import msgspec

from racehound.data.plan import Plan
from racehound.data.program import RECREATE, Program, ProgramSession, Step
from racehound.scenarios.object_steps import KindLookup, ObjectSteps, objects_of, references, title, worth_running


def build(plan: Plan, lookup: KindLookup, tries: int) -> Program:
    """Each repetition: reset, prepare all, create the base, one session per object; then verify what is left and destroy it."""
    base, *objects = everyone = objects_of(plan, lookup)
    rest = max((p.planned.lag for p in objects), default=0) + 2 if plan.rest_before_destroy else None
    dropped_last = [p for p in objects if p.planned.dropped_last]
    sessions = [ProgramSession(p.name, _object_steps(p, plan, lookup, tries, rest)) for p in objects]
    if plan.base_activity != "still":
        sessions.insert(0, ProgramSession(base.name, _base_steps(base, plan, lookup)))
    return Program(
        seed=plan.seed,
        scenario=plan.scenario,
        title=title(everyone),
        refers_to=references(everyone),
        reset_each=True,
        once=(),
        setup=worth_running(*(p.prepare() for p in everyone), base.create()),
        sessions=tuple(session for session in sessions if session.steps),
        verify=worth_running(base.verify(), *(p.verify() for p in dropped_last)),
        teardown=worth_running(*(p.destroy() for p in reversed(dropped_last)), base.destroy()),
    )


def _object_steps(each: ObjectSteps, plan: Plan, lookup: KindLookup, tries: int, rest: int | None) -> tuple[Step, ...]:
    lag = each.planned.lag
    steps = [
        _raced(each, each.create(), lookup, lag, tries),
        _raced(each, each.manipulate(), lookup, lag + 1, tries),
    ]
    if each.planned.dropped_last:
        return worth_running(*steps)
    if plan.verify_in_race:
        steps.append(each.verify())
    if rest is not None:
        steps.append(msgspec.structs.replace(each.verify(), beat=rest))
    steps.append(_raced(each, each.destroy(), lookup, lag + 2 if rest is None else rest + 1, 1))
    return worth_running(*steps)


def _base_steps(base: ObjectSteps, plan: Plan, lookup: KindLookup) -> tuple[Step, ...]:
    """What happens to the base meanwhile: its manipulation, or `recreate`, at every rendezvous at which objects are created."""
    step = base.manipulate()
    if plan.base_activity == "recreated":
        step = msgspec.structs.replace(step, fragment=base.kind.recreate(), manipulation=RECREATE)
    beats = sorted({p.lag for p in plan.objects})
    return worth_running(*(_raced(base, step, lookup, beat, 1) for beat in beats))


def _raced(each: ObjectSteps, step: Step, lookup: KindLookup, beat: int, tries: int) -> Step:
    timing = each.timing(step)
    window = timing.window if step.fragment and lookup.allows_transaction(step.fragment) else "none"
    return msgspec.structs.replace(
        step,
        beat=beat,
        tries=tries,
        jitter_us=timing.jitter_us,
        window="commit" if window == "rollback" and step.phase == "destroy" else window,
        hold_us=timing.hold_us if window != "none" else 0,
    )
