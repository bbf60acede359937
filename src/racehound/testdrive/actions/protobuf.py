"""Protobuf descriptors, compiled from `.proto` files in the temporary directory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from racehound.testdrive import extras
from racehound.testdrive.errors import ActionError
from racehound.testdrive.state import Call, Handler, State
from racehound.testdrive.temporary import temporary_file

_LIMIT_S = 60.0


def _compile(call: Call, state: State) -> None:
    """Compile `inputs` with all they import into `output`; `set-var` gets the same bytes as a `\\x…` literal of SQL."""
    inputs = [temporary_file(name.strip(), state) for name in call["inputs"].split(",")]
    output = temporary_file(call["output"], state)
    # The output may have the name of an input.
    compiled = output.with_name(f"{output.name}.compiled")
    _protoc(inputs, compiled)
    compiled.replace(output)
    if "set-var" in call.arguments:
        state.variables[call["set-var"]] = f"\\x{output.read_bytes().hex()}"


def _protoc(inputs: list[Path], output: Path) -> None:
    extras.load("grpc_tools", "grpcio-tools")
    options = ("--include_imports", f"--descriptor_set_out={output.name}", "--proto_path=.")
    command = (sys.executable, "-m", "grpc_tools.protoc", *options, *(path.name for path in inputs))
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False, cwd=output.parent)
    except subprocess.TimeoutExpired as error:
        raise ActionError(f"protoc has not ended within {_LIMIT_S:.0f} s") from error
    if ended.returncode != 0:
        said = " ".join(line for line in ended.stderr.splitlines() if "UserWarning" not in line) or "nothing"
        raise ActionError(f"protoc cannot compile {', '.join(path.name for path in inputs)}: {said}")


ACTIONS: Mapping[str, Handler] = MappingProxyType({"protobuf-compile-descriptors": _compile})
