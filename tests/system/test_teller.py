"""The teller, from a real database to real Kafka."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError

from ecgstream.clients import producer
from ecgstream.registry import teller as tellers
from ecgstream.registry.teller import Teller, is_settled, tell_everything
from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from ecgstream.topics import create_topics
from schemas import codec, mdc, topics
from schemas.limits import DEFAULTS
from schemas.records import (
    Association,
    Category,
    Control,
    Enrolled,
    Enrolment,
    Limit,
    Limits,
)
from schemas.records import (
    Settings as PatientSettings,
)
from tests.system import people


class Desk:
    """A registry with one facility, its teller, and what Kafka has been told of this test's devices."""

    def __init__(self, kafka: str, url: str) -> None:
        self.settings = Settings(kafka=kafka, database=url)
        create_topics(self.settings)
        migrate(url)
        with connect(url) as connection:
            people.root(connection)
        self.url = url
        self.name = uuid.uuid4().hex[:8]
        self.db = connect(url, autocommit=True, role="ecg_registry")
        self.opened = [self.db]
        self.sender = producer(self.settings)
        self.consumer = KafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False)
        followed = (topics.ENROLMENT.name, topics.INGEST.name)
        self.consumer.assign(
            [TopicPartition(t, p) for t in followed for p in range(self.settings.partitions)]
        )
        self.consumer.seek_to_end()
        for partition in self.consumer.assignment():
            self.consumer.position(partition)

    def teller(self, sender: Any = None) -> Teller:
        self.opened.append(connect(self.url, autocommit=True, role="ecg_registry"))
        return Teller(self.opened[-1], sender or self.sender, partitions=self.settings.partitions)

    def device(self, n: int = 1, shard: int = 3) -> str:
        device = f"{self.name}-{n}"
        self.db.execute(
            "INSERT INTO ecg.enrolment (device, facility, kind, shard, leads, changed_by)"
            " VALUES (%s, %s, 'bedside_monitor', %s, %s, 'olga')",
            (device, people.ROOT, shard, [mdc.LEADS["II"]]),
        )
        return device

    def patient(self, name: str, category: str = "ADULT") -> str:
        patient = f"P-{self.name}-{name}"
        self.db.execute(
            "INSERT INTO ecg.patient (patient, facility, category, changed_by) VALUES (%s, %s, %s, 'olga')",
            (patient, people.ROOT, category),
        )
        return patient

    def associate(
        self, device: str, patient: str, until: str = "infinity", replaces: Any = None
    ) -> uuid.UUID:
        row = self.db.execute(
            "INSERT INTO ecg.association (device, patient, since, until, place_kind, replaces, said_by)"
            " VALUES (%s, %s, now() - interval '1 min', %s::timestamptz, 'bed', %s, 'nurse') RETURNING id",
            (device, patient, until, replaces),
        ).fetchone()
        assert row is not None
        return uuid.UUID(str(row[0]))

    def told(self) -> list[Any]:
        """What has come since the last call about this test's devices, enrolment first."""
        found: list[tuple[str, int, Any]] = []
        while True:
            records = self.consumer.poll(timeout_ms=500)
            if not records:
                break
            for source, many in records.items():
                for record in many:
                    content = codec.decode(record.value)
                    if isinstance(content, Control | Enrolment) and content.device.startswith(self.name):
                        assert record.key == content.device.encode()
                        found.append((source.topic, source.partition, content))
        found.sort(key=lambda f: f[0] != topics.ENROLMENT.name)
        assert all(p == 3 for t, p, _ in found if t == topics.INGEST.name)
        return [content for _, _, content in found]


@pytest.fixture
def desk(kafka: str, timescale_url: str, new_database: Callable[[str], str]) -> Iterator[Desk]:
    made = Desk(kafka, new_database(timescale_url))
    yield made
    made.consumer.close()
    made.sender.close()
    for connection in made.opened:
        connection.close()


def changes(told: list[Any]) -> list[Any]:
    return [c.change for c in told if isinstance(c, Control)]


def test_an_enrolled_device_is_told_to_gateways_and_to_its_worker(desk: Desk) -> None:
    device = desk.device()
    teller = desk.teller()
    assert teller.step() == 1
    enrolment, *controls = desk.told()
    assert enrolment == Enrolment(
        device,
        "bedside_monitor",
        people.ROOT,
        3,
        (mdc.LEADS["II"],),
        b"",
        "",
        disabled=False,
        changed_ns=enrolment.changed_ns,
    )
    assert changes(controls) == [
        Enrolled(people.ROOT, (mdc.LEADS["II"],), disabled=False),
        Association(""),
        PatientSettings(Category.ADULT, paced=False),
        Limits(DEFAULTS[Category.ADULT]),
    ]
    assert {(c.session, c.from_sample, c.issued_by) for c in controls} == {(0, 0, "olga")}
    assert teller.step() == 0
    assert is_settled(desk.db)


