"""The ECG page on a screen: patients who wear calibrators, a sink that stores, what stands on the paper."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import numpy as np
from playwright.sync_api import Page

from ecgstream.store.connection import connect
from tests.system.calibrator import Calibrator
from tests.system.monitor_house import PASSWORD, House
from tests.system.pager_ward import Ward, until
from tests.system.sink_stream import Stream

PX_PER_MM = 96 / 25.4


class Bed(NamedTuple):
    """A patient who wears a calibrator."""

    calibrator: Calibrator
    patient: str

    @property
    def path(self) -> str:
        return f"/ecg/{self.patient}"


class Centre(NamedTuple):
    """What serves: the monitor, and a sink that stores."""

    house: House
    client: httpx.Client
    bed: Bed


def worn(house: House, ward: Ward, n: int, back_s: int, leads: int = 12) -> Bed:
    calibrator = Calibrator(ward, back_s, n, leads)
    with connect(house.url, role="ecg_registry") as registry:
        house._device(registry, calibrator.device, "B", f"p-{calibrator.device}", f"Bed {n}")
    return Bed(calibrator, f"p-{calibrator.device}")


@contextmanager
def storing(stream: Stream) -> Iterator[None]:
    stop = threading.Event()

    def run() -> None:
        with stream.sink() as sink:
            while not stop.is_set():
                sink.step()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class Screen(NamedTuple):
    page: Page
    said: list[str]


def log_in(page: Page, account: str, to: str) -> None:
    page.goto(f"/login?to={quote(to, safe='')}")
    page.get_by_label(re.compile("Account|账号")).fill(account)
    page.get_by_label(re.compile("Password|密码")).fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{to}")


def shot(page: Page, name: str) -> None:
    if folder := os.environ.get("ECGSTREAM_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"ecg-{name}.png")


def js(page: Page, script: str, *given: Any) -> Any:
    """What a script returns that knows the page's own tape and paper."""
    head = 'async given => { const {tape, paper, calipers} = await import("/static/ecg.js"); '
    return page.evaluate(head + script + " }", list(given))


SAMPLES = """
const [from, to] = given, found = [];
tape.each("131329", from, to, (piece, begin, stop) => {
  const isLive = piece.window === null ? 1 : 0;
  for (let i = begin; i < stop; i++) found.push([i, piece.samples[i - piece.first], isLive]);
});
return found;"""
"""Of lead I between two places: index, value, whether it came live."""

INK = """
const {data, width, height} = paper.ink.getImageData(0, 0, paper.ink.canvas.width, paper.ink.canvas.height);
const row = paper.rows[given[0]];
if (!row) return [[-1, -1]];
const top = Math.round(row.top * devicePixelRatio);
const high = Math.round(row.height * devicePixelRatio), found = [];
for (let x = 0; x < width; x++) {
  let least = -1, most = -1;
  for (let y = Math.max(0, top - 20); y < Math.min(height, top + high + 20); y++) {
    const at = 4 * (y * width + x);
    if (data[at + 3] > 127) { if (least < 0) least = y; most = y; }
  }
  found.push([least, most]);
}
return found;"""
"""From column to column of a row of the paper, the first and the last pixel with ink; -1: none."""


PULSE = """
const row = paper.rows[0], pen = paper.ground, r = devicePixelRatio;
const {data, width, height} = pen.getImageData(0, 0, 20 * 96 / 25.4 * r, row.height * r);
const lit = [];
for (let y = 0; y < height; y++) for (let x = Math.round(8 * 96 / 25.4 * r); x < width; x++)
  if (data[4 * (y * width + x)] > 200 && data[4 * (y * width + x) + 3] > 127) lit.push([x, y]);
const xs = lit.map(p => p[0]), ys = lit.map(p => p[1]), top = Math.min(...ys);
const high = lit.filter(p => p[1] === top).map(p => p[0]);
return [Math.max(...ys) - top, Math.max(...high) - Math.min(...high)];"""
"""How high the pulse of calibration of the first row is, and how wide, px."""


def ink(page: Page, row: int) -> np.ndarray:
    return np.array(js(page, INK, row))


def edges(columns: np.ndarray) -> list[int]:
    """Where a calibrator's wave rises or falls: columns inked over more than 8 mm, one of neighbours."""
    tall = np.flatnonzero((columns[:, 1] - columns[:, 0] > 8 * PX_PER_MM) & (columns[:, 0] >= 0))
    return [int(x) for n, x in enumerate(tall) if n == 0 or x - tall[n - 1] > 3]


def stacked(page: Page) -> None:
    page.locator("#layout").select_option("all")


def is_live(page: Page) -> bool:
    return "Live" in page.locator("#mode").inner_text() and page.locator("#veil").is_hidden()


def waits(page: Page, holds: Callable[[], bool]) -> None:
    until(holds, lambda: (page.locator("main").inner_text(), page.evaluate("location.href")))
