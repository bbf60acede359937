"""`racehound report` in a real browser: runs on the embedded server, looked at as a person does."""

from __future__ import annotations

import gzip
import json
import shlex
import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, Page

from racehound.data.finding import Reproduction, read_finding
from racehound.data.history import Event, Statement, read_history
from racehound.data.matrix import Matrix, Operation, Trial
from racehound.data.reduction import Reduction, write_reduction
from racehound.data.scene import Line, Scene
from tests.end_to_end.browser import browser, opened
from tests.end_to_end.command import racehound

SCRIPTS = {
    "setup.sql": "CREATE TABLE account (amount int);\nINSERT INTO account VALUES (10);\n",
    "one.sql": "BEGIN;\nSELECT amount FROM account;\nUPDATE account SET amount = 11;\nCOMMIT;\n",
    "two.sql": "BEGIN;\nUPDATE account SET amount = 12;\nCOMMIT;\nDROP TABLE nowhere;\n",
    "check.td": "> SELECT amount FROM account\n11\n",
}
"""Whoever comes last wins: in some orders the check does not find what it wants."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exploration that finds a wrong result, and errors that its serial orders explain."""
    directory = tmp_path_factory.mktemp("explored")
    for name, text in SCRIPTS.items():
        (directory / name).write_text(text)
    around = ("--setup", "setup.sql", "--check", "check.td", "--seed", "4", "--out", "run")
    assert racehound("explore", "one.sql", "two.sql", *around, cwd=directory).returncode == 1
    return directory / "run"


