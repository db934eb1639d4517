"""Alarm limits that are changed on a patient's page: who may, what is refused, and that they hold."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote

import httpx
import numpy as np
import psycopg
import pytest
from kafka import KafkaConsumer, TopicPartition

from detectors.bank import Bank
from ecgstream.clients import producer
from ecgstream.registry.limits import NUMBERS
from ecgstream.registry.roles import role_of
from ecgstream.registry.teller import Teller
from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from ecgstream.topics import create_topics
from ecgstream.worker import outputs
from schemas import codec, mdc, topics
from schemas.bundle import Bundle
from schemas.records import Channel, Control, Lane, Packet
from tests.ecgstream.web.served import served
from tests.system.monitor_house import DEVICES, PATIENTS, REASON, House, csrf_of, log_in, made_house

OF_A = f"/patient/{quote(PATIENTS['A'])}"
SECOND_NS, RATE_HZ, RATE_BPM = 10**9, 250, 90


@pytest.fixture(scope="module", params=["plain", "timescale"])
def made(request: pytest.FixtureRequest) -> Iterator[tuple[House, httpx.Client]]:
    with made_house(request) as (house, app), served(app) as client:
        yield house, client


@pytest.fixture
def house(made: tuple[House, httpx.Client]) -> House:
    return made[0]


@pytest.fixture
def client(made: tuple[House, httpx.Client]) -> httpx.Client:
    made[1].cookies.clear()
    return made[1]


def seen(page: httpx.Response, code: int) -> str:
    return re.findall(
        rf'name="number" value="{code}"><input type="hidden" name="seen" value="(\d+)"', page.text
    )[0]


def form_of(page: httpx.Response, code: int, low: str, high: str, reason: str = "why <b>") -> dict[str, str]:
    """What the page's form of a number sends."""
    said = {"low": low, "high": high, "reason": reason, "act": "change"}
    return {"csrf": csrf_of(page), "number": str(code), "seen": seen(page, code), **said}


def rows(house: House) -> list[tuple[object, ...]]:
    with connect(house.url) as owner:
        return owner.execute(
            "SELECT patient, code, low, high, said_by, reason FROM ecg.limit_change"
        ).fetchall()


def words_of(page: httpx.Response) -> str:
    """The words below the heading of the limits."""
    found = page.text.partition('<h2 id="limits"')[2]
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", found).split()))


def test_the_database_refuses_what_the_registry_does(house: House) -> None:
    with connect(house.url) as owner:
        there = owner.execute("SELECT * FROM ecg.limit_range()").fetchall()
    assert {row[0]: row[1:] for row in there} == {
        one.code: (one.lowest, one.highest, one.both_sides) for one in NUMBERS.values()
    }


def test_what_holds_is_shown_with_its_origin(house: House, client: httpx.Client) -> None:
    words = words_of(log_in(client, house.account("auditor_a")).get(OF_A))
    assert "Heart rate 65 111 /min changed by test, " in words
    assert REASON in words
    assert "SpO2 90 off % default of the category" in words
    assert "no limit switches them off" in words
    assert "Change" not in words
    assert "Set limits" in words_of(log_in(client, house.account("clinic_a")).get(OF_A))


