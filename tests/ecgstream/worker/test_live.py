"""A partition: however records are gathered, and wherever it is restored, the same rows come out."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.recordings import toy_ecg
from ecgstream.worker.detect import Record
from ecgstream.worker.live import Live
from ecgstream.worker.snapshots import Keys, LaneSaved, Saved
from schemas import codec, mdc, topics
from schemas.batches import Batch
from schemas.bundle import Bundle
from schemas.records import (
    Association,
    Category,
    Change,
    Channel,
    Condition,
    Control,
    DeadLetter,
    Enrolled,
    Limit,
    Limits,
    LinkDown,
    Packet,
    Phase,
    Settings,
    Snapshot,
    Vital,
)

RATE_HZ = 360
SECONDS = 40
REBOOT = 30
"""The second at which dev-a starts anew."""
DEVICES = ("dev-a", "dev-b")
SESSION = 1_700_000_025_000_000_000
"""15 s before a full UTC minute."""
SECOND_NS = 1_000_000_000


def bundle(seq: int, devices: Sequence[str] = DEVICES) -> bytes:
    wave = toy_ecg().sessions[0].waves[0]
    packets = []
    for i, device in enumerate(devices):
        begin = (seq + 50 * i) * RATE_HZ
        lead = Channel(
            mdc.LEADS["II"], 0, 0, RATE_HZ, wave.gain, wave.samples[begin : begin + RATE_HZ], wave.offset
        )
        at_ns = SESSION + seq * SECOND_NS
        started = REBOOT if device == "dev-a" and seq >= REBOOT else 0
        n = seq - started
        session = SESSION + started * SECOND_NS
        packets.append(Packet(device, session, n, n * RATE_HZ, at_ns, at_ns, [lead]))
    session = SESSION + (REBOOT * SECOND_NS if seq >= REBOOT else 0)
    vitals = [Vital("dev-a", session, SESSION + seq * SECOND_NS, mdc.SPO2, 97.0 if seq < 10 else 80.0)]
    return codec.encode(Bundle.of("gw", 0, seq, packets, vitals))


def control(device: str, change: Change) -> bytes:
    return codec.encode(Control("c", device, 0, 0, 0, "test", change))


@pytest.fixture(scope="module")
def records() -> list[Record]:
    limits = Limits((Limit(mdc.HEART_RATE, 30.0, 60.0),))
    controls = {
        5: control("dev-a", Association("P-1")),
        12: control("dev-b", limits),
        16: control("dev-a", Settings(Category.NEONATE, paced=False)),
        18: control("dev-a", Enrolled("cn.henan", (), disabled=True)),
        20: b"no record of ours",
        33: control("dev-a", Settings(Category.ADULT, paced=True)),
    }
    values: list[bytes] = []
    for seq in range(SECONDS):
        if seq in controls:
            values.append(controls[seq])
        values.append(bundle(seq))
    return [Record(offset, 1000 * offset, value) for offset, value in enumerate(values)]


def partition(
    position: int = 0, snapshots: Sequence[Snapshot] = (), *, generation: int = 1, lost_link_s: float = 100.0
) -> Live:
    saved = Saved(live=LaneSaved(position, {s.device: s for s in snapshots}))
    return Live(0, generation, saved, Keys(saved), lost_link_s=lost_link_s, clock_rate=1.0)


def through_the_wire(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    return [codec.decode_as(Snapshot, codec.encode(s)) for s in snapshots]


def rows(found: Live) -> set[Any]:
    """Every row that was put out; statuses are not compared."""
    kept: set[Any] = set()
    for output in found.outbox:
        content = codec.decode(output.value)
        if output.topic is topics.STATUS:
            continue
        if isinstance(content, Batch):
            kept |= {(type(content).__name__, repr(row)) for row in content.rows()}
        else:
            kept.add(repr(content))
    return kept


@pytest.fixture(scope="module")
def expected(records: list[Record]) -> set[Any]:
    whole = partition()
    for record in records:
        whole.process([record])
    return rows(whole)


def test_the_rows_hold_beats_of_both_devices_an_alarm_and_the_dead_letter(expected: set[Any]) -> None:
    text = " ".join(map(str, expected))
    for part in (
        "device='dev-a'",
        "device='dev-b'",
        "SPO2_LOW",
        "HEART_RATE_HIGH",
        "patient='P-1'",
        "marker",
    ):
        assert part in text


@settings(max_examples=15, deadline=None)
@given(cuts=st.sets(st.integers(1, SECONDS), max_size=8))
def test_any_gathering_gives_the_same_rows(records: list[Record], expected: set[Any], cuts: set[int]) -> None:
    found = partition()
    edges = [0, *sorted(cuts), len(records)]
    for begin, end in itertools.pairwise(edges):
        found.process(records[begin:end])
    assert rows(found) == expected


@settings(max_examples=15, deadline=None)
@given(saves=st.lists(st.integers(1, SECONDS), min_size=1, max_size=5, unique=True), turns=st.integers(1, 4))
def test_restored_anywhere_it_goes_on_as_if_never_stopped(
    records: list[Record], expected: set[Any], saves: list[int], turns: int
) -> None:
    """Snapshots of some devices at some moments, then a crash; the position owns where reading goes on."""
    before = partition()
    saved = {}
    position = 0
    for at, record in enumerate(records[: max(saves) + 2], 1):
        before.process([record])
        if at in saves:
            for snapshot in through_the_wire(before.snapshots(at, turns)):
                saved[snapshot.device] = snapshot
            position = before.position()
            kept = rows(before)
    after = partition(position, list(saved.values()))
    after.process(records[position:])
    assert kept | rows(after) == expected


def test_a_bank_that_fails_costs_only_the_bundle_that_it_fails_on(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = partition()
    push = found._bank.push

    def failing(content: Bundle, *which: Any) -> Any:
        if int(content.packet.seq.max()) >= 3 and int(content.packet.seq.min()) <= 3:
            raise RuntimeError("a fault of ours")
        return push(content, *which)

    monkeypatch.setattr(found._bank, "push", failing)
    found.process([r for r in records if r.offset < 5])
    letters = [codec.decode(o.value) for o in found.outbox if o.topic is topics.DEAD_LETTERS]
    assert [letter.offset for letter in letters if isinstance(letter, DeadLetter)] == [3]
    assert found.next_offset == 5


def test_a_record_of_another_kind_is_a_dead_letter() -> None:
    found = partition()
    vital = codec.encode(Vital("dev-a", 1, 2, mdc.SPO2, 97.0))
    found.process([Record(0, 0, vital)])
    (output,) = found.outbox
    letter = codec.decode_as(DeadLetter, output.value)
    assert (letter.reason, letter.value) == ("a Vital on ecg.ingest", vital)


def test_a_damaged_snapshot_is_refused_and_the_device_starts_cold(records: list[Record]) -> None:
    whole = partition()
    whole.process(records[:10])
    (snapshot, _) = whole.snapshots()
    found = partition(10, [dataclasses.replace(snapshot, state=snapshot.state[:-3])])
    found.process(records[10:12])
    assert found.next_offset == records[11].offset + 1


def test_a_lost_link_is_told_once_while_nothing_arrives_and_its_end_once_it_does(
    records: list[Record],
) -> None:
    found = partition(lost_link_s=10.0)
    found.process(records[:3])
    found.outbox.clear()
    found.idle(12_500)
    found.idle(13_000)
    lost = [codec.decode_as(Condition, o.value) for o in found.outbox]
    assert [(c.device, c.code, c.phase) for c in lost] == [(d, "LINK_LOST", Phase.ONSET) for d in DEVICES]
    assert lost[0].onset_sample == 3 * RATE_HZ - 1
    assert lost[0].delay_s == 10.5
    assert found.position() == 0
    found.snapshots()
    assert found.position() == found.next_offset
    found.outbox.clear()
    found.process([Record(3, 20_000, records[3].value)])
    ends = [codec.decode(o.value) for o in found.outbox if o.topic is topics.CONDITIONS]
    assert [c.device for c in ends if isinstance(c, Condition) and c.phase is Phase.END] == list(DEVICES)


@settings(max_examples=15, deadline=None)
@given(present=st.sets(st.integers(0, SECONDS - 1)), cuts=st.sets(st.integers(1, SECONDS - 1), max_size=6))
def test_any_gathering_gives_the_same_lost_links(present: set[int], cuts: set[int]) -> None:
    sent = [
        Record(seq, seq * 1000, bundle(seq, DEVICES if seq in present else DEVICES[:1]))
        for seq in range(SECONDS)
    ]
    alone, gathered = partition(lost_link_s=3.0), partition(lost_link_s=3.0)
    for record in sent:
        alone.process([record])
    for begin, end in itertools.pairwise([0, *sorted(cuts), len(sent)]):
        gathered.process(sent[begin:end])
    assert rows(gathered) == rows(alone)


def test_positions_never_pass_a_device_that_has_no_snapshot_yet(records: list[Record]) -> None:
    found = partition()
    found.process(records[:10])
    saved = {s.device for s in found.snapshots(0, 2)}
    assert len(saved) == 1
    assert found.position() == 0
    found.snapshots(1, 2)
    assert found.position() == 10
    assert np.all(found._dirty_since >= 10)


def links_of(found: Live) -> list[tuple[str, Phase, int]]:
    contents = [codec.decode(o.value) for o in found.outbox]
    return [
        (c.device, c.phase, c.onset_sample)
        for c in contents
        if isinstance(c, Condition) and c.code == "LINK_LOST"
    ]


ENROLMENTS = [
    (Enrolled("cn.henan", (), disabled=True), 20_000),
    (Enrolled("cn.henan", (), disabled=False), 60_000),
]


@pytest.mark.parametrize("crash_after", [None, 0, 1])
def test_a_disabled_device_is_not_supervised(records: list[Record], crash_after: int | None) -> None:
    """Its lost link ends as it is disabled; a new one begins after it is enabled, crash or not."""
    found = partition(lost_link_s=10.0)
    found.process(records[:3])
    found.snapshots()
    told = []
    for i, (enrolled, log_ms) in enumerate(ENROLMENTS):
        found.process([Record(3 + i, log_ms, control("dev-a", enrolled))])
        told += links_of(found)
        if i == crash_after:
            saved = through_the_wire(found.snapshots())
            found = partition(found.position(), saved, generation=2, lost_link_s=10.0)
        found.outbox.clear()
        found.idle(log_ms + 9_000)
    found.idle(90_000)
    found.idle(95_000)
    last = 3 * RATE_HZ - 1
    silent = 58 * RATE_HZ  # from the last packet, at 2 s of the log, to the enabling at 60 s
    a, b = DEVICES
    assert told == [(a, Phase.ONSET, last), (b, Phase.ONSET, last), (a, Phase.END, last)]
    assert links_of(found) == [(a, Phase.ONSET, last + silent)]


@pytest.mark.parametrize("crashes", [False, True])
def test_a_link_that_is_said_to_be_down_is_lost_by_the_log(records: list[Record], *, crashes: bool) -> None:
    """At once and once, crash or not; what comes ends it, and nothing of it is kept with the settings."""
    found = partition(lost_link_s=10.0)
    found.process(records[:3])
    found.process([Record(3, 4_000, control("dev-a", LinkDown()))])
    told = links_of(found)
    if crashes:
        saved = through_the_wire(found.snapshots())
        assert all(LinkDown() not in [codec.decode_as(Control, c).change for c in s.controls] for s in saved)
        found = partition(found.position(), saved, generation=2, lost_link_s=10.0)
    found.outbox.clear()
    found.process([Record(4, 5_000, control("dev-a", LinkDown()))])
    found.process([Record(5, 6_000, bundle(6))])
    last = 3 * RATE_HZ - 1
    assert told == [("dev-a", Phase.ONSET, last)]
    assert links_of(found) == [("dev-a", Phase.END, last)]


def test_what_a_disabled_device_sends_is_analysed(records: list[Record]) -> None:
    found, plain = partition(), partition()
    found.process([Record(0, 0, control("dev-a", ENROLMENTS[0][0]))])
    for record in records[:10]:
        plain.process([Record(record.offset, record.log_ms, record.value)])
        found.process([Record(record.offset + 1, record.log_ms, record.value)])
    beats = [sum(o.topic is topics.BEATS for o in p.outbox) for p in (found, plain)]
    assert beats[0] == beats[1] > 0


def test_a_control_record_of_a_device_never_heard_is_kept_and_raises_nothing(records: list[Record]) -> None:
    found = partition(lost_link_s=10.0)
    changes = [Association("P-9"), Settings(Category.NEONATE, paced=True), ENROLMENTS[1][0]]
    for i, change in enumerate(changes):
        found.process([Record(i, 1000 * i, control("dev-new", change))])
    assert found.position() == 0
    found.idle(10**6)
    assert found.outbox == []
    (snapshot,) = found.snapshots()
    assert (snapshot.device, found.position()) == ("dev-new", 3)
    again = partition(3, [snapshot])
    assert again._bank.patient(0) == "P-9"
    assert again._bank.settings(0) == changes[1]


def test_a_control_record_moves_the_logs_time_on(records: list[Record]) -> None:
    """As a worker that lived through it, one that catches up finds links lost before the record."""
    found = partition(lost_link_s=10.0)
    found.process(records[:3])
    found.outbox.clear()
    found.process([Record(3, 30_000, control("dev-new", Association("P-9")))])
    assert [device for device, *_ in links_of(found)] == list(DEVICES)
