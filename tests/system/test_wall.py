"""The wall in a real browser: what is published moves there at its true scale, and is nobody else's."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator

from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from schemas import mdc, topics
from schemas.bundle import Bundle
from schemas.codec import encode
from schemas.records import ECG_KIND, Channel, Packet, Phase, Vital
from schemas.units import MILLIVOLT
from tests.system.access_world import insert
from tests.system.ecg_screen import log_in
from tests.system.monitor_house import House, made_house
from tests.system.pager_ward import PARTITION, Ward, condition, until
from tests.system.test_monitor_kafka import monitor

RATE, GAIN = 250, 200.0
PX_PER_MM = 96 / 25.4
PULSE_MV = 1.0


@pytest.fixture(scope="module", params=["plain"])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    with made_house(request) as (made, _):
        yield made


class Bedside:
    """A device that sends a square wave of 1 mV, one a second, as a calibrator does."""

    def __init__(self, ward: Ward) -> None:
        self.ward = ward
        self.session = time.time_ns()
        self.sent = 0

    def send(self) -> None:
        """Send a second."""
        counts = np.where(np.arange(RATE) < RATE // 2, round(PULSE_MV * GAIN), 0).astype(np.int16)
        at_ns = self.session + self.sent * 10**9
        lead = Channel(mdc.LEADS["II"], ECG_KIND, MILLIVOLT, RATE, GAIN, counts)
        packet = Packet(
            self.ward.device(), self.session, self.sent, self.sent * RATE, at_ns, time.time_ns(), [lead]
        )
        spo2 = Vital(self.ward.device(), self.session, at_ns, mdc.SPO2, 93.0)
        bundle = Bundle.of("gateway", 0, time.time_ns(), [packet], [spo2])
        self.ward.send(encode(bundle), topics.INGEST, PARTITION)
        self.sent += 1

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Send, second by second, until the block is left."""
        stop = threading.Event()

        def run() -> None:
            while not stop.is_set():
                self.send()
                stop.wait(max(0.0, self.session / 1e9 + self.sent - time.time()))

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


SPAN = """(trace) => {
    const sheet = document.getElementById("traces"), pen = sheet.getContext("2d"), of = devicePixelRatio;
    const box = trace.getBoundingClientRect(), origin = sheet.getBoundingClientRect();
    const place = [box.left - origin.left, box.top - origin.top, box.width, box.height];
    const {data, width, height} = pen.getImageData(...place.map(px => Math.round(px * of)));
    const lit = [];
    for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++)
            if (data[4 * (y * width + x) + 3] > 127) { lit.push(y / devicePixelRatio); break; }
    return lit.length ? lit.at(-1) - lit[0] : 0;
}"""
"""How many px high what is drawn of a trace is."""


def height_mv(sector: Locator) -> float:
    """Return how high a sector's trace is at 10 mm/mV."""
    return float(sector.locator(".trace").evaluate(SPAN)) / (10 * PX_PER_MM)


def test_what_is_published_moves_on_the_wall_of_those_who_may_see_it(
    kafka: str, house: House, chromium: Browser, tmp_path: Path
) -> None:
    ward, log = Ward(kafka), tmp_path / "monitor.log"
    bedside = Bedside(ward)
    with connect(house.url, role="ecg_sink") as sink:  # of nobody's: whoever stands at the root sees it
        insert(sink, "device", device=ward.device(), gateway="g", session=1, first_seen_ns=1, last_seen_ns=2)
    more = {"monitor_database": house.login, "monitor_port": 0}
    with monitor(Settings(**ward.settings.model_dump() | more), log) as client, bedside.sending():
        context = chromium.new_context(
            base_url=str(client.base_url).rstrip("/"), viewport={"width": 1600, "height": 900}, locale="en-GB"
        )
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        log_in(page, house.account("cardiologist"), "/wall?sectors=8")
        sector = page.locator(".sector", has_text=ward.device())
        until(lambda: sector.count() == 1 and "93" in sector.inner_text(), lambda: (said, log.read_text()))
        until(lambda: abs(height_mv(sector) - PULSE_MV) < 0.2, lambda: (height_mv(sector), said))
        before = sector.locator(".trace").screenshot()
        until(lambda: sector.locator(".trace").screenshot() != before)
        ward.send(condition(ward.device(), Phase.ONSET, 4))
        until(lambda: "Asystole" in sector.inner_text(), lambda: sector.inner_text())
        if folder := os.environ.get("ECGSTREAM_SCREENSHOTS"):
            page.screenshot(path=Path(folder) / "wall.png")
        context.clear_cookies()
        log_in(page, house.account("clinic_a"), "/wall?sectors=8")
        page.wait_for_timeout(3000)
        assert ward.device() not in page.inner_text("body")
        context.close()
    assert not [line for line in said if "Error" in line or "Refused" in line]
    ward.producer.close()
