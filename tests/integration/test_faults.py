"""Faults on a link through the proxy do what they say, to connections that are there and to new ones, and end when lifted."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest

from racehound.errors import TargetError, UserError
from racehound.services import toxiproxy
from racehound.services.backends.instance import Instance
from racehound.services.composition import Composition
from racehound.services.faults import Bandwidth, Cut, Direction, Fault, Latency, Link, Links, Reset, Silence
from racehound.services.service import CLIENT, PROXIED
from tests.integration.own_composition import own_composition

ASK_FOR_TLS = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
"""PostgreSQL answers with one byte (its documentation, "Message Formats", SSLRequest)."""
LIMIT_S = 10
"""In which what must happen has happened."""


@pytest.fixture
def links(service: Callable[[str], Instance], composition: Composition, monkeypatch: pytest.MonkeyPatch) -> Iterator[Links]:
    for name in ("postgres", "toxiproxy"):
        service(name)
    monkeypatch.setenv("PGPASSWORD", service("postgres").access.password)
    with Links(composition) as links:
        yield links


@pytest.fixture
def link(links: Links) -> Link:
    """In front of PostgreSQL."""
    return links.open("postgres")


def connect(link: Link) -> psycopg.Connection:
    host, port = link.endpoint.host, link.endpoint.port
    # The fixture `links` has set PGPASSWORD.
    return psycopg.connect(f"host={host} port={port} user=postgres connect_timeout=2", autocommit=True)


def plug(link: Link) -> socket.socket:
    """A bare connection, on which PostgreSQL waits for us."""
    return socket.create_connection((link.endpoint.host, link.endpoint.port), timeout=LIMIT_S)


def seconds(connection: psycopg.Connection, query: str = "SELECT 1") -> float:
    began = time.monotonic()
    connection.execute(query)
    return time.monotonic() - began


def has_ended(connection: socket.socket) -> bool:
    """In order or not. TimeoutError when it neither ends nor says anything."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def is_open(link: Link) -> bool:
    """Whether PostgreSQL answers over a new connection."""
    try:
        with connect(link) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def test_an_undisturbed_link_leads_to_the_service(link: Link) -> None:
    with connect(link) as connection:
        assert connection.execute("SELECT inet_server_port()").fetchone() == (link.behind.port,)
    assert link.endpoint != link.behind


@pytest.mark.parametrize(("direction", "at_least"), [("to", 0.08), ("from", 0.08), ("both", 0.16)])
def test_latency_comes_on_top_in_each_direction(link: Link, direction: Direction, at_least: float) -> None:
    with connect(link) as connection:
        link.impose(Latency(80), direction)
        slow = [seconds(connection) for _ in range(3)]
        link.lift()
        quick = [seconds(connection) for _ in range(3)]
    assert min(slow) >= at_least
    assert min(quick) < 0.08


def test_jitter_varies_the_latency_around_its_middle(link: Link) -> None:
    with connect(link) as connection:
        link.impose(Latency(50, jitter=40), "to")
        times = [seconds(connection) for _ in range(12)]
    assert min(times) >= 0.01
    assert max(times) - min(times) > 0.01


def test_a_fault_takes_the_place_of_one_of_its_sort(link: Link) -> None:
    with connect(link) as connection:
        link.impose(Latency(500))
        link.impose(Latency(10))
        assert 0.02 <= min(seconds(connection) for _ in range(3)) < 0.5


def test_bandwidth_limits_what_passes(link: Link) -> None:
    hundred_kilobytes = "SELECT repeat('x', 100000)"
    with connect(link) as connection:
        link.impose(Bandwidth(200), "from")
        slow = seconds(connection, hundred_kilobytes)
        link.lift()
        quick = min(seconds(connection, hundred_kilobytes) for _ in range(3))
    # What toxiproxy has read at once (32 kB) may pass before it looks at the clock.
    assert slow >= 0.3
    assert quick < 0.3


def test_silence_lets_nothing_through_and_ends_with_the_connections_that_bore_it(link: Link) -> None:
    with plug(link) as connection:
        link.impose(Silence())
        connection.sendall(ASK_FOR_TLS)
        assert select.select([connection], [], [], 0.3)[0] == []
        with pytest.raises(psycopg.OperationalError, match="timeout"):
            connect(link)
        link.lift()
        assert connection.recv(1) == b""
    assert is_open(link)


