"""The audit log in the monitor: auditors find what was done where they stand, and nobody else sees it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from psycopg.types.json import Jsonb

from ecgstream.audit import keys
from ecgstream.audit.sealer import ROLE, Chain
from ecgstream.commands.audit import app
from ecgstream.monitor.read.audit import MOST
from ecgstream.store.connection import connect
from tests.ecgstream.web.served import served
from tests.system.command import Command
from tests.system.monitor_house import PASSWORD, PATIENTS, House, log_in, made_house

SCRIPT = "<script>alert(1)</script> مريض"


@pytest.fixture(scope="module", params=["plain", "timescale"])
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[House, str]]:
    with made_house(request) as (house, asgi), served(asgi) as client:
        with connect(house.url, role="ecg_registry") as registry:
            for n in range(MOST + 20):
                said = ("li", "patient", PATIENTS["A"], Jsonb({"n": n, "words": SCRIPT}))
                registry.execute("SELECT ecg.note(%s, 'read', %s, %s, %s)", said)
            registry.execute("SELECT ecg.note('xu', 'read', 'patient', %s, '{}')", (PATIENTS["B"],))
        seal(house)
        file = tmp_path_factory.mktemp("key") / "audit.key"
        keys.create(file)
        with connect(house.url, autocommit=True, role=ROLE) as sealer:
            Chain(sealer).sign(keys.load(file))
        yield house, str(client.base_url).rstrip("/")


def seal(house: House) -> None:
    with connect(house.url, autocommit=True, role=ROLE) as sealer:
        Chain(sealer).seal()


@pytest.fixture
def house(made: tuple[House, str]) -> House:
    return made[0]


@pytest.fixture
def client(made: tuple[House, str]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=made[1], follow_redirects=False) as found:
        yield found


def numbers(page: str) -> list[int]:
    return [int(n) for n in re.findall(r'<td class="n">(\d+)</td>', page)]


def test_an_auditor_finds_what_was_done_where_they_stand(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("auditor_a"))
    first = client.get("/audit", params={"who": "li", "action": "read", "kind": "patient"})
    assert first.status_code == 200
    assert len(numbers(first.text)) == MOST
    assert "<script>alert" not in first.text
    (older,) = re.findall(r'href="(/audit\?[^"]*before=\d+)"', first.text)
    then = client.get(older.replace("&amp;", "&"))
    assert len(numbers(then.text)) == 20
    seen = numbers(first.text) + numbers(then.text)
    assert seen == sorted(set(seen), reverse=True)
    assert numbers(client.get("/audit?who=xu").text) == []  # of a patient elsewhere
    assert numbers(client.get("/audit?object=P-nobody").text) == []
    for strange in ("before=99999999999999999999", "before=-1", "days=x", "action=x", "who=%00", "kind='--"):
        assert client.get(f"/audit?{strange}").status_code in (200, 404), strange


def test_that_somebody_looks_is_an_entry(house: House, client: httpx.Client) -> None:
    account = house.account("auditor_a")
    log_in(client, account)
    client.get("/audit?days=30")
    seal(house)
    with connect(house.url, role=ROLE) as sealer:
        found = sealer.execute(
            "SELECT content::jsonb -> 'detail' FROM ecg.audit WHERE who = %s AND kind = 'audit'"
            " ORDER BY seq DESC LIMIT 1",
            (account,),
        ).fetchall()
    assert [(one["page"], one["days"]) for (one,) in found] == [("/audit", "30")]


@pytest.mark.parametrize("name", ["clinic_a", "cardiologist", "operator_a", "service_a", "expert", "nowhere"])
def test_nobody_else_sees_it(house: House, client: httpx.Client, name: str) -> None:
    log_in(client, house.account(name))
    assert client.get("/audit").status_code == 403
    if name != "nowhere":
        assert "/audit" not in client.get("/state").text


def test_how_the_chain_stands(house: House, client: httpx.Client, capsys: pytest.CaptureFixture[str]) -> None:
    log_in(client, house.account("auditor_a"))
    assert 'href="/audit"' in client.get("/state").text
    before = client.get("/audit").text
    assert "up to entry" in before
    assert ">never<" in before
    Command(app, house.url, capsys)("verify")
    seal(house)
    after = client.get("/audit").text
    assert "0 faults" in after
    assert "by operator" in after
    assert ">never<" not in after


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_in_a_browser_by_keyboard(
    made: tuple[House, str], chromium: Browser, tmp_path: Path, language: str
) -> None:
    house, address = made
    shots = Path(os.environ.get("ECGSTREAM_SCREENSHOTS", tmp_path))
    shots.mkdir(parents=True, exist_ok=True)
    context = chromium.new_context(base_url=address, viewport={"width": 1440, "height": 900}, locale="en-GB")
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(f"/language/{language}?to=/login")
    page.get_by_label(re.compile("Account|账号")).fill(house.account("auditor_a"))
    page.get_by_label(re.compile("Password|密码")).fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/overview")
    page.goto("/audit")
    tab_to(page, "who")
    page.keyboard.type("li")
    page.keyboard.press("Enter")
    page.wait_for_url("**who=li**")
    page.screenshot(path=shots / f"audit-{language}.png")
    tab_to(page, "SUMMARY")
    page.keyboard.press("Enter")
    expect(page.locator("details[open] code")).to_have_text(re.compile("^[0-9a-f]{64}$"))
    assert [
        one["id"]
        for one in Axe().run(page).response["violations"]
        if one["impact"] in ("serious", "critical")
    ] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=shots / f"audit-entry-{language}.png")
    context.close()


def tab_to(page: Page, what: str) -> None:
    """Press Tab until the keyboard is at a field of this name, or an element of this kind."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if what in page.evaluate("[document.activeElement.name ?? '', document.activeElement.tagName]"):
            return
    pytest.fail(f"the keyboard does not come to {what}")
