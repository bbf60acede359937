from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from racehound.data.history import Event, PlanStarted, Recorder, Statement, compress, in_flight, read_history
from tests.unit.programs import program, statement


def test_what_was_recorded_is_read_back_plain_and_packed(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "h.jsonl")
    events: list[Event] = [
        PlanStarted(program()),
        statement("o_0", "SELECT 'ä'\n", 1, 2),
        statement("o_1", "X", 2, 3, sqlstate="XX000", message="m"),
    ]
    for event in events:
        recorder.append(event)
    recorder.close()
    assert recorder.take() == events
    assert recorder.take() == []
    assert list(read_history(tmp_path / "h.jsonl")) == events
    assert list(read_history(compress(tmp_path / "h.jsonl"))) == events
    assert not (tmp_path / "h.jsonl").exists()


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "h.jsonl")

    def work(name: str) -> None:
        for n in range(300):
            recorder.append(statement(name, "SELECT " + "x" * n, n, n + 1))

    threads = [threading.Thread(target=work, args=(f"o_{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.close()
    read = [event for event in read_history(tmp_path / "h.jsonl") if isinstance(event, Statement)]
    assert len(read) == 1200
    for name in ("o_0", "o_3"):
        assert [event.start_ns for event in read if event.session == name] == list(range(300))


WRITER = """
import sys
from pathlib import Path
from racehound.data.history import Recorder
from tests.unit.programs import statement
recorder = Recorder(Path(sys.argv[1]))
n = 0
while True:
    recorder.append(statement("o_0", "SELECT 1" * 50, n, n + 1))
    n += 1
    if n % 1000 == 0:
        print(n, flush=True)
"""


def test_a_kill_loses_at_most_the_event_being_written(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", WRITER, str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert writer.stdout is not None
    told = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    numbers = [event.start_ns for event in read_history(path) if isinstance(event, Statement)]
    assert len(numbers) >= told
    assert numbers == list(range(len(numbers)))


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "h.jsonl")
    recorder.append(statement("o_0", "A", 1, 2))
    recorder.close()
    whole = (tmp_path / "h.jsonl").read_bytes()
    (tmp_path / "h.jsonl").write_bytes(whole + whole[:-5])
    assert list(read_history(tmp_path / "h.jsonl")) == [statement("o_0", "A", 1, 2)]


def test_in_flight_are_those_that_overlap() -> None:
    events = [statement("a", "1", 0, 10), statement("b", "2", 5, 20), statement("c", "3", 21, 30)]
    assert [s.sql for s in in_flight(list(events), 9, 20)] == ["1", "2"]
