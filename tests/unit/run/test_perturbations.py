from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from racehound.data.history import Disturbed, Recorder, RepetitionStarted, read_history
from racehound.data.plan import draw_plan
from racehound.data.program import Disturbance, Program, ProgramSession, Step, print_program
from racehound.databases.materialize.perturbations import ServiceKill
from racehound.databases.postgres.perturbations import Freeze, Kill, Restart
from racehound.errors import UserError
from racehound.run.perturbations.perturbation import draw_moment
from racehound.run.perturbations.printing import print_draws
from racehound.run.perturbations.registry import DEFAULT, TIMINGS, PerturbationSet, perturbed
from racehound.scenarios import build_program
from tests.unit.programs import CAST, CATALOGUE

ALL = PerturbationSet((Freeze, Kill, Restart, ServiceKill))
NAMES = ALL.names
WHILE_RUNNING = tuple(name for name in NAMES if name not in TIMINGS)


def drawn_program(seed: int, *names: str) -> Program:
    plan = draw_plan(seed, "concurrent", CATALOGUE, 4)
    return perturbed(build_program(plan, CAST, tries=7), ALL.named(names))


def many(program: Program) -> list[tuple[Disturbance, ...]]:
    return [ALL.draw(program, repetition) for repetition in range(1, 41)]


@pytest.mark.parametrize("name", WHILE_RUNNING)
def test_a_perturbation_draws_the_same_for_the_same_seed_and_something_else_for_each_repetition(name: str) -> None:
    assert many(drawn_program(3, name)) == many(drawn_program(3, name))
    assert many(drawn_program(3, name)) != many(drawn_program(4, name))
    assert len({msgspec.json.encode(drawn) for drawn in many(drawn_program(3, name))}) > 3


@pytest.mark.parametrize("name", WHILE_RUNNING)
def test_what_a_perturbation_draws_does_not_depend_on_the_others(name: str) -> None:
    alone = many(drawn_program(3, *DEFAULT, name))
    among_all = [tuple(each for each in drawn if each.perturbation == name) for drawn in many(drawn_program(3, *NAMES))]
    assert alone == among_all


@pytest.mark.parametrize("seed", range(20))
def test_every_disturbance_is_aimed_at_a_step_that_there_is(seed: int) -> None:
    program = drawn_program(seed, *NAMES)
    steps = {session.name: len(session.steps) for session in program.sessions}
    for drawn in many(program):
        for each in drawn:
            assert 0 <= each.step < steps[each.session]
            assert each.after_us <= 3000


def test_moments_are_drawn_over_all_statements_those_around_a_transaction_included() -> None:
    sessions = (ProgramSession("o_0", (Step("o_0", "create", "> A\n> B\n", window="commit"), Step("o_0", "destroy", "> C\n"))),)
    program = msgspec.structs.replace(drawn_program(1), sessions=sessions)
    rng = random.Random(1)
    assert {draw_moment(rng, program) for _ in range(200)} == {("o_0", 0, n) for n in range(4)} | {("o_0", 1, 0)}
    assert draw_moment(rng, msgspec.structs.replace(program, sessions=())) is None


def test_with_all_timings_a_program_is_what_its_scenario_made_of_it() -> None:
    plan = draw_plan(5, "concurrent", CATALOGUE, 4)
    assert drawn_program(5, *TIMINGS) == build_program(plan, CAST, tries=7)


@pytest.mark.parametrize("seed", range(10))
def test_a_timing_that_is_not_asked_for_is_taken_out_of_the_steps_and_nothing_else_is(seed: int) -> None:
    full = drawn_program(seed, *TIMINGS)
    bare = drawn_program(seed, "freeze")
    assert bare.perturbations == ("freeze",)
    assert [(s.object, s.phase, s.fragment, s.tries) for s in bare.steps()] == [
        (s.object, s.phase, s.fragment, s.tries) for s in full.steps()
    ]
    assert {(s.jitter_us, s.beat, s.window, s.hold_us) for session in bare.sessions for s in session.steps} == {
        (0, None, "none", 0)
    }


@pytest.mark.parametrize("missing", TIMINGS)
def test_each_timing_can_be_left_out_by_itself(missing: str) -> None:
    steps = [
        step
        for seed in range(10)
        for session in drawn_program(seed, *(name for name in TIMINGS if name != missing)).sessions
        for step in session.steps
    ]
    there = {
        "delays": any(step.jitter_us for step in steps),
        "barriers": any(step.beat is not None for step in steps),
        "windows": any(step.window != "none" for step in steps),
    }
    assert there == {name: name != missing for name in TIMINGS}


def test_names_come_in_one_order_and_words_stand_for_several() -> None:
    assert ALL.named(["freeze", "windows"]) == ("windows", "freeze")
    assert ALL.named(["default", "freeze"]) == (*DEFAULT, "freeze")
    assert ALL.named(["all"]) == NAMES
    assert ALL.named(["none"]) == ()


def test_the_order_of_names_is_that_of_their_numbers_whoever_brings_them() -> None:
    known = (
        "priorities", "starvation", "freeze", "cancel", "terminate", "network-jitter", "network-cut", "kill", "restart",
        "service-kill",
    )  # fmt: skip
    assert tuple(name for name in WHILE_RUNNING if name in known) == known


def test_a_program_that_asks_for_a_perturbation_of_another_database_is_refused() -> None:
    program = drawn_program(3, "service-kill")
    with pytest.raises(UserError, match="the program asks for the perturbation 'service-kill'"):
        PerturbationSet((Freeze,)).draw(program, 1)


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    with pytest.raises(UserError, match=r"there is no 'frost'.*freeze"):
        ALL.named(["frost"])


def test_a_program_keeps_its_perturbations_over_json() -> None:
    program = drawn_program(3, *NAMES)
    assert program.perturbations == WHILE_RUNNING
    assert msgspec.json.decode(msgspec.json.encode(program), type=Program) == program


def test_a_history_keeps_what_was_drawn_and_what_was_done(tmp_path: Path) -> None:
    started = RepetitionStarted(1, 5, disturbances=ALL.draw(drawn_program(3, *NAMES), 1))
    done = Disturbed(1, "cancel of o_1: …", 7, "cancel", "statement", "o_1", 42, "SELECT 1", 9)
    assert started.disturbances
    recorder = Recorder(tmp_path / "history.jsonl")
    recorder.append(started)
    recorder.append(done)
    recorder.close()
    assert list(read_history(recorder.path)) == [started, done]


def test_a_printed_program_tells_what_disturbs_it_and_what_is_drawn() -> None:
    program = drawn_program(3, *DEFAULT, "freeze")
    drawn = next(each for each in ALL.draw(program, 1))
    assert "# perturbed by: freeze" in print_program(program)
    assert f"freeze: session {drawn.session}, step {drawn.step + 1}, statement {drawn.statement + 1}" in print_draws(program, ALL)
    assert print_draws(drawn_program(3, *DEFAULT), ALL) == ""
