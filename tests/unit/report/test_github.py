"""Annotations of a GitHub job."""

from __future__ import annotations

import msgspec

from racehound.data.finding import Finding
from racehound.report.github import annotation_lines


def test_an_annotation_is_one_line_whatever_the_server_says() -> None:
    finding = Finding("errors", "corruption", "x", "100% of a::b\r\nlost", detail=("one", "two"), database="X", release="1, 2:3")
    (line,) = annotation_lines([(finding, "racehound replay x")]).splitlines()
    assert line.startswith(f"::error title=corruption {finding.id} in X 1%2C 2%3A3::100%25 of a::b%0D%0Alost%0Aone%0Atwo%0A")
    apart = msgspec.structs.replace(finding, severity="internal error", serial_orders="show it")
    assert annotation_lines([(apart, "")]).startswith("::warning ")
    assert "no race needed" in annotation_lines([(apart, "")])
    weak = msgspec.structs.replace(finding, severity="known weakness")
    assert annotation_lines([(weak, "")]).startswith("::warning ")
