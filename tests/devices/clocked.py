"""What tests of corrections have in common: a device with a clock of its own, and a gateway."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from devices.bundler import Instant
from devices.corrections import Corrections
from schemas import mdc
from schemas.records import Channel, ClockCorrection, Control, Packet, Vital

NS = 10**9
RATE = 10
BEGIN_S = 1_790_000_000.0
LEAD = Channel(mdc.LEADS["II"], 0, 0, float(RATE), 200.0, np.zeros(RATE, np.int16))


@dataclass
class Device:
    """Measures seconds.

    Attributes:
        ahead_s: how far its clock is ahead.
        crystal: samples that it counts for one that it says.
        now_s: what it truly is, s since the test began.
    """

    ahead_s: float = 0.0
    crystal: float = 1.0
    now_s: float = 0.0
    session: int = 1
    seq: int = 0
    sample: int = 0

    def second(self) -> Packet:
        """Measure a second; the packet is received at once, until another says otherwise."""
        start_ns = ns(self.now_s + self.ahead_s)
        self.now_s += 1.0
        packet = Packet("d", self.session, self.seq, self.sample, start_ns, ns(self.now_s), [LEAD])
        self.seq, self.sample = self.seq + 1, self.sample + RATE
        return packet

    def pause(self, seconds: float) -> None:
        """Measure nothing, and count nothing."""
        self.now_s += seconds

    def miss(self, seconds: int) -> None:
        """Measure nothing, and count what is missing."""
        self.now_s += seconds
        self.sample += round(seconds * RATE * self.crystal)

    def restart(self, seconds: float) -> None:
        self.now_s += seconds
        self.session, self.seq, self.sample = self.session + 1, 0, 0


@dataclass
class Gateway:
    """What a gateway knows that may be killed between two packets; ``off_s``: how far its clock is ahead."""

    off_s: float = 0.0
    kept: dict[str, bytes] = field(default_factory=dict)
    marks: list[Control] = field(default_factory=list)
    came_ns: int = 0
    steady_s: float = 5.0

    def __post_init__(self) -> None:
        self.corrections = Corrections("gw", self.kept)

    def take(self, packet: Packet, late_s: float = 0.0) -> float:
        """Take a packet so long after its end, behind those before it; return by how much it is corrected."""
        self.came_ns = max(self.came_ns, packet.received_ns + round(late_s * NS))
        packet.received_ns = self.came_ns + round(self.off_s * NS)
        self.corrections.look(Instant(self.came_ns / NS - BEGIN_S, packet.received_ns))
        before_ns = packet.start_ns
        self.corrections.packet(0, packet)
        self._keep()
        return (before_ns - packet.start_ns) / NS

    def number(self, vital: Vital, now_s: float) -> float:
        found = self.corrections.number(0, vital, ns(now_s))
        self._keep()
        return (vital.time_ns - found.time_ns) / NS

    def kill(self) -> None:
        """Begin anew with what was kept."""
        self.corrections = Corrections("gw", self.kept)

    def _keep(self) -> None:
        kept, marks = self.corrections.told()
        self.kept |= kept
        self.marks += [mark for _, mark in marks]


def ns(at_s: float) -> int:
    return round((BEGIN_S + at_s) * NS)


def error_s(packet: Packet, device: Device) -> float:
    """Return how much later than it was a second that was just measured is said to be, s."""
    return (packet.start_ns - ns(device.now_s - 1.0)) / NS


def ahead_ns(marks: Iterable[Control], session: int, sample: int) -> int:
    """Return what must be added to a packet's time to have its device's own, as the documentation says."""
    found = [
        (mark.from_sample, mark.issued_ns, mark.change.ahead_ns)
        for mark in marks
        if isinstance(mark.change, ClockCorrection) and mark.session == session and mark.from_sample <= sample
    ]
    return max(found)[2] if found else 0
