from __future__ import annotations

import threading

from racehound.program import Actor, Program, Step
from racehound.run.pacer import StormPacer, draw_offsets


def race(*beats: tuple[int | None, ...]) -> Program:
    actors = tuple(
        Actor(f"o_{n}", tuple(Step(f"o_{n}", "create", "> X", beat=beat, jitter_us=500) for beat in mine))
        for n, mine in enumerate(beats)
    )
    return Program(
        seed=5,
        scenario="concurrent",
        title="",
        refers_to={},
        reset_each=True,
        once=(),
        setup=(),
        actors=actors,
        verify=(),
        teardown=(),
    )


def test_nobody_passes_a_rendezvous_before_everybody_has_come() -> None:
    program = race((0, 1), (0, 1), (1,))
    pacer = StormPacer(program, {})
    order: list[tuple[str, int]] = []

    def live(name: str, steps: tuple[Step, ...]) -> None:
        for number, step in enumerate(steps):
            order.append((f"arrive {name}", step.beat or 0))
            pacer.before(name, number, step)
            order.append((f"pass {name}", step.beat or 0))

    threads = [threading.Thread(target=live, args=(a.name, a.steps)) for a in program.actors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    passes = [at for at, (what, beat) in enumerate(order) if what.startswith("pass") and beat == 1]
    arrivals = [at for at, (what, beat) in enumerate(order) if what.startswith("arrive") and beat == 1]
    assert len(order) == 10
    assert max(arrivals) < min(passes)


def test_an_actor_that_leaves_is_not_waited_for() -> None:
    program = race((0, 1), (0, 1))
    pacer = StormPacer(program, {})
    passed = threading.Event()

    def live() -> None:
        for number, step in enumerate(program.actors[0].steps):
            pacer.before("o_0", number, step)
        passed.set()

    thread = threading.Thread(target=live)
    thread.start()
    assert not passed.wait(0.05)
    pacer.leave("o_1", program.actors[1].steps)
    assert passed.wait(10)
    thread.join()


def test_another_try_is_worth_it_only_while_somebody_may_change_the_outcome() -> None:
    pacer = StormPacer(race((None,), (None,)), {})
    step = Step("o_0", "create", "> X")
    pacer.before("o_0", 0, step)
    pacer.before("o_1", 0, step)
    assert pacer.worth_another_try("o_0", 1, pacer.progress)
    pacer.leave("o_1", ())
    assert not pacer.worth_another_try("o_0", 2, pacer.progress)


def test_another_try_is_worth_it_after_somebody_succeeded() -> None:
    pacer = StormPacer(race((None,), (None,)), {})
    seen = pacer.progress
    pacer.progressed("o_1")
    pacer.leave("o_1", ())
    assert pacer.worth_another_try("o_0", 1, seen)


def test_two_actors_that_wait_for_each_other_in_vain_give_up() -> None:
    pacer = StormPacer(race((None,), (None,)), {})
    assert pacer.worth_another_try("o_0", 1, pacer.progress)
    assert not pacer.worth_another_try("o_1", 1, pacer.progress)
    assert not pacer.worth_another_try("o_0", 2, pacer.progress)


def test_offsets_are_drawn_from_seed_and_repetition() -> None:
    program = race((0, 1), (0, 1))
    assert draw_offsets(program, 3) == draw_offsets(program, 3)
    assert draw_offsets(program, 3) != draw_offsets(program, 4)
    assert all(0 <= offset <= 500 for offset in draw_offsets(program, 3).values())
