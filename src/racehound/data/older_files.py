"""Files that earlier versions wrote: their words are replaced by today's when they are read.

A run directory outlives the version that wrote it. Version 0.1 called a session an actor; nothing else has changed its name in
a file so far.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

_Decoded = TypeVar("_Decoded")

_RENAMED = {"actor": "session", "actors": "sessions"}
"""Keys of JSON objects, in the words of version 0.1 and in today's."""
_OLD_KEY = re.compile(rb'(?<!\\)"(?:%s)":' % b"|".join(key.encode() for key in _RENAMED))


def decode(content: bytes, decoder: msgspec.json.Decoder[_Decoded]) -> _Decoded:
    """The value of a JSON text that this version or an earlier one wrote. msgspec.MsgspecError where it is none."""
    if _OLD_KEY.search(content):
        content = msgspec.json.encode(_in_todays_words(msgspec.json.decode(content)))
    return decoder.decode(content)


def _in_todays_words(value: Any) -> Any:  # noqa: ANN401 any JSON value
    if isinstance(value, dict):
        return {_RENAMED.get(key, key): _in_todays_words(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_in_todays_words(each) for each in value]
    return value
