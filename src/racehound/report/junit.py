"""Results of testdrive files for CI systems, in the XML that JUnit's runner for Ant writes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path

from racehound.testdrive.runner import Result

_SUITE = "testdrive"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no place for ("Characters")."""


def write_junit(path: Path, results: Sequence[Result], properties: Mapping[str, str]) -> None:
    """Write a suite with a test case per file. Raises OSError."""
    root = ET.Element("testsuites")
    suite = ET.SubElement(root, "testsuite", {"name": _SUITE, **_counts(results)})
    described = ET.SubElement(suite, "properties")
    for name, value in properties.items():
        ET.SubElement(described, "property", {"name": name, "value": _clean(value)})
    for result in results:
        _add_case(suite, result)
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
