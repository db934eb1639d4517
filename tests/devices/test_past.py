"""What was measured at another time goes by the lane of backlogs, whole, in order, beside what is live."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.parts import parts_of
from devices.publisher import Publisher
from devices.spool import Spool
from schemas.bundle import Bundle
from schemas.codec import encode
from schemas.records import BacklogEnd, Control
from tests.devices.lines import FakeLine, Sent, ends, packets, seqs
from tests.devices.spooling import SESSION, bundle, packet
from tests.devices.test_publisher import Kafka, until
from tests.devices.test_shipper import Gateway

PAST = SESSION - 10**15
END = encode(Control("recording-a", "a", 1, 0, 5, "gw", BacklogEnd()))


def old(seq: int, device: str = "a", shard: int = 9) -> Bundle:
    """A second of a recording that was made days before."""
    return Bundle.of("gw", shard, SESSION, [packet(device, seq, PAST)], [])


def take_past(gateway: Gateway, *bundles: Bundle, end: bool = False) -> None:
    put = gateway.spool.put
    records = [put(b.shard, b.created_ns, b.encode(), parts_of(b), is_live=False) for b in bundles]
    if end:
        records.append(put(9, SESSION, END, [], is_live=False))
    gateway.spool.commit()
    for record in records:
        gateway.shipper.take(record)


def past(sent: Sequence[Sent]) -> list[int]:
    return [p.seq for p in packets(sent, "ecg.backfill") if p.session == PAST]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(tmp_path / "gw.spool")
    yield made
    made.spool.close()


def test_a_recording_of_any_length_goes_as_backlog_with_its_end_last(gateway: Gateway) -> None:
    line = FakeLine()
    take_past(gateway, *(old(n) for n in range(3)), end=True)
    gateway.drain(line)
    assert {s.topic for s in line.log} == {"ecg.backfill"}
    assert past(line.log) == [0, 1, 2]
    assert line.log[-1].value == END
    assert {s.partition for s in line.log} == {1}


def test_what_is_live_goes_first_and_stays_live_also_of_the_same_device(gateway: Gateway) -> None:
    line = FakeLine()
    gateway.take(bundle(0))
    take_past(gateway, *(old(n) for n in range(200)), end=True)
    gateway.take(bundle(1))
    gateway.step(line)
    assert [s.topic for s in line.sent] == ["ecg.ingest", "ecg.ingest"]
    gateway.drain(line)
    assert seqs(line.log) == [0, 1]
    assert past(line.log) == list(range(200))
    assert len(ends(line.log)) == 1  # no gap was planned for it


def test_a_restart_knows_what_is_past_and_a_gap_beside_it(gateway: Gateway) -> None:
    line = FakeLine()
    gateway.take(*(bundle(n) for n in range(100)))
    take_past(gateway, *(old(n) for n in range(5)), end=True)
    gateway.step(line)
    line.acknowledge()
    gateway.step(line)
    gateway.spool.commit()
    gateway.restart()
    again = FakeLine()
    gateway.drain(again)
    sent = [*line.log, *again.log]
    assert sorted({*seqs(sent), *seqs(sent, "ecg.backfill")}) == list(range(100))
    assert past(sent) == list(range(5))
    assert past([s for s in sent if s.topic == "ecg.ingest"]) == []
    assert {(e.device, e.session) for e in ends(sent)} == {("a", 1), ("a", SESSION)}


steps = st.sampled_from(["live", "past", "end", "step", "acknowledge", "break", "crash"])


@settings(max_examples=150, deadline=None)
@given(taken=st.lists(steps, max_size=60))
def test_each_goes_by_its_lane_whatever_happens_meanwhile(taken: list[str]) -> None:
    with TemporaryDirectory() as folder:
        gateway = Gateway(Path(folder) / "gw.spool")
        line = FakeLine()
        log: list[Sent] = []
        live = recorded = 0
        for step in taken:
            if step == "live":
                gateway.take(bundle(live))
                live += 1
            elif step == "past":
                take_past(gateway, old(recorded))
                recorded += 1
            elif step == "end":
                take_past(gateway, end=True)
            elif step == "step":
                gateway.step(line, 0.5)
            elif step == "acknowledge":
                line.acknowledge()
            else:
                log += [*line.log, *line.sent]  # what was on its way may be in Kafka
                if step == "crash":
                    gateway.restart()
                else:
                    gateway.shipper.lost([])
                line = FakeLine()
        gateway.drain(line)
        log += line.log
        gateway.spool.close()
    assert sorted(set(seqs(log))) == list(range(live))
    assert list(dict.fromkeys(past(log))) == list(range(recorded))
    assert all(p.session == SESSION for p in packets(log))
    assert all(p.session == PAST for p in packets(log, "ecg.backfill"))
    assert bool(ends(log)) == ("end" in taken)


def test_the_publisher_answers_when_it_is_durable_and_sends_it_as_backlog(tmp_path: Path) -> None:
    kafka = Kafka()
    end = Control("recording-a", "a", 1, 0, 5, "gw", BacklogEnd())
    with closing(Spool(tmp_path / "gw.spool")) as spool:
        made = Publisher("nowhere:1", spool, gateway="gw", partitions=4, line=kafka.connect)  # type: ignore[arg-type]
        with closing(made) as publisher:
            assert publisher.publish_past(9, [old(0), old(1)], end)
            assert spool.held().records == 3
            assert not spool.has_changed
            publisher.start(5.0)
            until(lambda: publisher.settled(0.1))
        statuses = kafka.statuses()
    assert past(kafka.log()) == [0, 1]
    assert [e.session for e in ends(kafka.log())] == [1]
    assert statuses[-1].devices == 0  # nobody was heard