def test_only_what_differs_is_told_and_limits_follow_a_category(desk: Desk) -> None:
    device, patient = desk.device(), desk.patient("a", "NEONATE")
    teller = desk.teller()
    teller.step()
    desk.told()
    desk.associate(device, patient)
    teller.step()
    assert changes(desk.told()) == [
        Association(patient),
        PatientSettings(Category.NEONATE, paced=False),
        Limits(DEFAULTS[Category.NEONATE]),
    ]
    desk.db.execute(
        "INSERT INTO ecg.limit_change (patient, code, low, high, said_by) VALUES (%s, %s, 90, 210, 'doctor')",
        (patient, mdc.HEART_RATE),
    )
    teller.step()
    (control,) = desk.told()
    assert control.issued_by == "doctor"
    assert Limit(mdc.HEART_RATE, 90.0, 210.0) in control.change.limits
    # Paced or not resets nothing, and yet the settings are one: the limits follow them.
    desk.db.execute(
        "UPDATE ecg.patient SET paced = true, changed_by = 'doctor' WHERE patient = %s", (patient,)
    )
    teller.step()
    settings, limits = changes(desk.told())
    assert settings == PatientSettings(Category.NEONATE, paced=True)
    assert limits == control.change
    desk.db.execute(
        "UPDATE ecg.enrolment SET disabled = true, changed_by = 'olga' WHERE device = %s", (device,)
    )
    teller.step()
    enrolment, enrolled = desk.told()
    assert enrolment.disabled
    assert enrolled.change == Enrolled(people.ROOT, (mdc.LEADS["II"],), disabled=True)


def test_an_association_that_ends_is_told_when_it_ends(desk: Desk) -> None:
    device, patient = desk.device(), desk.patient("a")
    row = desk.db.execute("SELECT (now() + interval '2 s')::text").fetchone()
    assert row is not None
    desk.associate(device, patient, until=row[0])
    teller = desk.teller()
    teller.step()
    assert Association(patient) in changes(desk.told())
    assert is_settled(desk.db)
    assert teller.step() == 0
    while not teller.step():
        teller.wait(0.2)
    assert changes(desk.told()) == [Association("")]


def test_a_correction_is_told(desk: Desk) -> None:
    device, wrong, right = desk.device(), desk.patient("wrong"), desk.patient("right")
    teller = desk.teller()
    row = desk.associate(device, wrong)
    teller.step()
    desk.told()
    desk.associate(device, right, replaces=row)
    teller.step()
    assert changes(desk.told()) == [Association(right)]


class Broken:
    """A producer that hands over the first records and then fails."""

    def __init__(self, real: Any, lets_through: int) -> None:
        self.real = real
        self.left = lets_through

    def send(self, *args: Any, **more: Any) -> Any:
        if self.left == 0:
            raise KafkaTimeoutError("broken")
        self.left -= 1
        return self.real.send(*args, **more)

    def flush(self, timeout: float) -> None:
        self.real.flush(timeout=timeout)


@pytest.mark.parametrize("lets_through", [0, 2, 4])
def test_a_failure_while_publishing_leaves_all_of_it_to_be_told(desk: Desk, lets_through: int) -> None:
    desk.device()
    with pytest.raises(KafkaTimeoutError):
        desk.teller(Broken(desk.sender, lets_through)).step()
    assert not is_settled(desk.db)
    desk.told()
    assert desk.teller().step() == 1
    assert len(desk.told()) == 5


def test_ended_between_publishing_and_noting_it_tells_the_same_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.device()
    killed = desk.teller()

    def die(*_: object) -> None:
        raise psycopg.OperationalError("killed")

    monkeypatch.setattr(killed, "_note", die)
    with pytest.raises(psycopg.OperationalError):
        killed.step()
    first = changes(desk.told())
    assert desk.teller().step() == 1
    assert changes(desk.told()) == first


def test_a_new_kafka_is_told_everything(desk: Desk) -> None:
    devices = [desk.device(n) for n in range(3)]
    teller = desk.teller()
    teller.step()
    first = desk.told()
    tell_everything(desk.db)
    teller.step()
    again = desk.told()
    assert sorted({c.device for c in again}) == devices
    assert len(again) == len(first) == 15


def test_what_was_told_a_day_ago_is_told_anew(desk: Desk) -> None:
    old, _ = desk.device(1), desk.device(2)
    teller = desk.teller()
    teller.step()
    desk.told()
    teller.tell_anew()
    assert teller.step() == 0
    with connect(desk.url) as owner:
        owner.execute("UPDATE ecg.told SET at = now() - interval '25 h' WHERE device = %s", (old,))
    teller.tell_anew()
    teller.step()
    assert {c.device for c in desk.told()} == {old}


def test_one_teller_works_at_a_time(desk: Desk) -> None:
    first, second = desk.teller(), desk.teller()
    assert first.may_work()
    assert not second.may_work()


def test_a_change_wakes_the_teller(desk: Desk) -> None:
    teller = desk.teller()
    desk.device()
    began = time.monotonic()
    teller.wait(60.0)
    assert time.monotonic() - began < 30.0
    assert teller.step() == 1


def test_a_teller_that_has_nothing_to_tell_does_not_wake_itself(desk: Desk) -> None:
    teller = desk.teller()
    while teller.step():
        pass
    teller.wait(0.0)  # what woke it until now
    began = time.monotonic()
    teller.tell_anew()
    teller.wait(1.0)
    assert time.monotonic() - began >= 1.0


def test_a_batch_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tellers, "BATCH", 4)
    for n in range(6):
        desk.device(n)
    teller = desk.teller()
    assert (teller.step(), teller.step(), teller.step()) == (4, 2, 0)
    assert len({c.device for c in desk.told()}) == 6
