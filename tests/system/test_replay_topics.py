"""A replay of what a topic has recorded; and what is stored, played into a topic of a training room."""

from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from kafka import KafkaConsumer, TopicPartition

from ecgstream import clients
from ecgstream.member import end_offsets
from ecgstream.replay import stored as store
from ecgstream.replay.device import replay
from ecgstream.replay.errors import ReplayError
from ecgstream.replay.recorded import FromTopic
from ecgstream.replay.training import PREFIX
from ecgstream.topics import create_topics
from schemas import codec, topics
from schemas.bundle import Bundle
from schemas.records import Enrolment, Packet, Vital
from schemas.topics import Topic
from tests.ecgstream.replay.recorded import START_NS
from tests.system.command import Command
from tests.system.sink_stream import Stream
from tests.system.test_replay import WHOLE, auditor, iso, run, stored

__all__ = ["auditor", "run", "stored"]  # fixtures

HOURS_NS = 3600 * 10**9


def test_what_the_log_still_holds_gives_the_same(stored: Stream, auditor: psycopg.Connection) -> None:
    """Through limits, wearers and kinds of patient that change, a gap, a backlog and a new session."""
    source = FromTopic(stored.settings, topics.INGEST.name)
    found = replay(auditor, stored.device(), WHOLE, source=source)
    assert found.differences == []
    assert len(found.then.beats) > 250
    of_store = replay(auditor, stored.device(), WHOLE)
    assert found.stretch_s == pytest.approx(of_store.stretch_s, abs=2)


def test_the_command_says_which_topic(stored: Stream, run: Command) -> None:
    words = of(stored, *WHOLE)
    kafka = ("--kafka", stored.settings.kafka)
    _, said = run(*words, *kafka, "--topic", topics.INGEST.name)
    assert f"{stored.device()}: identical" in said
    _, said = run(*words, *kafka, "--topic", "nowhere", status=1)
    assert "there is no topic nowhere" in said
    assert "goes without --topic" in run.refused(*words, "--topic", "x", "--settings", "now")
    assert "compares nothing" in run.refused(*words, "--publish", "x", "--topic", "y")
    assert "goes with --publish" in run.refused(*words, "--speed", "2")
    assert "--speed: above 0" in run.refused(*words, "--publish", "x", "--speed", "-1")


