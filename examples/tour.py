"""A tour of the services: brings them up, runs `tour.td`, reads back what it wrote, takes them down.

A topic is made, a million Avro records go in and come back, PostgreSQL and MySQL are written to and both change streams are read,
an object goes to S3 and is verified, a webhook is posted to a small server. Run: `python examples/tour.py [--records 1000000]`,
after `racehound services install`; it needs `pip install 'racehound[services]' mysql-replication`.
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

COMPOSITION = f"tour{os.getpid()}"
SCRIPT = Path(__file__).with_name("tour.td")
SEED = 7


def racehound(*arguments: str) -> str:
    """Run a command of racehound; what it printed. Ends the tour when the command fails."""
    done = subprocess.run([sys.executable, "-m", "racehound", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"racehound {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Listener(http.server.BaseHTTPRequestHandler):
    """Keeps the bodies that are posted to it."""

    bodies: list[bytes] = []  # noqa: RUF012 one list for all requests is the point

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def read_back(address: str, records: int) -> float:
    """Seconds that it took to read all records of the topic; checks that none is missing."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": address, "group.id": "tour", "enable.auto.commit": False})
    consumer.assign([TopicPartition(f"testdrive-tour-{SEED}", 0, OFFSET_BEGINNING)])
    began, offsets = time.monotonic(), 0
    while offsets < records:
        batch = consumer.consume(10_000, timeout=10)
        assert batch, f"only {offsets} of {records} records came back"
        for message in batch:
            assert message.error() is None, message.error()
            assert message.offset() == offsets
            # Confluent's frame: a zero byte, the schema's id in four bytes, then Avro.
            assert (message.value() or b"")[:1] == b"\0"
            offsets += 1
    assert not consumer.consume(1, timeout=0.5), "more records came back than were written"
    consumer.close()
    return time.monotonic() - began


def mysql_changes(address: str, client_file: str) -> list[tuple[str, list[object]]]:
    """The row events of MySQL's binary log about the tour's table."""
    from pymysqlreplication import BinLogStreamReader
    from pymysqlreplication.row_event import UpdateRowsEvent, WriteRowsEvent

    host, _, port = address.rpartition(":")
    stream = BinLogStreamReader(
        connection_settings={"host": host, "port": int(port), "read_default_file": client_file},
        server_id=4711, only_events=[WriteRowsEvent, UpdateRowsEvent], only_tables=["rows_of_tour"],
    )  # fmt: skip
    changes = [(type(event).__name__, [row.get("values") or row.get("after_values") for row in event.rows]) for event in stream]
    stream.close()
    return changes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    records = parser.parse_args().records
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(racehound("services", "up", "--composition", COMPOSITION, "--timings"))
    try:
        shown = racehound("services", "ps", "--composition", COMPOSITION, "--json").splitlines()
        known = {status["name"]: status for status in map(json.loads, shown)}
        addresses = {name: status["address"] for name, status in known.items()}
        began = time.monotonic()
        webhook = f"http://127.0.0.1:{server.server_address[1]}/"
        target = f"postgres://postgres@{addresses['postgres']}/postgres?passfile={known['postgres']['client_file']}"
        print(racehound(
            "testdrive", str(SCRIPT), "--composition", COMPOSITION, "--url", target, "--seed", str(SEED),
            "--var", f"records={records}", "--var", f"webhook={webhook}", "--default-timeout", "300s",
        ))  # fmt: skip
        print(f"script: {time.monotonic() - began:.1f} s, {records} records among it")
        print(f"read back: {records} records in {read_back(addresses['kafka'], records):.1f} s")
        changes = mysql_changes(addresses["mysql"], known["mysql"]["client_file"])
        print(f"MySQL's change stream: {changes}")
        assert [name for name, _ in changes] == ["WriteRowsEvent", "UpdateRowsEvent"]
        assert [json.loads(body) for body in Listener.bodies] == [{"event": "tour"}]
        print("webhook: received")
    finally:
        print(racehound("services", "down", "--composition", COMPOSITION))
        server.shutdown()


if __name__ == "__main__":
    main()
