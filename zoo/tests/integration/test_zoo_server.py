"""The zoo listens on loopback only, starts quickly, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from racehound.errors import UserError
from racehound.services.proc import listening, tree
from racehound_zoo.listener import bound
from racehound_zoo.server import Zoo
from zoo_support.connections import connect, rows


def test_a_table_is_created_in_a_few_milliseconds() -> None:
    with Zoo() as zoo, connect(zoo.url) as session:
        began = time.monotonic()
        for number in range(100):
            session.execute(f"CREATE TABLE t{number} (a int)")
        assert (time.monotonic() - began) / 100 < 0.05


def test_it_leaves_nothing_when_it_ends() -> None:
    zoo = Zoo()
    with zoo:
        session = connect(zoo.url)
        directory, port = zoo.directory, int(zoo.sql_address.partition(":")[2])
        session.execute("CREATE SOURCE s IN CLUSTER quickstart FROM LOAD GENERATOR COUNTER (TICK INTERVAL '1ms')")
    assert not directory.exists()
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    session.close()
    with pytest.raises(ConnectionRefusedError), socket.socket() as probe:
        probe.connect(("127.0.0.1", port))


def test_a_directory_that_it_was_given_keeps_its_log(scratch_dir: Path) -> None:
    with Zoo(scratch_dir / "zoo") as zoo:
        log = zoo.log_path
    assert "listening on 127.0.0.1:" in log.read_text()


def test_a_port_that_is_taken_is_one_clear_line() -> None:
    with bound(0) as taken, pytest.raises(UserError, match=r"the zoo cannot listen on port \d+: Address already in use"):
        Zoo(port=taken.getsockname()[1]).start()


def test_the_command_prints_its_addresses_and_ends_on_an_interrupt() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "racehound_zoo", "--defect", "deadlock"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        url = lines[0].split()[1]
        with connect(url) as session:
            assert rows(session, "SELECT 1") == [(1,)]
        log = Path(lines[4].split()[1])
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert not log.parent.exists()


def test_it_listens_on_loopback_only() -> None:
    before = {*listening(tree(os.getpid()))}
    with Zoo() as zoo:
        opened = {*listening(tree(os.getpid()))} - before
        assert zoo.sql_address in opened
        # Two ports for SQL, two for HTTP, and the storage's.
        assert len(opened) == 5
        assert all(address.startswith("127.0.0.1:") for address in opened)
