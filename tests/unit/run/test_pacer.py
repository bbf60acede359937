from __future__ import annotations

import threading

import msgspec

from racehound.data.program import Program, ProgramSession, Step
from racehound.run.pacer import StormPacer, draw_offsets


def race(*beats: tuple[int | None, ...]) -> Program:
    sessions = tuple(
        ProgramSession(f"o_{n}", tuple(Step(f"o_{n}", "create", "> X", beat=beat, jitter_us=500) for beat in mine))
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
        sessions=sessions,
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

    threads = [threading.Thread(target=live, args=(a.name, a.steps)) for a in program.sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    passes = [at for at, (what, beat) in enumerate(order) if what.startswith("pass") and beat == 1]
    arrivals = [at for at, (what, beat) in enumerate(order) if what.startswith("arrive") and beat == 1]
    assert len(order) == 10
    assert max(arrivals) < min(passes)


def test_an_session_that_leaves_is_not_waited_for() -> None:
    program = race((0, 1), (0, 1))
    pacer = StormPacer(program, {})
    passed = threading.Event()

    def live() -> None:
        for number, step in enumerate(program.sessions[0].steps):
            pacer.before("o_0", number, step)
        passed.set()

    thread = threading.Thread(target=live)
    thread.start()
    assert not passed.wait(0.05)
    pacer.leave("o_1", program.sessions[1].steps)
    assert passed.wait(10)
    thread.join()


def test_an_abandoned_repetition_waits_for_nobody_and_tries_nothing_again() -> None:
    program = race((0,), (0,))
    pacer = StormPacer(program, {})
    passed = threading.Event()

    def live() -> None:
        pacer.before("o_0", 0, program.sessions[0].steps[0])
        passed.set()

    thread = threading.Thread(target=live)
    thread.start()
    assert not passed.wait(0.05)
    pacer.abandon()
    assert passed.wait(10)
    thread.join()
    assert not pacer.worth_another_try("o_0", 1, 0, transient=True)


def over(program: Program, **references: str) -> StormPacer:
    return StormPacer(msgspec.structs.replace(program, refers_to=references), {})


def test_another_try_is_worth_it_only_while_the_grounds_session_may_change_the_outcome() -> None:
    pacer = over(race((None,), (None,)), o_0="o_1")
    assert pacer.worth_another_try("o_0", 1, pacer.progress("o_0"), transient=False)
    pacer.leave("o_1", ())
    assert not pacer.worth_another_try("o_0", 2, pacer.progress("o_0"), transient=False)


def test_another_try_is_worth_it_after_the_ground_has_changed() -> None:
    pacer = over(race((None,), (None,), (None,)), o_0="o_1", o_1="o_2")
    seen = pacer.progress("o_0")
    pacer.progressed("o_2")
    for name in ("o_1", "o_2"):
        pacer.leave(name, ())
    assert pacer.worth_another_try("o_0", 1, seen, transient=False)


def test_what_strangers_do_makes_no_other_try_worth_it() -> None:
    pacer = over(race((None,), (None,)))
    seen = pacer.progress("o_0")
    pacer.progressed("o_1")
    assert not pacer.worth_another_try("o_0", 1, seen, transient=False)


def test_a_transient_error_is_always_worth_another_try() -> None:
    pacer = over(race((None,)))
    assert pacer.worth_another_try("o_0", 1, 0, transient=True)


def test_offsets_are_drawn_from_seed_and_repetition() -> None:
    program = race((0, 1), (0, 1))
    assert draw_offsets(program, 3) == draw_offsets(program, 3)
    assert draw_offsets(program, 3) != draw_offsets(program, 4)
    assert all(0 <= offset <= 500 for offset in draw_offsets(program, 3).values())
