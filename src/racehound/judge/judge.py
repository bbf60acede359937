"""The judge puts all oracles of a database to one repetition."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import msgspec

from racehound.data.finding import Finding, Severity, consequence, with_consequences
from racehound.data.object_names import names_in
from racehound.databases.target import Target
from racehound.errors import TargetError
from racehound.judge.crash import BACKGROUND
from racehound.judge.errors import FAILED
from racehound.judge.oracle import HistoryOracle, ObservedHistory, Oracle, RestOracle, TargetAtRest


class Judge:
    """Oracles, in the order in which their findings are listed."""

    def __init__(self, oracles: Iterable[Oracle]) -> None:
        known = list(oracles)
        self._at_rest = [oracle for oracle in known if isinstance(oracle, RestOracle)]
        self._of_history = [oracle for oracle in known if isinstance(oracle, HistoryOracle)]
        self._pool = ThreadPoolExecutor(max(1, len(self._at_rest)), "oracle")
        """Oracles at rest only read, and each has sessions of its own: they look at the same time."""

    def begin(self, target: Target) -> None:
        """Let the oracles at rest read a new working database. TargetError."""
        for oracle in self._at_rest:
            oracle.begin(target)

    def suspects(self, rest: TargetAtRest) -> bool:
        """Whether `at_rest` may find anything, as far as one quick look of each oracle tells."""
        if not self._at_rest:
            return False
        first, *others = self._at_rest
        looks = [self._pool.submit(_suspects, oracle, rest) for oracle in others]
        suspicious = [_suspects(first, rest), *(look.result() for look in looks)]
        return any(suspicious)

    def at_rest(self, rest: TargetAtRest, *, whole_plan: bool) -> tuple[list[Finding], str]:
        """Judge the target at rest. `whole_plan` adds the checks that are too slow for every repetition.

        Also returned is why the target could not be judged completely, or "": a server with a broken catalog may crash when it
        is asked.
        """
        looks = [self._pool.submit(oracle.judge, rest) for oracle in self._at_rest]
        wait(looks)
        judgements: list[Callable[[], list[Finding]]] = [look.result for look in looks]
        if whole_plan:
            judgements += [functools.partial(oracle.judge_plan, rest) for oracle in self._at_rest]
        found: list[Finding] = []
        for judgement in judgements:
            try:
                found += judgement()
            except TargetError as error:
                return found, str(error)
        return found, ""

    def history(self, history: ObservedHistory) -> list[Finding]:
        """Judge what was recorded of a repetition."""
        return [finding for oracle in self._of_history for finding in oracle.judge(history)]


def _suspects(oracle: RestOracle, rest: TargetAtRest) -> bool:
    try:
        return oracle.suspects(rest)
    except TargetError:
        return True  # the oracle could not look; `judge` will say why


def distinct(findings: Iterable[Finding]) -> list[Finding]:
    """One finding per defect: the first one, with the pairs and consequences of all."""
    by_id: dict[str, Finding] = {}
    for finding in findings:
        known = by_id.setdefault(finding.id, finding)
        if known is not finding:
            pairs = dict(Counter(known.pairs) + Counter(finding.pairs))
            merged = msgspec.structs.replace(known, pairs=pairs)
            by_id[finding.id] = with_consequences(merged, finding.consequences)
    return list(by_id.values())


def without_consequences(findings: Sequence[Finding]) -> list[Finding]:
    """The findings of one repetition without those that follow from another one of them, which are listed under that one.

    A corruption may be seen by several oracles, and may bring about internal and unexplained errors, leaks, and wrong rows. A
    finding follows from it where both name the same number of an object. It probably does where both name the same object, or
    where it is an error that a broken catalog may bring about.

    An error or a wrong result that names the same number certainly follows from it: what is broken may be dropped before the
    oracles at rest look. What these oracles find themselves where they see no corruption is a defect of its own.

    A crash is told by several lines of the log, and a cycle of waits by each statement in it.
    """
    causes: list[Finding] = []
    following: list[tuple[Finding, Finding, bool]] = []
    for finding in sorted(findings, key=lambda each: each.severity != "corruption"):
        link = _link(finding, causes)
        if link is None:
            causes.append(finding)
        else:
            following.append((finding, *link))
    told = {each.id: each for each in causes}
    for finding, cause, certain in following:
        lines = (consequence(finding, certain=certain), *finding.consequences)
        told[cause.id] = with_consequences(told[cause.id], lines)
    return [told[finding.id] for finding in findings if finding.id in told]


def _link(finding: Finding, causes: Sequence[Finding]) -> tuple[Finding, bool] | None:
    """The finding that this one follows from, and whether that is certain; None if it follows from none of them."""
    if finding.severity in ("crash", "hang"):
        alike = (cause for cause in causes if cause.severity == finding.severity and _told_with(finding, cause))
        return next(((cause, False) for cause in alike), None)
    broken = [cause for cause in causes if cause.severity == "corruption"]
    if finding.is_weakness and not finding.signature.startswith(BACKGROUND):
        return None
    numbers, objects = _numbers_of(finding), _objects_of(finding)
    for cause in broken:
        if numbers & _numbers_of(cause):
            return cause, finding.severity in _PASSING
    if finding.severity == "corruption":
        return next(((c, False) for c in broken if c.oracle != finding.oracle and objects & _objects_of(c)), None)
    for cause in broken:
        if objects & _objects_of(cause) or finding.severity not in ("wrong result", "leak"):
            return cause, False
    return None


_PASSING: tuple[Severity, ...] = ("internal error", "unexplained error", "wrong result")
"""Severities of what sessions meet in the middle of a race."""


def _told_with(finding: Finding, cause: Finding) -> bool:
    """Whether two crashes, or two hangs, of a repetition are one: the log tells of a crash in several lines, and sessions that
    wait for each other, or for the same one, hang together."""
    if finding.severity == "crash":
        return True
    why, why_cause = (each.signature.partition(":")[0] for each in (finding, cause))
    return why == why_cause and why in ("deadlock", "held") and bool(set(finding.detail) & set(cause.detail))


_NUMBER = re.compile(r"(?<![\w.])\d{5,}(?![\w.])")
"""A number by which a server knows an object. Those of its own objects are shorter, and counts of rows are, too."""


def _numbers_of(finding: Finding) -> frozenset[str]:
    """The numbers of objects that a finding's title and details name, but for those that a statement just happens to hold."""
    told = (line for line in finding.detail if not line.startswith(FAILED))
    return frozenset(_NUMBER.findall("\n".join((finding.title, *told))))


def _objects_of(finding: Finding) -> frozenset[str]:
    """The objects that a finding's title and details name."""
    return names_in("\n".join((finding.title, *finding.detail)))
