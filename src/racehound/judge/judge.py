"""The judge puts all oracles of a database to one repetition."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import msgspec

from racehound.data.finding import Finding
from racehound.data.object_names import names_in
from racehound.databases.target import Target
from racehound.errors import TargetError
from racehound.judge.crash import BACKGROUND
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
    """One finding per defect: the first one, with the pairs of all."""
    by_id: dict[str, Finding] = {}
    for finding in findings:
        known = by_id.setdefault(finding.id, finding)
        if known is not finding and finding.pairs:
            by_id[finding.id] = msgspec.structs.replace(known, pairs=dict(Counter(known.pairs) + Counter(finding.pairs)))
    return list(by_id.values())


def without_consequences(findings: Sequence[Finding]) -> list[Finding]:
    """The findings without those that follow from a corruption in the same repetition.

    A corruption may bring about internal and unexplained errors, and wrong rows of the objects that it is about. They are
    attached to the first corruption finding as details.
    """
    broken = [finding for finding in findings if finding.severity == "corruption"]
    if not broken:
        return list(findings)
    about = frozenset[str]().union(*map(_objects_of, broken))
    following = [
        f
        for f in findings
        if f.severity in ("internal error", "unexplained error")
        or f.signature.startswith(BACKGROUND)
        or (f.severity == "known weakness" and f.at_rest == "lasting")
        or (f.severity == "wrong result" and _objects_of(f) & about)
    ]
    attached = msgspec.structs.replace(broken[0], detail=(*broken[0].detail, *(f"and then: {f.title}" for f in following)))
    return [attached if f is broken[0] else f for f in findings if f not in following]


def _objects_of(finding: Finding) -> frozenset[str]:
    """The objects that a finding's title and details name."""
    return names_in("\n".join((finding.title, *finding.detail)))
