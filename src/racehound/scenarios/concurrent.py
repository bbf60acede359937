"""All lives at the same time, an actor for each, over one base. What one actor drops, another may be building on.

A life keeps its rendezvous: beat `lag` for create, the next one for manipulate, a later one for destroy. Two objects of
different lag therefore meet with create against manipulate, or create against destroy.
"""

from __future__ import annotations

import msgspec

from racehound.plan import Plan
from racehound.program import Actor, Program, Step
from racehound.scenarios.casting import Cast, Player, players, references, title, worth_running


def build(plan: Plan, cast: Cast, tries: int) -> Program:
    """Each repetition: reset, prepare all, create the base, one actor per object; then verify the base and destroy it."""
    base, *objects = everyone = players(plan, cast)
    rest = max((p.planned.lag for p in objects), default=0) + 2 if plan.rest_before_destroy else None
    return Program(
        seed=plan.seed,
        scenario=plan.scenario,
        title=title(everyone),
        refers_to=references(everyone),
        reset_each=True,
        once=(),
        setup=worth_running(*(p.prepare() for p in everyone), base.create()),
        actors=tuple(Actor(p.name, _life(p, plan, cast, tries, rest)) for p in objects),
        verify=worth_running(base.verify()),
        teardown=worth_running(base.destroy()),
    )


def _life(player: Player, plan: Plan, cast: Cast, tries: int, rest: int | None) -> tuple[Step, ...]:
    lag = player.planned.lag
    steps = [
        _raced(player, player.create(), cast, lag, tries),
        _raced(player, player.manipulate(), cast, lag + 1, tries),
    ]
    if plan.verify_in_race:
        steps.append(player.verify())
    if rest is not None:
        steps.append(msgspec.structs.replace(player.verify(), beat=rest))
    steps.append(_raced(player, player.destroy(), cast, lag + 2 if rest is None else rest + 1, 1))
    return worth_running(*steps)


def _raced(player: Player, step: Step, cast: Cast, beat: int, tries: int) -> Step:
    timing = player.timing(step)
    window = timing.window if step.fragment and cast.allows_transaction(step.fragment) else "none"
    return msgspec.structs.replace(
        step,
        beat=beat,
        tries=tries,
        jitter_us=timing.jitter_us,
        window="commit" if window == "rollback" and step.phase == "destroy" else window,
        hold_us=timing.hold_us if window != "none" else 0,
    )
