"""What the watch sees of a real Kafka."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from kafka.errors import KafkaError

from ecgstream import __version__, clients
from ecgstream.broker.errors import BrokerError
from ecgstream.duty_roster import publish
from ecgstream.member import Member
from ecgstream.settings import Settings
from ecgstream.topics import create_topics
from ecgstream.watch import alarms, run
from ecgstream.watch.book import Book
from ecgstream.watch.clock import AwakeClock
from ecgstream.watch.kafka import BrokerDisksLook, CopiesLook, GatewaysLook, LogLook
from ecgstream.watch.rules import Rules
from ecgstream.watch.rules.limits import Limits
from ecgstream.watch.rules.pipeline import PAGER, SINK, WORKERS
from ecgstream.watch.sight import Log
from schemas import codec, topics
from schemas.bundle import Bundle
from schemas.records import GatewayStatus
from tests.alerts.roster.rosters import roster, weekly

L = TypeVar("L", LogLook, CopiesLook, BrokerDisksLook, GatewaysLook)
CONDITIONS, INGEST, GATEWAYS = (t.name for t in (topics.CONDITIONS, topics.INGEST, topics.GATEWAYS))


@pytest.fixture
def settings(kafka: str) -> Settings:
    found = Settings(kafka=kafka, session_timeout_s=6)
    create_topics(found)
    return found


class Looks:
    """Closes, after a test, what it has looked with."""

    def __init__(self) -> None:
        self.made = ExitStack()

    def __call__(self, look: L) -> L:
        return self.made.enter_context(closing(look))


@pytest.fixture
def looks() -> Iterator[Looks]:
    found = Looks()
    with found.made:
        yield found


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 180
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def first(look: LogLook) -> Log:
    """Return what is seen as soon as a new broker has coordinators for its groups."""
    seen: list[Log] = []

    def sees() -> bool:
        with suppress(KafkaError, BrokerError):
            seen.append(look(1.0))
        return bool(seen)

    until(sees)
    return seen[0]


def send(
    settings: Settings, topic: str, value: bytes | None, partition: int, key: bytes | None = None
) -> None:
    producer = clients.producer(settings)
    producer.send(topic, value, key=key, partition=partition).get(10)
    producer.close()


def test_it_sees_how_far_topics_and_groups_are(settings: Settings, looks: Looks) -> None:
    look = looks(LogLook(settings))
    before = first(look)
    assert before.groups.keys() == {WORKERS, SINK, PAGER}
    assert {p for topic, p in before.ends if topic == INGEST} == set(range(settings.partitions))
    send(settings, CONDITIONS, b"nothing", 5)
    after = look(2.0)
    assert after.ends[CONDITIONS, 5] == before.ends[CONDITIONS, 5] + 1
    assert waiting(after) == waiting(before) + 1

    member = Member(clients.consumer(settings, PAGER))
    member.join([CONDITIONS])
    try:
        until(lambda: member.poll(0.1) and member.assignment)
        until(lambda: look(3.0).groups[PAGER].members == 1)
        source = next(tp for tp in member.assignment if tp.partition == 5)
        assert member.commit({source: after.ends[CONDITIONS, 5]})
        assert look(4.0).groups[PAGER].done[CONDITIONS, 5] == after.ends[CONDITIONS, 5]
    finally:
        member.leave()
    until(lambda: look(5.0).groups[PAGER].members == 0)


def waiting(log: Log) -> int:
    return log.ends[CONDITIONS, 5] - log.groups[PAGER].done[CONDITIONS, 5]


def test_it_sees_which_records_are_old_by_the_brokers_clock(
    settings: Settings, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecgstream.watch.kafka.BEHIND_S", 0.5)
    nothing = Bundle.of("gw-watched", 6, 1, [], []).encode()  # others of these tests read all of the topic
    send(settings, INGEST, nothing, 6)
    time.sleep(1.0)  # what is old is a matter of time
    send(settings, INGEST, nothing, 6)
    log = first(looks(LogLook(settings)))
    assert log.old[6] == log.ends[INGEST, 6] - 1


def test_it_sees_copies_and_disks(settings: Settings, looks: Looks) -> None:
    copies = looks(CopiesLook(settings))(7.0)
    assert (copies.asked_s, copies.leaderless, copies.thin) == (7.0, 0, 0)
    (disk,) = looks(BrokerDisksLook(settings))(7.0).values()
    assert disk.name.startswith("broker 1 ")
    assert 0 < disk.free < disk.total


@pytest.fixture
def status() -> GatewayStatus:
    name = f"gw-{uuid.uuid4().hex[:8]}"
    second = 10**9
    now_ns = time.time_ns()
    return GatewayStatus(name, now_ns, 3, 41, 4100, now_ns - 75 * second, 0, 0, 7 * second, __version__)


def test_it_hears_gateways_until_they_are_taken_away(
    settings: Settings, looks: Looks, status: GatewayStatus
) -> None:
    look = looks(GatewaysLook(settings))
    key = status.gateway.encode()
    send(settings, GATEWAYS, codec.encode(status), 3, key)
    send(settings, GATEWAYS, b"nonsense", 3, b"somebody")
    until(lambda: status.gateway in look(11.0).of)
    seen = look(12.0)
    gateway = seen.of[status.gateway]
    assert (gateway.heard_s, gateway.oldest_s, gateway.spooled) == (11.0, 75.0, 41)
    assert gateway.disk_free == 7 * 10**9
    ends = looks(LogLook(settings))
    until(lambda: look(13.0).read[GATEWAYS, 3] == ends(13.0).ends[GATEWAYS, 3])
    send(settings, GATEWAYS, None, 3, key)
    until(lambda: status.gateway not in look(14.0).of)


def test_a_watch_that_comes_later_hears_them_as_well(
    settings: Settings, looks: Looks, status: GatewayStatus
) -> None:
    send(settings, GATEWAYS, codec.encode(status), 2, status.gateway.encode())
    look = looks(GatewaysLook(settings))
    until(lambda: status.gateway in look(1.0).of)


def test_a_reader_that_connects_anew_does_not_hear_the_old_again(
    settings: Settings, looks: Looks, status: GatewayStatus
) -> None:
    send(settings, GATEWAYS, codec.encode(status), 4, status.gateway.encode())
    look = looks(GatewaysLook(settings))
    until(lambda: status.gateway in look(1.0).of)
    look.close()
    other = replace(status, gateway=f"{status.gateway}-other")
    send(settings, GATEWAYS, codec.encode(other), 4, other.gateway.encode())
    until(lambda: other.gateway in look(2.0).of)
    assert look(3.0).of[status.gateway].heard_s == 1.0


@pytest.fixture
def rosters(settings: Settings) -> Iterator[Callable[..., None]]:
    """Publishes rosters; other tests follow the same topic, and find none afterwards."""

    def tell(*shifts: dict[str, object]) -> None:
        publish(settings, roster(weekly=list(shifts)), "li")

    yield tell
    send(settings, topics.ROSTER.name, None, 0, b"roster")


def test_a_hole_in_the_roster_that_was_published_is_told_until_it_is_filled(
    settings: Settings, rosters: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "ROSTER_S", 0.2)
    monkeypatch.setattr(alarms, "CLEAR_S", 0.5)
    clock, book, stop = AwakeClock(), Book(tmp_path / "book.json"), threading.Event()
    eyes = run.Eyes(settings, clock)
    watch = run.Watch(eyes, Rules(Limits()), book, clock, tells=True)
    (duty,) = (probe for probe in eyes.all() if probe.name == "duty")
    thread = threading.Thread(target=duty.run, args=(stop,))

    def told(number: int) -> list[str]:
        until(lambda: watch.step() or len(book.pages()) >= number)
        assert {page.condition for page in book.pages()} <= {"ROSTER_HOLE"}
        return [page.what for page in book.pages()]

    thread.start()
    try:
        until(lambda: duty.seen is not None)
        assert told(0) == []  # no roster, no hole
        rosters(weekly("li", "08:00", "07:00"))
        assert set(told(1)) == {"RAISED"}
        assert "from " in book.pages()[0].text or " now, " in book.pages()[0].text
        raised = len(book.pages())
        rosters(weekly("li", "08:00", "08:00"))
        assert told(2 * raised)[raised:] == ["ENDED"] * raised
        send(settings, topics.ROSTER.name, b"nonsense", 0, b"roster")
        assert told(2 * raised + 1)[-1] == "RAISED"
        assert "cannot be read (BadRecordError)" in book.pages()[-1].text
    finally:
        stop.set()
        thread.join()
