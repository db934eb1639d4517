"""The monitor in a real browser: every page in both languages, by keyboard alone, and when it is cut off."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.ecgstream.web.served import served
from tests.system.monitor_house import NAMES, PASSWORD, PATIENTS, House, made_house

OF_A = f"/patient/{quote(PATIENTS['A'], safe='')}"
PAGES = {
    "overview": "/overview",
    "alarms": "/alarms",
    "history": "/alarms/history",
    "statistics": "/alarms/statistics?days=7",
    "clinic": "/clinic",
    "patient": f"{OF_A}?hours=6",
    "duty": "/duty",
    "walls": "/walls?at=A",
    "handover": "/duty/handover",
    "state": "/state",
    "refused": "/patient/nobody",
}
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module", params=["plain"])
def made(request: pytest.FixtureRequest) -> Iterator[tuple[House, str]]:
    with made_house(request) as (house, app), served(app) as client:
        yield house, str(client.base_url).rstrip("/")


@pytest.fixture
def house(made: tuple[House, str]) -> House:
    made[0].board.found.clear()
    return made[0]


@pytest.fixture
def context(made: tuple[House, str], chromium: Browser) -> Iterator[BrowserContext]:
    found = chromium.new_context(base_url=made[1], viewport={"width": 1440, "height": 900}, locale="en-GB")
    found.set_default_timeout(60_000)
    yield found
    found.close()


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("ECGSTREAM_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def log_in(context: BrowserContext, account: str, to: str = "/clinic") -> Page:
    page = context.new_page()
    page.goto(to)
    page.get_by_label(re.compile("Account|账号")).fill(account)
    page.get_by_label(re.compile("Password|密码")).fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{to}")
    return page


def faults(page: Page) -> list[str]:
    """What axe-core finds that is serious, of the page with its styles: words may be there before these."""
    page.wait_for_load_state("load")
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in SERIOUS]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_is_whole_and_without_serious_faults(
    house: House, context: BrowserContext, shots: Path, language: str
) -> None:
    house.open_alert("A")
    alert = house.open_alert("B", condition="VENTRICULAR_FIBRILLATION")
    said: list[str] = []
    dialogs: list[str] = []
    context.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
    context.on("dialog", lambda d: dialogs.append(d.message))
    page = context.new_page()
    page.goto(f"/language/{language}?to=/login")
    page.screenshot(path=shots / f"login-{language}.png")
    assert faults(page) == []
    page.close()
    page = log_in(context, house.account("cardiologist"))
    for name, path in (PAGES | {"alarm": f"/alarms/{alert.id}"}).items():
        page.goto(path)
        page.screenshot(path=shots / f"{name}-{language}.png", full_page=True)
        assert faults(page) == [], path
        if name != "refused":  # whose status is an error, which the console repeats
            assert said == [], path
        said.clear()
        # Nothing is wider than the screen but what scrolls by itself.
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert dialogs == []  # what somebody typed ran nowhere
    page.goto("/overview")
    expect(page.get_by_text(NAMES["B"][language == "zh"])).to_be_visible()


def test_an_alert_is_taken_on_by_keyboard_alone(house: House, context: BrowserContext) -> None:
    alert = house.open_alert("A")
    page = log_in(context, house.account("cardiologist"), "/overview")
    keys = page.keyboard
    _tab_to(page, "Alarms")
    keys.press("Enter")
    page.wait_for_url("**/alarms")
    _tab_to(page, "Open")
    keys.press("Enter")
    page.wait_for_url("**/alarms/*")
    _tab_to(page, "")  # the field for why
    keys.type("at the bedside")
    keys.press("Tab")
    keys.press("Enter")
    page.wait_for_url("**said=acknowledged")
    assert house.said[0][:3] == (alert.id, house.account("cardiologist"), "at the bedside")
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def _tab_to(page: Page, words: str) -> None:
    """Press Tab until the element that has the keyboard begins with words; none: until it is a field."""
    for _ in range(60):
        page.keyboard.press("Tab")
        found = page.evaluate("[document.activeElement.innerText ?? '', document.activeElement.name ?? '']")
        if (words and found[0].startswith(words)) or (not words and found[1] == "reason"):
            return
    pytest.fail(f"the keyboard does not come to {words!r}")


def test_a_lost_connection_is_said_at_once_and_nothing_looks_live(
    house: House, context: BrowserContext, shots: Path
) -> None:
    house.open_alert("A")
    page = log_in(context, house.account("cardiologist"), "/overview")
    expect(page.locator("#link-words")).to_have_text("Connected")
    expect(page.locator("#lost")).to_be_hidden()
    struck = "getComputedStyle(document.querySelector('.site .value')).textDecorationLine"
    assert page.evaluate(struck) == "none"
    context.set_offline(True)
    expect(page.locator("#lost")).to_be_visible(timeout=8_000)
    expect(page.locator("#lost")).to_contain_text("look at the bedside")
    assert page.evaluate(struck) == "line-through"
    page.screenshot(path=shots / "lost.png")
    context.set_offline(False)
    expect(page.locator("#lost")).to_be_hidden(timeout=15_000)
    assert page.evaluate(struck) == "none"


def test_what_is_new_comes_by_itself(house: House, context: BrowserContext) -> None:
    page = log_in(context, house.account("cardiologist"), "/alarms")
    expect(page.get_by_text("No alert is open")).to_be_visible()
    house.open_alert("A")
    expect(page.get_by_role("row", name=re.compile("Asystole"))).to_be_visible(timeout=20_000)


def test_a_session_that_ended_leaves_nothing_on_the_screen(
    made: tuple[House, str], house: House, context: BrowserContext
) -> None:
    page = log_in(context, house.account("cardiologist"), "/clinic")
    cookie = next(one for one in context.cookies() if one["name"] == "session")
    csrf = page.locator("input[name=csrf]").first.input_value()
    with httpx.Client(base_url=made[1], trust_env=False) as elsewhere:
        elsewhere.post("/logout", data={"csrf": csrf}, headers={"cookie": f"session={cookie['value']}"})
    page.wait_for_url("**/login?to=%2Fclinic", timeout=20_000)
    expect(page.get_by_text(PATIENTS["A"])).to_have_count(0)
