"""Records per second of `$ kafka-ingest … repeat=N` against Kafka's own ProducerPerformance, on the same broker, alternating.

Both send records of the same size with acks=all to a fresh topic of one partition and wait until the broker has them all.
racehound also encodes each as Avro, a Debezium envelope in which a number varies. The peer runs with its own settings and with
racehound's batches; the last ratio is to the better of both. Run: `python bench/ingest_rate.py [--records N] [--rounds 3]`.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import re
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import workload
from racehound.data.addresses import ServiceAddresses
from racehound.services.artifacts.maven import MavenJars
from racehound.services.composition import Composition, ServiceRequest
from racehound.services.java import JAVA
from racehound.services.service import CLIENT
from racehound.session import Session
from racehound.testdrive.formats.avro import prepare
from racehound.testdrive.formats.avro_schema import Names
from racehound.testdrive.formats.confluent import header
from racehound.testdrive.formats.varying import read_varying
from racehound.testdrive.interpreter import Context, Interpreter
from racehound.testdrive.parser import parse

TOOLS = MavenJars("kafka-tools-3.9.2", ("org.apache.kafka:kafka-tools:3.9.2", "org.slf4j:slf4j-simple:1.7.36"))
ITERATION = "${kafka-ingest.iteration}"
SCHEMA = """{"type": "record", "name": "envelope", "fields": [
  {"name": "before", "type": ["null", {"type": "record", "name": "row", "fields": [
    {"name": "f1", "type": "long"}, {"name": "f2", "type": "string"}]}]},
  {"name": "after", "type": ["null", "row"]},
  {"name": "source", "type": {"type": "record", "name": "Source", "namespace": "io.debezium.connector.mysql", "fields": [
    {"name": "file", "type": "string"}, {"name": "pos", "type": "long"}, {"name": "snapshot", "type": ["null", "boolean"]}]}},
  {"name": "op", "type": "string"}]}"""
LINE = (
    f'{{"before": null, "after": {{"row": {{"f1": {ITERATION}, "f2": "a row of some length, number {ITERATION}"}}}},'
    f' "source": {{"file": "binlog.000003", "pos": {ITERATION}, "snapshot": {{"boolean": false}}}}, "op": "c"}}'
)
SETTINGS = {"its own settings": (), "racehound's batches": ("batch.size=1000000", "linger.ms=5")}
_seeds = itertools.count(1)


@dataclass(frozen=True)
class Place:
    """A broker and a schema registry that are up."""

    kafka: str
    registry: str


@contextlib.contextmanager
def services() -> Iterator[Place]:
    """They are gone afterwards."""
    with tempfile.TemporaryDirectory() as directory:
        composition = Composition("bench", Path(directory))
        try:
            composition.up([ServiceRequest("kafka"), ServiceRequest("schema-registry")], lambda _name, _what: None)
            addresses = [composition.instance(name).endpoints[CLIENT] for name in ("kafka", "schema-registry")]
            yield Place(str(addresses[0]), f"http://{addresses[1]}")
        finally:
            composition.down(lambda _name, _what: None)


def ours(place: Place, records: int) -> float:
    """Records per second through the language, from the line of the script to the last record in the broker."""
    # kafka-ingest asks the target nothing.
    session = cast("Session", None)
    context = Context(
        session, seed=next(_seeds), timeout=60, services=ServiceAddresses(kafka=place.kafka, schema_registry=place.registry)
    )
    schema = " ".join(SCHEMA.split())
    with Interpreter(context) as interpreter:
        interpreter.run(parse("$ kafka-create-topic topic=bench\n"))
        start = time.monotonic()
        interpreter.run(parse(f"$ kafka-ingest format=avro topic=bench schema={schema} repeat={records}\n{LINE}\n"))
        return records / (time.monotonic() - start)


def peer(place: Place, records: int, size: int, settings: tuple[str, ...]) -> float:
    """Records per second as ProducerPerformance measures them itself, without Java's start."""
    topic = f"peer-{next(_seeds)}"
    session = cast("Session", None)
    with Interpreter(Context(session, seed=0, services=ServiceAddresses(kafka=place.kafka))) as interpreter:
        interpreter.run(parse(f"$ kafka-create-topic topic={topic}\n"))
    program = (str(JAVA.find()), "-Xmx512m", "-cp", f"{TOOLS.install(print)}/*", "org.apache.kafka.tools.ProducerPerformance")
    options = ("--topic", f"testdrive-{topic}-0", "--num-records", str(records), "--record-size", str(size), "--throughput", "-1")
    properties = ("--producer-props", f"bootstrap.servers={place.kafka}", "acks=all", *settings)
    ended = subprocess.run((*program, *options, *properties), capture_output=True, text=True, check=False)
    found = re.findall(rf"^{records} records sent, ([\d.]+) records/sec", ended.stdout, re.MULTILINE)
    if not found:
        raise SystemExit(f"ProducerPerformance: {ended.stdout}{ended.stderr}")
    return float(found[-1])


def record_size(number: int) -> int:
    """Bytes of the record of that number."""
    (value,) = read_varying(LINE, ITERATION)
    made = prepare(Names().read(SCHEMA), value)
    return len(header(1) + (made if isinstance(made, bytes) else made(number)))


def peak_mib() -> float:
    """The most memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    size = record_size(arguments.records // 2)
    print(f"{arguments.records} records of {size} bytes")
    with services() as place:
        ours(place, arguments.records // 4)
        before = peak_mib()
        rates = list[float]()
        peers: dict[str, list[float]] = {name: [] for name in SETTINGS}
        for _ in range(arguments.rounds):
            rates.append(ours(place, arguments.records))
            for name, settings in SETTINGS.items():
                peers[name].append(peer(place, arguments.records, size, settings))
    for name, found in sorted(peers.items(), key=lambda each: max(each[1])):
        workload.print_ratio(rates, found, "records/s", ("racehound", f"ProducerPerformance, {name}"))
    print(f"peak memory: {before:.0f} MiB for {arguments.records // 4} records, {peak_mib():.0f} MiB after {arguments.records}")


if __name__ == "__main__":
    main()
