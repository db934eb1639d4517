"""The central monitor on a real database: each sees what the database lets them, and no text is markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest

from ecgstream.monitor.read import devices
from ecgstream.registry import people, roles, shares
from ecgstream.store.connection import connect
from schemas import mdc
from schemas.records import Act, AlertState
from tests.ecgstream.web.served import served
from tests.system.access_world import insert
from tests.system.monitor_house import (
    AF_MINUTES,
    DEVICES,
    EMPTY,
    HTML,
    NAMES,
    NOW,
    PATIENTS,
    PLACES,
    REASON,
    House,
    csrf_of,
    log_in,
    made_house,
)

OF_A = f"/patient/{quote(PATIENTS['A'], safe='')}"
PAGES = (
    "/overview",
    "/overview?level=city",
    "/alarms",
    "/alarms?at=A",
    "/alarms/history?days=7",
    "/alarms/statistics?days=7",
    "/clinic",
    "/duty",
    "/duty/handover",
    "/walls",
    "/state",
)
ECG_OF_A = OF_A.replace("/patient/", "/ecg/")
PATIENT = (*(f"{OF_A}?hours={hours}" for hours in (1, 6, 24, 168, 720)), ECG_OF_A)
ANY_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # may hold anything, and "d-b" too
OF_B = (PATIENTS["B"], DEVICES["B"], NAMES["B"][0], NAMES["B"][1], PLACES["B"], "West 乙")


@pytest.fixture(scope="module", params=["plain", "timescale"])
def made(request: pytest.FixtureRequest) -> Iterator[tuple[House, httpx.Client]]:
    with made_house(request) as (house, app), served(app) as client:
        yield house, client


@pytest.fixture
def house(made: tuple[House, httpx.Client]) -> House:
    made[0].board.found.clear()
    made[0].board.is_current = True
    made[0].said.clear()
    return made[0]


@pytest.fixture
def client(made: tuple[House, httpx.Client]) -> httpx.Client:
    made[1].cookies.clear()
    return made[1]


def words_of(page: httpx.Response) -> str:
    main = page.text.partition("<main")[2]
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", main).split()))


def test_one_clinic_never_sees_the_other(house: House, client: httpx.Client) -> None:
    alerts = {site: house.open_alert(site) for site in ("A", "B")}
    log_in(client, house.account("clinic_a"))
    for path in (*PAGES, *PATIENT, f"/alarms/{alerts['A'].id}"):
        page = client.get(path)
        assert page.status_code == 200, path
        shown = ANY_ID.sub("", html.unescape(page.text))
        assert [word for word in OF_B if word in shown] == [], path
    for path in (f"/patient/{PATIENTS['B']}", f"/alarms/{alerts['B'].id}", "/patient/nobody", "/alarms/x"):
        assert client.get(path).status_code == 404, path
    csrf = csrf_of(client.get("/clinic"))
    form = {"csrf": csrf, "act": "ACKNOWLEDGE", "reason": "x"}
    assert client.post(f"/alarms/{alerts['B'].id}", data=form).status_code == 404
    assert house.said == []
    everything = log_in(client, house.account("cardiologist"))
    assert PATIENTS["B"] in everything.get("/alarms").text
    assert everything.get(f"/patient/{PATIENTS['B']}").status_code == 200


@pytest.mark.parametrize("language", ["en", "zh"])
def test_html_in_every_text_is_text(house: House, client: httpx.Client, language: str) -> None:
    alert = house.open_alert("A", condition="<b onload=x>")
    log_in(client, house.account("cardiologist"))
    client.get(f"/language/{language}")
    shown = ""
    for path in (*PAGES, *PATIENT, f"/alarms/{alert.id}"):
        page = client.get(path)
        assert page.status_code == 200
        assert HTML.findall(page.text) == [], path
        shown += html.unescape(page.text)
    for text in (NAMES["A"][language == "zh"], PLACES["A"], DEVICES["A"], PATIENTS["A"], REASON, PLACES["B"]):
        assert text in shown


def test_a_day_is_counted_right(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("clinic_a"))
    words = words_of(client.get("/clinic"))
    row = words.partition(PATIENTS["A"])[2].partition(EMPTY)[0]
    for told in (
        "3 h",
        "100 % analysed",
        "10.0 %",
        "1,080 ventricular",
        f"{AF_MINUTES} min",
        "16.7 %",
        "60 /min",
    ):
        assert told in row, (told, row)
    assert words.index("High") < words.index(PATIENTS["A"]) < words.index(EMPTY)


def test_a_patient_without_data_is_shown_as_that(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("clinic_a"))
    words = words_of(client.get(f"/patient/{EMPTY}"))
    assert words.count("\N{EN DASH} no data") == 8
    assert "There is no data of this time." in words


def test_numbers_have_limits_and_an_age(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("clinic_a"))
    page = client.get(OF_A)
    words = words_of(page)
    assert "limits 65 to 111" in words
    assert "beyond limit" in words  # SpO2 88 %, and a heart rate of 60
    assert re.search(r"SpO2 % 88 beyond limit .*? ago limit: at least 90", words)
    assert page.text.count('class="chart"') == 3
    assert re.search(r"ST, lead II mV -0\.12 .*? ago", words)
    assert "ST, lead V1" not in words


def test_an_alert_is_answered_once_with_a_reason(house: House, client: httpx.Client) -> None:
    alert = house.open_alert("A")
    log_in(client, house.account("clinic_a"))
    page = client.get(f"/alarms/{alert.id}")
    assert "I take it on" in page.text
    form = {"csrf": csrf_of(page), "act": "ACKNOWLEDGE", "reason": REASON}
    for wrong in ({"reason": ""}, {"reason": "x" * 201}, {"act": "NO"}, {"act": "SILENCE", "for": "99999"}):
        assert client.post(f"/alarms/{alert.id}", data=form | wrong).status_code == 422
    assert client.post(f"/alarms/{alert.id}", data=form | {"csrf": "x"}).status_code == 403
    assert house.said == []
    assert client.post(f"/alarms/{alert.id}", data=form).headers["location"].endswith("?said=acknowledged")
    assert house.said == [(alert.id, house.account("clinic_a"), REASON, Act.ACKNOWLEDGE, 0.0)]
    found = client.get(f"/alarms/{alert.id}?said=acknowledged")
    assert "You have taken it on." in found.text
    assert "I take it on" not in found.text
    log_in(client, house.account("cardiologist"))
    second = {**form, "csrf": csrf_of(client.get("/clinic"))}
    assert client.post(f"/alarms/{alert.id}", data=second).headers["location"].endswith("?said=first")
    assert len(house.said) == 1


def test_silence_is_for_a_time(house: House, client: httpx.Client) -> None:
    alert = house.open_alert("A")
    log_in(client, house.account("clinic_a"))
    form = {"csrf": csrf_of(client.get("/clinic")), "act": "SILENCE", "reason": "I go", "for": "120"}
    assert client.post(f"/alarms/{alert.id}", data=form).status_code == 303
    assert house.said == [(alert.id, house.account("clinic_a"), "I go", Act.SILENCE, 120.0)]


@pytest.mark.parametrize("name", ["auditor_a", "service_a"])
def test_who_does_not_care_for_patients_answers_nothing(
    house: House, client: httpx.Client, name: str
) -> None:
    alert = house.open_alert("A")
    log_in(client, house.account(name))
    page = client.get(f"/alarms/{alert.id}")
    assert (page.status_code, "I take it on" in page.text) == (200, False)
    form = {"csrf": csrf_of(page), "act": "ACKNOWLEDGE", "reason": "x"}
    assert client.post(f"/alarms/{alert.id}", data=form).status_code == 403
    assert house.said == []


def test_who_looks_after_devices_sees_no_patient(house: House, client: httpx.Client) -> None:
    alert = house.open_alert("A")
    log_in(client, house.account("operator_a"))
    overview = client.get("/overview")
    assert overview.status_code == 200
    assert "devices 1" in words_of(overview)
    for path in ("/clinic", OF_A, "/alarms/history"):
        assert client.get(path).status_code == 403, path
    assert client.get(f"/alarms/{alert.id}").status_code == 404
    for path in ("/overview", "/alarms"):
        assert PATIENTS["A"] not in html.unescape(client.get(path).text)


def test_who_stands_nowhere_sees_nothing(house: House, client: httpx.Client) -> None:
    house.open_alert("A")
    log_in(client, house.account("nowhere"))
    for path in (*PAGES, OF_A):
        page = client.get(path)
        assert page.status_code == 403, path
        assert PATIENTS["A"] not in html.unescape(page.text)


def test_an_alert_that_is_not_stored_yet_is_seen_where_its_device_stands(
    house: House, client: httpx.Client
) -> None:
    here, moved = house.open_alert("A"), house.open_alert("A", condition="PAUSE")
    object.__setattr__(moved, "facility", "R.B")  # it was raised before the device came here
    log_in(client, house.account("clinic_a"))
    assert client.get(f"/alarms/{here.id}").status_code == 200
    assert client.get(f"/alarms/{moved.id}").status_code == 404
    assert "1 open" in words_of(client.get("/alarms"))


def test_that_alerts_are_old_is_said(house: House, client: httpx.Client) -> None:
    alert = house.open_alert("A")
    log_in(client, house.account("clinic_a"))
    assert "Not up to date" not in client.get("/alarms").text
    house.board.is_current = False
    for path in ("/alarms", f"/alarms/{alert.id}"):
        assert "Not up to date" in client.get(path).text


def test_who_is_disabled_is_out_with_the_next_page(house: House, client: httpx.Client) -> None:
    account = house.account("leaver")
    log_in(client, account)
    assert client.get("/clinic").status_code == 200
    with connect(house.url, role="ecg_registry") as registry:
        people.disable(registry, account, "test")
    assert client.get("/clinic").headers["location"].startswith("/login")
    assert client.get("/clinic").status_code == 303
    with connect(house.url, role="ecg_registry") as registry:
        people.enable(registry, account, "test")


def test_addresses_that_no_database_can_hold_are_nowhere(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("clinic_a"))
    for path in ("/patient/%00", "/patient/%ff", f"/patient/{quote('张伟 🫀 <b>')}", "/alarms/%00"):
        assert client.get(path).status_code == 404, path
    for path in ("/alarms?at=%00", "/alarms/history?days=x&priority=%00", "/overview?level=%3Cb%3E"):
        assert client.get(path).status_code in (200, 404), path


def test_signals_are_watched_by_those_who_may_see_them(house: House) -> None:
    found = {}
    for name in ("clinic_a", "cardiologist", "auditor_a", "operator_a", "service_a", "expert"):
        account = house.account(name)
        with connect(house.url, role=roles.role_of(account)) as connection:
            found[name] = set(devices.watched(connection, account))
    both, own = {*DEVICES.values(), "d-empty"}, {DEVICES["A"], "d-empty"}
    nothing: set[str] = set()
    assert found == {
        "clinic_a": own,
        "cardiologist": both,
        "auditor_a": own,
        "operator_a": nothing,
        "service_a": nothing,
        "expert": nothing,
    }


def test_only_what_is_open_stands_in_the_queue(house: House, client: httpx.Client) -> None:
    ended = house.open_alert("A")
    object.__setattr__(ended, "state", AlertState.ENDED)
    log_in(client, house.account("clinic_a"))
    assert "No alert is open" in client.get("/alarms").text


def test_who_is_on_duty_is_shown_with_what_is_missing(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("cardiologist"))
    words = words_of(client.get("/duty"))
    assert "Centre <b> Root On duty now li (back-up wang ) until" in words
    assert re.search(r"West 乙 \S+ \S+ 🏥 On duty now NOBODY", words)
    assert "Nobody will be on duty within the next 7 days: West 乙 :" in words


def test_a_shift_hands_over_what_is_open_and_who_has_taken_it(house: House, client: httpx.Client) -> None:
    for site, taken in (("A", {}), ("B", {"acknowledged_by": "li", "reason": REASON, "acknowledged_ns": 1})):
        alert = house.open_alert(site)
        state = AlertState.ACKNOWLEDGED if taken else AlertState.ACTIVE
        house.board.found[alert.id] = replace(alert, state=state, **taken)
    ended = house.open_alert("A", condition="PAUSE")
    house.board.found[ended.id] = replace(ended, state=AlertState.ENDED)
    log_in(client, house.account("cardiologist"))
    words = words_of(client.get("/duty/handover"))
    assert "Centre <b> 1 open On duty now: li Priority" in words
    west = words.partition("West 乙")[2]
    assert west.startswith(" 1 open On duty now: NOBODY")
    assert f"Acknowledged li {REASON}" in west
    assert f"{DEVICES['A']} " in words.partition("West 乙")[0]
    assert "NOBODY YET" in words.partition("West 乙")[0]
    assert "Pause" not in words
    log_in(client, house.account("clinic_a"))
    assert DEVICES["B"] not in words_of(client.get("/duty/handover"))


def test_services_and_one_s_gateways_are_shown(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("clinic_a"))
    words = words_of(client.get("/state"))
    assert "Detection 2 running 0 records wait" in words
    assert "Pager NOBODY IS RUNNING 12 records wait" in words
    assert "<g>" not in words  # none of its devices is here
    log_in(client, house.account("cardiologist"))
    assert re.search("<g> 1 h ago", words_of(client.get("/state")))


def test_what_was_measured_seldom_is_found_again_by_whoever_may_see_it(house: House) -> None:
    device, at = DEVICES["A"], NOW - timedelta(hours=2)
    with connect(house.url, role="ecg_sink") as sink:
        for minutes, value in ((0, 118.0), (30, 125.0)):
            time = at + timedelta(minutes=minutes)
            ns = {"device": device, "session": 1, "time_ns": int(time.timestamp() * 1e9), "time": time}
            by = {"generation": 1, "source_offset": 1}
            insert(sink, "vital", **ns, **by, code=mdc.NIBP_SYS, value=value)
            insert(sink, "vital", **ns, **by, code=mdc.NIBP_DIA, value=None if minutes else 70.0)
        ns |= {"time_ns": 1, "time": NOW - timedelta(days=1)}
        insert(sink, "vital", **ns, **by, code=mdc.TEMPERATURE, value=39.0)
    found = {}
    for name in ("clinic_a", "clinic_b", "operator_a"):
        with connect(house.url, role=roles.role_of(house.account(name))) as connection:
            found[name] = {v.code: v.value for v in devices.measured_last(connection, [device, DEVICES["B"]])}
    assert found["clinic_a"] == {mdc.NIBP_SYS: 125.0, mdc.NIBP_DIA: pytest.approx(float("nan"), nan_ok=True)}
    assert found["clinic_b"] == found["operator_a"] == {}


def test_a_share_opens_the_live_signal_while_it_lasts_and_no_longer(house: House) -> None:
    now = datetime.now(UTC)
    day = timedelta(days=1)

    def sees(name: str) -> set[str]:
        account = house.account(name)
        with connect(house.url, role=roles.role_of(account)) as connection:
            found = devices.watched(connection, account)
            assert all(bed.path == "" for bed in found.values() if bed.since_ms is not None)
            return {name for name, bed in found.items() if bed.since_ms is not None}

    def share(since: datetime, until: datetime, expires: datetime, **to: str) -> UUID:
        with connect(house.url, role="ecg_registry") as registry:
            said = {"reason": "second opinion", "said_by": "test", "patient": PATIENTS["B"]}
            insert(registry, "share", since=since, until=until, expires=expires, **to, **said)
            found = registry.execute("SELECT id FROM ecg.share ORDER BY said_at DESC LIMIT 1").fetchone()
        assert found is not None
        return UUID(str(found[0]))

    to_expert = {"account": house.account("expert")}
    for since, until, expires in (
        (now - 2 * day, now - day, now + day),
        (now + day, now + 2 * day, now + 2 * day),
        (now - day, now + day, now - day / 2),
    ):
        share(since, until, expires, **to_expert)
    assert sees("expert") == set()
    shared = share(now - day, now + day, now + day, **to_expert)
    assert sees("expert") == {DEVICES["B"]}
    # Those where the patient is know of the share, and see by place; who stands elsewhere sees nothing.
    assert sees("clinic_b") == sees("cardiologist") == sees("clinic_a") == set()
    with connect(house.url, role="ecg_registry") as registry:
        shares.revoke(registry, shared, house.account("clinic_b"))
    assert sees("expert") == set()
    share(now - day, now + day, now + day, facility="A")
    assert sees("clinic_a") == sees("expert") == {DEVICES["B"]}
    assert sees("auditor_a") == sees("operator_a") == sees("service_a") == set()
    with connect(house.url, role=roles.role_of(house.account("clinic_b"))) as connection:
        worn_ms = devices.watched(connection, house.account("clinic_b"))[DEVICES["B"]].worn_ms
    with connect(house.url) as owner:  # the patient wears it no more
        taken_off = "UPDATE ecg.association SET until = clock_timestamp() WHERE device = %s"
        owner.execute(taken_off, (DEVICES["B"],))
    assert sees("clinic_a") == set()
    # What was measured until then is no longer anybody's who stands beside the device.
    with connect(house.url, role=roles.role_of(house.account("clinic_b"))) as connection:
        taken_ms = devices.watched(connection, house.account("clinic_b"))[DEVICES["B"]].worn_ms
    assert worn_ms is not None
    assert taken_ms is not None
    assert worn_ms == pytest.approx((NOW - 2 * day).timestamp() * 1000)
    assert taken_ms >= now.timestamp() * 1000
