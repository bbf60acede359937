"""`after.py`: becomes a program when something listens, and not before."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from racehound.services import start_when_listening


def test_the_program_begins_when_something_listens() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        command = [sys.executable, "-I", "-S", start_when_listening.__file__, address, "/bin/sh", "-c", 'echo "$0 $$"', "begun"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.3)
            listener.listen()
            said, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    # In the same process: whoever ends that ends the program.
    assert said.split() == ["begun", str(process.pid)]
