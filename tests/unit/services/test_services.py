"""Services without a server: ports, addresses, order of needs, tables."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from racehound.errors import UserError
from racehound.report.columns import columns
from racehound.services import ports, proc
from racehound.services.catalogue import DEFAULT, find, in_order, services
from racehound.services.composition import ServiceRequest, with_needs
from racehound.services.service import CLIENT, LOOPBACK, Endpoint


def test_ports_are_free_and_none_is_given_twice() -> None:
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda _: ports.free(), range(200)))
    assert len(set(given)) == len(given)
    with socket.socket() as listener:
        listener.bind((LOOPBACK, given[0]))


def test_ports_lie_outside_the_range_of_outgoing_connections() -> None:
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert not [port for port in (ports.free() for _ in range(50)) if first <= port <= last]


def test_what_a_process_listens_on_is_seen() -> None:
    with socket.create_server((LOOPBACK, 0)) as four, socket.create_server(("::1", 0), family=socket.AF_INET6) as six:
        seen = proc.listening([os.getpid()])
        assert f"127.0.0.1:{four.getsockname()[1]}" in seen
        assert f"[::1]:{six.getsockname()[1]}" in seen
        assert proc.listening([]) == []


def test_memory_of_a_process_is_seen_and_of_none_is_nothing() -> None:
    assert 5_000 < proc.memory_kib(os.getpid()) < 5_000_000
    assert proc.memory_kib(2**22 + 1) == 0


@pytest.mark.parametrize("service", services(), ids=lambda service: service.name)
def test_a_service_comes_behind_what_it_needs(service: object) -> None:
    name = getattr(service, "name", "")
    ordered = in_order([name])
    assert ordered[-1] == name
    for each in ordered:
        assert all(ordered.index(need) < ordered.index(each) for need in find(each).needs)


def test_the_default_services_have_a_role_each() -> None:
    roles = [find(name).role for name in DEFAULT]
    assert len(set(roles)) == len(roles) == 7


@pytest.mark.parametrize("service", services(), ids=lambda service: service.name)
def test_a_container_publishes_the_port_of_clients(service: object) -> None:
    container = service.container("")  # type: ignore[attr-defined]
    assert CLIENT in container.ports
    assert container.image.rpartition(":")[2]


def test_an_external_service_brings_no_other_up() -> None:
    (alone,) = with_needs([ServiceRequest("kafka", "external", Endpoint("broker", 9092))])
    assert alone.name == "kafka"


def test_what_is_needed_is_run_by_the_same_backend() -> None:
    assert [(each.name, each.backend) for each in with_needs([ServiceRequest("kafka", "docker")])] == [
        ("zookeeper", "docker"),
        ("kafka", "docker"),
    ]


def test_an_address_belongs_to_external_services_alone() -> None:
    with pytest.raises(UserError):
        ServiceRequest("postgres", "external")
    with pytest.raises(UserError):
        ServiceRequest("postgres", "process", Endpoint(LOOPBACK, 5432))


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert columns(("a", "bb"), [("long", ""), ("x", "y")]) == "a     bb\nlong\nx     y"
