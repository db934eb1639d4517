"""A wall in a real browser: how many frames it has drawn, and what memory it holds."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from ecgstream.bench.measure import CannotMeasureError
from ecgstream.bench.process import usage

MOST_SECTORS = 64


class WallPage:
    """The page of a wall with all its sectors."""

    def __init__(self, page: Any, inside: Any, process: int) -> None:
        self._page = page
        self._inside = inside
        self._process = process

    def frames(self) -> int:
        """Return how many frames were drawn since it was opened."""
        return int(self._page.evaluate("document.body.dataset.frames"))

    def heap(self) -> int:
        """Return what its modules hold, without what is garbage, bytes."""
        self._inside.send("HeapProfiler.collectGarbage")
        return int(self._inside.send("Runtime.getHeapUsage")["usedSize"])

    def resident(self) -> int:
        """Return the memory that the browser's process for this page holds, bytes."""
        return usage(self._process)[1]


def chromium() -> str:
    """Return where Chromium is.

    Raises:
        CannotMeasureError: it, or playwright, is not installed.
    """
    program = shutil.which("chromium")
    if program is None or find_spec("playwright") is None:
        raise CannotMeasureError("a wall is drawn in Chromium, led by playwright: install both")
    return program


@contextmanager
def opened(port: int) -> Iterator[WallPage]:
    """Open the wall that listens on a port of loopback, in Chromium without a screen.

    Raises:
        CannotMeasureError: see ``chromium``.
    """
    program = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            page = browser.new_page(viewport={"width": 1920, "height": 1080})
            page.goto(f"http://127.0.0.1:{port}/wall?sectors={MOST_SECTORS}")
            about = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
            process = max((one for one in about if one["type"] == "renderer"), key=lambda one: one["cpuTime"])
            yield WallPage(page, page.context.new_cdp_session(page), process["id"])
        finally:
            browser.close()
