"""Small programs, plans and events for tests that need no server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from racehound.data.history import Statement
from racehound.data.plan import KindEntry, WindowEnd
from racehound.data.program import Phase, Program, ProgramSession, Step
from racehound.kinds.kind import Fragment, Kind, changes
from racehound.scenarios.object_steps import KindLookup


@dataclass(frozen=True)
class Box(Kind):
    """A kind that others may refer to."""

    size: Literal["small", "large"] = "small"

    def prepare(self) -> Fragment:
        return f"> PREPARE {self.name}\n"

    def create(self) -> Fragment:
        return f"> CREATE {self.name} OVER {self.refers_to.name if self.refers_to else 'nothing'}\n"

    def verify(self) -> Fragment:
        return f"> VERIFY {self.name}\n"

    def destroy(self) -> Fragment:
        return f"> DROP {self.name}\n"

    @changes
    def paint(self) -> Fragment:
        return f"> PAINT {self.name}\n"


@dataclass(frozen=True)
class Lid(Box):
    """A kind that nothing refers to, and that no transaction may hold."""

    can_be_referenced: ClassVar[bool] = False

    def create(self) -> Fragment:
        return f"> VACUUM {self.name}\n"

    @changes
    def turn(self) -> Fragment:
        return f"> TURN {self.name}\n"


KINDS: tuple[type[Kind], ...] = (Box, Lid)
CATALOGUE = tuple(KindEntry(k.__name__, tuple(k.attributes().items()), k.can_be_referenced, k.weight) for k in KINDS)
CAST = KindLookup({kind.__name__: kind for kind in KINDS}, lambda fragment: "VACUUM" not in fragment)


def program(**references: str) -> Program:
    """A program without steps, in which objects refer to others as given."""
    return Program(
        seed=1, scenario="concurrent", title="", refers_to=references, reset_each=True, once=(), setup=(), sessions=(), verify=(),
        teardown=(),
    )  # fmt: skip


def statement(
    session: str,
    sql: str,
    start: int,
    end: int,
    *,
    sqlstate: str = "",
    message: str = "",
    about: str | None = None,
    phase: Phase = "create",
) -> Statement:
    """A statement of a session from start to end; failed if it has an SQLSTATE."""
    return Statement(
        repetition=1, session=session, object=about or session, phase=phase, step=0, attempt=1, sql=sql,
        start_ns=start, end_ns=end, status="error" if sqlstate else "ok",
        sqlstate=sqlstate, message=message, pid=sum(session.encode()),
    )  # fmt: skip


def one_statement_each(window: WindowEnd = "none", *, both: bool = False) -> Program:
    """A program of two sessions that run one statement each. `window`: how the transaction of the first one, or of both, ends."""
    alter = Step("o_0", "manipulate", "> ALTER o_0\n", window=window)
    drop = Step("o_1", "destroy", "> DROP o_1\n", window=window if both else "none")
    return Program(
        seed=1, scenario="concurrent", title="", refers_to={"o_1": "o_0"}, reset_each=True, once=(),
        setup=(Step("o_0", "create", "> CREATE o_0\n"), Step("o_1", "create", "> CREATE o_1\n")),
        sessions=(ProgramSession("1", (alter,)), ProgramSession("2", (drop,))),
        verify=(Step("o_0", "verify", "> VERIFY o_0\n"),), teardown=(Step("o_0", "destroy", "> DROP o_0\n"),),
    )  # fmt: skip
