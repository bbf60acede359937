"""Files in the temporary directory of the script. A target on the same machine can read them."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from racehound.testdrive.errors import ActionError
from racehound.testdrive.state import Call, Handler, State
from racehound.testdrive.temporary import temporary_file
from racehound.testdrive.values import integer, unescape_bytes

_ZSTD_MAGIC = bytes.fromhex("28b52ffd")
_ZSTD_BLOCK_BYTES_MAX = 128 * 1024


def _zstd(content: bytes) -> bytes:
    """A Zstandard frame of uncompressed blocks (RFC 8878, section 3.1.1). Every reader accepts it, and no library is needed."""
    # Descriptor 0xE0: one segment, an eight-byte size, no checksum, no dictionary.
    return _ZSTD_MAGIC + b"\xe0" + len(content).to_bytes(8, "little") + b"".join(_zstd_blocks(content))


def _zstd_blocks(content: bytes) -> Iterator[bytes]:
    for start in range(0, max(len(content), 1), _ZSTD_BLOCK_BYTES_MAX):
        block = content[start : start + _ZSTD_BLOCK_BYTES_MAX]
        is_last = start + _ZSTD_BLOCK_BYTES_MAX >= len(content)
        yield (len(block) << 3 | is_last).to_bytes(3, "little") + block


_COMPRESSIONS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {
        "none": bytes,
        "gzip": lambda content: gzip.compress(content, mtime=0),
        "bzip2": bz2.compress,
        "xz": lzma.compress,
        "zstd": _zstd,
    }
)


def _path(call: Call, state: State) -> Path:
    if call.get("container", "none") != "none":
        raise ActionError(f"the container {call['container']} is not supported")
    return temporary_file(call["path"], state)


def _append(call: Call, state: State) -> None:
    path, content = _path(call, state), compressed(content_of(call), call)
    try:
        with path.open("ab") as file:
            file.write(content)
    except OSError as error:
        raise ActionError(f"cannot append to {path.name}: {error.strerror}") from error


def content_of(call: Call) -> bytes:
    """The header, then the input `repeat` times, line by line; `trailing-newline` says whether the last line has a line break."""
    lines = [unescape_bytes(line) + b"\n" for line in call.input] * integer(call.get("repeat", "1"))
    header = [call["header"].encode() + b"\n"] if "header" in call.arguments else []
    content = b"".join(header + lines)
    return content if call.flag("trailing-newline", default=True) else content.removesuffix(b"\n")


def compressed(content: bytes, call: Call) -> bytes:
    """The content in the format of the argument `compression`."""
    compress = _COMPRESSIONS.get(call.get("compression", "none"))
    if compress is None:
        raise ValueError(f"unknown compression {call['compression']}: one of {', '.join(_COMPRESSIONS)}")
    return compress(content)


def _delete(call: Call, state: State) -> None:
    path = _path(call, state)
    try:
        path.unlink()
    except OSError as error:
        raise ActionError(f"cannot delete {path.name}: {error.strerror}") from error


ACTIONS: Mapping[str, Handler] = MappingProxyType({"file-append": _append, "file-delete": _delete})