def test_silence_with_a_limit_ends_connections_then(link: Link) -> None:
    with plug(link) as connection:
        began = time.monotonic()
        link.impose(Silence(timeout=300))
        assert connection.recv(1) == b""
        assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("direction", ["to", "from", "both"])
def test_a_reset_ends_connections_as_soon_as_something_is_sent(link: Link, direction: Direction) -> None:
    with plug(link) as before:
        link.impose(Reset(), direction)
        before.sendall(ASK_FOR_TLS)
        assert has_ended(before)
    with plug(link) as after:
        after.sendall(ASK_FOR_TLS)
        with pytest.raises(ConnectionResetError):
            after.recv(1)
    assert not is_open(link)
    link.lift()
    assert is_open(link)


def test_a_cut_breaks_connections_and_refuses_new_ones(link: Link) -> None:
    with connect(link) as connection:
        link.impose(Cut())
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with pytest.raises(ConnectionRefusedError):
        plug(link)
    link.lift()
    assert is_open(link)


@pytest.mark.parametrize("fault", [Latency(500), Bandwidth(1), Silence(), Reset(), Cut()])
def test_only_the_link_is_disturbed(links: Links, link: Link, composition: Composition, fault: Fault) -> None:
    other = links.open("postgres")
    link.impose(fault)
    service = composition.instance("postgres")
    service.service.check(service.access)
    with connect(other) as connection:
        assert min(seconds(connection) for _ in range(3)) < 0.5


def test_faults_add_up_and_are_lifted_together(link: Link) -> None:
    with connect(link) as connection:
        link.impose(Latency(100), "to")
        link.impose(Latency(50), "from")
        link.impose(Bandwidth(1000))
        assert min(seconds(connection) for _ in range(2)) >= 0.15
        link.lift()
        assert min(seconds(connection) for _ in range(3)) < 0.1


@pytest.mark.parametrize("fault", [Latency(100), Bandwidth(10), Silence()])
def test_a_fault_is_lifted_though_nobody_reads(links: Links, link: Link, fault: Fault) -> None:
    link.impose(fault)
    with plug(link) as deaf:
        deaf.sendall(ASK_FOR_TLS * 1000)
        link.impose(Latency(1))
        link.lift()
    assert is_open(link)


def test_a_closed_link_is_gone_with_its_connections(service: Callable[[str], Instance], composition: Composition) -> None:
    for name in ("postgres", "toxiproxy"):
        service(name)
    with Links(composition) as links:
        link = links.open("postgres")
        connection = plug(link)
    with connection:
        assert connection.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        plug(link)
    proxies = httpx.get(f"{toxiproxy.url(composition.instance('toxiproxy').endpoints)}/proxies", trust_env=False).json()
    assert [each for each in proxies.values() if each["listen"] == str(link.endpoint)] == []


def test_what_there_is_not_has_no_link(links: Links) -> None:
    with pytest.raises(UserError, match="postgres has no port nosuch; it has: client"):
        links.open("postgres", "nosuch")
    with pytest.raises(UserError, match="oracle is not up"):
        links.open("oracle")


def test_links_come_back_after_a_restart_of_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with own_composition("postgres", "toxiproxy") as composition, Links(composition) as links:
        link = links.open("postgres")
        link.impose(Latency(500))
        composition.kill("toxiproxy")
        with pytest.raises(TargetError, match="toxiproxy does not answer"):
            link.lift()
        composition.restart("toxiproxy")
        links.reopen()
        monkeypatch.setenv("PGPASSWORD", composition.instance("postgres").access.password)
        with connect(link) as connection:
            assert min(seconds(connection) for _ in range(3)) < 0.5
        link.impose(Cut())
        assert not is_open(link)


def test_a_composition_without_the_proxy_has_no_links() -> None:
    with own_composition("postgres") as composition, pytest.raises(UserError, match="toxiproxy is not up"):
        Links(composition)


def test_clients_of_kafka_stay_on_the_link(links: Links, service: Callable[[str], Instance]) -> None:
    from confluent_kafka.admin import AdminClient

    kafka = service("kafka")
    link = links.open("kafka")
    assert link.endpoint == kafka.target_endpoints[PROXIED] != kafka.endpoints[CLIENT]
    admin = AdminClient({"bootstrap.servers": str(link.endpoint)})
    brokers = admin.list_topics(timeout=LIMIT_S).brokers.values()
    assert [f"{broker.host}:{broker.port}" for broker in brokers] == [str(link.endpoint)]
