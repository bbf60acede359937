"""Results for CI systems, in the XML that JUnit's runner for Ant writes: of testdrive files, and of a hunt's oracles."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path

from racehound.data.finding import Finding
from racehound.testdrive.runner import Result

_SUITE = "testdrive"
_HUNT = "racehound"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow (its section "Characters")."""


def write_junit(path: Path, results: Sequence[Result], properties: Mapping[str, str]) -> None:
    """Write a suite with a test case per file. Raises OSError."""
    root, suite = _suite(_SUITE, _counts(results), properties)
    for result in results:
        _add_case(suite, result)
    _write(path, root)


def write_hunt_junit(
    path: Path, oracles: Sequence[str], findings: Sequence[tuple[Finding, str]], seconds: float, properties: Mapping[str, str]
) -> None:
    """Write a suite with a test case per oracle, the same for every run. A test case failed if its oracle found something that
    needs a race.

    `findings`: each with its description, worst first. Raises OSError.
    """
    findings = [(finding, text) for finding, text in findings if not finding.needs_no_race]
    names = list(dict.fromkeys([*oracles, *(finding.oracle for finding, _ in findings)]))
    failed = {finding.oracle for finding, _ in findings}
    counts = {"tests": str(len(names)), "failures": str(len(failed)), "errors": "0", "time": f"{seconds:.3f}"}
    root, suite = _suite(_HUNT, counts, properties)
    for name in names:
        case = ET.SubElement(suite, "testcase", {"classname": _HUNT, "name": name, "time": f"{seconds:.3f}"})
        for finding, text in findings:
            if finding.oracle == name:
                message = _clean(f"{finding.severity} {finding.id}: {finding.title}")
                ET.SubElement(case, "failure", {"message": message, "type": finding.severity}).text = _clean(text)
    _write(path, root)


def _suite(name: str, counts: Mapping[str, str], properties: Mapping[str, str]) -> tuple[ET.Element, ET.Element]:
    """The root and its only suite, with its properties."""
    root = ET.Element("testsuites")
    suite = ET.SubElement(root, "testsuite", {"name": name, **counts})
    described = ET.SubElement(suite, "properties")
    for each, value in properties.items():
        ET.SubElement(described, "property", {"name": each, "value": _clean(value)})
    return root, suite


def _write(path: Path, root: ET.Element) -> None:
    ET.indent(root)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _counts(results: Sequence[Result]) -> dict[str, str]:
    verdicts = [result.verdict for result in results]
    return {
        "tests": str(len(results)),
        "failures": str(verdicts.count("failed")),
        "errors": str(len(results) - verdicts.count("failed") - verdicts.count("passed")),
        "time": f"{sum(result.seconds for result in results):.3f}",
    }


def _add_case(suite: ET.Element, result: Result) -> None:
    case = ET.SubElement(suite, "testcase", {"classname": _SUITE, "name": _clean(result.file), "time": f"{result.seconds:.3f}"})
    if result.verdict != "passed":
        text = _clean(result.text)
        kind = "failure" if result.verdict == "failed" else "error"
        ET.SubElement(case, kind, {"message": text.split("\n", 1)[0], "type": result.verdict}).text = text


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
