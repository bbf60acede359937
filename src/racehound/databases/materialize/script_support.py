"""What Materialize provides for testdrive scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from racehound.session import Session
from racehound.testdrive.support import ScriptSupport

if TYPE_CHECKING:
    from racehound.testdrive.state import State

_COLUMNS = ("sinks.name", "schemas.name", "databases.name")
_QUERY = """\
SELECT kafka.topic FROM mz_catalog.mz_kafka_sinks AS kafka
JOIN mz_catalog.mz_sinks AS sinks ON sinks.id = kafka.id
JOIN mz_catalog.mz_schemas AS schemas ON schemas.id = sinks.schema_id
LEFT JOIN mz_catalog.mz_databases AS databases ON databases.id = schemas.database_id
WHERE """


def version(session: Session) -> int | None:
    """`mz_version_num()`, e.g. 2600203 for v26.2.3; None when the server does not have this function."""
    rows = session.execute("SELECT mz_version_num()").rows
    number = rows.cells[0][0] if rows is not None and rows.cells else None
    return int(number) if number is not None and number.isdecimal() else None


def sink_topics(session: Session, sink: str) -> list[str]:
    """The topics of the Kafka sinks with a name `DATABASE.SCHEMA.NAME`, `SCHEMA.NAME` or `NAME`, from the system catalog.

    Raises ValueError for a text that is not such a name, and `ActionError` when the catalog cannot be read.
    """
    from racehound.testdrive.errors import ActionError
    from racehound.testdrive.state import error_text

    outcome = session.execute(_QUERY + _condition(sink))
    if outcome.rows is None:
        raise ActionError(f"cannot look up the sink {sink}: {error_text(outcome)}")
    return [topic for (topic,) in outcome.rows.cells if topic is not None]


def _condition(sink: str) -> str:
    names = sink.split(".")
    if not 1 <= len(names) <= len(_COLUMNS) or not all(names):
        raise ValueError(f"{sink!r} is no name of a sink: write DATABASE.SCHEMA.NAME")
    return " AND ".join(f"{column} = {_quoted(name)}" for column, name in zip(_COLUMNS, reversed(names), strict=False))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _check_consistency(state: State) -> None:
    from racehound.databases.materialize.actions import consistency

    consistency.check(state)


SCRIPT_SUPPORT = ScriptSupport(
    version=version,
    check_consistency=_check_consistency,
    sink_topics=sink_topics,
    # COPY TO writes an object with this text in its key before the first file, and deletes it after the last one.
    incomplete_marker="INCOMPLETE",
)