def test_limits_are_set_with_a_reason_and_taken_back(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("clinic_a"))
    page = client.get(OF_A)
    done = client.post(f"{OF_A}?hours=6", data=form_of(page, mdc.TEMPERATURE, "off", "38.5"))
    assert done.headers["location"] == f"{OF_A}?hours=6&changed={mdc.TEMPERATURE}#limits"
    assert rows(house)[-1] == (
        PATIENTS["A"],
        mdc.TEMPERATURE,
        None,
        38.5,
        house.account("clinic_a"),
        "why <b>",
    )
    page = client.get(done.headers["location"])
    words = words_of(page)
    assert "Recorded. Temperature: limit: at most 38.5" in words
    assert "Temperature off 38.5 °C changed" in words
    back = form_of(page, mdc.TEMPERATURE, "", "") | {"act": "default"}
    assert client.post(OF_A, data=back).status_code == 303
    words = words_of(client.get(OF_A))
    assert f"Temperature 35 39 °C default of the category by {house.account('clinic_a')}" in words


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_cannot_be_meant_is_refused_beside_its_field(
    house: House, client: httpx.Client, language: str
) -> None:
    log_in(client, house.account("clinic_a"))
    client.get(f"/language/{language}")
    page, before = client.get(OF_A), rows(house)
    for code, low, high, reason, why in (
        (mdc.HEART_RATE, "40", "900", "x", ("15 to 300", "15 至 300")),
        (mdc.HEART_RATE, "120", "60", "x", ("Low must be below high", "下限必须低于上限")),
        (mdc.HEART_RATE, "", "60", "x", ("Write a number", "请填写数字")),
        (mdc.HEART_RATE, "1e2", "120", "x", ("Write a number", "请填写数字")),
        (mdc.SPO2, "nan", "off", "x", ("Write a number", "请填写数字")),
        (mdc.RR, "", "0.2", "x", ("1 to 10", "1 至 10")),
        (mdc.ST, "-0.2", "off", " ", ("Say why", "说明原因")),
    ):
        refused = client.post(OF_A, data=form_of(page, code, low, high, reason))
        assert refused.status_code == 422
        (beside,) = re.findall(r'<p class="fault"[^>]*>([^<]*)', refused.text)
        assert why[language == "zh"] in beside
        assert refused.text.count("<details open>") == 1
        assert f'value="{high}"' in refused.text  # what was typed is not lost
    for wrong in ({"number": "1"}, {"number": ""}, {"seen": "x"}, {"seen": "9" * 30}):
        assert client.post(OF_A, data=form_of(page, mdc.SPO2, "88", "off") | wrong).status_code == 400
    assert rows(house) == before


def test_of_two_who_change_at_once_the_second_learns_of_the_first(house: House, client: httpx.Client) -> None:
    log_in(client, house.account("cardiologist"))
    form = form_of(client.get(OF_A), mdc.RESP_RATE, "6", "30")
    log_in(client, house.account("clinic_a"))
    assert client.post(OF_A, data=form_of(client.get(OF_A), mdc.RESP_RATE, "9", "28")).status_code == 303
    log_in(client, house.account("cardiologist"))
    form["csrf"] = csrf_of(client.get(OF_A))
    refused = client.post(OF_A, data=form)
    assert refused.status_code == 422
    assert f"Changed meanwhile by {house.account('clinic_a')}" in words_of(refused)
    assert "Respiration 9 28 /min" in words_of(client.get(OF_A))
    again = form_of(refused, mdc.RESP_RATE, "6", "30")
    assert client.post(OF_A, data=again).status_code == 303
    assert [row[2:4] for row in rows(house) if row[1] == mdc.RESP_RATE] == [(9, 28), (6, 30)]


def test_who_may_not_changes_nothing(house: House, client: httpx.Client) -> None:
    before = rows(house)
    form = form_of(log_in(client, house.account("clinic_a")).get(OF_A), mdc.HEART_RATE, "30", "200")
    for name in ("clinic_b", "auditor_a", "service_a", "operator_a", "expert", "nowhere"):
        log_in(client, house.account(name))
        csrf = csrf_of(client.get("/clinic"))
        assert client.post(OF_A, data=form | {"csrf": csrf}).status_code == 403, name
    log_in(client, house.account("clinic_a"))
    assert client.post("/patient/nobody", data=form | {"csrf": csrf_of(client.get(OF_A))}).status_code == 403
    assert client.post(OF_A, data=form).status_code == 403  # of another session
    assert rows(house) == before


