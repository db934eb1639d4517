"""The live wall on real Kafka in a real browser: what is published is seen, at its scale, or is not live."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from kafka import KafkaProducer
from playwright.sync_api import Browser, Page, expect
from websockets.asyncio.client import connect

from ecgstream import clients
from ecgstream.monitor.live import frames
from ecgstream.monitor.live.hub import Hub
from ecgstream.monitor.live.view import Bed
from ecgstream.settings import Settings
from ecgstream.topics import create_topics
from schemas import mdc, topics
from schemas.bundle import Bundle
from schemas.codec import encode
from schemas.records import ECG_KIND, MISSING, Channel, Packet, Phase, Vital
from schemas.units import MILLIVOLT
from tests.ecgstream.monitor.live.served import Site, World, served
from tests.ecgstream.monitor.live.test_socket import asks
from tests.ecgstream.monitor.live.ward import RATE, statuses
from tests.system.pager_ward import PARTITION, condition, until

NS = 1_000_000_000
PX_PER_S, PX_PER_MV = 25 * 96 / 25.4, 10 * 96 / 25.4
SEEN_MS = 60_000


class Gateway:
    """Sends a second of each device every second: 1 mV for 80 ms in its middle, by two gains in turn."""

    def __init__(self, settings: Settings) -> None:
        create_topics(settings)
        self.name = uuid.uuid4().hex[:8]
        self.devices = [f"{self.name}-{n}" for n in (1, 2)]
        self.session = time.time_ns()
        self.paused = threading.Event()
        self._producer = KafkaProducer(bootstrap_servers=settings.kafka, acks="all")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def send(self, topic: topics.Topic, record: Any) -> None:
        self._producer.send(topic.name, encode(record), partition=PARTITION).get(30)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._producer.close(timeout=10)

    def _run(self) -> None:
        second = 0
        while not self._stop.wait(max(0.0, self.session / 1e9 + second + 1 - time.time())):
            if not self.paused.is_set():
                now_ns = time.time_ns()
                packets = [self._packet(device, second) for device in self.devices]
                numbers = [
                    Vital(device, self.session, now_ns, code, value)
                    for device in self.devices
                    for code, value in ((mdc.SPO2, 97.0), (mdc.NIBP_SYS, 118.0), (mdc.NIBP_DIA, 74.0))
                ]
                self.send(topics.INGEST, Bundle.of("gw-1", PARTITION, now_ns, packets, numbers))
                self.send(topics.STATUS, statuses(self.devices[0], 71.6, "AFIB", now_ns))
            second += 1

    def _packet(self, device: str, second: int) -> Packet:
        gain = (200.0, 400.0)[second % 2]
        samples = np.zeros(RATE, np.int16)
        samples[RATE // 2 : RATE // 2 + 20] = gain
        lead = Channel(mdc.LEADS["II"], ECG_KIND, MILLIVOLT, RATE, gain, samples)
        begin_ns = self.session + second * NS
        return Packet(device, self.session, second, second * RATE, begin_ns, begin_ns, [lead])


@contextmanager
def following(settings: Settings) -> Iterator[Hub]:
    hub, stop = Hub(lambda: clients.reader(settings), settings.partitions), threading.Event()
    thread = threading.Thread(target=hub.run, args=(stop,))
    thread.start()
    try:
        until(lambda: hub.is_current)
        yield hub
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def settings(kafka: str) -> Settings:
    return Settings(kafka=kafka)


@pytest.fixture
def gateway(settings: Settings) -> Iterator[Gateway]:
    made = Gateway(settings)
    yield made
    made.close()


@pytest.fixture
def hub(settings: Settings, gateway: Gateway) -> Iterator[Hub]:
    with following(settings) as found:
        yield found


@pytest.fixture
def world(gateway: Gateway) -> World:
    return World({device: Bed(f"ward-{n}", f"p-{n}", "root") for n, device in enumerate(gateway.devices, 1)})


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    found = chromium.new_page(viewport={"width": 1600, "height": 900})
    said: list[str] = []
    found.on("pageerror", lambda error: said.append(str(error)))
    found.on("console", lambda m: said.append(m.text) if "Content Security" in m.text else None)
    yield found
    found.close()
    assert said == []


def opened(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/wall?sectors=8")
    expect(page.locator("#line")).to_have_text("Live", timeout=SEEN_MS)


def sector(page: Page, device: str) -> Any:
    return page.locator("article", has_text=device)


def rows_of(page: Page, device: str) -> np.ndarray:
    """Return the row in which a device's trace begins in each column; -1: nothing is there."""
    shape = """trace => { const sheet = document.getElementById("traces"), rows = [];
        const {x, y, ...box} = trace.getBoundingClientRect().toJSON(), origin = sheet.getBoundingClientRect();
        const place = [x - origin.x, y - origin.y, box.width, box.height].map(Math.round);
        const {data, width, height} = sheet.getContext("2d").getImageData(...place);
        for (let x = 0; x < width; x++) { let y = 0;
            while (y < height && data[4 * (y * width + x) + 3] < 128) y++;
            rows.push(y < height ? y : -1); }
        return rows; }"""
    return np.array(sector(page, device).locator(".trace").evaluate(shape))


