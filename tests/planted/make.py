"""Makes the patches in this directory again: `python tests/planted/make.py`.

Each patch makes the core worse on purpose. `tests/unit/test_planted_defects.py` requires that unit tests notice it.
"""

from __future__ import annotations

import difflib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE = "src/racehound/"
LIFE_CYCLE, TRIALS, REDUCTION = (f"tests/unit/loops/test_{name}.py" for name in ("life_cycle", "pair_runner", "reduction"))
STORM, LOCKSTEP, STEPS = (f"tests/unit/run/test_{name}.py" for name in ("storm_runner", "lockstep_runner", "session_thread"))
CLASSES = "tests/unit/judge/test_classification.py"
FINDING = "tests/unit/data/test_finding.py"

PLANTED = [
    ("1-damage", "Damage after a repetition is not acted on.", (LIFE_CYCLE,), "loops/repetition.py",
     "        self._damaged = is_damaged(host, events, findings, counts, unjudged=bool(unjudged or outage))\n",
     "        self._damaged = False\n"),
    ("2-unjudged", "A repetition that could not be judged to the end is not followed by a rebuild.", (LIFE_CYCLE,),
     "loops/repetition.py", "unjudged=bool(unjudged or outage))\n", "unjudged=False)\n"),
    ("3-lost-in-a-storm", "In a storm, a lost session is not noticed.", (LIFE_CYCLE, STORM), "run/storm_runner.py",
     "        return any(runner.session.lost for runner in self._step_runners.values())\n", "        return False\n"),
    ("3-lost-in-lock-step", "In lock-step, a lost session is not noticed.", (LOCKSTEP,), "run/lockstep_runner.py",
     "        return any(session.lost for session in self._all_sessions())\n", "        return False\n"),
    ("3-lost-when-recorded", "A recorded session does not notice that it was lost.", (LIFE_CYCLE, STORM, LOCKSTEP),
     "run/recorded_session.py", "            self.lost = True\n", "            self.lost = False\n"),
    ("4-commit", "COMMIT answered by ROLLBACK counts as success of a step.", (STEPS,), "run/session_thread.py",
     "        return outcome.ok and outcome.tag == step.window.upper()\n", "        return outcome.ok\n"),
    ("4-commit-when-judged", "COMMIT answered by ROLLBACK counts as success in the judgement of errors.", (CLASSES,),
     "judge/classification.py", """(s.status == "ok" and s.tag == "COMMIT")""", """s.status == "ok\""""),
    ("5-start-of-transaction", "The start of a transaction is ignored in the judgement of errors.", (CLASSES,),
     "judge/classification.py",
     "        began = boundary if boundary and begins_transaction(boundary.sql) else earlier[-1]\n",
     "        began = earlier[-1]\n"),
    ("6-run-id", "The id of the run is left in a signature.", (LIFE_CYCLE, FINDING), "data/finding.py",
     """_RUN.sub("RUN", _OBJECT.sub("OBJECT", text))""", """_OBJECT.sub("OBJECT", text)"""),
    ("7-serial-orders", "The matrix's cells are not compared with serial orders.", (TRIALS,), "loops/matrix/pair_runner.py",
     "        return self._serial[y_first].marked(findings)\n",
     "        return SerialFindings(exact_rows=False).marked(findings)\n"),
    ("8-no-fallback", "A reduction has no fallback to a larger scene.", (REDUCTION,), "loops/reduction.py",
     "            if _share(measured[-1][1]) >= self._options.floor:\n", "            if measured:\n"),
]  # fmt: skip
"""Name, what is planted, the tests that notice it, the file, the text that goes and the text that comes."""


def patch(what: str, tests: tuple[str, ...], path: str, old: str, new: str) -> str:
    """A unified diff under a line that says what is planted, and one that names the tests."""
    before = (ROOT / CORE / path).read_text(encoding="utf-8")
    assert before.count(old) == 1, f"{path} has this {before.count(old)} times: {old}"
    old_lines, new_lines = (text.splitlines(keepends=True) for text in (before, before.replace(old, new)))
    diff = difflib.unified_diff(old_lines, new_lines, f"a/{CORE}{path}", f"b/{CORE}{path}")
    return f"{what}\nTests: {' '.join(tests)}\n\n" + "".join(diff)


def main() -> None:
    """Write all patches."""
    for name, *facts in PLANTED:
        (Path(__file__).parent / f"{name}.patch").write_text(patch(*facts), encoding="utf-8")  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