def test_the_function_itself_knows_who_may(house: House) -> None:
    """Whoever has SQL comes by no page."""
    call = "SELECT api.change_limit(%s, %s, %s, %s, %s, %s, %s)"

    def say(name: str, *said: object) -> object:
        with connect(house.url, role=role_of(house.account(name))) as person:
            row = person.execute(call, said).fetchone()
            return row and row[0]

    of_a = (PATIENTS["A"], mdc.NIBP_SYS, 0, 80, 180, False, "x")
    for name in ("clinic_b", "auditor_a"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            say(name, *of_a)
    for n, wrong in ((1, 1), (3, 5), (4, 900), (4, float("nan")), (5, None), (5, True), (6, " "), (6, None)):
        with pytest.raises(psycopg.errors.CheckViolation):
            say("clinic_a", *of_a[:n], wrong, *of_a[n + 1 :])
    assert say("clinic_a", *of_a[:2], 10**9, *of_a[3:]) is False
    assert say("clinic_a", *of_a[:2], None, *of_a[3:]) is False
    with connect(house.url, role=role_of(house.account("clinic_a")), autocommit=True) as person:
        person.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with pytest.raises(psycopg.errors.ActiveSqlTransaction), person.transaction():
            person.execute(call, of_a)
    assert say("clinic_a", *of_a) is True


def bundle(device: str, second: int) -> Bundle:
    """A second of a regular rhythm."""
    t = np.arange(second * RATE_HZ, (second + 1) * RATE_HZ) / RATE_HZ
    since_beat = (t - 0.3) % (60 / RATE_BPM)
    since_beat = np.minimum(since_beat, 60 / RATE_BPM - since_beat)
    wave = 200 * np.exp(-0.5 * (since_beat / 0.012) ** 2) + np.arange(RATE_HZ) % 3
    lead = Channel(mdc.LEADS["II"], 0, 0, RATE_HZ, 200.0, wave.astype(np.int16))
    at_ns = 1_790_000_000 * SECOND_NS + second * SECOND_NS
    packet = Packet(device, 1_790_000_000 * SECOND_NS, second, second * RATE_HZ, at_ns, at_ns, [lead])
    return Bundle.of("gw", 0, at_ns, [packet], [])


def conditions(device: str, controls: list[Control]) -> set[str]:
    """What a worker's bank finds in 30 s of 90 beats a minute, told these changes at first."""
    bank, found = Bank(), set[str]()
    for control in controls:
        bank.control(control)
    for second in range(30):
        came, offsets = bundle(device, second), np.full(1, second)
        source = outputs.Source(Lane.LIVE, 0, 0, offsets, offsets)
        found |= {c.code for c in outputs.conditions_of(bank.push(came), came.devices, source)}
    return found


def test_the_worker_goes_by_what_was_changed_in_the_page(
    house: House, client: httpx.Client, kafka: str
) -> None:
    """From the page over the registry's teller and Kafka to the detectors."""
    settings = Settings(kafka=kafka, database=house.url)
    create_topics(settings)
    with (
        closing(producer(settings)) as sender,
        closing(KafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False)) as consumer,
        connect(house.url, autocommit=True, role="ecg_registry") as registry,
    ):
        consumer.assign([TopicPartition(topics.INGEST.name, p) for p in range(settings.partitions)])
        teller = Teller(registry, sender, partitions=settings.partitions)

        def told() -> list[Control]:
            """What the worker has been told of the device, all of it."""
            while teller.step():
                pass
            consumer.seek_to_beginning()
            ends, found = consumer.end_offsets(list(consumer.assignment())), []
            while any(consumer.position(source) < end for source, end in ends.items()):
                for records in consumer.poll(timeout_ms=500).values():
                    found += [codec.decode(record.value) for record in records]
            return [one for one in found if isinstance(one, Control) and one.device == DEVICES["B"]]

        log_in(client, house.account("clinic_b"))
        of_b = f"/patient/{PATIENTS['B']}"
        assert "HEART_RATE_HIGH" not in conditions(DEVICES["B"], told())
        form = form_of(client.get(of_b), mdc.HEART_RATE, "40", "80")
        assert client.post(of_b, data=form).status_code == 303
        controls = told()
        assert controls[-1].issued_by == house.account("clinic_b")
        assert "HEART_RATE_HIGH" in conditions(DEVICES["B"], controls)
        assert "Heart rate 40 80 /min changed" in words_of(client.get(of_b))
