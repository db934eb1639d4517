"""The ECG in the page of a case, in a real browser: the stretch and no more, as long as the case opens it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from ecgstream.consulting import store
from ecgstream.consulting.case import Act
from ecgstream.consulting.store import Asking, Terms, Urgency
from ecgstream.registry import people
from ecgstream.registry.people import Person, Position
from ecgstream.registry.roles import Kind
from ecgstream.store.connection import connect
from tests.ecgstream.web.served import served
from tests.system.monitor_house import DEVICES, NOW, PASSWORD, PATIENTS, House, made_house
from tests.system.reported import MINUTES, measure
from tests.system.test_monitor_browser import context, faults, log_in, shots

SINCE, UNTIL = NOW - timedelta(minutes=30), NOW - timedelta(minutes=10)
GAP_S = (65, 69)
"""Of the stretch: in it nothing was measured."""
PX_PER_S = 25 * 96 / 25.4
__all__ = ["context", "shots"]


@pytest.fixture(scope="module", params=["plain"])
def made(request: pytest.FixtureRequest) -> Iterator[tuple[House, str]]:
    before = MINUTES * 60 - 30 * 60
    with made_house(request) as (house, app), served(app) as client:
        measure(house.url, DEVICES["A"], {before + s for s in range(*GAP_S)})
        with connect(house.url, role="ecg_registry") as registry:
            expert = Person(house.account("seer"), "Two", (Position(Kind.EXPERT, "R"),))
            people.add(registry, [expert], "test")
            people.set_password(registry, expert.account, PASSWORD, "test")
        yield house, str(client.base_url).rstrip("/")


def ask(house: House) -> UUID:
    who, question = house.account("clinic_a"), "Pauses?"
    urgency = Urgency.ROUTINE
    asking = Asking(uuid4(), who, PATIENTS["A"], SINCE, UNTIL, "A", "R", urgency, question)
    with connect(house.url, role="ecg_registry") as registry:
        assert store.ask(registry, asking, Terms()) == ""
    return asking.id


def withdraw(house: House, case: UUID) -> None:
    with connect(house.url, role="ecg_registry") as registry:
        (one,) = store.load(registry, id=case)
        assert store.go_on(registry, case, house.account("clinic_a"), one.newest, Act.WITHDRAWN) == ""


def js(page: Page, script: str) -> Any:
    """What a script returns that knows the page's own tape and paper."""
    head = 'async () => { const {tape, paper} = await import("/static/case.js"); '
    return page.evaluate(head + script + " }")


def ink(page: Page) -> list[bool]:
    """Whether there is ink, from column to column of the first lead."""
    found: list[bool] = js(
        page,
        """const {data, width} = paper.ink.getImageData(0, 0, paper.ink.canvas.width, paper.rows[0].height);
        const found = Array(width).fill(false);
        for (let i = 3; i < data.length; i += 4) if (data[i] > 127) found[(i >> 2) % width] = true;
        return found;""",
    )
    return found


def is_read(page: Page) -> None:
    expect(page.locator("#filters")).to_contain_text("monitoring bandwidth")
    expect(page.locator("#none")).to_be_hidden()


def go(page: Page, seconds: int) -> None:
    """Move to a second of the stretch."""
    page.locator("#place").evaluate(
        "(e, value) => { e.value = value; e.dispatchEvent(new Event('input')); }", seconds
    )


