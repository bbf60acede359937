"""Where a sink of the target writes to: looked up in Materialize's system catalog."""

from __future__ import annotations

from racehound.testdrive.state import Call, State, error_text

_COLUMNS = ("sinks.name", "schemas.name", "databases.name")
_QUERY = """\
SELECT kafka.topic FROM mz_catalog.mz_kafka_sinks AS kafka
JOIN mz_catalog.mz_sinks AS sinks ON sinks.id = kafka.id
JOIN mz_catalog.mz_schemas AS schemas ON schemas.id = sinks.schema_id
LEFT JOIN mz_catalog.mz_databases AS databases ON databases.id = schemas.database_id
WHERE """


def sink_or_topic(call: Call, state: State) -> str:
    """The topic that `topic` names as it is, or that the catalog gives for `sink`, `DATABASE.SCHEMA.NAME` or the end of it.

    Waits for the sink. Raises ValueError unless one of both is given, ActionError for a sink that does not come to exist.
    """
    if ("sink" in call.arguments) == ("topic" in call.arguments):
        raise ValueError(f"{call.name} needs either sink or topic")
    if "topic" in call.arguments:
        return call["topic"]
    query = _QUERY + _condition(call["sink"])
    topics = list[str]()

    def lacking() -> str | None:
        outcome = state.session.execute(query)
        if outcome.rows is None:
            return f"cannot look up the sink {call['sink']}: {error_text(outcome)}"
        topics[:] = [topic for (topic,) in outcome.rows.cells if topic is not None]
        return None if len(topics) == 1 else f"there are {len(topics)} Kafka sinks {call['sink']}, not one"

    state.wait_for(lacking)
    return topics[0]


def _condition(sink: str) -> str:
    names = sink.split(".")
    if not 1 <= len(names) <= len(_COLUMNS) or not all(names):
        raise ValueError(f"{sink!r} is no name of a sink: write DATABASE.SCHEMA.NAME")
    return " AND ".join(f"{column} = {_quoted(name)}" for column, name in zip(_COLUMNS, reversed(names), strict=False))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
