"""The publisher's thread, a real spool, and a Kafka that comes and goes."""

import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from devices import bounds, farewells
from devices import publisher as module
from devices.bounds import Bounds
from devices.errors import LineError, SpoolDamagedError
from devices.publisher import Publisher
from devices.spool import Spool
from schemas import codec
from schemas.records import Control, GatewayStatus, LinkDown, Refusal
from tests.devices.lines import FakeLine, Sent, seqs
from tests.devices.spooling import bundle

PARTITIONS = 4


class Kafka:
    """Gives lines as long as it is there."""

    def __init__(self) -> None:
        self.is_there = True
        self.lines: list[FakeLine] = []
        self.asked = 0

    def connect(self, *_: Any, wake: Callable[[], None], **__: Any) -> FakeLine:
        self.asked += 1
        if not self.is_there:
            raise LineError("no broker answers at nowhere:1")
        line = FakeLine(at_once=True)
        line.wake = wake
        self.lines.append(line)
        return line

    def log(self) -> list[Sent]:
        return [sent for line in self.lines for sent in line.log]

    def statuses(self) -> list[GatewayStatus]:
        found = [codec.decode_as(GatewayStatus, s.value) for s in self.log() if s.topic == "ecg.gateways"]
        assert {(s.partition, s.key) for s in self.log() if s.topic == "ecg.gateways"} <= {
            (zlib.crc32(b"gw") % 4, b"gw")
        }
        return found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.01)
    monkeypatch.setattr(module, "STATUS_S", 0.05)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with closing(Spool(tmp_path / "gw.spool")) as made:
        yield made


def publisher(spool: Spool, kafka: Kafka, **more: Any) -> Publisher:
    connect: Any = kafka.connect
    return Publisher("nowhere:1", spool, gateway="gw", partitions=PARTITIONS, line=connect, **more)


def until(true: Callable[[], object], patience_s: float = 10.0) -> None:
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_what_is_published_is_durable_before_it_is_sent(spool: Spool) -> None:
    kafka = Kafka()
    with closing(publisher(spool, kafka)) as p:
        p.publish([bundle(0), bundle(1)])
        assert not spool.has_changed
        assert spool.held().records == 2
        p.start(5.0)
        until(lambda: p.settled(0.1))
    assert seqs(kafka.log()) == [0, 1]
    assert spool.is_empty
    assert not spool.has_changed
    assert kafka.lines[0].closed == [True]


def test_without_kafka_devices_are_taken_and_all_is_sent_once_it_is_there(spool: Spool) -> None:
    kafka = Kafka()
    kafka.is_there = False
    with closing(publisher(spool, kafka)) as p:
        p.start(0.05)
        for n in range(5):
            p.publish([bundle(n)])
        until(lambda: kafka.asked > 3)
        assert not p.settled(0.01)
        assert p.waiting() == 5
        kafka.is_there = True
        until(lambda: p.settled(0.1))
    assert seqs(kafka.log()) == [0, 1, 2, 3, 4]


def test_a_line_that_breaks_is_connected_anew_and_nothing_is_lost(spool: Spool) -> None:
    kafka = Kafka()
    with closing(publisher(spool, kafka)) as p:
        p.start(5.0)
        p.publish([bundle(0)])
        until(lambda: p.settled(0.1))
        kafka.lines[0].broken = "the broker has gone"
        p.publish([bundle(1)])
        until(lambda: p.settled(0.1))
    assert seqs(kafka.log()) == [0, 1]
    assert kafka.lines[0].closed == [False]
    assert len(kafka.lines) == 2


def test_how_it_stands_is_told_at_the_start_every_few_seconds_and_at_the_end(spool: Spool) -> None:
    kafka = Kafka()
    seen: list[tuple[GatewayStatus, Any]] = []
    with closing(publisher(spool, kafka, version="1.2", on_standing=lambda *s: seen.append(s))) as p:
        p.start(5.0)
        until(lambda: len(kafka.statuses()) > 2)
        p.publish([bundle(0, "ab")])
        p.refuse()
        until(lambda: p.settled(0.1))
    first, *_, last = kafka.statuses()
    assert (first.gateway, first.version, first.devices, first.spooled_records) == ("gw", "1.2", 0, 0)
    assert (last.refused, last.spooled_records, last.oldest_ns) == (1, 0, None)
    assert last.disk_free_bytes > 0
    assert seen[-1][0] == last
    assert seen[-1][1].records == 1


def test_while_kafka_is_away_it_is_planned_what_will_be_backlog(tmp_path: Path) -> None:
    kafka = Kafka()
    kafka.is_there = False
    with closing(Spool(tmp_path / "gw.spool")) as spool, closing(publisher(spool, kafka)) as p:
        p.start(0.05)
        p.publish([bundle(n) for n in range(100)])
        until(lambda: spool.has_changed and spool.commit() and spool.gaps())
        p.publish([bundle(n) for n in range(100, 130)])
        kafka.is_there = True
        until(lambda: p.settled(0.1))
    assert seqs(kafka.log()) == [129]
    assert seqs(kafka.log(), "ecg.backfill") == list(range(129))