def test_a_copy_that_lacks_the_begin_is_told_and_no_difference(
    stored: Stream, auditor: psycopg.Connection
) -> None:
    copy = f"copy-{uuid4().hex[:8]}.{topics.INGEST.name}"
    create_topics(stored.settings, [Topic(copy, topics.INGEST.carries)])
    of_device = [r for r in records(stored, topics.INGEST.name) if stored.device().encode() in r.value]
    for record in of_device[len(of_device) // 5 :]:
        stored.producer.send(copy, record.value, partition=0)
    stored.producer.flush()
    with pytest.raises(ReplayError, match="the topic holds it only from"):
        replay(auditor, stored.device(), WHOLE, source=FromTopic(stored.settings, copy))


def test_a_stretch_is_played_as_live_signals_of_another_name(
    stored: Stream, run: Command, auditor: psycopg.Connection
) -> None:
    room = f"training.{uuid4().hex[:8]}"
    begin_ns, end_ns = START_NS + 20 * 10**9, START_NS + 80 * 10**9
    words = of(stored, begin_ns, end_ns)
    before_ns = time.time_ns()
    _, said = run(*words, "--kafka", stored.settings.kafka, "--publish", room, "--speed", "40")
    assert "played: 60 packets" in said
    played = [p for bundle in bundles(stored, room) for p in bundle.packets()]
    assert {packet.device for packet in played} == {PREFIX + stored.device()}
    was = of_store(auditor, stored.device(), begin_ns, end_ns)
    assert len(played) == len(was) == 60
    moved = played[0].start_ns - was[0].start_ns
    assert before_ns <= begin_ns + moved <= time.time_ns()
    for packet, one in zip(played, was, strict=True):
        assert (packet.session, packet.start_ns) == (one.session + moved, one.start_ns + moved)
        assert (packet.seq, packet.first_sample) == (one.seq, one.first_sample)
        for channel, before in zip(packet.channels, one.channels, strict=True):
            assert (channel.code, channel.rate, channel.gain) == (before.code, before.rate, before.gain)
            assert np.array_equal(channel.samples, before.samples)
    numbers = [v for bundle in bundles(stored, room) for v in bundle.vitals()]
    then = [one.item for one in store.vitals(auditor, stored.device(), begin_ns, end_ns)]
    measured = [v for v in then if isinstance(v, Vital) and v.time_ns >= begin_ns]
    wanted = sorted((v.time_ns + moved, v.code) for v in measured)
    assert sorted((v.time_ns, v.code) for v in numbers) == wanted


def test_nothing_is_played_to_those_who_watch_over_patients(stored: Stream, run: Command) -> None:
    words = (*of(stored, START_NS, START_NS + 5 * 10**9), "--kafka", stored.settings.kafka, "--publish")
    before = ends(stored)
    assert "may be of living patients" in run.refused(*words, topics.INGEST.name)
    assert "is a topic of a centre's own" in run.refused(*words, topics.ALERTS.name)
    assert "is a topic of a centre's own" in run.refused(*words, f"site2.{topics.INGEST.name}")
    create_topics(stored.settings, [topics.TRAINING])
    admin = clients.admin(stored.settings)
    try:
        name = PREFIX + stored.device()
        assert f"{name} is not enrolled" in run.refused(*words, topics.INGEST.name)
        assert ends(stored) == before
        enrolment = Enrolment(name, "monitor", "cn", 6, (), b"", "", disabled=False, changed_ns=1)
        partition = topics.partition_of(6, stored.settings.partitions)
        stored.producer.send(
            topics.ENROLMENT.name, codec.encode(enrolment), key=name.encode(), partition=partition
        ).get(10)
        _, said = run(*words, topics.INGEST.name, "--speed", "20")
        assert "played: 5 packets" in said
        where = TopicPartition(topics.INGEST.name, partition)
        assert ends(stored)[where] > before[where]
    finally:
        admin.delete_topics([topics.TRAINING.name])
        admin.close()


def of(stored: Stream, begin_ns: int, end_ns: int) -> tuple[str, ...]:
    return ("replay", "--device", stored.device(), "--from", iso(begin_ns), "--to", iso(end_ns))


def of_store(connection: psycopg.Connection, device: str, begin_ns: int, end_ns: int) -> list[Packet]:
    from ecgstream.replay.packets import packets

    (session,) = {one.session for one in store.segments(connection, device, begin_ns, end_ns)}
    come = packets(store.blocks(connection, device, session, begin_ns, end_ns))
    found = [one.packet for slice_ in come for one in slice_]
    return [packet for packet in found if begin_ns <= packet.start_ns < end_ns]


def ends(stored: Stream) -> dict[TopicPartition, int]:
    reader = clients.reader(stored.settings)
    try:
        wanted = [TopicPartition(topics.INGEST.name, p) for p in range(stored.settings.partitions)]
        return end_offsets(reader, wanted)
    finally:
        reader.close()


def bundles(stored: Stream, topic: str) -> Iterator[Bundle]:
    return (Bundle.decode(record.value) for record in records(stored, topic))


def records(stored: Stream, topic: str) -> list[KafkaConsumer]:
    reader = clients.reader(stored.settings)
    try:
        every = [TopicPartition(topic, p) for p in range(stored.settings.partitions)]
        reader.assign(every)
        reader.seek_to_beginning()
        until = end_offsets(reader, every)
        found = []
        while any(reader.position(one) < until[one] for one in every):
            for come in reader.poll(timeout_ms=200).values():
                found += come
        return sorted(found, key=lambda record: (record.partition, record.offset))
    finally:
        reader.close()
