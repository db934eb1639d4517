"""Backlogs: analysed from the state before their gap, beside the live lane, the same after any crash."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.recordings import toy_ecg
from ecgstream.worker.backfill import Backfill
from ecgstream.worker.detect import Partition, Record
from ecgstream.worker.live import MOST_GAPS, Live
from ecgstream.worker.snapshots import Keys, Saved, identity
from schemas import codec, mdc, topics
from schemas.batches import Batch, Beats
from schemas.bundle import Bundle
from schemas.records import (
    Association,
    BacklogEnd,
    Change,
    Channel,
    Condition,
    Control,
    DeadLetter,
    Lane,
    Packet,
    Segment,
    Start,
    Vital,
)

RATE_HZ = 360
SESSION = 1_700_000_025_000_000_000
SECOND_NS = 1_000_000_000
GAP = (20, 95)
"""s, from and to."""
SECONDS = 110
WAVE = toy_ecg().sessions[0].waves[0]


def bundle(seq: int, session: int = SESSION, devices: Sequence[str] = ("dev-a",)) -> bytes:
    begin = seq * RATE_HZ
    lead = Channel(
        mdc.LEADS["II"], 0, 0, RATE_HZ, WAVE.gain, WAVE.samples[begin : begin + RATE_HZ], WAVE.offset
    )
    at_ns = session + seq * SECOND_NS
    packets = [Packet(d, session, seq, seq * RATE_HZ, at_ns, at_ns, [lead]) for d in devices]
    vitals = [Vital(d, session, at_ns, mdc.SPO2, 97.0) for d in devices]
    return codec.encode(Bundle.of("gw", 0, at_ns, packets, vitals))


def control(change: Change, session: int = 0, sample: int = 0) -> bytes:
    return codec.encode(Control("c", "dev-a", session, sample, 7, "gw", change))


END = control(BacklogEnd(), SESSION, GAP[1] * RATE_HZ)


def numbered(values: Sequence[bytes]) -> list[Record]:
    return [Record(offset, 1000 * offset, value) for offset, value in enumerate(values)]


class Pair:
    """Both lanes of a partition, and what the snapshot topic has of them."""

    def __init__(self) -> None:
        self.topic: dict[bytes, bytes] = {}
        self.rows: set[Any] = set()
        self.generation = 0
        self.start()

    def start(self) -> None:
        """As after a crash: only what is on the topic is known."""
        self.generation += 1
        self.saved = Saved.of(self.topic.items())
        self.live = Live(0, self.generation, self.saved, Keys(self.saved), lost_link_s=1000.0, clock_rate=1.0)
        self.backfill = Backfill(0, self.generation, self.saved, self.live)

    def checkpoint(self) -> None:
        """As ``Checkpoints.take``: outputs, snapshots, positions, then the keys given up."""
        given_up = []
        for lane in (self.live, self.backfill):
            due, position = lane.snapshots(), lane.position()
            given_up += lane.keys.take()
            self.put_out(lane)
            for snapshot in (*due, lane.position_record(position)):
                self.topic[lane.keys.wrote(snapshot)] = codec.encode(snapshot)
        for key in given_up:
            self.topic.pop(key, None)

    def put_out(self, lane: Partition) -> None:
        for output in lane.outbox:
            assert output.value is not None
            content = codec.decode(output.value)
            if output.topic is topics.SNAPSHOTS:
                assert output.key is not None
                self.topic[output.key] = output.value
            elif isinstance(content, Batch) and output.topic is not topics.STATUS:
                self.rows |= {(type(content).__name__, repr(r)) for r in content.rows()}
            elif isinstance(content, Condition | Segment):
                self.rows.add(repr((content.id if isinstance(content, Condition) else "", content)))
        lane.outbox.clear()

    def told(self, kind: type) -> list[Any]:
        contents = [codec.decode(o.value) for o in self.backfill.outbox if o.value is not None]
        return [c for c in contents if isinstance(c, kind)]


@pytest.fixture(scope="module")
def live_log() -> list[Record]:
    """20 s, a gap, 15 s."""
    values = [control(Association("P-1")), *map(bundle, [*range(GAP[0]), *range(GAP[1], SECONDS)])]
    return numbered(values)


@pytest.fixture(scope="module")
def backlog() -> list[Record]:
    return numbered([*map(bundle, range(*GAP)), END])


def without_generation(rows: set[Any]) -> set[str]:
    import re

    return {re.sub(r"generation=\d+", "", str(row)) for row in rows}


@pytest.fixture(scope="module")
def expected(live_log: list[Record], backlog: list[Record]) -> set[str]:
    pair = Pair()
    pair.live.process(live_log)
    pair.backfill.process(backlog)
    pair.checkpoint()
    return without_generation(pair.rows)


def test_a_backlog_is_a_segment_restored_from_before_its_gap(
    live_log: list[Record], backlog: list[Record]
) -> None:
    pair = Pair()
    pair.live.process(live_log)
    pair.backfill.process(backlog)
    begun, ended = pair.told(Segment)
    assert (begun.lane, begun.start, begun.from_sample) == (Lane.BACKFILL, Start.RESTORED, GAP[0] * RATE_HZ)
    assert (begun.to_sample, ended.to_sample) == (None, GAP[1] * RATE_HZ)
    beats = sum(len(b.sample) for b in pair.told(Beats))
    assert beats > 60
    assert all(c.lane is Lane.BACKFILL and c.patient == "P-1" for c in pair.told(Condition))


def test_when_a_gap_is_filled_nothing_of_it_stays_on_the_snapshot_topic(
    live_log: list[Record], backlog: list[Record]
) -> None:
    pair = Pair()
    pair.live.process(live_log)
    pair.checkpoint()
    pair.backfill.process(backlog[:10])
    pair.checkpoint()
    kinds = sorted(key.split()[0:2] for key in pair.topic)
    assert [b"DEVICE", b"BACKFILL"] in kinds
    assert [b"GAP", b"LIVE"] in kinds
    pair.backfill.process(backlog[10:])
    pair.checkpoint()
    kinds = sorted(key.split()[0:2] for key in pair.topic)
    assert kinds == [[b"DEVICE", b"LIVE"], [b"POSITION", b"BACKFILL"], [b"POSITION", b"LIVE"]]


steps = st.tuples(st.sampled_from(["live", "backfill", "checkpoint", "crash"]), st.integers(5, 60))


@settings(max_examples=25, deadline=None)
@given(taken=st.lists(steps, max_size=20))
def test_crashes_anywhere_change_no_row(
    live_log: list[Record], backlog: list[Record], expected: set[str], taken: list[tuple[str, int]]
) -> None:
    """Steps of either lane, the backlog behind its gap, with checkpoints and crashes among them."""
    pair = Pair()
    for step, n in [*taken, ("live", SECONDS), ("backfill", SECONDS)]:
        if step == "live":
            pair.live.process(live_log[pair.live.next_offset :][:n])
        elif step == "backfill" and pair.live.next_offset > GAP[0] + 2:
            pair.backfill.process(backlog[pair.backfill.next_offset :][:n])
        elif step == "checkpoint":
            pair.checkpoint()
        elif step == "crash":
            pair.put_out(pair.live)
            pair.put_out(pair.backfill)
            pair.start()
    pair.checkpoint()
    assert without_generation(pair.rows) == expected


def test_without_a_known_gap_a_backlog_begins_cold_with_the_devices_settings(
    live_log: list[Record],
) -> None:
    pair = Pair()
    pair.live.process(live_log[:5])
    pair.backfill.process(numbered([bundle(s, SESSION - 10**12) for s in range(30)]))
    (begun,) = pair.told(Segment)
    assert (begun.start, begun.from_sample) == (Start.COLD, 0)
    assert pair.backfill._bank.patient(0) == "P-1"


def test_a_restart_within_the_gap_is_followed(live_log: list[Record]) -> None:
    pair = Pair()
    later = SESSION + 200 * SECOND_NS
    pair.live.process([*live_log[:21], Record(21, 21_000, bundle(50, later))])
    old = [bundle(s) for s in range(20, 30)]
    new = [bundle(s, later) for s in range(50)]
    pair.backfill.process(numbered([*old, *new, control(BacklogEnd(), later, 50 * RATE_HZ)]))
    segments = pair.told(Segment)
    assert [(s.session, s.from_sample, s.to_sample, s.start) for s in segments] == [
        (SESSION, 20 * RATE_HZ, None, Start.RESTORED),
        (SESSION, 20 * RATE_HZ, 30 * RATE_HZ, Start.RESTORED),
        (later, 0, None, Start.COLD),
        (later, 0, 50 * RATE_HZ, Start.COLD),
    ]
    assert pair.live._gaps["dev-a"] == []


def test_a_backlog_end_twice_and_for_nothing_changes_nothing(
    live_log: list[Record], backlog: list[Record]
) -> None:
    pair = Pair()
    pair.live.process(live_log)
    pair.backfill.process([*backlog, Record(len(backlog), 10**6, END)])
    assert len(pair.told(Segment)) == 2


def test_any_other_control_on_the_backfill_topic_is_a_dead_letter() -> None:
    pair = Pair()
    pair.backfill.process(numbered([control(Association("P-2"))]))
    (letter,) = pair.told(DeadLetter)
    assert (letter.topic, letter.reason) == (
        "ecg.backfill",
        "a change of Association on the backfill topic",
    )


def test_restarts_that_no_backlog_follows_leave_few_gaps(live_log: list[Record]) -> None:
    pair = Pair()
    sessions = [SESSION + i * 10**12 for i in range(3 * MOST_GAPS)]
    pair.live.process(numbered([bundle(0, s) for s in sessions]))
    pair.checkpoint()
    gaps = [key for key in pair.topic if key.startswith(b"GAP")]
    assert len(gaps) == MOST_GAPS
    pair.start()
    assert len(pair.live._gaps["dev-a"]) == MOST_GAPS


def test_a_gap_written_by_a_former_owner_is_given_up_by_its_own_key(
    live_log: list[Record], backlog: list[Record]
) -> None:
    pair = Pair()
    pair.live.process(live_log)
    pair.checkpoint()
    pair.start()
    (gap,) = pair.saved.gaps
    former = pair.saved.keys[identity(gap)]
    assert former in pair.topic
    pair.backfill.process(backlog)
    pair.checkpoint()
    assert former not in pair.topic
