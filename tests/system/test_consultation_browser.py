"""A case of consultation in a real browser, by keyboard: asked, sent back, answered, closed; en and zh."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import wfdb
from playwright.sync_api import BrowserContext, Page, expect

from ecgstream.store.connection import connect
from tests.ecgstream.web.served import served
from tests.system.monitor_house import DEVICES, NOW, PASSWORD, PATIENTS, House, csrf_of, log_in, made_house
from tests.system.reported import HOUR, measure
from tests.system.test_monitor_browser import context, faults, shots
from tests.system.test_monitor_browser import log_in as enter

OF_A = f"/patient/{quote(PATIENTS['A'])}"
QUESTION = "停搏三秒，需要起搏器吗？ A pause of 3 s: <b>pacemaker</b>?"  # noqa: RUF001
__all__ = ["context", "shots"]


@pytest.fixture(scope="module", params=["plain"])
def made(request: pytest.FixtureRequest) -> Iterator[tuple[House, str]]:
    with made_house(request) as (house, app), served(app) as client:
        measure(house.url, DEVICES["A"])
        yield house, str(client.base_url).rstrip("/")


def press(page: Page, name: str, role: str = "button") -> None:
    page.get_by_role(role, name=name, exact=True).focus()  # type: ignore[arg-type]
    page.keyboard.press("Enter")


def whole(page: Page, shots: Path, name: str) -> None:
    assert faults(page) == [], name
    page.screenshot(path=shots / f"consult-{name}.png", full_page=True)


def test_a_case_is_asked_sent_back_answered_and_closed_by_keyboard(
    made: tuple[House, str], context: BrowserContext, shots: Path
) -> None:
    house = made[0]
    clinic, doctor = house.account("clinic_a"), house.account("cardiologist")
    page = enter(context, clinic, OF_A)
    press(page, "Ask for an opinion", "link")
    page.wait_for_url("**/consult/**")
    page.get_by_label("Between two times").focus()
    page.keyboard.press("Space")
    page.get_by_label("From").fill(HOUR["since"])
    page.get_by_label("To", exact=True).fill(HOUR["until"])
    page.get_by_role("radio", name=re.compile("^Emergency")).focus()
    page.keyboard.press("Space")
    whole(page, shots, "ask-en")
    page.get_by_label("Question").fill(QUESTION)
    press(page, "Ask")
    page.wait_for_url("**/consultation/*")
    case = page.url.partition("?")[0]
    expect(page.locator(".words.said")).to_have_text("Asked")
    expect(page.locator(".conclusion")).to_have_text(QUESTION)
    whole(page, shots, "asked-en")

    theirs = context.browser.new_context(base_url=made[1], locale="en-GB")  # type: ignore[union-attr]
    theirs.set_default_timeout(60_000)
    reader = enter(theirs, doctor, "/consultations")
    whole(reader, shots, "worklist-en")
    reader.get_by_role("rowheader").get_by_role("link").first.focus()
    reader.keyboard.press("Enter")
    press(reader, "Take it")
    expect(reader.locator(".words.said")).to_have_text("Taken")
    expect(reader.get_by_text("No facility above has a duty roster")).to_be_visible()
    reader.get_by_label("What is missing").fill("Which drugs?")
    press(reader, "Send back")
    expect(reader.locator(".head .status").first).to_contain_text("Sent back")

    page.goto(case)
    expect(page.locator(".turns")).to_contain_text("Which drugs?")
    page.get_by_label("What you add").fill("Digoxin 0.25 mg")
    whole(page, shots, "returned-en")
    press(page, "Ask again")
    expect(page.locator(".words.said")).to_have_text("Asked")
    reader.goto(case)
    press(reader, "Take it")
    expect(reader.locator(".words.said")).to_have_text("Taken")
    whole(reader, shots, "taken-en")
    press(reader, "Make the report")
    reader.wait_for_url("**/report/*")
    expect(reader.get_by_role("textbox", name="Conclusion")).to_be_visible()
    reader.get_by_role("textbox", name="Conclusion").fill("One pause of 3 s in the night.")
    reader.get_by_label("Your password").first.fill(PASSWORD)
    reader.keyboard.press("Enter")
    expect(reader.locator(".words.said")).to_contain_text("Signed")
    reader.goto(case)
    whole(reader, shots, "answer-en")
    press(reader, "Answer with this report")
    expect(reader.locator(".words.said")).to_have_text("Answered")
    assert faults(reader) == []

    reader.goto(case)
    press(reader, "Put into the teaching collection", "link")
    reader.get_by_label("Question").fill("A pause: does the patient need a pacemaker?")
    reader.get_by_label("Answer").fill("Seen on 3 March.")
    reader.get_by_role("checkbox").focus()
    reader.keyboard.press("Space")
    press(reader, "Put into the teaching collection")
    expect(reader.locator("#fault")).to_contain_text("a date stands in the words")
    whole(reader, shots, "teach-en")
    reader.get_by_label("Answer").fill("Not by one pause of 3 s without symptoms.")
    reader.get_by_role("checkbox").focus()
    reader.keyboard.press("Space")
    press(reader, "Put into the teaching collection")
    reader.wait_for_url("**/teaching/*")
    whole(reader, shots, "teaching-en")
    with reader.expect_download() as file:
        press(reader, "Signal, beats and rhythms (WFDB)", "link")
    is_of_nobody(house, Path(file.value.path()), shots)

    page.goto(f"/language/zh?to={quote(case.removeprefix(made[1]))}")
    whole(page, shots, "answered-zh")
    press(page, "答复：已签署的报告", "link")
    expect(page.locator(".conclusion")).to_contain_text("One pause of 3 s")
    page.goto("/consultations")
    whole(page, shots, "worklist-zh")
    page.set_viewport_size({"width": 360, "height": 740})
    for where in ("/consultations?all=1", case, f"/consult/{quote(PATIENTS['A'])}"):
        page.goto(where)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where
        whole(page, shots, f"narrow-{where.rpartition('/')[2][:8]}")
    page.goto(case)
    press(page, "结束：我已阅读答复")
    page.wait_for_url("**/consultations?done=closed")
    expect(page.locator("main")).to_contain_text("没有您可见的待处理会诊")
    with connect(house.url) as owner:
        query = (
            "SELECT who, action FROM ecg.audit_inbox WHERE kind = 'consultation' AND object = %s ORDER BY id"
        )
        told = owner.execute(query, (case.rpartition("/")[2],)).fetchall()
    done = [(who, act) for who, act in told if act != "read"]
    assert done == [
        (clinic, "asked"),
        (doctor, "taken"),
        (doctor, "sent_back"),
        (clinic, "asked"),
        (doctor, "taken"),
        (doctor, "answered"),
        (doctor, "taught"),
        (clinic, "closed"),
    ]
    assert {(clinic, "read"), (doctor, "read")} <= {*told}
    theirs.close()
    page.goto("/teaching")  # the copy stays where the case is over
    whole(page, shots, "collection-narrow")
    expect(page.get_by_role("link", name="A pause: does the patient need a pacemaker?")).to_be_visible()


def is_of_nobody(house: House, packed: Path, folder: Path) -> None:
    """What was had is an ECG that WFDB reads, of the first day of 2000, and names nothing of whose it is."""
    with zipfile.ZipFile(packed) as archive:
        text = b"".join(archive.read(name) for name in archive.namelist() if not name.endswith(".dat"))
        assert {info.date_time[0] for info in archive.infolist()} == {1980}
        archive.extractall(folder / "wfdb")
    for word in (PATIENTS["A"], DEVICES["A"], house.mark, str(NOW.year)):
        assert word.encode() not in text
    record = wfdb.rdrecord(str(folder / "wfdb" / "case"))
    assert (record.sig_name, record.base_date) == (["II", "V1"], date(2000, 1, 1))
    assert record.sig_len >= 59 * 60 * 250
    beats = wfdb.rdann(str(folder / "wfdb" / "case"), "det")
    assert beats.symbol.count("N") > 3400
    with connect(house.url) as owner:
        (kept,) = owner.execute("SELECT teaching FROM ecg.teaching_case").fetchone() or ()
        query = "SELECT action, object FROM ecg.audit_inbox WHERE detail->>'teaching' = %s"
        ((action, _),) = owner.execute(query, (str(kept),)).fetchall()
    assert action == "taught"


def test_what_was_done_meanwhile_is_said_and_nobody_else_acts(made: tuple[House, str]) -> None:
    house = made[0]
    with served_client(made) as client:
        log_in(client, house.account("clinic_a"))
        where = f"/consult/{quote(PATIENTS['A'])}"
        page = client.get(where)
        (id_,) = re.findall(r'name="id" value="([^"]+)"', page.text)
        form = {"csrf": csrf_of(page), "id": id_, "stretch": "hour", "urgency": "routine", "facility": "A"}
        assert client.post(where, data=form | {"question": " "}).status_code == 422
        assert client.post(where, data=form | {"question": "x", "stretch": "?"}).status_code == 422
        assert client.post(where, data=form | {"question": "x", "facility": "B"}).status_code == 409
        assert client.post(where, data=form | {"question": "x", "urgency": "soon"}).status_code == 400
        for _ in range(2):  # sent twice, asked once
            asked = client.post(where, data=form | {"question": QUESTION})
            assert asked.headers["location"] == f"/consultation/{id_}?done=asked"
        case = f"/consultation/{id_}"
        seen = re.findall(r'name="seen" value="(\d+)"', client.get(case).text)[0]
        told = {"csrf": csrf_of(client.get(case)), "seen": seen}
        assert client.post(f"{case}/taken", data=told).status_code == 403  # who asks does not answer
        assert client.post(f"{case}/taken", data=told | {"csrf": "x"}).status_code == 403
        assert client.post(f"{case}/nothing", data=told).status_code == 400
        log_in(client, house.account("cardiologist"))
        told["csrf"] = csrf_of(client.get(case))
        assert client.post(f"{case}/taken", data=told).status_code == 303
        late = client.post(f"{case}/taken", data=told)
        assert late.status_code == 409
        assert "somebody has done something with this case meanwhile" in late.text
        for name in ("clinic_b", "expert", "operator_a", "auditor_a"):
            log_in(client, house.account(name))
            assert client.get(case).status_code in (403, 404), name
            assert id_ not in client.get("/consultations").text
            told["csrf"] = csrf_of(client.get("/duty"))
            assert client.post(f"{case}/withdrawn", data=told).status_code == 403, name
        assert client.get("/consultation/nothing").status_code == 404
        log_in(client, house.account("clinic_b"))
        assert client.get(where).status_code == 404


def served_client(made: tuple[House, str]) -> httpx.Client:
    return httpx.Client(base_url=made[1], follow_redirects=False, timeout=60)
