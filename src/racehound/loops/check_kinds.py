"""Checking kinds: whether each does alone what it says, and raises no false alarm when two sessions use it at the same time."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Self

from racehound.data.finding import Finding
from racehound.data.history import Recorder
from racehound.data.object_names import BASE
from racehound.data.program import Program
from racehound.databases.registry import Opened
from racehound.errors import UserError
from racehound.kinds.kind import Fragment, Kind
from racehound.loops.hunt import plan_and_program
from racehound.loops.repetition import RepetitionRunner
from racehound.run.storm_runner import StormRunner
from racehound.testdrive.errors import CommandFailed
from racehound.testdrive.interpreter import Interpreter
from racehound.testdrive.parser import parse_fragment
from racehound.testdrive.printer import print_command
from racehound.testdrive.state import Context
from racehound.wire.session import LibpqSession

_NAME = "o_0"
_SEEDS = range(1, 5)
_REPETITIONS = 5
_OBJECTS = 2
_TRIES = 100


def check_kind(opened: Opened, kind: type[Kind], statement_limit_s: float) -> list[str]:
    """What is wrong with a kind, a sentence each; nothing where it may be hunted with. TargetError when the target fails."""
    found = [*_unused_operations(kind)]
    base = _plain_table(opened, BASE)
    with _Stage(opened) as stage:
        for made in _objects(kind):
            for below in (None, base) if base else (None,):
                found += _Life(stage, dataclasses.replace(made, refers_to=below)).complaints()
    if not found:
        # What fails alone would fail again among others, and hide what they do to each other.
        found += _against_itself(opened, kind, statement_limit_s)
    return list(dict.fromkeys(found))


def _unused_operations(kind: type[Kind]) -> Iterator[str]:
    used = {operation for operations in kind.all_manipulations().values() for operation in operations}
    for name, effect in kind.all_operations().items():
        if effect in ("change", "read") and name != "verify" and name not in used:
            yield f"no manipulation has the operation {name}: no session would ever do it"


def _objects(kind: type[Kind]) -> Iterator[Kind]:
    """An object for each value of each drawn field; the other fields keep their defaults."""
    attributes = kind.attributes()
    yield kind(name=_NAME)
    for name, values in attributes.items():
        for value in values:
            if value != getattr(kind(name=_NAME), name):
                yield kind(name=_NAME, **{name: value})


def _plain_table(opened: Opened, name: str) -> Kind | None:
    try:
        return opened.database.plain_table(name)
    except UserError:
        return None


class _Stage:
    """A working database of the target, and one session in it that runs what it is given."""

    def __init__(self, opened: Opened) -> None:
        self._target = opened.target
        self._scratch = opened.scratch
        self._target.rebuild()
        self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    @property
    def run_id(self) -> str:
        return self._target.run_id

    def _open(self) -> None:
        self._session = self._target.open("check")
        self._interpreter = Interpreter(
            Context(
                session=self._session,
                variables=dict(self._target.variables()),
                connect=LibpqSession.connect,
                services=self._target.services,
                temp_dir=self._scratch,
                max_tries=1,
            )
        )

    def renew(self) -> None:
        """Remove all that is in the working database."""
        self._session.reset()
        if not self._target.reset():
            self._session.close()
            self._target.rebuild()
            self._open()

    def run(self, fragment: Fragment) -> str:
        """Run a fragment; why it failed, in one line, else nothing."""
        try:
            self._interpreter.run(parse_fragment(fragment))
        except CommandFailed as failure:
            self._session.reset()
            rows = f" ({', '.join(failure.difference.splitlines())})" if failure.difference else ""
            return f"{failure.reason}{rows} in: {' '.join((failure.sql or '').split())}"
        return ""

    def names(self) -> frozenset[str]:
        """What the working database holds, without schemas; nothing where the target cannot tell."""
        held = self._target.names() or {}
        return frozenset(
            f"{space} {name.rpartition('.')[2]}" for space, names in held.items() for name in names if space != "right"
        )


class _Life:
    """One object that is created, used and destroyed twice, with nobody else there."""

    def __init__(self, stage: _Stage, made: Kind) -> None:
        self._stage = stage
        self._made = made
        self._base = made.refers_to
        self._before: frozenset[str] = frozenset()
        values = ", ".join(f"{name} = {getattr(made, name)}" for name in made.attributes())
        over = f"over {type(self._base).__name__}" if self._base else "over nothing"
        self._about = f"({over}{', ' + values if values else ''})"

    def complaints(self) -> Iterator[str]:
        if trouble := self._begin():
            yield trouble
            return
        for again in (False, True):
            if trouble := self._stage.run(self._made.create()):
                yield self._say("create fails a second time, after destroy" if again else "create fails alone", trouble)
                return
            if not again:
                yield from self._foreign_names()
            yield from self._uses()
            if trouble := self._stage.run(self._made.destroy()):
                yield self._say("destroy fails alone", trouble)
                return
            left = sorted(self._stage.names() - self._before)
            if left:
                yield f"destroy leaves behind: {', '.join(left)} {self._about}"
        yield from self._interrupted_creates()

    def _begin(self) -> str:
        """An empty database with what the object needs; why it cannot be had."""
        self._stage.renew()
        for what, text in self._needed():
            if trouble := self._stage.run(text):
                return self._say(f"{what} fails alone", trouble)
        self._before = self._stage.names()
        return ""

    def _needed(self) -> list[tuple[str, Fragment]]:
        base = self._base
        below = [("prepare of the base", base.prepare())] if base else []
        return [*below, ("prepare", self._made.prepare()), *([("create of the base", base.create())] if base else [])]

    def _foreign_names(self) -> Iterator[str]:
        own = (self._made.name, f"{self._stage.run_id}_{self._made.name}", *((self._base.name,) if self._base else ()))
        for entry in sorted(self._stage.names() - self._before):
            name = entry.rpartition(" ")[2].strip('"')
            if any(map(str.isalnum, name)) and not name.startswith(own) and not self._made.single:
                yield (
                    f"a name does not begin with the object's own: create makes {entry} for {self._made.name} "
                    f"(what all databases share begins with ${{racehound.run}}_{self._made.name})"
                )

    def _uses(self) -> Iterator[str]:
        if trouble := self._stage.run(self._made.verify()):
            yield self._say("verify fails alone", trouble)
        for manipulation, operations in self._made.all_manipulations().items():
            for again in (False, True):
                failed = yield from self._uses_once(manipulation, operations, again=again)
                if failed:
                    break

    def _uses_once(self, manipulation: str, operations: Sequence[str], *, again: bool) -> Generator[str, None, bool]:
        """Whether it has failed."""
        for operation in operations:
            if trouble := self._stage.run(self._made.operate(operation)):
                how = "fails when the manipulation is done a second time" if again else "fails alone"
                within = "" if operations == (operation,) else f" in the manipulation {manipulation}"
                yield self._say(f"{operation} {how}{within}", trouble)
                self._restore()
                return True
        if operations and (trouble := self._stage.run(self._made.verify())):
            yield self._say(f"verify fails after {manipulation}", trouble)
            self._restore()
            return True
        return False

    def _restore(self) -> None:
        """The object as it is after create, whatever a failed operation has left."""
        self._begin()
        self._stage.run(self._made.create())

    def _interrupted_creates(self) -> Iterator[str]:
        """Each prefix of the statements of create stands for a try that an ordinary error ended."""
        commands = [print_command(command) for command in parse_fragment(self._made.create()).commands]
        for count in range(1, len(commands)):
            self._begin()
            if self._stage.run("".join(commands[:count])):
                return  # create itself was complained of
            failed = self._stage.run(self._made.clear())
            if trouble := self._stage.run(self._made.create()):
                what = f"create fails after its first {count} commands and clear, which has to remove their work"
                yield self._say(what, trouble + (f" (clear: {failed})" if failed else ""))

    def _say(self, what: str, trouble: str) -> str:
        return f"{what}: {trouble} {self._about}"


def _against_itself(opened: Opened, kind: type[Kind], statement_limit_s: float) -> list[str]:
    """Two objects of the kind, each with a session, over one that is manipulated or made anew meanwhile."""
    kinds: list[type[Kind]] = [kind]
    if not kind.can_be_referenced or kind.single:
        base = _plain_table(opened, BASE)
        if base is None:
            return []
        kinds.append(type(base))
    found = []
    for seed in _SEEDS:
        _, program = plan_and_program(opened.target.dialect, kinds, seed, "concurrent", _OBJECTS, _TRIES)
        findings = _findings(opened, program, statement_limit_s)
        found += [f"two sessions at the same time: {f.severity}: {f.title} (seed {seed})" for f in findings if not _is_known(f)]
    return found


def _is_known(finding: Finding) -> bool:
    return finding.severity == "known weakness"


def _findings(opened: Opened, program: Program, statement_limit_s: float) -> list[Finding]:
    """What some repetitions of a program show. All use of the runner is here."""
    recorder = Recorder(Path(os.devnull))
    host = StormRunner(opened.target, program, recorder, opened.scratch, statement_limit_s)
    try:
        runner = RepetitionRunner.of(opened.database)
        verdicts = [runner.run(host, number, whole_plan=number == _REPETITIONS) for number in range(1, _REPETITIONS + 1)]
        return list(itertools.chain.from_iterable(verdict.findings for verdict in verdicts))
    finally:
        host.close()
        recorder.close()
