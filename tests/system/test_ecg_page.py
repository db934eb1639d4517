"""The ECG page in a real browser, on Kafka and TimescaleDB: at true scale, without a seam, of nobody else."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from schemas.records import Phase
from tests.system.access_world import insert
from tests.system.calibrator import MOD, RATE, SECOND_NS
from tests.system.ecg_screen import (
    PULSE,
    PX_PER_MM,
    SAMPLES,
    Centre,
    Screen,
    edges,
    ink,
    is_live,
    js,
    log_in,
    shot,
    stacked,
    storing,
    waits,
    worn,
)
from tests.system.monitor_house import House, made_house
from tests.system.pager_ward import Ward, condition, until
from tests.system.sink_stream import Stream
from tests.system.test_monitor_kafka import monitor

BACK_S = 130
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module", params=["timescale"])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    with made_house(request) as (made, _):
        yield made


@pytest.fixture(scope="module")
def centre(kafka: str, house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    ward, log = Ward(kafka), tmp_path_factory.mktemp("monitor") / "monitor.log"
    stream = Stream(kafka, house.url)
    bed = worn(house, ward, 1, BACK_S)
    bed.calibrator.lost = {100, 101, 102}
    bed.calibrator.off = {*range(60, 70)}
    more = {"monitor_database": house.login, "monitor_port": 0}
    with (
        storing(stream),
        bed.calibrator.sending(),
        monitor(Settings(**ward.settings.model_dump() | more), log) as client,
    ):
        yield Centre(house, client, bed)
    assert "Traceback" not in log.read_text()
    ward.producer.close()
    stream.producer.close()


@pytest.fixture
def screen(centre: Centre, chromium: Browser) -> Iterator[Screen]:
    """A small laptop's browser, logged in at the bed's ECG."""
    context = chromium.new_context(
        base_url=str(centre.client.base_url).rstrip("/"),
        viewport={"width": 1366, "height": 768},
        locale="en-GB",
    )
    context.set_default_timeout(60_000)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    log_in(page, centre.house.account("cardiologist"), centre.bed.path)
    yield Screen(page, said)
    context.close()


def test_all_leads_come_live_at_true_scale(screen: Screen) -> None:
    page = screen.page
    waits(page, lambda: is_live(page))
    waits(page, lambda: len(js(page, "return paper.leads")) == 12)
    shot(page, "live-12")
    stacked(page)
    waits(page, lambda: js(page, "return paper.rows.length") == 12)
    # Lead II's row: 1 mV is 10 mm high; from one rise or fall to the next it is half a second, 12.5 mm.
    waits(page, lambda: len(edges(ink(page, 1))) >= 8)
    columns = ink(page, 1)
    known = columns[columns[:, 0] >= 0]
    assert known[:, 1].max() - known[:, 0].min() == pytest.approx(10 * PX_PER_MM, abs=3)
    between = np.diff(edges(columns))
    assert np.median(between) == pytest.approx(12.5 * PX_PER_MM, abs=1.5)
    for speed, gain in (("50", "20"), ("12.5", "5")):
        page.locator("#speed").select_option(speed)
        page.locator("#gain").select_option(gain)
        assert js(page, "return [paper.pxPerMs, paper.pxPerMv]") == pytest.approx(
            [float(speed) * PX_PER_MM / 1000, float(gain) * PX_PER_MM]
        )
    page.locator("#speed").select_option("25")
    page.locator("#gain").select_option("10")
    expect(page.locator("#filters")).to_contain_text("150 Hz")
    expect(page.locator("#filters")).to_contain_text("diagnostic bandwidth")
    shot(page, "live-all")
    before = page.locator("#ink").screenshot()
    until(lambda: page.locator("#ink").screenshot() != before)
    assert screen.said == []


def test_the_pulse_of_calibration_is_10_mm_high_and_200_ms_wide(screen: Screen) -> None:
    page = screen.page
    waits(page, lambda: len(js(page, "return paper.leads")) == 12)
    high, wide = js(page, PULSE)
    assert high == pytest.approx(10 * PX_PER_MM, abs=2)
    assert wide == pytest.approx(0.2 * 25 * PX_PER_MM, abs=2)


def test_what_stands_still_is_measured_by_mouse_and_by_keyboard(screen: Screen) -> None:
    page = screen.page
    stacked(page)
    waits(page, lambda: is_live(page) and len(edges(ink(page, 1))) >= 8)
    page.keyboard.press(" ")
    expect(page.locator("#mode")).to_contain_text("Not live")
    waits(page, lambda: len(edges(ink(page, 1))) >= 8)
    columns = ink(page, 1)
    time.sleep(0.5)
    assert (ink(page, 1) == columns).all()  # it stands still
    found = edges(columns)
    row = columns[columns[:, 0] >= 0]
    top, foot = int(row[:, 0].min()), int(row[:, 1].max())
    box = page.locator("#paper").bounding_box()
    assert box is not None
    begin, end = found[1], found[3]  # from one rise or fall to the next of its kind
    page.mouse.move(box["x"] + begin, box["y"] + foot)
    page.mouse.down()
    page.mouse.move(box["x"] + end, box["y"] + top, steps=5)
    page.mouse.up()
    ms, per_min, mv = js(page, "const {ms, perMin, mv} = calipers.reading; return [ms, perMin, mv]")
    assert ms == pytest.approx(1000, abs=22)
    assert per_min == pytest.approx(60, abs=1.5)
    assert mv == pytest.approx(1.0, abs=0.1)
    expect(page.locator("#reading")).to_contain_text(f"{round(ms)} ms")
    page.keyboard.press("m")
    shot(page, "calipers")
    page.keyboard.press("c")
    assert js(page, "return calipers.reading") is None
    page.keyboard.press("c")
    expect(page.locator("#caliper-1")).to_be_focused()
    before = js(page, "return calipers.reading")
    for key in ("ArrowLeft", "Shift+ArrowLeft", "ArrowUp", "Shift+ArrowDown"):
        page.keyboard.press(key)
    after = js(page, "return calipers.reading")
    assert after["ms"] - before["ms"] == pytest.approx(22)
    assert after["mv"] - before["mv"] == pytest.approx(0.18)
    page.keyboard.press("Tab")
    expect(page.locator("#caliper-2")).to_be_focused()
    page.keyboard.press(" ")
    waits(page, lambda: is_live(page))
    assert screen.said == []


def test_one_scrolls_back_from_what_came_live_into_the_store_without_a_seam(
    centre: Centre, screen: Screen
) -> None:
    page = screen.page
    waits(page, lambda: is_live(page))
    first = js(page, "return tape.endMs") - 28_000
    page.keyboard.press("PageUp")
    expect(page.locator("#mode")).to_contain_text("Not live")
    found: list[list[int]] = []

    # The newest seconds are never stored yet; what lay before them when the page was opened is, by and by.
    def whole() -> bool:
        end = js(page, "return tape.endMs")
        found[:] = js(page, SAMPLES, first, end)
        return len({live for *_, live in found}) == 2 and len(found) >= (end - first) / 1000 * RATE - 1

    until(whole, lambda: (len(found), {live for *_, live in found}))
    shot(page, "seam")
    end = first + 25_000
    at = np.array([index for index, *_ in found])
    assert (np.diff(at) == 1).all()
    assert ([value for _, value, _ in found] == at % MOD).all()
    assert js(page, 'return tape.holes("131329", ...given)', first, end) == []
    for _ in range(3):
        page.keyboard.press("PageUp")
    earlier = max(first - 20_000, centre.bed.calibrator.session / 1e6 + 103_000)  # behind what was lost
    waits(page, lambda: len(js(page, SAMPLES, earlier, end)) >= (end - earlier) / 1000 * RATE)
    at = np.array([index for index, *_ in js(page, SAMPLES, earlier, end)])
    assert (np.diff(at) == 1).all()
    assert screen.said == []


def test_gaps_and_electrodes_that_are_off_are_shown_as_such(centre: Centre, screen: Screen) -> None:
    page, calibrator = screen.page, centre.bed.calibrator
    page.goto(f"{centre.bed.path}?at={calibrator.session // 10**6 + 101_000}")
    stacked(page)
    waits(page, lambda: len(js(page, "return paper.leads")) == 12 and (ink(page, 1)[:, 0] >= 0).any())
    expect(page.locator("#mode")).to_contain_text("Not live")

    def widest() -> float:
        empty = np.flatnonzero(ink(page, 1)[80:, 0] >= 0)
        return float(np.diff(empty).max()) if empty.size > 1 else 0.0

    waits(page, lambda: widest() == pytest.approx(75 * PX_PER_MM, abs=20))
    # Lost packets are a hole of just their length, and nothing is drawn there.
    (hole,) = js(
        page, 'return tape.holes("131329", ...given)', *(calibrator.session / 1e6 + s for s in (98e3, 106e3))
    )
    assert hole[1] - hole[0] == pytest.approx(3000, abs=5)
    shot(page, "gap")
    page.goto(f"{centre.bed.path}?at={calibrator.session // 10**6 + 66_000}")
    waits(
        page,
        lambda: bool(
            js(page, 'return tape.pieceAt("131336", given[0])?.isOff', calibrator.session / 1e6 + 66_000)
        ),
    )
    waits(page, lambda: len(js(page, "return paper.leads")) == 12)
    page.locator("#sheet").evaluate("sheet => { sheet.scrollTop = sheet.scrollHeight }")
    waits(page, lambda: (ink(page, 11)[:, 0] >= 0).any())
    shot(page, "lead-off")
    assert js(page, "return tape.beats(given[0], given[0] + 10000).map(b => b[1]).join('')",
              calibrator.session / 1e6 + 60_000) == "NNNNNVNNNN"  # fmt: skip


def test_a_strip_is_printed_once_it_is_stored(centre: Centre, screen: Screen) -> None:
    page = screen.page
    waits(page, lambda: is_live(page))
    page.keyboard.press("p")  # it freezes first
    link = page.locator("#print")
    expect(page.locator("#mode")).to_contain_text("Not live")
    # The newest seconds are stored soon; now and then a block ends just here.
    told = link.evaluate("link => [link.innerText, link.ariaDisabled]")
    assert told in (["Print soon", "true"], ["Print 10 s", "false"])
    expect(link).to_have_attribute("aria-disabled", "false", timeout=180_000)
    answer = page.context.request.get(link.get_attribute("href") or "")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.body().startswith(b"%PDF")
    if folder := os.environ.get("ECGSTREAM_SCREENSHOTS"):
        (Path(folder) / "strip.pdf").write_bytes(answer.body())


def test_another_session_with_another_gain_is_drawn_rightly_and_marked(
    centre: Centre, screen: Screen
) -> None:
    page, ward = screen.page, centre.bed.calibrator.ward
    bed = worn(centre.house, ward, 2, 8, leads=3)
    bed.calibrator.catch_up()
    page.goto(bed.path)
    waits(page, lambda: len(js(page, "return paper.leads")) == 3)
    bed.calibrator.gain = 400.0
    bed.calibrator.begin((time.time_ns() // SECOND_NS + 1) * SECOND_NS)
    with bed.calibrator.sending():
        waits(page, lambda: len(js(page, "return tape.sessions")) == 2)
        waits(page, lambda: js(page, "return tape.endMs - tape.sessions[1].fromMs") > 4000)
        page.keyboard.press(" ")
        waits(page, lambda: len(js(page, "return tape.changes(-Infinity, Infinity)")) == 1)
        ((at, what),) = js(page, "return tape.changes(-Infinity, Infinity)")
        assert at == pytest.approx(bed.calibrator.session / 1e6)
        assert what == ["session", "gain"]
        levels = """const found = [];
        const highest = piece => (Math.max(...piece.samples) - piece.offset) / piece.gain;
        tape.each("131330", -Infinity, Infinity, piece => found.push(highest(piece)));
        return found;"""
        assert set(js(page, levels)) == {1}  # a millivolt before and behind
        shot(page, "session")


def test_a_lost_line_is_said_and_nothing_old_looks_live(centre: Centre, screen: Screen) -> None:
    page = screen.page
    waits(page, lambda: is_live(page))
    page.context.set_offline(True)
    expect(page.locator("#off")).to_contain_text("nothing here is live", timeout=15_000)
    expect(page.locator("#veil")).to_be_visible()
    expect(page.locator("#mode")).to_have_text("Not live")
    shot(page, "lost")
    page.context.set_offline(False)
    waits(page, lambda: is_live(page))
    expect(page.locator("#off")).to_be_hidden()


def test_a_device_that_falls_silent_is_veiled(centre: Centre, screen: Screen) -> None:
    bed = worn(centre.house, centre.bed.calibrator.ward, 3, 8)
    bed.calibrator.catch_up()
    page = screen.page
    page.goto(bed.path)
    expect(page.locator("#veil")).to_contain_text("No signal for", timeout=30_000)
    expect(page.locator("#mode")).to_have_text("Not live")


def test_nobody_sees_what_is_not_theirs(centre: Centre, screen: Screen) -> None:
    page = screen.page
    page.context.clear_cookies()
    log_in(page, centre.house.account("clinic_a"), "/clinic")
    answer = page.goto(centre.bed.path)
    assert answer is not None
    assert answer.status == 404
    assert centre.bed.patient not in page.inner_text("main")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_is_whole_in_both_languages_and_without_serious_faults(
    centre: Centre, screen: Screen, language: str
) -> None:
    page = screen.page
    page.goto(f"/language/{language}?to={centre.bed.path}")
    waits(page, lambda: len(js(page, "return paper.leads")) == 12)
    page.keyboard.press("c")
    waits(page, lambda: page.locator("#caliper-1").is_visible())
    shot(page, f"still-{language}")
    found = Axe().run(page).response["violations"]
    assert [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in SERIOUS] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    assert screen.said == []


def test_an_alarm_is_said_and_its_event_leads_to_its_onset_by_keyboard(
    centre: Centre, screen: Screen
) -> None:
    page, calibrator = screen.page, centre.bed.calibrator
    waits(page, lambda: is_live(page))
    raised = condition(calibrator.device, Phase.ONSET, 4, begin_ns=time.time_ns() - 4 * SECOND_NS)
    calibrator.ward.send(raised)
    expect(page.locator("#alarm")).to_contain_text("!!! Asystole", timeout=30_000)
    event = page.locator("#live a", has_text="Asystole")
    expect(event).to_be_visible(timeout=60_000)
    shot(page, "alarm")
    event.press("Enter")
    expect(page.locator("#mode")).to_contain_text("Not live")
    onset_ms = raised.onset_ns // 10**6
    # It stands a third from the left, with its signal.
    share = """const {from, to} = calipers.stretch, at = tape.placeOf(given[0]);
    return tape.leads(at, at + 1000).length === 12 ? (at - from) / (to - from) : NaN;"""
    waits(page, lambda: js(page, share, onset_ms) == pytest.approx(1 / 3, abs=0.01))
    shot(page, "onset")
    page.goto(f"{centre.bed.path}?at={onset_ms}&device={calibrator.device}")  # as from an alarm's page
    waits(page, lambda: js(page, share, onset_ms) == pytest.approx(1 / 3, abs=0.01))
    expect(page.locator("#mode")).to_contain_text("Not live")


def test_a_share_shows_what_it_opens_and_nothing_live(centre: Centre, screen: Screen) -> None:
    page, calibrator = screen.page, centre.bed.calibrator
    begin = datetime.fromtimestamp(calibrator.session / 1e9, UTC)
    with connect(centre.house.url, role="ecg_registry") as registry:
        opened = {
            "since": begin,
            "until": begin + timedelta(seconds=40),
            "expires": begin + timedelta(days=1),
        }
        account = centre.house.account("expert")
        insert(
            registry, "share", patient=centre.bed.patient, account=account, **opened, reason="t", said_by="t"
        )
    page.context.clear_cookies()
    log_in(page, account, centre.bed.path)
    expect(page.locator("#mode")).to_contain_text("Not live · from", timeout=30_000)
    expect(page.locator("#freeze")).to_be_disabled()
    first, last = calibrator.session / 1e6, calibrator.session / 1e6 + 120_000
    page.keyboard.press("Home")
    waits(page, lambda: len(js(page, SAMPLES, first, last)) == 40 * RATE)
    for _ in range(6):
        page.keyboard.press("PageDown")
    page.wait_for_load_state("networkidle")
    assert len(js(page, SAMPLES, first, last)) == 40 * RATE
    assert screen.said == []


def test_keys_alone_lead_to_a_time_an_event_and_back(centre: Centre, screen: Screen) -> None:
    page, calibrator = screen.page, centre.bed.calibrator
    waits(page, lambda: is_live(page))
    page.keyboard.press("g")
    expect(page.locator("#time")).to_be_focused()
    wanted_ms = calibrator.session // 10**6 + 30_000
    script = """([ms, zone]) => new Date(ms).toLocaleString("sv-SE", {timeZone: zone}).replace(" ", "T")"""
    zone = page.locator("#ecg").get_attribute("data-zone")
    page.locator("#time").fill(page.evaluate(script, [wanted_ms, zone]))
    page.keyboard.press("Enter")
    waits(page, lambda: len(js(page, SAMPLES, wanted_ms - 1000, wanted_ms + 2000)) >= 3 * RATE)
    page.locator("#sheet").focus()
    page.keyboard.press("Home")
    waits(
        page,
        lambda: len(js(page, SAMPLES, calibrator.session / 1e6, calibrator.session / 1e6 + 1000)) >= RATE,
    )
    page.keyboard.press("End")
    waits(page, lambda: is_live(page))
    assert screen.said == []