def test_while_kafka_is_away_the_spool_stays_within_its_bounds_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "YOUNG_S", -1.0)
    kafka = Kafka()
    kafka.is_there = False
    with (
        closing(Spool(tmp_path / "gw.spool")) as spool,
        closing(publisher(spool, kafka, bounds=Bounds(max_bytes=10_000.0))) as p,
    ):
        p.publish([bundle(n) for n in range(100)])
        p.start(0.05)
        until(lambda: spool.held().bytes <= 10_000)
        kafka.is_there = True
        until(lambda: p.settled(0.1))
    lost = spool.tally.lost
    assert len(seqs(kafka.log()) + seqs(kafka.log(), "ecg.backfill")) + lost.ecg_s == 100
    assert seqs(kafka.log()) == [99]
    said = kafka.statuses()[-1]
    assert (said.lost_numbers, said.lost_ecg_s) == (lost.numbers, lost.ecg_s)
    assert said.lost_ns is not None


def test_what_can_never_be_taken_is_told_once_kafka_is_there(spool: Spool) -> None:
    kafka = Kafka()
    with closing(publisher(spool, kafka)) as p:
        p.refusals.tell("hl7", "mon-1", "no OBX", b"content")
        p.start(5.0)
        until(lambda: [s for s in kafka.log() if s.topic == "ecg.refused"])
    (sent,) = [s for s in kafka.log() if s.topic == "ecg.refused"]
    assert (sent.key, sent.partition) == (b"gw", zlib.crc32(b"gw") % PARTITIONS)
    assert codec.decode_as(Refusal, sent.value).device == "mon-1"


def test_who_is_gone_is_told_behind_what_it_has_sent(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farewells, "HOLD_S", 0.0)
    kafka = Kafka()
    with closing(publisher(spool, kafka)) as p:
        p.publish([bundle(n) for n in range(20)])
        p.farewells.gone("a", 9)
        p.start(5.0)
        until(lambda: p.settled(0.1) and "ecg.ingest" in [s.topic for s in kafka.log() if s.key == b"a"])
    *before, last = [s for s in kafka.log() if s.topic == "ecg.ingest"]
    assert seqs(before) == list(range(20))
    told = codec.decode_as(Control, last.value)
    assert (told.device, told.session, told.issued_by, told.change) == ("a", 0, "gw", LinkDown())
    assert last.partition == before[0].partition


def test_a_kafka_that_acknowledges_nothing_counts_as_away(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLOW_S", 0.05)
    kafka = Kafka()
    said: list[str] = []
    with closing(publisher(spool, kafka)) as p:
        monkeypatch.setattr(p.standing, "say", lambda *_, away, **__: said.append(away))
        p.start(5.0)
        kafka.lines[0].at_once = False
        p.publish([bundle(0)])
        until(lambda: "it acknowledges nothing" in said)
        kafka.lines[0].acknowledge()
        until(lambda: p.settled(0.1) and said[-1] == "")


def test_a_line_that_says_nothing_for_too_long_is_connected_anew(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HUNG_S", 0.2)
    kafka = Kafka()
    with closing(publisher(spool, kafka)) as p:
        p.start(5.0)
        kafka.lines[0].at_once = False
        p.publish([bundle(0)])
        until(lambda: p.settled(0.1))
    assert seqs(kafka.log()) == [0]
    assert kafka.lines[0].closed == [False]


def test_acknowledgements_are_made_durable_though_no_device_gives_anything(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_COMMIT_S", 0.05)
    kafka = Kafka()
    with closing(publisher(spool, kafka)) as p:
        p.start(5.0)
        p.publish([bundle(0)])
        until(lambda: spool.is_empty and not spool.has_changed)


def test_what_breaks_in_the_thread_is_raised_where_devices_are_heard(spool: Spool) -> None:
    kafka = Kafka()
    kafka.is_there = False
    with closing(publisher(spool, kafka)) as p:
        p.publish([bundle(0)])
        spool._connection.execute("DELETE FROM body")
        kafka.is_there = True
        p.start(5.0)
        until(lambda: not p._thread.is_alive())
        with pytest.raises(SpoolDamagedError, match="record 1 is not there"):
            p.publish([bundle(1)])
        with pytest.raises(SpoolDamagedError):
            p.settled(0.0)


def test_what_an_earlier_process_left_is_sent_first(tmp_path: Path) -> None:
    kafka = Kafka()
    with closing(Spool(tmp_path / "gw.spool")) as spool:
        publisher(spool, kafka).publish([bundle(0)])
    with closing(Spool(tmp_path / "gw.spool")) as spool, closing(publisher(spool, kafka)) as p:
        p.publish([bundle(1)])
        p.start(5.0)
        until(lambda: p.settled(0.1))
    assert seqs(kafka.log()) == [0, 1]


def test_closing_leaves_no_thread_even_where_it_never_began(spool: Spool) -> None:
    before = threading.active_count()
    publisher(spool, Kafka()).close()
    with closing(publisher(spool, Kafka())) as p:
        p.start(5.0)
    assert threading.active_count() == before
