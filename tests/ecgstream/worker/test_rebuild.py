"""A snapshot of another version is refused, and the device rebuilt from the log; what is gone is said."""

import dataclasses
from collections.abc import Sequence

import pytest

from ecgstream.worker.detect import Record
from ecgstream.worker.live import Live
from ecgstream.worker.snapshots import Keys, LaneSaved, Saved
from schemas import codec, mdc, topics
from schemas.batches import Beats
from schemas.bundle import Bundle
from schemas.records import (
    Association,
    Change,
    Channel,
    Condition,
    Control,
    Limit,
    Limits,
    Packet,
    Phase,
    Segment,
    Snapshot,
)
from tests.detectors import synthetic as syn

FS = 250
SECONDS = 120
SAVED = 90
"""s: when the refused snapshot was taken."""
REWOUND = 60
DEVICES = ("dev-a", "dev-b")


def log() -> list[Record]:
    """A record a second of two devices at 130 bpm, beyond the upper limit that is set first."""
    signal = syn.counts(syn.ecg(130, SECONDS, FS))

    def control(change: Change) -> bytes:
        return codec.encode(Control("c", "dev-a", 0, 0, 0, "ward", change))

    values = [
        control(Association("P-1")),
        control(Limits((Limit(mdc.HEART_RATE, 40.0, 100.0),))),
    ]
    for second in range(SECONDS):
        samples = signal[0, second * FS : (second + 1) * FS]
        lead = Channel(mdc.LEADS["II"], 0, 0, FS, syn.GAIN, samples)
        at_ns = syn.START_NS + second * 10**9
        packets = [Packet(d, 1, second, second * FS, at_ns, at_ns, [lead]) for d in DEVICES]
        values.append(codec.encode(Bundle.of("gw", 0, at_ns, packets, [])))
    return [Record(offset, 1000 * offset, value) for offset, value in enumerate(values)]


RECORDS = log()


def partition(position: int, snapshots: Sequence[Snapshot]) -> Live:
    saved = Saved(live=LaneSaved(position, {s.device: s for s in snapshots}))
    return Live(0, 2, saved, Keys(saved), lost_link_s=1000.0, clock_rate=1.0)


def told(found: Live, kind: type) -> list:
    contents = [codec.decode(o.value) for o in found.outbox if o.value is not None]
    return [c for c in contents if isinstance(c, kind)]


def refused(snapshot: Snapshot) -> Snapshot:
    there_and_back = codec.decode_as(Snapshot, codec.encode(snapshot))
    return dataclasses.replace(there_and_back, version="0/0")


@pytest.fixture(scope="module")
def before() -> list[Snapshot]:
    """What a worker had saved that was at work until then."""
    worker = partition(0, [])
    worker.process(RECORDS[:SAVED])
    return worker.snapshots()


@pytest.fixture(scope="module")
def undisturbed() -> list[tuple[int, str]]:
    worker = partition(0, [])
    worker.process(RECORDS)
    return beats_of(worker, "dev-a")


def beats_of(found: Live, device: str) -> list[tuple[int, str]]:
    return [(b.sample, b.code) for t in told(found, Beats) for b in t.rows() if b.device == device]


def rebuilt(before: Sequence[Snapshot], step: int = 1000) -> Live:
    found = partition(REWOUND, [refused(s) if s.device == "dev-a" else s for s in before])
    for at in range(REWOUND, len(RECORDS), step):
        found.process(RECORDS[at : at + step])
    return found


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_what_was_told_is_not_told_again_and_what_follows_is_as_if_nothing_had_been(
    before: list[Snapshot], undisturbed: list[tuple[int, str]], step: int
) -> None:
    found = rebuilt(before, step)
    beats = beats_of(found, "dev-a")
    # A beat is told within half a second of its sample; offset 2 is the first second.
    told_before = (SAVED - 2 - 0.5) * FS
    assert beats
    assert min(sample for sample, _ in beats) >= told_before
    later = [b for b in undisturbed if b[0] > (SAVED - 1) * FS]
    assert [b for b in beats if b[0] > (SAVED - 1) * FS] == later


