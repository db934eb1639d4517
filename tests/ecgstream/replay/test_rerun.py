"""From what a sink stores the same log comes back, and from it the same findings, bit for bit."""

from __future__ import annotations

from collections import defaultdict

import pytest

from ecgstream.replay.compare import CHANGED, MISSING, NEW, Difference, by_segment, differences
from ecgstream.replay.findings import Collected, Findings
from ecgstream.replay.log import Log
from ecgstream.replay.packets import packets
from ecgstream.replay.rerun import Rerun
from ecgstream.replay.stored import Placed, Ran
from ecgstream.store.traces import Block, TraceBuilder, merge
from ecgstream.worker.outputs import Output
from schemas import codec, topics
from schemas.batches import Beats, Rhythms, Trends
from schemas.bundle import Bundle
from schemas.records import BacklogEnd, Condition, Control, Lane, Segment, Start
from tests.ecgstream.replay.recorded import SECONDS, START_NS, Worker, log

DEVICE = "dev-1"
WHOLE = (START_NS - 10**9, START_NS + (SECONDS - 70) * 10**9)


class Stored:
    """What there is of the device: blocks by session, what is placed in the log, and what was found."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []
        worker = Worker()
        builder = TraceBuilder()
        self.placed: list[Placed] = []
        for offset, sent in enumerate(log(DEVICE)):
            content = codec.decode(sent.value)
            if isinstance(content, Bundle):
                builder.add(content, (sent.topic.name, 0), offset)
                self.placed += [Placed(offset, n, vital) for n, vital in enumerate(content.vitals())]
            elif isinstance(content, Control) and not isinstance(content.change, BacklogEnd):
                self.placed.append(Placed(offset, -1, content))
            self.outputs += worker.take(sent, offset)
        self.blocks: dict[int, dict[tuple[int, int], Block]] = defaultdict(dict)
        for block in builder.drain():
            of_session = self.blocks[block.session]
            key = (block.channel, block.first_sample)
            of_session[key] = merge(of_session[key], block) if key in of_session else block
        self.ran = [
            Ran(
                *key[:1],
                Lane(key[1]),
                key[2],
                v["from_ns"],
                v["to_sample"],
                v["to_ns"],
                Start(v["start"]),
                {},
                "",
            )
            for key, v in self.then(0, 2**62).segments.items()
        ]

    def then(self, *stretch: int) -> Findings:
        into = Collected(*stretch)
        for output in self.outputs:
            take(into, output.topic, output.value)
        return into.findings()

    def again(self, *stretch: int) -> Findings:
        into = Collected(*stretch)
        rerun = Rerun(into)
        found = Log(DEVICE, self.ran, self.placed)
        for _, of_session in sorted(self.blocks.items()):
            blocks = sorted(of_session.values(), key=lambda b: (b.first_sample / b.wave.rate, b.channel))
            slices = [blocks[at : at + 30] for at in range(0, len(blocks), 30)]
            for come in packets(slices):
                for step in found.steps(come):
                    rerun.take(step)
        for step in found.rest():
            rerun.take(step)
        rerun.finish(DEVICE)
        return into.findings()


def take(into: Collected, topic: topics.Topic, value: bytes | None) -> None:
    found = codec.decode(value or b"") if topic is not topics.SNAPSHOTS else None
    if isinstance(found, Beats):
        into.beats(found)
    elif isinstance(found, Rhythms):
        into.rhythms(found)
    elif isinstance(found, Trends):
        into.trends(found)
    elif isinstance(found, Condition):
        into.condition(found)
    elif isinstance(found, Segment):
        into.segment(found)


@pytest.fixture(scope="module")
def stored() -> Stored:
    return Stored()


def test_the_same_is_found_again(stored: Stored) -> None:
    now = stored.again(*WHOLE)
    then = stored.then(*WHOLE)
    assert differences(then, now, WHOLE[1]) == []
    assert len(then.beats) > 250
    codes = {c["code"] for c in then.conditions.values()}
    assert {"VENTRICULAR_TACHYCARDIA", "SIGNAL_GAP", "HEART_RATE_HIGH", "DEVICE_RESTARTED"} <= codes
    assert {c["patient"] for c in then.conditions.values()} == {"P-ONE", "P-TWO"}
    by_begin = sorted((v["from_ns"], key[1], v["start"]) for key, v in then.segments.items())
    assert [of for _, *of in by_begin] == [
        ["LIVE", "COLD"],
        ["BACKFILL", "RESTORED"],
        ["LIVE", "COLD"],
        ["LIVE", "COLD"],
    ]


def test_what_is_stored_otherwise_is_named(stored: Stored) -> None:
    now = stored.again(*WHOLE)
    then = stored.then(*WHOLE)
    keys = sorted(then.beats)
    gone, other, more = keys[10], keys[100], (keys[0][0], keys[20][1] + 1)
    beats = {key: values for key, values in then.beats.items() if key != gone}
    beats[other] = beats[other] | {"code": "V"}
    beats[more] = beats[keys[20]]
    changed = Findings(beats, then.rhythms, then.trends, then.conditions, then.segments)
    found = differences(changed, now, WHOLE[1])
    assert {(d.what, d.key) for d in found} == {(NEW, gone), (CHANGED, other), (MISSING, more)}
    assert {d.kind for d in found} == {"beat"}
    (one,) = [d for d in found if d.what == CHANGED]
    assert (one.then, one.now) == ({"code": "V"}, {"code": then.beats[other]["code"]})
    inside, outside = by_segment(stored.ran, found)
    assert outside == []
    assert sum(map(len, inside.values())) == 3


def test_limits_of_another_kind_find_other_conditions(stored: Stored) -> None:
    """Without the change of limits in mid-stream, no rate is above its limit."""
    before = stored.placed
    stored.placed = [p for p in before if getattr(p.item, "id", "") != "c-55"]
    try:
        found: list[Difference] = differences(stored.then(*WHOLE), stored.again(*WHOLE), WHOLE[1])
    finally:
        stored.placed = before
    assert (MISSING, "HEART_RATE_HIGH") in {
        (d.what, d.then.get("code")) for d in found if d.kind == "condition"
    }


@pytest.mark.parametrize("part", [(20, 60), (95, 125), (140, 200), (225, 262)])
def test_a_part_is_the_same_as_that_part_of_the_whole(stored: Stored, part: tuple[int, int]) -> None:
    stretch = (START_NS + part[0] * 10**9, START_NS + part[1] * 10**9)
    then = stored.then(*stretch)
    assert differences(then, stored.again(*stretch), stretch[1]) == []
    assert len(then.beats) > 15
