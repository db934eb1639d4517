"""A real browser for the tests: Debian's Chromium, driven by playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from ecgstream.embedded.errors import ServiceUnavailableError
from tests.system.timescale import INSTALL, apt

PROGRAM = "chromium"
_FONTS = ("fonts-noto-core", "fonts-noto-cjk", "fonts-noto-color-emoji")
"""So that Chinese, Arabic and emoji are drawn rather than boxes."""


def install_browser() -> None:
    """Install Chromium unless it is here."""
    if shutil.which(PROGRAM) is None:
        apt(PROGRAM, *_FONTS)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser without a window; it ends with the block.

    Raises:
        ServiceUnavailableError: it is not installed.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise ServiceUnavailableError(f"Chromium is not installed; as root: {INSTALL}")
    with sync_playwright() as playwright:
        # Tests run as root, where Chromium has no sandbox of its own.
        found = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield found
        finally:
            found.close()
