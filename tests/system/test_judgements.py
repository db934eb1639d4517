"""Whether alerts were true: who says it, what is kept of it, and what is counted of it."""

from __future__ import annotations

import csv
import html
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from ecgstream.commands import alert_budget
from ecgstream.registry import people
from ecgstream.registry.roles import role_of
from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from tests.ecgstream.web.served import served
from tests.system.access_world import insert
from tests.system.monitor_house import DEVICES, NOW, PASSWORD, House, csrf_of, log_in, made_house
from tests.system.sql_reads import read_by


@pytest.fixture(scope="module", params=["plain", "timescale"])
def made(request: pytest.FixtureRequest) -> Iterator[tuple[House, httpx.Client]]:
    with made_house(request) as (house, app), served(app) as client:
        with connect(house.url, autocommit=True) as owner:
            owner.execute("UPDATE ecg.alert SET calls = 1 WHERE priority = 'HIGH'")
        yield house, client


@pytest.fixture
def house(made: tuple[House, httpx.Client]) -> House:
    with connect(made[0].url, autocommit=True) as owner:
        owner.execute("TRUNCATE ecg.judgement")
    return made[0]


@pytest.fixture
def client(made: tuple[House, httpx.Client]) -> httpx.Client:
    made[1].cookies.clear()
    return made[1]


def alert_of(house: House, site: str, priority: str = "HIGH") -> str:
    with connect(house.url) as owner:
        query = "SELECT id::text FROM ecg.alert WHERE device = %s AND priority = %s"
        (found,) = owner.execute(query, (DEVICES[site], priority)).fetchone() or ("",)
    return str(found)


def kept(house: House) -> list[tuple[object, ...]]:
    with connect(house.url) as owner:
        return owner.execute("SELECT alert::text, verdict, said_by FROM ecg.judgement ORDER BY id").fetchall()


def words_of(page: httpx.Response) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", page.text.partition("<main")[2]).split()))


def click(client: httpx.Client, alert: str, verdict: str, back: str = "/alarms/history") -> httpx.Response:
    form = {"csrf": csrf_of(client.get("/clinic")), "verdict": verdict, "back": back}
    return client.post(f"/alarms/{alert}/judge", data=form)


def test_a_click_is_recorded_said_and_changed(house: House, client: httpx.Client) -> None:
    alert, account = alert_of(house, "A"), house.account("clinic_a")
    log_in(client, account)
    done = click(client, alert, "false", "/alarms/history?days=7&judged=x")
    assert done.headers["location"] == f"/alarms/history?days=7&judged={alert}"
    page = client.get(done.headers["location"])
    words = words_of(page)
    assert re.search(r"Recorded: Ventricular tachycardia, .*: False alarm\. This takes no alert on: ", words)
    assert "Was that a slip? Change it:" in words
    assert f"False alarm by {account}" in words
    click(client, alert, "true")
    log_in(client, house.account("cardiologist"))
    click(client, alert, "unclear")
    assert kept(house) == [
        (alert, "false", account),
        (alert, "true", account),
        (alert, "unclear", house.account("cardiologist")),
    ]
    page = client.get("/alarms/history")
    (pressed,) = re.findall(rf'id="(\w+)-{alert}" aria-pressed="true"', page.text)
    assert pressed == "unclear"


def test_who_may_not_judges_nothing(house: House, client: httpx.Client) -> None:
    alert = alert_of(house, "A")
    for name in ("clinic_b", "auditor_a", "service_a", "operator_a", "expert", "nowhere"):
        log_in(client, house.account(name))
        assert click(client, alert, "false").status_code == 403, name
        assert f"/alarms/{alert}/judge" not in client.get("/alarms/history").text
    log_in(client, house.account("clinic_a"))
    assert click(client, alert, "maybe").status_code == 422
    assert click(client, "x", "true").status_code == 404
    assert click(client, "00000000-0000-0000-0000-000000000000", "true").status_code == 403
    form = {"verdict": "true", "csrf": "x"}
    assert client.post(f"/alarms/{alert}/judge", data=form).status_code == 403
    assert click(client, alert, "true", "//evil.example/x").headers["location"].startswith("/?")
    assert [row[1] for row in kept(house)] == ["true"]


def test_the_function_itself_knows_who_may_and_when(house: House) -> None:
    """Whoever has SQL comes by no page; and what is over for 30 days is history."""
    alert = alert_of(house, "A")
    with connect(house.url, role=role_of(house.account("clinic_b"))) as person:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            person.execute("SELECT api.judge(%s, 'true')", (alert,))
        person.rollback()
        assert person.execute("SELECT api.judgeable(%s)", ([alert],)).fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            person.execute("INSERT INTO ecg.judgement (verdict) VALUES ('true')")
    with connect(house.url, role=role_of(house.account("clinic_a"))) as person:
        with pytest.raises(psycopg.errors.CheckViolation):
            person.execute("SELECT api.judge(%s, 'maybe')", (alert,))
        person.rollback()
        assert person.execute("SELECT api.judgeable(%s)::text", ([alert],)).fetchall() == [(alert,)]
    with connect(house.url) as owner:
        owner.execute("UPDATE ecg.alert SET onset = %s WHERE id = %s", (NOW - timedelta(days=31), alert))
        owner.execute("SELECT set_config('role', %s, true)", (role_of(house.account("clinic_a")),))
        assert owner.execute("SELECT api.judgeable(%s)", ([alert],)).fetchall() == []
        owner.rollback()


