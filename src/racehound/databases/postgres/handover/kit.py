"""A kit: a reduced finding as plain statements for a stock server, from which the writers make their files."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import msgspec

from racehound.data.finding import Finding, consequence_ids
from racehound.data.scene import SETUP, Line, Scene
from racehound.databases.postgres.handover.names import Names
from racehound.databases.postgres.handover.needs import LAST_TO_WAIT_FAILS, Needs, needs_of, session_settings, without_variables
from racehound.databases.postgres.handover.removal import Removal, removal_of
from racehound.databases.postgres.handover.sign import Sign, sign_of
from racehound.judge.dependencies import ends_transaction


@dataclasses.dataclass(frozen=True)
class Kit:
    """Names are readable, nothing is left open, and everything that a stock server lacks is among the statements or needs."""

    title: str
    """The finding in one line."""
    scene: Scene
    sign: Sign
    needs: Needs
    follows: tuple[str, ...] = ()
    """What certainly follows from the finding, a line each."""

    @property
    def setup(self) -> list[str]:
        return [line.sql for line in self.scene.setup]

    @functools.cached_property
    def settings(self) -> Mapping[int, tuple[str, ...]]:
        """The SET statements that each session runs first; SETUP is the setup's."""
        by_session = {
            number: session_settings(line.sql for line in self.scene.lines if line.session == number)
            for number in (SETUP, *self.scene.sessions)
        }
        if _may_deadlock(self.scene.turns):
            by_session |= {number: (LAST_TO_WAIT_FAILS, *by_session[number]) for number in self.scene.sessions}
        return {number: settings for number, settings in by_session.items() if settings}

    @functools.cached_property
    def removal(self) -> Removal:
        return removal_of([line.sql for line in self.scene.lines], self.sign.removal)


def kit_of(scene: Scene, finding: Finding, title: str) -> Kit:
    """The kit of a finding that was reduced to this scene. `title`: that of the finding, with the release that shows it."""
    statements = [line.sql.strip().rstrip(";") for line in scene.lines]
    needs = needs_of([*statements, scene.check])
    names = Names([*needs.statements, *statements, scene.check])
    first = [Line(SETUP, sql) for sql in needs.statements]
    lines = [msgspec.structs.replace(line, sql=sql) for line, sql in zip(scene.lines, statements, strict=True)]
    read = [
        msgspec.structs.replace(line, sql=names.read(without_variables(line.sql)), object="")
        for line in (*first, *lines, *_ends(lines))
    ]
    return Kit(names.read(title), scene.with_lines(read), sign_of(finding, scene, names), needs, _follows(finding, names))


def _follows(finding: Finding, names: Names) -> tuple[str, ...]:
    certain = consequence_ids(finding.consequences, certain_only=True)
    return tuple(names.read(line.partition(f" {identity}: ")[2]) for identity, line in certain.items())


def _may_deadlock(turns: Sequence[Line]) -> bool:
    """Whether a session takes a lock after another one took one, in a transaction that held one before."""
    held: dict[int, bool] = {}
    """Sessions that have run a statement in an open transaction, and whether another one has run one since."""
    opened: set[int] = set()
    for line in turns:
        if _begins(line.sql):
            opened.add(line.session)
        elif ends_transaction(line.sql):
            opened.discard(line.session)
            held.pop(line.session, None)
        elif held.get(line.session):
            return True
        else:
            held |= {session: True for session in held if session != line.session}
            if line.session in opened:
                held.setdefault(line.session, False)
    return False


def _begins(sql: str) -> bool:
    return sql.split(None, 1)[0].upper() in ("BEGIN", "START") if sql.split() else False


def _ends(lines: list[Line]) -> list[Line]:
    """A ROLLBACK for each session that has not ended its transaction: racehound does so before it looks at the state at rest."""
    open_ones: dict[int, bool] = {}
    for line in lines:
        if _begins(line.sql):
            open_ones[line.session] = True
        elif ends_transaction(line.sql):
            open_ones[line.session] = False
    return [Line(session, "ROLLBACK") for session, is_open in open_ones.items() if is_open and session != SETUP]
