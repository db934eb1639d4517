"""What is spooled goes to Kafka by its lane; with a real spool, and a line that the test answers for."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from devices import shipper as module
from devices.backlog import WINDOW
from devices.errors import LineError
from devices.line import Outcome
from devices.shipper import Shipper
from schemas import codec
from schemas.bundle import Bundle
from tests.devices.lines import FakeLine, ends, packets, seqs
from tests.devices.shipping import Gateway
from tests.devices.spooling import RATE, SESSION, bundle, packet, vital


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(tmp_path / "gw.spool")
    yield made
    made.spool.close()


def test_a_record_goes_to_the_partition_of_its_shard_as_it_was_and_is_deleted_once_acknowledged(
    gateway: Gateway,
) -> None:
    line = FakeLine()
    first, second = bundle(0), bundle(1, shard=6)
    gateway.take(first, second)
    gateway.step(line)
    assert [(s.topic, s.partition, s.value) for s in line.sent] == [
        ("ecg.ingest", 1, first.encode()),
        ("ecg.ingest", 2, second.encode()),
    ]
    assert gateway.spool.held().records == 2
    line.acknowledge(1)
    gateway.step(line)
    assert gateway.spool.held().records == 1
    line.acknowledge()
    gateway.step(line)
    assert gateway.spool.is_empty
    assert gateway.shipper.shipped == (2, len(first.encode()) + len(second.encode()))


def test_no_more_than_the_window_is_on_its_way_and_one_shard_does_not_hold_up_another(
    gateway: Gateway,
) -> None:
    line = FakeLine()
    gateway.take(*(bundle(n, shard=1) for n in range(30)), bundle(0, "b", shard=2))
    gateway.step(line)
    assert [s.partition for s in line.sent].count(1) == WINDOW
    assert [s.partition for s in line.sent].count(2) == 1
    acknowledged = line.acknowledge(3)
    gateway.step(line)
    # What Kafka has and the spool's file still holds counts too, until it is deleted there.
    assert len(acknowledged) == 3
    assert gateway.spool.undeleted(1) == 0
    assert [s.partition for s in line.sent].count(1) == WINDOW
    gateway.drain(line)
    assert seqs(line.log) == list(range(30))


def test_a_minute_is_filled_in_in_order(gateway: Gateway) -> None:
    line = FakeLine()
    gateway.take(*(bundle(n, "ab") for n in range(61)))
    gateway.drain(line)
    assert seqs(line.log) == seqs(line.log, device="b") == list(range(61))
    assert all(s.topic == "ecg.ingest" for s in line.log)


def test_behind_a_long_gap_live_goes_first_and_the_backlog_follows_with_its_end(gateway: Gateway) -> None:
    line = FakeLine()
    given = [bundle(n, "ab") for n in range(100)]
    gateway.take(*given)
    gateway.step(line)
    # The newest, and nothing else until it is there.
    assert [s.value for s in line.sent] == [given[99].encode()]
    gateway.take(bundle(100, "ab"))
    gateway.step(line, 1.0)
    assert seqs(line.sent) == [99, 100]
    line.acknowledge()
    gateway.step(line)
    assert [(s.topic, s.value) for s in line.sent] == [("ecg.backfill", given[0].encode())]
    gateway.drain(line)
    assert seqs(line.log) == [99, 100]
    assert [s.value for s in line.log if s.topic == "ecg.backfill"][:99] == [b.encode() for b in given[:99]]
    assert [(e.device, e.session, e.from_sample, e.issued_by) for e in ends(line.log)] == [
        ("a", SESSION, 99 * RATE, "gw"),
        ("b", SESSION, 99 * RATE, "gw"),
    ]
    assert [s.topic for s in line.log[-2:]] == ["ecg.backfill"] * 2
    assert {s.key for s in line.log[-2:]} == {b"a", b"b"}
    assert {s.partition for s in line.log} == {1}
    gateway.spool.commit()
    assert gateway.spool.gaps() == []


def test_devices_of_a_record_part_where_their_ways_do(gateway: Gateway) -> None:
    """a was heard all the time, b came late, c fell silent early."""
    line = FakeLine()
    heard: dict[str, list[int]] = {"a": list(range(100)), "b": list(range(70, 100)), "c": list(range(61, 63))}
    heard["d"] = [*range(5), *range(90, 100)]
    given = [bundle(n, "".join(d for d in "abcd" if n in heard[d])) for n in range(100)]
    gateway.take(*given)
    gateway.drain(line)
    assert seqs(line.log, device="a") == [99]
    assert seqs(line.log, "ecg.backfill", "a") == list(range(99))
    assert seqs(line.log, device="b") == heard["b"]
    assert seqs(line.log, "ecg.backfill", "b") == []
    assert seqs(line.log, device="c") == heard["c"]
    assert seqs(line.log, device="d") == [99]
    assert seqs(line.log, "ecg.backfill", "d") == heard["d"][:-1]
    assert [e.device for e in ends(line.log)] == ["a", "d"]
    for p in packets(line.log) + packets(line.log, "ecg.backfill"):
        was = packet(p.device, p.seq)
        np.testing.assert_array_equal(p.channels[0].samples, was.channels[0].samples)
        assert (p.session, p.first_sample, p.start_ns, p.received_ns) == (
            was.session, was.first_sample, was.start_ns, was.received_ns,
        )  # fmt: skip


def test_the_backlog_leaves_half_of_the_time_to_others(gateway: Gateway) -> None:
    line = FakeLine()
    gateway.take(*(bundle(n) for n in range(100)))
    gateway.step(line)
    line.acknowledge()
    gateway.step(line)
    assert seqs(line.sent, "ecg.backfill") == [0]
    gateway.step(line, 3.0)
    line.acknowledge()
    assert gateway.step(line) == pytest.approx(gateway.s + 3.0)
    assert line.sent == []
    gateway.step(line, 2.9)
    assert line.sent == []
    gateway.step(line, 0.1)
    assert seqs(line.sent, "ecg.backfill") == [1]


def test_a_quick_line_takes_more_of_the_backlog_at_once_and_a_slow_one_a_record(gateway: Gateway) -> None:
    line = FakeLine()
    gateway.take(*(bundle(n) for n in range(400)))
    gateway.step(line)
    line.acknowledge()  # the live one
    gateway.step(line)
    turns = []
    for took_s in (0.01, 0.01, 0.01, 0.01, 0.07, 0.3, 0.3, 0.3):
        turns.append(len(seqs(line.sent, "ecg.backfill")))
        line.acknowledge()
        gateway.step(line, took_s)
        gateway.step(line, took_s + 0.001)  # the line's other half is over
    assert turns == [1, 2, 4, 8, 16, 16, 8, 4]
    gateway.drain(line)
    assert seqs(line.log, "ecg.backfill") == list(range(399))


def test_the_end_of_a_gap_waits_for_all_before_it(gateway: Gateway) -> None:
    """Two devices whose gaps end at different records: none is told to be over before it is."""
    line = FakeLine()
    gateway.take(*(bundle(n, "ab" if n < 150 else "b") for n in range(300)))
    gateway.drain(line)
    at = {end.device: n for n, s in enumerate(line.log) for end in ends([s])}
    for device in "ab":
        last = max(n for n, s in enumerate(line.log) if seqs([s], "ecg.backfill", device))
        assert last < at[device]


def test_what_a_lost_line_did_not_acknowledge_goes_again_in_order_by_the_same_lane(gateway: Gateway) -> None:
    line = FakeLine()
    gateway.take(*(bundle(n) for n in range(3)))
    gateway.step(line)
    line.acknowledge(1)
    gateway.step(line)
    gateway.shipper.lost([])
    gateway.take(*(bundle(n) for n in range(3, 100)))
    again = FakeLine()
    gateway.drain(again)
    assert seqs(again.log) == [1, 2, 99]
    assert seqs(again.log, "ecg.backfill") == list(range(3, 99))


def test_what_was_acknowledged_to_the_last_does_not_go_again(gateway: Gateway) -> None:
    line = FakeLine()
    gateway.take(bundle(0, shard=1), bundle(0, "b", shard=2), bundle(1, "b", shard=2))
    gateway.step(line)
    first, second, third = line.sent
    line.told = [Outcome(first.token, "refused"), Outcome(second.token, "")]
    with pytest.raises(LineError, match="refused"):
        gateway.step(line)
    gateway.shipper.lost([Outcome(third.token, "")])
    again = FakeLine()
    gateway.drain(again)
    assert [s.partition for s in again.log] == [1]


def test_a_failure_is_told_and_one_of_the_status_is_not(gateway: Gateway) -> None:
    line = FakeLine()
    gateway.take(bundle(0))
    gateway.step(line)
    line.told = [Outcome(0, "refused")]
    gateway.step(line)
    line.told = [Outcome(line.sent[0].token, "refused")]
    with pytest.raises(LineError, match="refused"):
        gateway.step(line)


def test_a_crash_in_mid_backlog_repeats_only_what_was_not_acknowledged(gateway: Gateway) -> None:
    line = FakeLine()
    gateway.take(*(bundle(n) for n in range(100)))
    line.at_once = True
    while len(seqs(line.log, "ecg.backfill")) < 40:
        gateway.step(line, 1.0)
    gateway.step(line, 1.0)
    gateway.spool.commit()
    had = set(seqs(line.log, "ecg.backfill"))
    gateway.restart()
    again = FakeLine()
    gateway.take(*(bundle(n) for n in range(100, 110)))
    gateway.drain(again)
    assert seqs(again.log) == list(range(100, 110))
    repeated = had & set(seqs(again.log, "ecg.backfill"))
    assert len(repeated) <= 1
    assert had | set(seqs(again.log, "ecg.backfill")) == set(range(99))
    assert len(ends(again.log)) == 1


def test_the_end_of_a_gap_is_the_same_bytes_when_it_is_told_again(gateway: Gateway) -> None:
    line = FakeLine()
    gateway.take(*(bundle(n) for n in range(70)))
    line.at_once = True
    while not ends(line.log):
        gateway.step(line, 1.0)
    gateway.restart()
    again = FakeLine()
    gateway.drain(again)
    assert [codec.encode(e) for e in ends(again.log)] == [codec.encode(e) for e in ends(line.log)]


def test_after_a_crash_what_may_have_been_sent_stays_on_its_lane(gateway: Gateway) -> None:
    line = FakeLine()
    gateway.take(*(bundle(n) for n in range(4)))
    gateway.step(line)
    assert len(line.sent) == 4
    gateway.restart()
    gateway.take(*(bundle(n) for n in range(4, 200)))
    again = FakeLine()
    gateway.drain(again)
    assert seqs(again.log) == [0, 1, 2, 3, 199]
    assert seqs(again.log, "ecg.backfill") == list(range(4, 199))


@pytest.mark.parametrize("twice", [False, True])
def test_a_second_outage_pauses_the_backlog_until_live_is_through(*, twice: bool, gateway: Gateway) -> None:
    line = FakeLine()
    gateway.take(*(bundle(n) for n in range(100)))
    line.at_once = True
    while len(seqs(line.log, "ecg.backfill")) < 10:
        gateway.step(line, 1.0)
    gateway.shipper.lost([])
    if twice:
        gateway.spool.commit()
        gateway.restart()
    gateway.take(*(bundle(n) for n in range(100, 200)))
    again = FakeLine()
    gateway.step(again, 1.0)
    gateway.step(again, 1.0)
    assert [s.topic for s in again.sent if s.topic == "ecg.backfill"] == []
    gateway.drain(again)
    live = seqs(again.log)
    backlog = list(dict.fromkeys(seqs(line.log, "ecg.backfill") + seqs(again.log, "ecg.backfill")))
    assert backlog == sorted(backlog)
    assert sorted([99, *live, *backlog]) == list(range(200))
    assert [e.from_sample // RATE for e in ends(again.log)] == [99, 199]


def test_numbers_alone_have_their_backlog_too(gateway: Gateway) -> None:
    line = FakeLine()
    gateway.take(*(Bundle.of("gw", 9, n, [], [vital("a", n)]) for n in range(100)))
    gateway.drain(line)
    assert [s.topic for s in line.log].count("ecg.backfill") == 100
    assert [(e.session, e.from_sample) for e in ends(line.log)] == [(0, 0)]


def test_a_disk_that_takes_nothing_does_not_hold_up_the_live_signal(gateway: Gateway) -> None:
    gateway.spool._connection.execute("PRAGMA query_only = 1")
    line = FakeLine()
    gateway.take(*(bundle(n) for n in range(30)))
    gateway.drain(line)
    assert seqs(line.log) == list(range(30))
    gateway.spool._connection.execute("PRAGMA query_only = 0")


def test_a_start_that_takes_long_says_that_it_lives(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BEAT_RECORDS", 10)
    gateway.take(*(bundle(n) for n in range(35)))
    beats: list[None] = []
    Shipper(gateway.spool, gateway="gw", partitions=4, beat=lambda: beats.append(None))
    assert len(beats) == 4
