from __future__ import annotations

import msgspec

from racehound.data.plan import Plan, ScenarioName, draw_plan
from racehound.data.program import Program, Step, print_program
from racehound.scenarios import build_program
from tests.unit.programs import CAST, CATALOGUE


def build(seed: int, scenario: ScenarioName) -> tuple[Plan, Program]:
    plan = draw_plan(seed, scenario, CATALOGUE, 4)
    return plan, build_program(plan, CAST, tries=7)


def lives(steps: tuple[Step, ...]) -> list[str]:
    return [f"{step.object} {step.phase}" for step in steps]


def test_subsequent_lives_follow_one_another() -> None:
    _, program = build(3, "subsequent")
    assert lives(program.once) == [f"{name} prepare" for name in ("o_base", "o_0", "o_1", "o_2", "o_3")]
    assert lives(program.setup) == ["o_base create"]
    (session,) = program.sessions
    order = [step.object for step in session.steps]
    assert order == sorted(order)
    for name in ("o_0", "o_1", "o_2", "o_3"):
        phases = [step.phase for step in session.steps if step.object == name and step.phase != "manipulate"]
        assert phases == ["create", "verify", "destroy"]
    assert lives(program.teardown) == ["o_base destroy"]
    assert not program.reset_each


def test_a_chain_is_created_in_order_and_destroyed_in_reverse() -> None:
    _, program = build(3, "subsequent-chain")
    (session,) = program.sessions
    names = ["o_base", "o_0", "o_1", "o_2", "o_3"]
    assert [s.object for s in session.steps if s.phase == "create"] == names
    assert [s.object for s in session.steps if s.phase == "destroy"] == names[::-1]
    assert "o_base" not in [s.object for s in session.steps if s.phase == "manipulate"]
    assert [s.fragment for s in session.steps if s.phase == "create"][2] in ("> CREATE o_1 OVER o_0\n", "> VACUUM o_1\n")


def test_each_concurrent_session_has_its_own_object_and_always_destroys_it() -> None:
    for seed in range(30):
        plan, program = build(seed, "concurrent")
        sessions = [session for session in program.sessions if session.name != "o_base"]
        assert [a.name for a in sessions] == [o.name for o in plan.objects]
        for session in sessions:
            assert {step.object for step in session.steps} == {session.name}
            assert all(session.name in step.fragment for step in session.steps)
            assert session.steps[0].phase == "create"
            (destroy,) = [s for s in (*session.steps, *program.teardown) if s.phase == "destroy" and s.object == session.name]
            assert destroy.tries == 1
            assert destroy.window != "rollback"
            assert {s.tries for s in session.steps if s.phase in ("create", "manipulate")} == {7}


def test_the_manipulation_is_the_drawn_number_modulo_how_many_there_are() -> None:
    for seed in range(20):
        plan, program = build(seed, "concurrent")
        sessions = [session for session in program.sessions if session.name != "o_base"]
        for drawn, session in zip(plan.objects, sessions, strict=True):
            names = tuple(CAST.kinds[drawn.kind].all_manipulations())
            expected = names[drawn.manipulator % len(names)]
            done = [s.manipulation for s in session.steps if s.phase == "manipulate"]
            assert done == ([] if expected == "nothing" else [expected])


def test_what_lingers_is_verified_and_destroyed_after_the_race_above_before_below() -> None:
    seen = 0
    for seed in range(30):
        plan, program = build(seed, "concurrent")
        lingering = [o.name for o in plan.objects if o.dropped_last]
        assert [s.object for s in program.verify] == ["o_base", *lingering]
        assert [s.object for s in program.teardown] == [*reversed(lingering), "o_base"]
        raced = {s.object for session in program.sessions for s in session.steps if s.phase == "destroy"}
        assert not raced & set(lingering)
        seen += len(lingering)
    assert seen > 10


def test_an_session_of_the_base_disturbs_it_where_the_plan_says_so() -> None:
    for seed in range(30):
        plan, program = build(seed, "concurrent")
        steps = [step for session in program.sessions if session.name == "o_base" for step in session.steps]
        nothing = plan.base_activity == "still" or (plan.base_activity == "manipulated" and plan.base.manipulator % 2 == 0)
        assert bool(steps) is not nothing
        kind = CAST.kinds[plan.base.kind]("o_base")
        again = {kind.destroy() + kind.create()} if plan.base_activity == "recreated" else set()
        assert not again or {step.fragment for step in steps} == again
        assert {step.phase for step in steps} <= {"manipulate"}
        assert {step.beat for step in steps} <= {o.lag for o in plan.objects}


def test_lags_let_the_create_of_one_meet_the_destroy_of_another() -> None:
    met = set()
    for seed in range(60):
        _, program = build(seed, "concurrent")
        at = {(s.phase, s.beat) for session in program.sessions for s in session.steps}
        met |= {(a, b) for a, beat in at for b, other in at if beat is not None and beat == other}
    assert ("create", "destroy") in met
    assert ("create", "manipulate") in met


def test_no_transaction_is_wrapped_around_what_refuses_it() -> None:
    steps = [s for seed in range(40) for session in build(seed, "concurrent")[1].sessions for s in session.steps]
    assert {s.window for s in steps if "VACUUM" in s.fragment} == {"none"}
    assert {s.window for s in steps if "VACUUM" not in s.fragment} == {"none", "commit", "rollback"}


def test_a_program_survives_json_and_is_printed_whole() -> None:
    scenarios: tuple[ScenarioName, ...] = ("subsequent", "subsequent-chain", "concurrent")
    for scenario in scenarios:
        _, program = build(11, scenario)
        assert msgspec.json.decode(msgspec.json.encode(program), type=Program) == program
        text = print_program(program)
        assert text.startswith("--- Scenario to run (--seed=11)\n")
        for step in program.steps():
            assert step.fragment.strip() in text
