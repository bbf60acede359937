"""A real browser, for pages that racehound writes."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
"""A page from a file, shown to nobody: no sandbox is needed, and nothing that a browser does in the background."""


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium; the test is skipped where there is none."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip("the report is looked at in Chromium, and there is none: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(_QUIET))
        yield started
        started.close()


@contextlib.contextmanager
def opened(where: Browser, file: Path, *, width: int = 1600, dark: bool = False) -> Iterator[Page]:
    """The page of a file. It must complain of nothing, and ask for nothing from anywhere."""
    complaints: list[str] = []
    page = where.new_page(viewport={"width": width, "height": 1000}, color_scheme="dark" if dark else "light")
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if not request.url.startswith(("file:", "data:")) else None)
    page.goto(file.absolute().as_uri())
    yield page
    page.close()
    assert complaints == []
