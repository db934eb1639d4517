"""A report in a real browser: asked for by keyboard, waited for, signed, had as a file; in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.ecgstream.web.served import served
from tests.system.monitor_house import DEVICES, PASSWORD, PATIENTS, House, made_house
from tests.system.reported import HOUR, RESTING, measure, typed
from tests.system.resting import record
from tests.system.test_monitor_browser import context, faults, log_in, shots

OF_A = f"/patient/{quote(PATIENTS['A'])}"
__all__ = ["context", "shots"]


@pytest.fixture(scope="module", params=["plain"])
def made(request: pytest.FixtureRequest) -> Iterator[tuple[House, str]]:
    with made_house(request) as (house, app), served(app) as client:
        measure(house.url, DEVICES["A"])
        record(house.url, DEVICES["A"], RESTING, session=2)
        yield house, str(client.base_url).rstrip("/")


def test_a_report_is_made_signed_and_amended_by_keyboard(
    made: tuple[House, str], context: BrowserContext, shots: Path
) -> None:
    page = log_in(context, made[0].account("cardiologist"), OF_A)
    page.get_by_role("link", name="Reports").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Between two times").focus()
    page.keyboard.press("Space")
    page.get_by_label("From").fill(HOUR["since"])
    page.get_by_label("To", exact=True).fill(HOUR["until"])
    assert faults(page) == []
    page.screenshot(path=shots / "reports-new-en.png", full_page=True)
    page.get_by_role("button", name="Make the report").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/making/*")
    page.screenshot(path=shots / "report-making-en.png")
    assert faults(page) == []
    page.wait_for_url("**/report/*")  # by itself, as it is made
    expect(page.get_by_text("Preliminary: made by software")).to_be_visible()
    assert faults(page) == []
    page.screenshot(path=shots / "report-preliminary-en.png", full_page=True)
    said = page.get_by_role("textbox", name="Conclusion")
    said.fill("Sinus rhythm, one pause of 3 s.\n窦性心律，نظم جيبي 🫀")
    page.get_by_label("Your password").first.fill("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#fault")).to_contain_text("not your password")
    expect(said).to_have_value(re.compile("one pause"))
    page.screenshot(path=shots / "report-wrong-password-en.png", full_page=True)
    page.get_by_label("Your password").first.fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator(".words.said")).to_contain_text("Signed")
    expect(page.locator(".conclusion")).to_contain_text("窦性心律")
    assert faults(page) == []
    page.screenshot(path=shots / "report-final-en.png", full_page=True)
    where = page.url.partition("?")[0]
    with page.expect_download() as file:
        page.get_by_role("link", name="FHIR R5").click()
    assert file.value.suggested_filename.endswith("-final.fhir.json")
    for language in ("en", "zh"):
        pdf = page.request.get(f"{where}/pdf?language={language}")
        (shots / f"report-{language}.pdf").write_bytes(pdf.body())
    page.get_by_role("button", name="Amend: make a new version").click()
    page.wait_for_url(re.compile(r"/report/[0-9a-f-]+$"))
    page.get_by_role("textbox", name="Conclusion").fill("Amended.")
    page.get_by_label("Your password").first.fill(PASSWORD)
    page.get_by_role("button", name=re.compile("^Sign as")).click()
    expect(page.locator(".head .status")).to_have_text("Final, amends an earlier report")
    page.goto(where)
    expect(page.get_by_role("link", name="Amended by a later report")).to_be_visible()
    page.screenshot(path=shots / "report-amended-en.png", full_page=True)
    for name, size in (("zh", (1440, 900)), ("narrow", (360, 740))):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.goto(f"/language/zh?to={quote(where.partition('//')[2].partition('/')[2].join(('/', '')))}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert faults(page) == []
        page.screenshot(path=shots / f"report-{name}.png", full_page=True)
        page.goto(f"/reports/{quote(PATIENTS['A'])}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert faults(page) == []
        page.screenshot(path=shots / f"reports-{name}.png", full_page=True)


def test_a_resting_ecg_is_reported_by_keyboard(
    made: tuple[House, str], context: BrowserContext, shots: Path
) -> None:
    page = log_in(context, made[0].account("cardiologist"), f"/reports/{quote(PATIENTS['A'])}")
    page.get_by_label("Ten seconds of a resting ECG").focus()
    page.keyboard.press("Space")
    page.get_by_label("Resting ECG begins at").fill(typed(RESTING))
    assert faults(page) == []
    page.screenshot(path=shots / "reports-resting-en.png", full_page=True)
    page.get_by_role("button", name="Make the report").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/report/*")
    expect(page.get_by_role("heading", name="Report of a resting ECG")).to_be_visible()
    assert faults(page) == []
    page.screenshot(path=shots / "report-resting-en.png", full_page=True)
    page.goto(f"/language/zh?to=/report/{page.url.rpartition('/')[2]}")
    expect(page.get_by_role("heading", name="静息心电图报告")).to_be_visible()
    assert faults(page) == []
    page.screenshot(path=shots / "report-resting-zh.png", full_page=True)
