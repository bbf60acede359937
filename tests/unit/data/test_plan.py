from __future__ import annotations

import typing

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from racehound.data.object_names import BASE
from racehound.data.plan import SEED_LIMIT, KindEntry, Plan, ScenarioName, draw_plan
from tests.unit.programs import CATALOGUE

seeds = st.integers(0, SEED_LIMIT - 1)
scenarios = st.sampled_from(typing.get_args(ScenarioName))


@given(seeds, scenarios)
def test_the_same_seed_draws_the_same_plan(seed: int, scenario: ScenarioName) -> None:
    assert draw_plan(seed, scenario, CATALOGUE, 5) == draw_plan(seed, scenario, CATALOGUE, 5)


def test_different_seeds_draw_different_plans() -> None:
    plans = {msgspec.json.encode(draw_plan(seed, "concurrent", CATALOGUE, 5)) for seed in range(50)}
    assert len(plans) == 50


@given(seeds, st.integers(1, 8))
def test_the_scenario_changes_neither_objects_nor_the_next_seed(seed: int, num_objects: int) -> None:
    one = draw_plan(seed, "subsequent", CATALOGUE, num_objects)
    other = draw_plan(seed, "concurrent", CATALOGUE, num_objects)
    assert one.next_seed == other.next_seed
    assert [(o.kind, o.attributes, o.manipulator) for o in one.objects] == [
        (o.kind, o.attributes, o.manipulator) for o in other.objects
    ]


@given(seeds, scenarios, st.integers(1, 8))
def test_what_cannot_be_referred_to_is_never_referred_to(seed: int, scenario: ScenarioName, num_objects: int) -> None:
    plan = draw_plan(seed, scenario, CATALOGUE, num_objects)
    kinds = {o.name: o.kind for o in (plan.base, *plan.objects)}
    assert all(kinds[o.refers_to] == "Box" for o in plan.objects if o.refers_to)


@given(seeds)
def test_a_chain_refers_to_the_one_before(seed: int) -> None:
    plan = draw_plan(seed, "subsequent-chain", CATALOGUE, 5)
    assert [o.refers_to for o in plan.objects] == [BASE, "o_0", "o_1", "o_2", "o_3"]


def test_concurrent_objects_refer_to_the_base_and_to_each_other() -> None:
    references = {o.refers_to for seed in range(200) for o in draw_plan(seed, "concurrent", CATALOGUE, 5).objects}
    assert {BASE, "o_0", "o_1", "o_2", "o_3"} <= references


@given(seeds, scenarios)
def test_a_plan_survives_json(seed: int, scenario: ScenarioName) -> None:
    plan = draw_plan(seed, scenario, CATALOGUE, 3)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


@given(seeds)
def test_a_plan_draws_from_its_theme_only(seed: int) -> None:
    many = tuple(KindEntry(f"Kind{n}", (), can_be_referenced=n % 3 == 0, weight=1 + n % 4) for n in range(30))
    plan = draw_plan(seed, "concurrent", many, 12)
    assert 2 <= len(set(plan.theme)) <= 10
    assert {o.kind for o in (plan.base, *plan.objects)} <= set(plan.theme)


@given(seeds, scenarios)
def test_a_single_kind_is_drawn_at_most_once_in_a_plan(seed: int, scenario: ScenarioName) -> None:
    lonely = KindEntry("Lonely", (), can_be_referenced=True, weight=50, single=True)
    plan = draw_plan(seed, scenario, (*CATALOGUE, lonely), 8)
    assert [o.kind for o in (plan.base, *plan.objects)].count("Lonely") <= 1


def test_without_a_possible_base_there_is_no_plan() -> None:
    with pytest.raises(ValueError, match="no base object"):
        draw_plan(1, "concurrent", (KindEntry("Lid", (), can_be_referenced=False, weight=1),), 2)


@given(seeds, st.integers(2, 12))
def test_a_restless_kind_is_seldom_idle_and_every_manipulation_has_its_turn(seed: int, manipulations: int) -> None:
    calm = [KindEntry("A", (), can_be_referenced=True, weight=1)]
    rarely_idle = [msgspec.structs.replace(calm[0], rarely_idle=manipulations)]
    numbers = [o.manipulator for s in range(seed, seed + 40) for o in draw_plan(s, "concurrent", rarely_idle, 5).objects]
    assert all(0 <= number < 100 for number in numbers)
    drawn = [number % manipulations for number in numbers]
    assert drawn.count(0) < 0.15 * len(drawn)
    assert set(drawn) >= set(range(1, manipulations))
    others = [o.manipulator for s in range(seed, seed + 40) for o in draw_plan(s, "concurrent", calm, 5).objects]
    assert {a for a, b in zip(numbers, others, strict=True) if a != b and b % manipulations} == set()
