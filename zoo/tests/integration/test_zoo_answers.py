"""The zoo's answers equal those recorded from a real Materialize, for single statements and for races."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from racehound.databases.materialize.known_errors import other_error, race_error
from racehound.services.backends.instance import Instance
from racehound_zoo.server import Zoo
from zoo_support.races import Outcome, Race, RaceSessions, meant, races
from zoo_support.recorded import RecordedSession, RecordedSessions, entries, needs_services, request
from zoo_support.upstream import UpstreamServices, outside

AT_LEAST = 0.95
_BROKER = "BROKER '127.0.0.1:21092', SECURITY PROTOCOL PLAINTEXT"


@pytest.fixture(scope="module")
def zoo() -> Iterator[Zoo]:
    with Zoo(release="v0.147") as server:
        yield server


@pytest.fixture(scope="module")
def around(zoo: Zoo, service: Callable[[str], Instance]) -> Iterator[UpstreamServices]:
    """The services, with what the recorder had created for all races: a topic and a connection."""
    found = outside(zoo, service)
    if isinstance(found, str):
        pytest.skip(found)
    with found, RecordedSession(zoo.url) as user:
        found.prepare("UpsertSource")
        found.prepare("PostgresSource")
        assert user.execute(found.spelled(f"CREATE CONNECTION IF NOT EXISTS rk_conn TO KAFKA ({_BROKER})")).ok
        yield found


def test_serial_answers_are_those_of_the_record(
    zoo: Zoo, service: Callable[[str], Instance], capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.ExitStack() as ending:
        found = outside(zoo, service)
        there = ending.enter_context(found) if isinstance(found, UpstreamServices) else None
        sessions = ending.enter_context(RecordedSessions(zoo, there))
        said = [entry for entry in entries() if there is not None or not needs_services(entry)]
        answers = [(entry, sessions.execute(entry)) for entry in said]
    different = [(entry, answer) for entry, answer in answers if answer.judged != entry.recorded.judged]
    equal = 1 - len(different) / len(answers)
    with capsys.disabled():
        print(f"\n{len(answers)} statements compared, {equal:.1%} equal")
        if isinstance(found, str):
            print(f"{sum(map(needs_services, entries()))} left out, which need services: {found}")
        for entry, answer in different:
            print(f"  {entry.number} {entry.sql or entry.phase}\n    recorded {entry.recorded}\n    zoo      {answer}")
    assert equal >= AT_LEAST


@pytest.mark.parametrize("race", [race for race in races() if not race.needs_services], ids=lambda race: race.name)
def test_racing_statements_are_told_what_the_record_or_a_serial_order_tells(zoo: Zoo, race: Race) -> None:
    _compare(zoo, race, None)


@pytest.mark.parametrize("race", [race for race in races() if race.needs_services], ids=lambda race: race.name)
def test_racing_statements_on_services_are_told_the_same(zoo: Zoo, race: Race, around: UpstreamServices) -> None:
    _compare(zoo, race, around)


def _compare(zoo: Zoo, race: Race, around: UpstreamServices | None) -> None:
    serial: set[Outcome] | None = None
    for _ in range(3):
        with RaceSessions(zoo, race, around) as arena:
            outcome = meant(arena.at_once())
        if outcome in race.outcomes:
            continue
        serial = serial if serial is not None else {_serially(zoo, race, around, turns) for turns in race.interleavings()}
        assert outcome in serial


def _serially(zoo: Zoo, race: Race, around: UpstreamServices | None, turns: tuple[int, ...]) -> Outcome:
    with RaceSessions(zoo, race, around) as arena:
        return meant(arena.in_order(turns))


@pytest.mark.parametrize("race", [race for race in races() if race.errors], ids=lambda race: race.name)
def test_the_target_knows_every_error_that_racing_statements_were_told(race: Race) -> None:
    unknown = {message for message in race.errors if message != "dropped" and not (race_error(message) or other_error(message))}
    assert not unknown


def test_the_catalog_is_consistent_after_all_this(zoo: Zoo) -> None:
    assert request(f"{zoo.internal_http_url}/api/coordinator/check") == (200, '""')
