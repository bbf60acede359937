"""Kinds of Materialize that are written without Python (docs/kinds.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from racehound.databases.materialize.kinds.base import MaterializeKind
from racehound.kinds.text_kinds import ReadFact, TextKind


def _requires(text: str) -> Mapping[str, Any]:
    return {"requires": frozenset(name.strip() for name in text.split(","))}


def _scope(text: str) -> Mapping[str, Any]:
    if text not in ("schema", "environment"):
        raise ValueError(f"schema, environment is expected, not {text!r}")
    return {"in_environment": text == "environment"}


class MaterializeTextKind(TextKind, MaterializeKind):
    """An object of an environment whose operations are sections of a file."""

    variables: ClassVar[Mapping[str, str]] = {
        "object": "the object as statements spell it",
        "name": "the object's name without schema",
        "query": "a SELECT from the object below, or of a constant where that is no relation",
        "cluster": "the cluster of the object below, or the one that every environment has",
        "schema": "the schema of the object below, or public",
    }
    offers: ClassVar[Mapping[str, str]] = {
        "relation": "something to select from",
        "cluster": "a cluster that does the work of dependents",
        "role": "a role that dependents belong to",
        "secret": "a secret that connections can name",
    }
    facts: ClassVar[Mapping[str, ReadFact]] = {"requires": _requires, "scope": _scope}

    def value(self, variable: str) -> str:
        return {
            "object": self.ident,
            "name": self.bare_name(),
            "query": self.query,
            "cluster": self.base.cluster,
            "schema": self.base.dependents_schema,
        }[variable]