def beats_of(rows: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the columns in which pulses begin, and how high they are over the line, px."""
    if not (rows >= 0).any():
        return np.empty(0), 0.0
    line = float(np.median(rows[rows >= 0]))
    is_high = (rows >= 0) & (rows < line - 15)
    begins = np.flatnonzero(is_high[1:] & ~is_high[:-1]) + 1
    return begins, line - float(np.median(rows[is_high])) if is_high.any() else 0.0


@pytest.mark.timeout(300)
def test_the_trace_moves_at_true_speed_and_scale(
    page: Page, hub: Hub, gateway: Gateway, world: World
) -> None:
    device = gateway.devices[0]
    with served(hub, world) as site:
        opened(page, site)
        until(lambda: beats_of(rows_of(page, device))[0].size >= 5)
        before = rows_of(page, device)
        begins, height = beats_of(before)
        apart = np.diff(begins)
        assert np.median(apart) == pytest.approx(PX_PER_S, abs=1.0)
        assert height == pytest.approx(PX_PER_MV, abs=1.5)  # whichever gain a packet came with
        until(lambda: bool((rows_of(page, device) != before).any()))
        shown = sector(page, device)
        expect(shown.locator(".hr b")).to_have_text("72")
        expect(shown.locator(".spo2 b")).to_have_text("97")
        expect(shown.locator(".nibp b")).to_have_text("118/74")
        expect(shown.locator(".rhythm b")).to_have_text("AF")
        expect(shown.locator(".scale")).to_contain_text("II 25 mm/s 10 mm/mV")


@pytest.mark.timeout(300)
def test_what_is_no_longer_live_does_not_look_so(
    page: Page, hub: Hub, gateway: Gateway, world: World
) -> None:
    shown = sector(page, gateway.devices[0])
    with served(hub, world) as site:
        opened(page, site)
        expect(shown.locator(".veil")).to_be_hidden(timeout=SEEN_MS)
        gateway.paused.set()
        expect(shown.locator(".veil")).to_contain_text("No signal for", timeout=SEEN_MS)
        expect(shown.locator(".spo2")).to_have_class(re.compile("stale"), timeout=SEEN_MS)
        expect(shown.locator(".spo2 i")).to_contain_text("s")
        gateway.paused.clear()
        expect(shown.locator(".veil")).to_be_hidden(timeout=SEEN_MS)
        expect(shown.locator(".spo2")).not_to_have_class(re.compile("stale"), timeout=SEEN_MS)
    port = site.port
    expect(page.locator("#lost")).to_be_visible(timeout=4000)
    expect(shown.locator(".veil")).to_contain_text("No connection")
    expect(shown.locator(".hr")).to_have_class(re.compile("stale"))
    with served(hub, world, port):
        expect(page.locator("#line")).to_have_text("Live", timeout=SEEN_MS)
        expect(page.locator("#lost")).to_be_hidden()
        before = rows_of(page, gateway.devices[0])
        until(lambda: bool((rows_of(page, gateway.devices[0]) != before).any()))
        world.viewer = None
        expect(page.locator("#lost a")).to_have_attribute(
            "href", "/login?to=%2Fwall%3Fsectors%3D8", timeout=SEEN_MS
        )


@pytest.mark.timeout(300)
def test_what_was_measured_of_whoever_wore_it_before_is_nobodys(
    page: Page, hub: Hub, gateway: Gateway, world: World
) -> None:
    first, second = gateway.devices[:2]
    world.beds[first] = world.beds[first]._replace(worn_ms=(time.time() + 3600) * 1000)
    with served(hub, world) as site:
        opened(page, site)
        expect(sector(page, second).locator(".nibp b")).to_have_text("118/74", timeout=SEEN_MS)
        expect(sector(page, second).locator(".spo2 b")).to_have_text("97")
        for number in (".nibp", ".spo2"):
            expect(sector(page, first).locator(f"{number} b")).to_have_text("--")


@pytest.mark.timeout(300)
def test_an_alarm_is_seen_and_heard_and_the_keyboard_suffices(
    page: Page, hub: Hub, gateway: Gateway, world: World
) -> None:
    second = gateway.devices[1]
    with served(hub, world) as site:
        opened(page, site)
        gateway.send(topics.CONDITIONS, replace(condition(second, Phase.ONSET, 4), onset_ns=time.time_ns()))
        alarmed = sector(page, second)
        expect(alarmed.locator(".mark")).to_have_text("!!!", timeout=SEEN_MS)
        expect(alarmed.locator(".what")).to_have_text("Asystole")
        expect(alarmed).to_have_attribute("aria-label", re.compile("high priority: Asystole"))
        page.keyboard.press("s")
        expect(page.locator("article").first).to_contain_text(second)
        until(lambda: int(page.locator("body").get_attribute("data-bursts") or 0) > 0)
        page.keyboard.press("p")
        expect(page.locator("#sound")).to_contain_text("Sound paused")
        while not page.evaluate("document.activeElement.matches('article')"):
            page.keyboard.press("Tab")
        page.keyboard.press("ArrowRight")
        expect(page.locator("article").nth(1)).to_be_focused()
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Enter")
        page.wait_for_url("**/patient/p-2")
        page.go_back()
        expect(page.locator("article").first).to_contain_text(second)
        while not page.evaluate("document.activeElement.matches('article')"):
            page.keyboard.press("Tab")
        page.keyboard.press("e")
        page.wait_for_url("**/ecg/p-2")


@pytest.mark.timeout(300)
def test_the_browser_reads_frames_as_they_were_made(page: Page, hub: Hub, world: World) -> None:
    samples = np.array([0, -1, 32767, MISSING, 5], np.int16)
    lead = frames.Wave(
        2**40 + 1, 131330, 0, 0, is_off=True, rate=250.0, gain=200.0, offset=-1.5, samples=samples
    )
    lead = replace(lead, channel=11, high_pass=0.5)
    waves = [
        lead,
        replace(lead, first=7, code=150452, kind=1, unit=4, is_off=False, rate=62.5, samples=samples[:2]),
    ]
    message = (
        frames.of_state(1.7e12 + 0.25, is_current=True, is_away=False)
        + frames.of_signal(frames.Signal(3, 2**32 - 1, 1.7e12, waves, 125.0, 1.7e12 - 0.5))
        + frames.of_told(frames.Kind.BEATS, {"n": 3, "beats": [[2**32 - 1, 2**40, "V"]]})
        + frames.of_told(frames.Kind.NUMBERS, {"n": 3, "numbers": {"place": ["病房"]}})
        + frames.of_lost(9)
    )
    script = """async ([message]) => { const {read} = await import("/static/frames.js"), heard = [];
        const told = new Proxy({}, {get: (_, name) => (...what) => heard.push([name, ...what])});
        read(Uint8Array.from(atob(message), c => c.charCodeAt(0)).buffer, told);
        return JSON.parse(JSON.stringify(heard, (_, v) => v instanceof Int16Array ? [...v] : v)); }"""
    with served(hub, world) as site:
        page.goto(f"{site.url}/wall")
        heard = page.evaluate(script, [base64.b64encode(message).decode()])
    state, signal, beats, numbers, lost = heard
    assert state == ["state", 1.7e12 + 0.25, True, False]
    assert signal[:4] == ["signal", 3, 2**32 - 1, 1.7e12]
    assert signal[5:] == [125, 1.7e12 - 0.5]
    assert beats == ["beats", 3, [[2**32 - 1, 2**40, "V"]]]
    first, second = signal[4]
    assert first == {
        "first": 2**40 + 1,
        "code": 131330,
        "kind": 0,
        "isOff": True,
        "rate": 250,
        "gain": 200,
        "offset": -1.5,
        "channel": 11,
        "highPass": 0.5,
        "lowPass": None,
        "notch": None,
        "samples": samples.tolist(),
    }
    assert (second["first"], second["rate"], second["samples"]) == (7, 62.5, [0, -1])
    assert numbers == ["numbers", 3, {"place": ["病房"]}]
    assert lost == ["lost", 9]


@pytest.mark.timeout(300)
def test_many_screens_are_served_beside_some_that_never_read(
    hub: Hub, gateway: Gateway, world: World
) -> None:
    async def screen(site: Site) -> int:
        """Return how many signals came in ten seconds."""
        address = f"ws://127.0.0.1:{site.port}/live"
        async with connect(address, origin=site.url, proxy=None, compression=None, open_timeout=60) as line:  # type: ignore[arg-type]
            await line.send(json.dumps({"show": gateway.devices}))
            found, end_s = 0, time.monotonic() + 10
            while time.monotonic() < end_s:
                message = await asyncio.wait_for(line.recv(), 30)
                assert isinstance(message, bytes)
                found += sum(isinstance(frame, frames.Signal) for frame in frames.decode(message))
            return found

    async def all_of(site: Site) -> list[int]:
        return await asyncio.gather(*(screen(site) for _ in range(100)))

    with served(hub, world) as site:
        stuck = [asks(site.port) for _ in range(5)]
        with ThreadPoolExecutor(1) as beside:  # playwright has a loop of its own on this thread
            found = beside.submit(asyncio.run, all_of(site)).result()
        for one in stuck:
            one.close()
    assert min(found) >= 10  # of two devices, a packet a second each, on a machine that is busy
