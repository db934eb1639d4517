"""A ventricular tachycardia from the wall to the history: it sounds, escalates, is taken on, is found."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ecgstream.commands import roster as roster_command
from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from schemas import topics
from schemas.records import Phase
from tests.alerts.receiver import Receiver
from tests.system.command import Command
from tests.system.ecg_screen import log_in
from tests.system.monitor_house import House, made_house
from tests.system.pager_ward import PATIENCE_S, PagerProcess, Ward, condition, until
from tests.system.test_monitor_kafka import monitor

SEEN_MS = 60_000
CODE, NAME = "VENTRICULAR_TACHYCARDIA", "Ventricular tachycardia"
ROSTER = """
version = 1
fallback = "centre"

[[person]]
account = "{first}"

[[person]]
account = "{second}"

[[team]]
name = "centre"
region = "R"
zone = "Asia/Shanghai"
members = ["{first}", "{second}"]
backup = ["{second}"]
escalate_after_s = {{ high = [3, 300] }}

[[weekly]]
team = "centre"
person = "{first}"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "00:00"
to = "00:00"
"""


@pytest.fixture(scope="module", params=["plain"])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    with made_house(request) as (made, _):
        yield made


@pytest.fixture
def ward(kafka: str) -> Iterator[Ward]:
    made = Ward(kafka)
    yield made
    # Other tests' pagers follow the same topic.
    made.producer.send(topics.ROSTER.name, None, key=b"roster", partition=0).get(10)
    made.producer.close()


@contextmanager
def sink(settings: Settings, url: str, log: Path) -> Iterator[None]:
    """`ecgstream sink`, which writes what the pager tells."""
    given = {k: v for k, v in os.environ.items() if not k.startswith("ECGSTREAM_")}
    with log.open("ab") as out:
        argv = [sys.executable, "-m", "ecgstream", "sink"]
        environment = given | settings.environment() | {"ECGSTREAM_DATABASE": url}
        process = subprocess.Popen(argv, env=environment, stderr=out)
    try:
        yield
        process.terminate()
        assert process.wait(PATIENCE_S) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


@contextmanager
def paging(ward: Ward, receiver: Receiver, log: Path) -> Iterator[None]:
    """`ecgstream pager`, until the block is left, however it is."""
    pager = PagerProcess(ward.settings, receiver.url, log)
    try:
        until(lambda: "alerts_rebuilt" in log.read_text())
        yield
    finally:
        ended = pager.end()
    assert ended == 0, log.read_text()


def test_it_sounds_escalates_is_taken_on_and_is_found_in_the_history(
    ward: Ward,
    house: House,
    chromium: Browser,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ECGSTREAM_KAFKA", ward.settings.kafka)
    first, second = house.account("cardiologist"), house.account("clinic_a")
    file = tmp_path / "roster.toml"
    file.write_text(ROSTER.format(first=first, second=second))
    Command(roster_command.app, "", capsys)("publish", file, "--by", "planner")
    # At B: whoever stands at the root sees also the devices of all other tests, which a sink has met.
    with connect(house.url, role="ecg_registry") as registry:
        house._device(registry, ward.device(), "B", f"p-{ward.device()}", ward.device())
    log = tmp_path / "monitor.log"
    settings = Settings(**ward.settings.model_dump() | {"monitor_database": house.login, "monitor_port": 0})
    with (
        Receiver() as receiver,
        sink(ward.settings, house.url, tmp_path / "sink.log"),
        paging(ward, receiver, tmp_path / "pager.log"),
        monitor(settings, log) as client,
    ):
        context = chromium.new_context(base_url=str(client.base_url).rstrip("/"), locale="en-GB")
        wall = context.new_page()
        log_in(wall, first, "/wall?at=B&sectors=8")
        wall.keyboard.press("Escape")  # browsers let a page sound once somebody has touched it
        sector = wall.locator(".sector", has_text=ward.device())
        expect(sector).to_be_visible(timeout=SEEN_MS)
        ward.send(condition(ward.device(), Phase.ONSET, 4, CODE))

        expect(sector.locator(".banner")).to_contain_text(f"!!!{NAME}", timeout=SEEN_MS)
        until(lambda: int(wall.evaluate("document.body.dataset.bursts") or 0) > 0)
        shot(wall, "vt-wall")

        until(lambda: called(receiver, ward.device()) == {first, second})

        desk = context.new_page()
        desk.goto("/alarms")
        row = desk.get_by_role("row").filter(has_text=ward.device())
        row.get_by_role("link", name="Open").click()
        expect(desk.locator(".turns")).to_contain_text(second, timeout=SEEN_MS)
        shot(desk, "vt-escalated")
        desk.get_by_label("Why, in a few words").fill("I am on my way")
        desk.get_by_role("button", name="I take it on").click()
        expect(desk.get_by_role("status")).to_be_visible(timeout=SEEN_MS)
        expect(sector).not_to_have_class("sector open", timeout=SEEN_MS)
        expect(sector.locator(".banner")).to_contain_text("acknowledged", timeout=SEEN_MS)

        ward.send(replace(condition(ward.device(), Phase.END, 12, CODE), evidence={}))
        until(lambda: ward.device() not in opened(desk, "/alarms"))
        until(lambda: ward.device() in opened(desk, "/alarms/history"))
        found = desk.get_by_role("row").filter(has_text=ward.device())
        expect(found).to_contain_text(NAME)
        expect(found).to_contain_text("I am on my way")
        shot(desk, "vt-history")
        context.close()


def called(receiver: Receiver, device: str) -> set[str]:
    """Return who was paged because of a device."""
    return {page["account"] for page in list(receiver.pages.values()) if page["device"] == device}


def opened(page: Page, to: str) -> str:
    """Return what a page says when it is opened anew."""
    page.goto(to)
    return page.inner_text("main")


def shot(page: Page, name: str) -> None:
    """Write a screenshot where somebody wants to look at it."""
    if folder := os.environ.get("ECGSTREAM_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")