def test_an_alert_that_is_not_stored_yet_has_no_buttons(house: House, client: httpx.Client) -> None:
    alert = house.open_alert("A")
    log_in(client, house.account("clinic_a"))
    assert "/judge" not in client.get("/alarms").text
    onset = {
        "onset_sample": 1,
        "onset_ns": alert.onset_ns,
        "onset": NOW,
        "decided_sample": 1,
        "decided_ns": 1,
    }
    told = {"priority": "HIGH", "state": "ACTIVE", "raised_ns": 1, "updated_ns": 1, "published_ns": 1}
    row = {"id": alert.id, "device": alert.device, "patient": alert.patient, "session": 1, "delay_s": 4}
    more = {"condition": alert.condition, "evidence": "{}", "source_offset": 1}
    with connect(house.url, autocommit=True, role="ecg_sink") as sink:
        insert(sink, "alert", **row, **onset, **told, **more)
    try:
        assert client.get("/alarms").text.count(f"/alarms/{alert.id}/judge") == 1
        assert click(client, alert.id, "false", "/alarms?at=A").headers["location"] == (
            f"/alarms?at=A&judged={alert.id}"
        )
        assert "False alarm" in words_of(client.get(f"/alarms/{alert.id}"))
    finally:
        with connect(house.url, autocommit=True) as owner:
            owner.execute("DELETE FROM ecg.alert WHERE id = %s", (alert.id,))
        house.board.found.clear()


def test_verdicts_are_counted_beside_the_budget(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("cardiologist"))
    click(client, alert_of(house, "A"), "false")
    click(client, alert_of(house, "B"), "true")
    click(client, alert_of(house, "B"), "false")
    click(client, alert_of(house, "B"), "true")
    click(client, alert_of(house, "A", "LOW"), "unclear")
    page = client.get("/alarms/statistics?days=7")
    words = words_of(page)
    # Of two that paged, one was false: by Clopper and Pearson anything from 1.3 to 98.7 %.
    row = "Ventricular tachycardia 2 2 8.0 - - 1 1 0 0 50.0 % 95 %: 1.3 to 98.7 % of 2 · BEYOND 25 %"
    assert row.replace("-", "\N{EN DASH}") in words
    assert "Ventricular couplet 2 0 0.0 30 s 30 s 0 0 1 1 \N{EN DASH}" in words
    assert "0.2 bed-days" in words
    told = client.get("/alarms/statistics?days=7&form=json")
    assert told.headers["content-disposition"] == 'attachment; filename="alarms-7d.json"'
    found = told.json()
    assert {one["of"]: one["false_percent"] for one in found["facilities"]} == {"A": 100.0, "B": 0.0}
    assert (found["all"]["alerts"], found["all"]["not_judged"], found["all"]["bed_days"]) == (4, 1, 0.25)
    rows = list(csv.DictReader(client.get("/alarms/statistics?days=7&form=csv").text.splitlines()))
    assert [row["by"] for row in rows] == ["all", "condition", "condition", "facility", "facility"]
    log_in(client, house.account("clinic_a"))
    words = words_of(client.get("/alarms/statistics"))
    assert "By facility Where" not in words
    assert "Ventricular tachycardia 1 1 8.0" in words
    for name in ("operator_a", "nowhere"):
        log_in(client, house.account(name))
        assert client.get("/alarms/statistics").status_code == 403, name


def test_the_command_counts_what_the_person_sees(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = house.account("clinic_a")
    with connect(house.url, role="ecg_registry") as registry:
        people.open_sql(registry, account, PASSWORD, "test")
    login = re.sub(r"//[^@/]*@", f"//{role_of(account)}:{quote(PASSWORD)}@", house.url)
    with connect(login, autocommit=True) as person:
        person.execute("SET default_transaction_read_only = off")
        person.execute("SELECT api.judge(%s, 'true')", (alert_of(house, "A"),))
    assert kept(house) == [(alert_of(house, "A"), "true", account)]
    monkeypatch.setenv("ECGSTREAM_ACCOUNT", account)
    web = Settings(monitor_database=SecretStr(house.login))
    alert_budget.budget(days=7, json=True, settings=web)
    told = json.loads(capsys.readouterr().out)
    assert {one["of"]: one["paged_true"] for one in told["conditions"]} == {
        "VENTRICULAR_TACHYCARDIA": 1,
        "VENTRICULAR_COUPLET": 0,
    }
    alert_budget.budget(days=7, settings=web)
    assert "0.0 % (0.0 to 97.5 %), aim" in capsys.readouterr().out
    assert read_by(house.url, "alert budget") == [(account, "list", "")] * 2
    with pytest.raises(SystemExit, match="nothing would be in the audit log"):
        alert_budget.budget(settings=Settings(database=SecretStr(login)))
    monkeypatch.setenv("ECGSTREAM_ACCOUNT", "nobody")
    with pytest.raises(SystemExit, match="no account"):
        alert_budget.budget(settings=web)
    assert len(read_by(house.url, "alert budget")) == 2
