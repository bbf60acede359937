"""The console: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

from racehound.data.finding import Finding
from racehound.data.history import Outage
from racehound.report.progress import Progress, finding_line, outage_line

if TYPE_CHECKING:
    from rich.console import Group

LINE_EVERY_S = 5.0
REFRESHES_PER_S = 4


class PlainReporter:
    """Lines of text, for logs and CI. `verbosity`: 0 for findings only, 1 for progress and programs, 2 for every repetition."""

    def __init__(self, out: TextIO, verbosity: int) -> None:
        self._out = out
        self._verbosity = verbosity
        self._next_line = time.monotonic() + LINE_EVERY_S

    def program(self, text: str) -> None:
        if self._verbosity:
            self._print(text)

    def progress(self, progress: Progress) -> None:
        due = time.monotonic() >= self._next_line
        if (self._verbosity and due) or self._verbosity > 1:
            self._next_line = time.monotonic() + LINE_EVERY_S
            self._print(progress_line(progress))

    def finding(self, finding: Finding) -> None:
        self._print(finding_line(finding))

    def outage(self, outage: Outage) -> None:
        self._print(f"--- {outage_line(outage)}")

    def close(self) -> None:
        """Nothing is open."""

    def _print(self, text: str) -> None:
        print(text, file=self._out, flush=True)


class LiveReporter:
    """A display that is redrawn in place: time left, repetition, rate, statements by outcome, findings."""

    def __init__(self, verbosity: int) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(highlight=False)
        self._live = Live(console=self._console, refresh_per_second=REFRESHES_PER_S, transient=True)
        self._verbosity = verbosity
        self._next_update = 0.0
        self._live.start()

    def program(self, text: str) -> None:
        if self._verbosity:
            self._console.print(text, markup=False)

    def progress(self, progress: Progress) -> None:
        if time.monotonic() < self._next_update:
            return
        self._next_update = time.monotonic() + 1 / REFRESHES_PER_S
        self._live.update(self._picture(progress))

    def finding(self, finding: Finding) -> None:
        self._console.print(finding_line(finding), markup=False, style="bold")

    def outage(self, outage: Outage) -> None:
        self._console.print(f"--- {outage_line(outage)}", markup=False)

    def close(self) -> None:
        self._live.stop()

    def _picture(self, progress: Progress) -> Group:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(expand=False, box=None, padding=(0, 2, 0, 0))
        for column in ("severity", "met", "finding", "what"):
            table.add_column(column, no_wrap=True, overflow="ellipsis")
        shown = progress.findings()[:10]
        for finding in shown:
            table.add_row(finding.severity, str(finding.count), finding.id, Text(finding.title))
        return Group(Text(progress_line(progress), style="bold"), *([table] if shown else []))


def progress_line(progress: Progress) -> str:
    """How far the hunt is, in one line."""
    repetitions_per_s = progress.total_repetitions / max(progress.elapsed_s, 1e-9)
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in progress.outcomes.items() if count)
    return (
        f"{progress.left_s:4.0f} s left · plan {progress.plan}, repetition {progress.repetition}/{progress.repetitions}"
        f" · {progress.statements_per_s:.0f} statements/s, {repetitions_per_s:.1f} repetitions/s"
        f" · {outcomes} · {len(progress.findings())} findings"
    )
