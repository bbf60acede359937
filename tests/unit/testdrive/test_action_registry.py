"""Actions that are added to the language from outside."""

from __future__ import annotations

import pytest

from racehound.errors import UserError
from racehound.session import Outcome
from racehound.testdrive import actions
from racehound.testdrive.actions import Spec, register, spec_of
from racehound.testdrive.errors import ScriptError
from racehound.testdrive.interpreter import Context, run_file
from racehound.testdrive.state import Call, State
from tests.unit.testdrive.test_testdrive_interpreter import MemorySession


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(actions, "_registered", dict(actions._registered))


def run(text: str) -> str:
    """What the script printed."""
    printed: list[str] = []
    run_file(text, "some.td", Context(MemorySession(Outcome("ok")), output=printed.append))
    return "\n".join(printed)


def greet(call: Call, state: State) -> None:
    state.context.output(f"hello {call['name']}")


ACTIONS = {"test-greet-late": greet}


def test_a_registered_action_is_run_and_its_arguments_are_checked() -> None:
    with pytest.raises(ScriptError, match="unknown action test-greet"):
        run("$ test-greet name=you\n")
    register({"test-greet": Spec(required=("name",), handler=greet)})
    assert run("$ test-greet name=you\n") == "hello you"
    with pytest.raises(ScriptError, match="missing parameter name"):
        run("$ test-greet\n")


def test_an_action_can_name_the_module_that_holds_its_function() -> None:
    register({"test-greet-late": spec_of(__name__, "name")})
    assert run("$ test-greet-late name=you\n") == "hello you"


def test_an_action_without_a_function_is_not_supported() -> None:
    register({"test-nothing": Spec()})
    with pytest.raises(Exception, match="test-nothing is not supported"):
        run("$ test-nothing\n")


@pytest.mark.parametrize("name", ["set", "test-greet"])
def test_two_actions_of_one_name_are_refused(name: str) -> None:
    register({"test-greet": Spec(handler=greet)})
    with pytest.raises(UserError, match=f"the testdrive action {name} is registered twice"):
        register({"test-other": Spec(handler=greet), name: Spec(required=("x",))})
    with pytest.raises(ScriptError, match="unknown action test-other"):
        run("$ test-other\n")


def test_an_action_may_be_registered_again_unchanged() -> None:
    for _ in range(2):
        register({"test-greet": Spec(required=("name",), handler=greet)})
    assert run("$ test-greet name=you\n") == "hello you"