@pytest.fixture(scope="module")
def hunted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hunt of a few seconds, most of them in one plan."""
    directory = tmp_path_factory.mktemp("hunted")
    arguments = ("--seed", "7", "--runtime", "3", "--repetitions", "100000", "--kinds", "Role,View", "--quiet", "--out", "run")
    ended = racehound("run", *arguments, cwd=directory)
    assert ended.returncode in (0, 1), ended.stderr
    return directory / "run"


@pytest.fixture(scope="module")
def explored_page(explored: Path) -> Path:
    return report(explored)


def report(run: Path, *arguments: str | Path) -> Path:
    ended = racehound("report", run, *arguments, cwd=run.parent)
    assert ended.returncode == 0, ended.stderr
    return Path(ended.stdout.strip())


def chosen(page: Page) -> str:
    return page.locator(".statement [data-sql]").first.inner_text()


def test_the_summary_says_what_was_run_and_how_it_is_run_again(explored_page: Path, chromium: Browser) -> None:
    with opened(chromium, explored_page) as page:
        summary = page.locator("#summary").inner_text()
        assert "PostgreSQL" in summary
        assert "1 finding" in summary
        assert "one.sql, two.sql, setup.sql, check.td" in summary
        finding = page.locator(".finding")
        assert finding.locator(".severity").inner_text() == "wrong result"
        again = finding.locator(".command pre").inner_text()
    assert again.startswith("racehound explore one.sql two.sql --setup setup.sql --check check.td --replay '")


def test_the_command_on_the_page_shows_the_finding_again(
    explored: Path, explored_page: Path, chromium: Browser, tmp_path: Path
) -> None:
    with opened(chromium, explored_page) as page:
        _, *words = shlex.split(page.locator(".finding .command pre").inner_text())
    for name, text in SCRIPTS.items():
        (tmp_path / name).write_text(text)
    ended = racehound(*words, cwd=tmp_path)
    assert ended.returncode == 1
    assert json.loads((explored / "summary.json").read_bytes())["findings"][0]["signature"] in ended.stdout


def test_keys_lead_through_the_statements(explored_page: Path, chromium: Browser) -> None:
    with opened(chromium, explored_page) as page:
        lanes = page.locator(".finding .lanes")
        lanes.focus()
        page.keyboard.press("Home")
        assert chosen(page) == "CREATE TABLE account (amount int)"
        page.keyboard.press("ArrowRight")
        assert chosen(page) == "INSERT INTO account VALUES (10)"
        page.keyboard.press("ArrowDown")
        assert chosen(page) == "BEGIN"
        page.keyboard.press("e")
        assert chosen(page) == "DROP TABLE nowhere"
        assert "42P01" in page.locator(".statement [data-answer]").inner_text()
        told = page.locator("#announcer").inner_text()
        assert "DROP TABLE nowhere" in told
        assert "expected" in told
        page.keyboard.press("Escape")
        assert "None is chosen" in page.locator(".statement").inner_text()
        # Everything is reached with Tab: the timeline is no trap.
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") != "lanes"


def test_the_log_keeps_step_with_the_timeline(explored_page: Path, chromium: Browser) -> None:
    with opened(chromium, explored_page) as page:
        page.locator(".finding .lanes").focus()
        page.keyboard.press("Home")
        page.keyboard.press("e")
        marked = page.locator(".log .near")
        marked.first.wait_for()
        assert any('table "nowhere" does not exist' in text for text in marked.all_inner_texts())


def test_filters_leave_what_they_say(explored_page: Path, chromium: Browser) -> None:
    with opened(chromium, explored_page) as page:
        told = page.locator(".finding [role=status]")
        whole = told.inner_text()
        assert whole == "11 statements"
        page.locator(".finding [data-outcome=ok]").click()
        assert told.inner_text() == "1 of 11 statements"
        page.locator(".finding [data-outcome=ok]").click()
        page.get_by_label("Text in statement or error").fill("update ACCOUNT")
        assert told.inner_text() == "2 of 11 statements"
        page.get_by_label("Text in statement or error").fill("")
        page.locator(".menu summary").first.click()
        page.locator(".menu [data-name=main]").click()
        assert page.locator(".menu summary").first.inner_text() == "Sessions: 2 of 3"
        assert told.inner_text() == "8 of 11 statements"


@pytest.mark.parametrize(("width", "dark"), [(360, False), (1600, True)])
def test_it_is_readable_in_every_light_and_width(explored_page: Path, chromium: Browser, width: int, *, dark: bool) -> None:
    with opened(chromium, explored_page, width=width, dark=dark) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.documentElement.dataset.theme") == ("dark" if dark else "light")
        assert page.evaluate(CONTRASTS) == []
        page.locator("#theme").click()
        assert page.evaluate("document.documentElement.dataset.theme") == ("light" if dark else "dark")
        assert page.evaluate(CONTRASTS) == []


CONTRASTS = """() => {
  const channel = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const parts = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest("script, canvas, svg")) continue;
    const [one, other] = [luminance(parts(getComputedStyle(element).color)), luminance(ground(element))].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    if (contrast < 4.5) poor.push(`${element.textContent.slice(0, 40)} ${contrast.toFixed(2)}`);
  }
  return poor;
}"""
"""Texts whose contrast is less than WCAG AA asks for."""


def test_a_printed_page_is_light_and_has_all_findings(explored: Path, explored_page: Path, chromium: Browser) -> None:
    with opened(chromium, explored_page, dark=True) as page:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate("document.documentElement.dataset.theme") == "light"
        found = len(json.loads((explored / "summary.json").read_bytes())["findings"])
        assert page.locator(".finding").count() == found
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_what_never_succeeded_is_called_a_hole(explored_page: Path, hunted: Path, chromium: Browser) -> None:
    with opened(chromium, explored_page) as page:
        assert "never succeeded" not in page.locator("#outcomes .lead").inner_text()
    with opened(chromium, report(hunted)) as page:
        rows = page.locator("#outcomes tbody tr")
        whole = rows.count()
        page.get_by_role("button", name="Holes only").click()
        assert 0 < rows.count() < whole
        assert {text in ("never", "not tried") for text in rows.locator("td:nth-child(4)").all_inner_texts()} == {True}


def extended(run: Path, statements: int, directory: Path) -> Path:
    """A copy of the run whose first plan goes on as it began, until it has that many statements."""
    copy = directory / "extended"
    shutil.copytree(run, copy)
    path = min((copy / "history").iterdir())
    events: list[Event] = list(read_history(path))
    timed = [event for event in events if isinstance(event, Statement)]
    length_ns = timed[-1].end_ns - timed[0].start_ns
    lines = [msgspec.json.encode(event) for event in events]
    for round_number in range(1, statements // len(timed) + 1):
        shift = round_number * (length_ns + 1_000_000)
        for event in events[1:]:
            moved = {name: getattr(event, name) + shift for name in ("start_ns", "end_ns", "at_ns") if hasattr(event, name)}
            if moved:
                lines.append(msgspec.json.encode(msgspec.structs.replace(event, **moved)))
    with gzip.open(path, "wb") as sink:
        sink.write(b"\n".join(lines) + b"\n")
    return copy


FRAMES = """() => {
  window.frames_ = [];
  let last = performance.now();
  const frame = (now) => { window.frames_.push(now - last); last = now; if (!window.enough) requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
}"""


def test_ten_thousand_statements_stay_smooth(hunted: Path, chromium: Browser, tmp_path: Path) -> None:
    run = extended(hunted, 10_000, tmp_path)
    with opened(chromium, report(run, "--plan", "1")) as page:
        section = page.locator("#plan-0")
        assert int(section.locator("[role=status]").inner_text().split()[0].replace(",", "")) >= 10_000
        lanes = section.locator(".lanes")
        lanes.scroll_into_view_if_needed()
        box = lanes.bounding_box()
        assert box
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
        page.evaluate(FRAMES)
        page.evaluate("performance.clearMeasures()")
        for key, across, down in (("Control", 0, -80), ("Control", 0, 60), ("Shift", 0, 90)):
            page.keyboard.down(key)
            for _ in range(25):
                page.mouse.wheel(across, down)
            page.keyboard.up(key)
        lanes.focus()
        for _ in range(25):
            page.keyboard.press("ArrowRight")
        frames: list[float] = page.evaluate("() => { window.enough = true; return window.frames_; }")
        drawn: list[float] = page.evaluate("performance.getEntriesByName('timeline', 'measure').map((each) => each.duration)")
    print(f"frames: {told(frames)}; drawing: {told(drawn)}")
    assert len(drawn) > 25
    # Sixty frames a second leave 17 ms; the machine that runs this test may be busy and draws without a graphics card.
    assert statistics.median(drawn) < 12
    assert statistics.median(frames) < 50


def told(times: list[float]) -> str:
    slow = sorted(times)[int(len(times) * 0.95)]
    return f"{len(times)}, median {statistics.median(times):.1f} ms, 95 % {slow:.1f} ms, most {max(times):.1f} ms"


def test_a_reduced_finding_shows_its_smallest_program(explored: Path, chromium: Browser, tmp_path: Path) -> None:
    copy = tmp_path / "reduced"
    shutil.copytree(explored, copy)
    (found,) = (copy / "findings").iterdir()
    lines = (Line(0, "CREATE TABLE account (amount int)"), Line(2, "UPDATE account SET amount = 12"), Line(1, "TABLE account"))
    write_reduction(found, Reduction(found.name, "PostgreSQL", "18", Reproduction(20, 20), 3, "minimal", (), Scene(lines)))
    with opened(chromium, report(copy)) as page:
        smallest = page.locator(".smallest")
        assert "2 statements in 2 sessions" in smallest.inner_text()
        told = smallest.locator("li").all_inner_texts()
    assert told == [f"{who}: {line.sql}" for who, line in zip(("setup", "session 2", "session 1"), lines, strict=True)]


def test_a_cell_of_the_matrix_opens_its_statements(explored: Path, chromium: Browser, tmp_path: Path) -> None:
    copy = tmp_path / "matrix"
    shutil.copytree(explored, copy)
    finding, _ = read_finding(next((copy / "findings").iterdir()))
    operations = (Operation("Table.one", "Table"), Operation("Table.two", "Table", "UPDATE SET"))
    texts = (("CREATE TABLE account (amount int)",), ("BEGIN", "UPDATE account SET amount = 11", "COMMIT"), ("TABLE account",))
    trials = (
        Trial("Table.one", "Table.two", "same", "commit", "wrong", finding.signature, (1, 1, 2, 1), 0, (1, 2)),
        Trial("Table.one", "Table.two", "same", "rollback", "fine", "", (1, 1, 2, 1), 0, (1, 2)),
    )
    (copy / "matrix.json").write_bytes(msgspec.json.encode(Matrix("postgres", "18", operations, texts, trials)))
    with opened(chromium, report(copy)) as page:
        told = page.locator("#matrix .details")
        assert "Not tried" in told.inner_text()
        page.locator("#matrix canvas").focus()
        page.keyboard.press("ArrowRight")
        assert told.locator("details[open] summary").inner_text() == "same, commit: wrong"
        moves = told.locator("details[open] li").all_inner_texts()
        first, second = "X: UPDATE account SET amount = 11", "Y: TABLE account"
        assert moves == ["setup: CREATE TABLE account (amount int)", "X: BEGIN", first, second, "X: COMMIT"]
        told.get_by_role("link", name=f"Finding {finding.id}").click()
        assert page.evaluate("location.hash") == f"#finding-{finding.id}"
        page.get_by_role("button", name="wrong 1").click()
        assert told.locator("summary").all_inner_texts() == ["same, rollback: fine"]


def test_a_killed_run_is_reported_as_far_as_it_came(hunted: Path, chromium: Browser, tmp_path: Path) -> None:
    copy = tmp_path / "killed"
    shutil.copytree(hunted, copy)
    (copy / "summary.json").unlink()
    path = max((copy / "history").iterdir())
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    path.unlink()
    plain.write_bytes(content[:-30])
    with opened(chromium, report(copy)) as page:
        assert "no summary: the run goes on, or was killed" in page.locator(".verdict").inner_text()


def test_other_formats(hunted: Path, explored: Path) -> None:
    trace: dict[str, Any] = json.loads(report(hunted, "--format", "trace").read_bytes())
    statements = sum(isinstance(e, Statement) for path in (hunted / "history").iterdir() for e in read_history(path))
    slices = [event for event in trace["traceEvents"] if event["ph"] == "X" and event["cat"] != "repetition"]
    assert len(slices) == statements
    named = {(event["pid"], event["tid"]) for event in trace["traceEvents"] if event["name"] == "thread_name"}
    assert {(event["pid"], event["tid"]) for event in slices} <= named
    assert all(event["ts"] >= 0 and event["dur"] >= 0 for event in slices)
    notes = racehound("report", explored, "--format", "github", cwd=explored.parent).stdout
    assert notes.startswith("::error title=wrong result ")
    assert "--replay" in notes
    assert notes.count("\n") == 1
    junit = report(explored, "--format", "junit").read_text()
    assert 'failures="1"' in junit
    assert '<testcase classname="racehound" name="contents"' in junit


def test_what_is_no_run_is_refused_in_one_line(tmp_path: Path, hunted: Path) -> None:
    for arguments in ((tmp_path,), (hunted, "--plan", "99")):
        ended = racehound("report", *arguments, cwd=tmp_path)
        assert ended.returncode == 2
        assert ended.stderr.count("\n") == 1
        assert "racehound: " in ended.stderr
