"""Names of objects: each begins with the object's own, so that a text tells which objects it is about."""

from __future__ import annotations

import re

BASE = "o_base"
"""The object that all others are built over, directly or not."""

RUN_ID = re.compile(r"rh[0-9a-f]{8}")
"""The id of a run: whatever it creates outside its working database bears this id."""

_NAME = re.compile(r"(?<![A-Za-z0-9])o_(?:base|\d+)(?![0-9])")


def names_in(text: str) -> frozenset[str]:
    """Names of the objects that a text mentions: `DROP TABLE o_0_tmp` mentions `o_0`."""
    return frozenset(_NAME.findall(text))