def test_limits_and_patient_are_not_lost_with_the_state(before: list[Snapshot]) -> None:
    found = rebuilt(before)
    assert found._bank.patient(int(found._rows(["dev-a"])[0])) == "P-1"
    rates = [c for c in told(found, Condition) if c.code == "HEART_RATE_HIGH" and c.device == "dev-a"]
    assert {c.phase for c in rates} >= {Phase.UPDATE}
    assert rates[-1].evidence["limit_bpm"] == 100.0


def test_an_open_condition_with_an_onset_that_is_gone_ends_and_the_one_found_anew_goes_on(
    before: list[Snapshot],
) -> None:
    (old,) = [c for c in map(codec.decode, before[0].open) if isinstance(c, Condition)]
    found = rebuilt(before)
    rates = [c for c in told(found, Condition) if c.device == "dev-a"]
    ends = [c.id for c in rates if c.phase is Phase.END]
    assert old.onset_sample < (REWOUND - 10) * FS
    assert ends == [old.id]
    assert any(c.id != old.id and c.code == old.code for c in rates)


def test_the_old_segment_ends_where_the_new_one_begins(before: list[Snapshot]) -> None:
    found = rebuilt(before)
    segments = [s for s in told(found, Segment) if s.device == "dev-a"]
    ended, begun = segments
    assert (ended.from_sample, ended.to_sample) == (0, (SAVED - 2) * FS)
    assert (begun.from_sample, begun.to_sample) == ((SAVED - 2) * FS, None)
    assert begun.from_ns == ended.to_ns == syn.START_NS + (SAVED - 2) * 10**9


def test_the_other_devices_notice_nothing(before: list[Snapshot]) -> None:
    found = rebuilt(before)
    whole = partition(0, [])
    whole.process(RECORDS)
    later = [b for b in beats_of(whole, "dev-b") if b[0] > (SAVED - 1.5) * FS]
    assert [b for b in beats_of(found, "dev-b") if b[0] > (SAVED - 1.5) * FS] == later
    assert [s for s in told(found, Segment) if s.device == "dev-b"] == []


def test_no_snapshot_is_taken_before_all_are_rebuilt(before: list[Snapshot]) -> None:
    found = partition(REWOUND, [refused(s) for s in before])
    found.process(RECORDS[REWOUND : SAVED - 1])
    assert found.snapshots() == []
    assert found.position() == REWOUND
    found.process(RECORDS[SAVED - 1 : SAVED + 1])
    assert {s.offset for s in found.snapshots()} == {SAVED + 1}
    assert found.position() == SAVED + 1


def test_records_that_are_gone_are_an_alarm_and_no_device_goes_on_with_what_it_knew(
    before: list[Snapshot],
) -> None:
    found = partition(SAVED, before)
    found.lose(SAVED + 10, 5_000)
    lost = [c for c in told(found, Condition) if c.code == "RECORDS_LOST"]
    assert [c.phase for c in lost] == [Phase.ONSET, Phase.END]
    assert (lost[0].device, lost[0].evidence) == ("ecg.ingest-0", {"records": 10.0})
    ended = told(found, Segment)
    assert [(s.device, s.to_sample) for s in ended] == [(d, (SAVED - 2) * FS) for d in DEVICES]
    found.outbox.clear()
    found.process(RECORDS[SAVED + 10 :])
    begun = told(found, Segment)
    assert [(s.device, s.from_sample, s.start) for s in begun] == [
        (d, (SAVED + 8) * FS, "COLD") for d in DEVICES
    ]
    assert min(sample for sample, _ in beats_of(found, "dev-a")) > (SAVED + 8) * FS


def test_lost_records_are_known_by_where_the_log_goes_on() -> None:
    """Two owners that lose the same records, one after the other, say the same."""
    ids = set()
    for generation in (1, 2):
        found = Live(0, generation, Saved(), Keys(Saved()), lost_link_s=10.0, clock_rate=1.0)
        found.lose(25, 5_000 * generation)
        ids |= {codec.decode_as(Condition, o.value).id for o in found.outbox if o.topic is topics.CONDITIONS}
    assert len(ids) == 1
