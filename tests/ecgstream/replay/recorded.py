"""The log of a simulated device with all that a replay must meet, and what a worker makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from devices.simulator import Bed, simulate
from devices.trouble import Kind, Trouble
from ecgstream.worker.backfill import Backfill
from ecgstream.worker.detect import Partition, Record
from ecgstream.worker.live import Live
from ecgstream.worker.outputs import Output
from ecgstream.worker.snapshots import Keys, Saved
from schemas import codec, mdc, topics
from schemas.bundle import Bundle
from schemas.records import (
    Association,
    BacklogEnd,
    Category,
    Change,
    Control,
    Enrolled,
    Lane,
    Limit,
    Limits,
    Packet,
    Settings,
    Vital,
)

START_NS = 1_790_000_000_000_000_000
SECONDS = 330
RATE = 250
HOLE_S = (130, 205)
"""Of the live lane: comes afterwards as a backlog."""
REBOOT_S = (240.0, 245.0)
BED = Bed(
    9,
    ("II", "V1"),
    RATE,
    200,
    76,
    16,
    (
        Trouble(Kind.VT, 30, 42),
        Trouble(Kind.LINK_LOST, 100, 110),
        Trouble(Kind.REBOOT, *REBOOT_S),
        Trouble(Kind.SPO2_FALL, 250, SECONDS),
    ),
    pleth=True,
)


class Sent(NamedTuple):
    """A record of the log."""

    topic: topics.Topic
    value: bytes


def change(device: str, at_s: float, what: Change) -> Sent:
    at_ns = START_NS + round(at_s * 1e9)
    return Sent(topics.INGEST, codec.encode(Control(f"c-{at_s}", device, 0, 0, at_ns, "li", what)))


def log(device: str, seconds: int = SECONDS) -> list[Sent]:
    """What a gateway and the teller send: limits, wearer and kind of patient change in mid-stream."""
    rate = {
        "high": Limits((Limit(mdc.HEART_RATE, 40.0, 70.0),)),
        "wide": Limits((Limit(mdc.HEART_RATE, 40.0, 150.0),)),
    }
    changes = {
        0: (Enrolled("CN", (), disabled=False), Settings(Category.ADULT, paced=False), Association("P-ONE")),
        55: (rate["high"],),
        85: (Association("P-TWO"), rate["wide"]),
        215: (Settings(Category.PAEDIATRIC, paced=False), rate["high"]),
        300: (rate["wide"],),
    }
    live: list[Sent] = []
    late: list[Sent] = []
    last: Packet | None = None
    source = simulate(BED, duration_s=SECONDS)
    for half, emitted in groupby(source.emissions(START_NS, 1.0), key=lambda e: int(e.at_s * 2)):
        at_s = half / 2
        if at_s >= seconds:
            break
        for due_s in [due_s for due_s in changes if due_s <= at_s]:
            live += [change(device, due_s, what) for what in changes.pop(due_s)]
        value, packets = _bundle(device, (e.item for e in emitted))
        if HOLE_S[0] <= at_s < HOLE_S[1]:
            late.append(Sent(topics.BACKFILL, value))
            last = packets[-1] if packets else last
            continue
        live.append(Sent(topics.INGEST, value))
        if late and packets and last is not None:
            end = last.first_sample + last.channels[0].samples.size
            over = Control("", device, last.session, end, 0, "gw", BacklogEnd())
            live += [*late, Sent(topics.BACKFILL, codec.encode(over))]
            late = []
    return live


def _bundle(device: str, items: Iterable[Packet | Vital]) -> tuple[bytes, list[Packet]]:
    packets: list[Packet] = []
    vitals: list[Vital] = []
    for item in items:
        if isinstance(item, Packet):
            item.device = device
            packets.append(item)
        else:
            vitals.append(Vital(device, *[getattr(item, n) for n in ("session", "time_ns", "code", "value")]))
    now_ns = max([p.received_ns for p in packets] + [v.time_ns for v in vitals])
    return Bundle.of("gw", 0, now_ns, packets, vitals).encode(), packets


class Worker:
    """The lanes of a worker; a record at a time, as it arrives."""

    def __init__(self) -> None:
        saved = Saved()
        self.live = Live(0, 1, saved, Keys(saved), lost_link_s=1e9, clock_rate=1.0)
        self.lanes: dict[Lane, Partition] = {Lane.LIVE: self.live}
        self.lanes[Lane.BACKFILL] = Backfill(0, 1, saved, self.live)

    def take(self, sent: Sent, offset: int) -> list[Output]:
        lane = self.lanes[Lane.LIVE if sent.topic is topics.INGEST else Lane.BACKFILL]
        lane.process([Record(offset, 0, sent.value)])
        outbox, lane.outbox = lane.outbox, []
        return outbox
