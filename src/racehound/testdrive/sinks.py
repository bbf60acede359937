"""The topic that an action reads: given by its name, or as the topic of a sink."""

from __future__ import annotations

from racehound.testdrive.errors import ActionError
from racehound.testdrive.state import Call, State


def sink_or_topic(call: Call, state: State) -> str:
    """The value of `topic`, or the topic of the sink that `sink` names, which is looked up in the target.

    Waits for the sink. Raises ValueError unless exactly one of both is given, or where `sink` is not a name of a sink;
    `ActionError` for a sink that does not come to exist.
    """
    if ("sink" in call.arguments) == ("topic" in call.arguments):
        raise ValueError(f"{call.name} needs either sink or topic")
    if "topic" in call.arguments:
        return call["topic"]
    sink, find = call["sink"], state.context.support.sink_topics
    if find is None:
        raise ActionError(f"{call.name} cannot look up the sink {sink}: the target has no sinks; give topic instead")
    topics = list[str]()

    def lacking() -> str | None:
        try:
            topics[:] = find(state.session, sink)
        except ActionError as error:
            return error.reason
        return None if len(topics) == 1 else f"there are {len(topics)} Kafka sinks {sink}, not one"

    state.wait_for(lacking)
    return topics[0]
