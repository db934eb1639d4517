"""A shift in a real browser: limits are changed and hold; an alarm is judged, changed and counted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, expect

from ecgstream.store.connection import connect
from tests.ecgstream.web.served import served
from tests.system.monitor_house import PATIENTS, House, made_house
from tests.system.test_monitor_browser import context, faults, log_in, shots

OF_A = f"/patient/{quote(PATIENTS['A'])}"
__all__ = ["context", "shots"]


@pytest.fixture(scope="module", params=["plain"])
def made(request: pytest.FixtureRequest) -> Iterator[tuple[House, str]]:
    with made_house(request) as (house, app), served(app) as client:
        with connect(house.url, autocommit=True) as owner:
            owner.execute("UPDATE ecg.alert SET calls = 1 WHERE priority = 'HIGH'")
        yield house, str(client.base_url).rstrip("/")


def test_limits_are_changed_by_keyboard_and_hold(
    made: tuple[House, str], context: BrowserContext, shots: Path
) -> None:
    house = made[0]
    page = log_in(context, house.account("clinic_a"), OF_A)
    page.set_viewport_size({"width": 1366, "height": 768})
    heart = page.locator(".limits tbody tr").filter(has_text="Heart rate")
    heart.locator("summary").focus()
    page.keyboard.press("Enter")
    low, high = heart.get_by_label(re.compile("^Low")), heart.get_by_label(re.compile("^High"))
    high.fill("900")
    heart.get_by_label(re.compile("^Why")).fill("athlete")
    low.fill("40")
    page.keyboard.press("Enter")
    expect(heart.locator(".fault")).to_contain_text("15 to 300")
    expect(low).to_have_value("40")
    assert faults(page) == []
    heart.scroll_into_view_if_needed()
    page.screenshot(path=shots / "limits-refused.png")
    high.fill("150")
    page.keyboard.press("Enter")
    expect(page.locator(".limits .said")).to_contain_text("Heart rate: limits 40 to 150")
    page.reload()
    expect(heart.locator("td").nth(0)).to_have_text("40")
    expect(heart.locator("td").nth(1)).to_have_text("150")
    expect(heart).to_contain_text("athlete")
    assert faults(page) == []
    page.goto(f"/language/zh?to={quote(OF_A)}")
    page.screenshot(path=shots / "limits-zh.png", full_page=True)


def test_an_alarm_is_judged_changed_and_counted(
    made: tuple[House, str], context: BrowserContext, shots: Path
) -> None:
    house = made[0]
    page = log_in(context, house.account("clinic_a"), "/alarms/history")
    alarm = page.get_by_role("row").filter(has_text="Ventricular tachycardia")
    alarm.get_by_role("button", name="False").focus()
    page.keyboard.press("Enter")
    said = page.locator(".words.said")
    expect(said).to_contain_text("False alarm")
    page.screenshot(path=shots / "judged.png")
    page.goto("/alarms/statistics")
    counted = page.get_by_role("row").filter(has_text="Ventricular tachycardia")
    expect(counted).to_contain_text("100.0 %")
    page.go_back()
    said.get_by_role("button", name="True").click()
    expect(said).to_contain_text(": True")
    expect(alarm.get_by_role("button", name="True")).to_have_attribute("aria-pressed", "true")
    page.goto("/alarms/statistics")
    expect(counted).to_contain_text("0.0 %")
    assert faults(page) == []


def test_the_queue_goes_on_while_the_keyboard_stands_on_a_button(
    made: tuple[House, str], context: BrowserContext
) -> None:
    """And Enter there means the alert that stood there, whatever has come above it."""
    house = made[0]
    first = house.open_alert("A")
    with connect(house.url, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO ecg.alert SELECT (a).* FROM (SELECT jsonb_populate_record(t,"
            " jsonb_build_object('id', %s::text, 'state', 'ACTIVE')) AS a FROM ecg.alert AS t"
            " WHERE device = %s LIMIT 1) AS one",
            (first.id, first.device),
        )
    page = log_in(context, house.account("clinic_a"), "/alarms")
    button = page.locator(f"[id='false-{first.id}']")
    button.focus()
    second = house.open_alert("A", condition="VENTRICULAR_FIBRILLATION")
    object.__setattr__(second, "onset_ns", first.onset_ns - 1)
    expect(page.get_by_role("row").filter(has_text="fibrillation")).to_be_visible(timeout=20_000)
    expect(button).to_be_focused()
    house.board.found.clear()
    expect(page.get_by_text("No alert is open")).to_be_visible(timeout=20_000)
    assert page.evaluate("document.activeElement === document.body")
