"""What the pager follows besides its own topics: the roster that holds, and where devices stand."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaError

from alerts.place import Place
from alerts.roster.read import parse, tables_of, to_json, version_of
from ecgstream.pager.duty import Duty
from schemas import topics
from schemas.codec import encode
from schemas.records import Enrolment, Roster

TOML = Path("fixtures/roster.toml").read_text("utf-8")
ROSTER_0 = TopicPartition(topics.ROSTER.name, 0)
ENROLMENT_1 = TopicPartition(topics.ENROLMENT.name, 1)


class Reader:
    """A consumer of topics that hold what is written to them here."""

    def __init__(self) -> None:
        self.log: dict[TopicPartition, list[Any]] = defaultdict(list)
        self.read: dict[TopicPartition, int] = defaultdict(int)
        self.away = False

    def write(self, source: TopicPartition, key: str, value: bytes | None) -> None:
        self.log[source].append(SimpleNamespace(key=key.encode(), value=value))

    def assign(self, sources: list[TopicPartition]) -> None:
        pass

    def end_offsets(self, sources: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {source: len(self.log[source]) for source in sources}

    def seek_to_beginning(self, *sources: TopicPartition) -> None:
        self.read.clear()

    def position(self, source: TopicPartition) -> int:
        return self.read[source]

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        if self.away:
            raise KafkaError("away")
        found = {s: records[self.read[s] :] for s, records in self.log.items() if records[self.read[s] :]}
        self.read.update({source: len(records) for source, records in self.log.items()})
        return found


def duty(reader: Any) -> Duty:
    found = Duty(reader, 2)
    found.load()
    return found


def told(published_ns: int, toml: str = TOML) -> bytes:
    roster = parse(tables_of(toml))
    return encode(Roster(version_of(roster), to_json(roster), published_ns, "li"))


def enrolled(device: str, kind: str = "monitor") -> bytes:
    return encode(Enrolment(device, kind, "henan.h1", 9, (), b"", "", disabled=False, changed_ns=1))


def test_what_was_published_last_holds_also_when_it_comes_later() -> None:
    reader = Reader()
    reader.write(ROSTER_0, "roster", told(2))
    found = duty(reader)
    assert found.route.roster == parse(tables_of(TOML))
    other = TOML.replace('to = "20:00"', 'to = "19:30"').replace('from = "20:00"', 'from = "19:30"')
    reader.write(ROSTER_0, "roster", told(3, other))
    reader.write(ROSTER_0, "roster", told(1))  # of somebody whose clock is behind
    found.follow()
    assert found.route.roster == parse(tables_of(other))


@pytest.mark.parametrize("value", [b"", b"nonsense", encode(Roster("v", b"{}", 9, "li"))])
def test_a_roster_that_cannot_be_read_leaves_the_one_before(value: bytes) -> None:
    reader = Reader()
    reader.write(ROSTER_0, "roster", told(2))
    reader.write(ROSTER_0, "roster", value)
    assert duty(reader).route.roster == parse(tables_of(TOML))


def test_a_roster_that_is_deleted_is_none() -> None:
    reader = Reader()
    reader.write(ROSTER_0, "roster", told(2))
    reader.write(ROSTER_0, "roster", None)
    assert duty(reader).route.roster is None


def test_a_device_stands_where_it_is_enrolled() -> None:
    reader = Reader()
    reader.write(ENROLMENT_1, "a", enrolled("a"))
    reader.write(ENROLMENT_1, "b", enrolled("b", "Ambulance monitor"))
    reader.write(ENROLMENT_1, "c", b"noise")
    found = duty(reader)
    assert found.place("a") == Place("henan.h1", green=False)
    assert found.place("b") == Place("henan.h1", green=True)
    assert found.place("c") == Place()
    reader.write(ENROLMENT_1, "a", None)
    found.follow()
    assert found.place("a") == Place()


def test_while_kafka_is_away_what_is_known_holds() -> None:
    reader = Reader()
    reader.write(ROSTER_0, "roster", told(2))
    found = duty(reader)
    reader.away = True
    found.follow()
    assert found.route.roster is not None
