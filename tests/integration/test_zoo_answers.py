"""The zoo answers as a real Materialize did: statement by statement, and when statements race."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.integration.zoo_races import Arena, Outcome, Race, meant, races
from tests.integration.zoo_recorded import Answer, Entry, Speakers, entries, request, skipped

from racehound.zoo.server import Zoo

AT_LEAST = 0.95


@pytest.fixture(scope="module")
def zoo() -> Iterator[Zoo]:
    with Zoo() as server:
        yield server


def test_serial_answers_are_those_of_the_record(zoo: Zoo, capsys: pytest.CaptureFixture[str]) -> None:
    compared = 0
    different: list[tuple[Entry, Answer]] = []
    unsaid = [entry for entry in entries() if skipped(entry)]
    with Speakers(zoo) as speakers:
        for entry in entries():
            if skipped(entry):
                continue
            compared += 1
            answer = speakers.say(entry)
            if answer.judged != entry.recorded.judged:
                different.append((entry, answer))
    equal = 1 - len(different) / compared
    with capsys.disabled():
        print(f"\n{compared} statements compared, {len(unsaid)} need services, {equal:.1%} equal")
        for entry, answer in different:
            print(f"  {entry.number} {entry.sql or entry.phase}\n    recorded {entry.recorded}\n    zoo      {answer}")
    assert equal >= AT_LEAST


@pytest.mark.parametrize("race", [race for race in races() if not race.needs_services], ids=lambda race: race.name)
def test_racing_statements_are_told_what_the_record_or_a_serial_order_tells(zoo: Zoo, race: Race) -> None:
    serial: set[Outcome] | None = None
    for _ in range(3):
        with Arena(zoo, race) as arena:
            outcome = meant(arena.at_once())
        if outcome in race.outcomes:
            continue
        serial = serial if serial is not None else {_serially(zoo, race, turns) for turns in race.interleavings()}
        assert outcome in serial


def _serially(zoo: Zoo, race: Race, turns: tuple[int, ...]) -> Outcome:
    with Arena(zoo, race) as arena:
        return meant(arena.in_order(turns))


def test_the_catalog_is_consistent_after_all_this(zoo: Zoo) -> None:
    assert request(f"{zoo.internal_http_url}/api/coordinator/check") == (200, '""')