def test_who_is_asked_sees_the_stretch_and_no_more(
    made: tuple[House, str], context: BrowserContext, shots: Path
) -> None:
    house, case = made[0], ask(made[0])
    page = log_in(context, house.account("seer"), f"/consultation/{case}")
    is_read(page)
    assert faults(page) == []
    page.screenshot(path=shots / "consult-strip-en.png", full_page=True)
    assert js(page, "return [paper.leads.map(l => paper.name(l.key)), paper.spanMs >= 10000]") == [
        ["II", "V1"],
        True,
    ]
    expect(page.get_by_role("button", name="A screen back")).to_be_disabled()
    page.get_by_role("button", name="A screen on").focus()
    page.keyboard.press("Enter")
    span_s = js(page, "return paper.spanMs") / 1000
    begin_ms = SINCE.timestamp() * 1000
    look = page.get_by_role("link", name="Look at it in full: calipers, print, events")
    assert f"at={begin_ms + span_s * 1000:.0f}" in (look.get_attribute("href") or "")

    go(page, 60)
    is_read(page)
    columns = ink(page)
    begins = js(page, "return paper.width - paper.spanMs * paper.pxPerMs")
    lit = [
        any(columns[int(begins + s * PX_PER_S) + 5 : int(begins + (s + 1) * PX_PER_S) - 5]) for s in range(10)
    ]
    assert [s + 60 for s, is_lit in enumerate(lit) if not is_lit] == [*range(*GAP_S)]
    page.screenshot(path=shots / "consult-strip-gap-en.png", full_page=True)

    go(page, 20 * 60)
    is_read(page)
    expect(page.get_by_role("button", name="A screen on")).to_be_disabled()
    assert all(ink(page)[int(begins) + 5 : -5])
    page.screenshot(path=shots / "consult-strip-end-en.png", full_page=True)
    newest = js(page, "return tape.timeAt(tape.storedMs)")
    assert newest == pytest.approx(UNTIL.timestamp() * 1000)
    with connect(house.url) as owner:
        query = (
            "SELECT kind, object, detail->>'page', detail->>'device' FROM ecg.audit_inbox"
            " WHERE who = %s AND action = 'read' ORDER BY id"
        )
        told = owner.execute(query, (house.account("seer"),)).fetchall()
    assert told[0] == ("consultation", str(case), "/consultation/{id}", None)
    assert ("patient", PATIENTS["A"], "/signal/{patient:path}", DEVICES["A"]) in told

    look.click()
    expect(page.locator("#sheet")).to_be_visible()
    assert "/ecg/" in page.url
    withdraw(house, case)


def test_with_the_case_the_strip_is_gone_for_who_sees_it_by_the_case_alone(
    made: tuple[House, str], context: BrowserContext, shots: Path
) -> None:
    house, case = made[0], ask(made[0])
    page = log_in(context, house.account("seer"), f"/consultation/{case}")
    is_read(page)
    withdraw(house, case)
    go(page, 600)  # on a page that is still open
    expect(page.locator("#none")).to_have_text("You may not see what is stored")
    assert js(page, "return [tape.sessions.length, paper.leads.length]") == [0, 0]
    page.screenshot(path=shots / "consult-strip-lost-en.png", full_page=True)
    answer = page.goto(f"/consultation/{case}")
    assert answer is not None
    assert answer.status == 404

    asking = log_in(context_of(context), house.account("clinic_a"), f"/consultation/{case}")
    is_read(asking)  # their own patient
    expect(asking.locator(".head .status")).to_have_text("Withdrawn")
    asking.screenshot(path=shots / "consult-strip-over-en.png", full_page=True)
    asking.context.close()


def test_on_a_narrow_screen_ten_seconds_scroll(
    made: tuple[House, str], context: BrowserContext, shots: Path
) -> None:
    house, case = made[0], ask(made[0])
    page = log_in(context, house.account("clinic_a"), "/consultations")
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"/language/zh?to=/consultation/{case}")
    expect(page.locator("#filters")).to_contain_text("监护带宽")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("#sheet").evaluate("e => e.scrollWidth > e.clientWidth")
    assert js(page, "return paper.spanMs") == pytest.approx(10_000, rel=0.01)
    assert faults(page) == []
    page.screenshot(path=shots / "consult-strip-narrow-zh.png", full_page=True)


def context_of(other: BrowserContext) -> BrowserContext:
    """A browser of somebody else."""
    browser, url = other.browser, other.pages[0].evaluate("location.origin")
    assert browser is not None
    found = browser.new_context(base_url=url, viewport={"width": 1440, "height": 900}, locale="en-GB")
    found.set_default_timeout(60_000)
    return found
