"""What is known of one device: its newest waves, numbers and alarms, as frames that are made once for all.

Frames of all its waves are made only where somebody watches it whole; until then their samples are held as
they came.

When a number was measured, the gateway's clock tells: a bundle's ``created_ns``, never in the future. A
device's own clock may be wrong by hours; the gateway's tells how long something has lain in a spool.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import NamedTuple

from ecgstream.monitor.live import frames
from ecgstream.monitor.live.alarms import Alarms
from ecgstream.monitor.live.frames import Kind
from schemas import mdc
from schemas.batches import Beat, DeviceStatus
from schemas.records import ECG_KIND, PLETH_KIND, RESPIRATION_KIND, Channel, Packet, Vital
from schemas.wfdb import RHYTHMS

RING_S = 11.0
"""A new screen starts full: so much of the newest signal is kept; a sector of 1,000 px shows 10.6 s."""
_MOST_PACKETS = 64
_MOST_BEATS = 64
"""Of so many s: at 300 a minute."""
OWN_S = 5.0
"""For so long a heart rate of the detectors holds before the device's own is shown in its place."""
_PREFERRED = tuple(mdc.LEADS[name] for name in ("II", "V5", "V1", "I"))
_NUMBERS = {mdc.SPO2: "spo2", mdc.PULSE_RATE: "pr", mdc.RESP_RATE: "resp", mdc.TEMPERATURE: "temp"}
_PRESSURES = (mdc.NIBP_SYS, mdc.NIBP_DIA, mdc.NIBP_MEAN)
SELDOM = (*_PRESSURES, mdc.TEMPERATURE)
"""What is measured so seldom that a screen is without it for long, unless it is asked of the store."""
_MS = 1_000_000


class Kept(NamedTuple):
    """A packet with the time at which it was passed on, its frame for walls, and how long it is, s."""

    packet: Packet
    at_ns: int
    frame: bytes
    seconds: float


class Device:
    """One device; ``number`` is what frames call it. Whoever follows it reads the frames from any thread.

    Attributes:
        ring: the newest packets, no more than ``RING_S``.
        alarms: that stand.
        numbers_frame, alarms_frame: how they stand; empty while there is none.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.ring: deque[Kept] = deque(maxlen=_MOST_PACKETS)
        self.alarms: Alarms = {}
        self.numbers_frame = self.alarms_frame = b""
        self._ring_s = 0.0
        self._beats: OrderedDict[tuple[int, int], str] = OrderedDict()
        self._at: tuple[int, int] | None = None
        self._numbers: dict[str, list[float | str | None]] = {}
        self._pressures: dict[int, float] = {}
        self._pressures_ns = self._pressed_ns = 0

    def take(self, packet: Packet, at_ns: int) -> bytes | None:
        """Take a packet in; return its frame, None where it was here before."""
        if self._at is not None and self._at[0] == packet.session and packet.seq <= self._at[1]:
            return None
        self._at = packet.session, packet.seq
        for channel in packet.channels:  # a view would keep all that came with it
            channel.samples = channel.samples.copy()
        first = packet.channels[0]
        frame = self._signal(packet, at_ns, shown(packet.channels))
        seconds = first.samples.size / first.rate
        if len(self.ring) == _MOST_PACKETS:
            self._ring_s -= self.ring.popleft().seconds
        self.ring.append(Kept(packet, at_ns, frame, seconds))
        self._ring_s += seconds
        while self._ring_s > RING_S and len(self.ring) > 1:
            self._ring_s -= self.ring.popleft().seconds
        return frame

    def whole(self, kept: Kept) -> bytes:
        """Return the frame of all waves of a packet in the ring."""
        return self._signal(kept.packet, kept.at_ns, range(len(kept.packet.channels)))

    def held(self, *, whole: bool) -> list[bytes]:
        """Return what a new screen starts with: the ring's frames, and with all waves the beats as well."""
        if not whole:
            return [kept.frame for kept in self.ring]
        beats = [self._told_beats()] if self._beats else []
        return [*map(self.whole, self.ring), *beats]

    def beat(self, beats: Iterable[Beat]) -> bytes:
        """Take beats in; return the frame of the newest."""
        for beat in beats:
            self._beats[beat.session, beat.sample] = beat.code
        while len(self._beats) > _MOST_BEATS:
            self._beats.popitem(last=False)
        return self._told_beats()

    def measure(self, vital: Vital, at_ns: int) -> bool:
        """Take a measured number in; return whether it is one that is shown."""
        value = vital.value if math.isfinite(vital.value) else None
        if vital.code in _PRESSURES:
            return self._press(vital, at_ns)
        if vital.code == mdc.HEART_RATE:
            own = self._numbers.get("hr")
            if own is not None and own[1] == "own" and at_ns / _MS - float(own[-1] or 0) < OWN_S * 1000:
                return False
            self._numbers["hr"] = [value, "device", at_ns / _MS]
            return True
        name = _NUMBERS.get(vital.code)
        if name is not None:
            self._numbers[name] = [value, at_ns / _MS]
        return name is not None

    def recall(self, stored: Iterable[Vital], now_ns: int) -> None:
        """Take in what was measured before the device was followed; what has come since holds."""
        heard = {name for name in ("nibp", "temp") if name in self._numbers}
        for vital in stored:
            if ("nibp" if vital.code in _PRESSURES else _NUMBERS[vital.code]) not in heard:
                self.measure(vital, min(vital.time_ns, now_ns))

    def stand(self, status: DeviceStatus, at_ns: int) -> None:
        """Take in what the detectors say: rhythm, and heart rate where they can tell one."""
        self._numbers["rhythm"] = [RHYTHMS[min(status.rhythm, len(RHYTHMS) - 1)], at_ns / _MS]
        if math.isfinite(status.hr_bpm):
            self._numbers["hr"] = [status.hr_bpm, "own", at_ns / _MS]

    def tell_numbers(self) -> None:
        """Make the frame of the numbers anew."""
        self.numbers_frame = frames.of_told(Kind.NUMBERS, {"n": self.number, "numbers": self._numbers})

    def tell_alarms(self) -> None:
        """Make the frame of the alarms anew."""
        alarms = [alarm.plain() for alarm in self.alarms.values()]
        self.alarms_frame = frames.of_told(Kind.ALARMS, {"n": self.number, "alarms": alarms})

    def _told_beats(self) -> bytes:
        beats = [[frames.mark_of(session), at, code] for (session, at), code in self._beats.items()]
        return frames.of_told(Kind.BEATS, {"n": self.number, "beats": beats})

    def _signal(self, packet: Packet, at_ns: int, channels: Iterable[int]) -> bytes:
        rate = packet.channels[0].rate
        waves = [_wave(packet, number) for number in channels]
        origin_ms = packet.start_ns / _MS - packet.first_sample / rate * 1000
        session = frames.mark_of(packet.session)
        return frames.of_signal(frames.Signal(self.number, session, at_ns / _MS, waves, rate, origin_ms))

    def _press(self, vital: Vital, at_ns: int) -> bool:
        """Take a pressure in; the three of a measurement share its time.

        Some devices send it again and again with its old time, and a device's clock may be ahead: so its time
        is that at which it was first heard, or the device's own where that is earlier.
        """
        if vital.time_ns != self._pressures_ns:
            self._pressures, self._pressures_ns = {}, vital.time_ns
            self._pressed_ns = min(vital.time_ns, at_ns)
        self._pressures[vital.code] = vital.value
        values = [self._pressures.get(code, math.nan) for code in _PRESSURES]
        told = [value if math.isfinite(value) else None for value in values]
        self._numbers["nibp"] = [*told, self._pressed_ns / _MS]
        return True


def shown(channels: list[Channel]) -> list[int]:
    """Return the numbers of the waves that a wall shows: an ECG lead to look at, the pulse's, the breath's.

    Of leads that are on, II comes first; one that is off is better than none.
    """
    leads = [number for number, channel in enumerate(channels) if channel.kind == ECG_KIND]
    lead = min(leads, key=lambda number: _rank(channels[number]), default=None)
    kinds = [channel.kind for channel in channels]
    others = (kinds.index(kind) for kind in (PLETH_KIND, RESPIRATION_KIND) if kind in kinds)
    return [*([] if lead is None else [lead]), *others]


def _rank(lead: Channel) -> tuple[bool, int]:
    place = _PREFERRED.index(lead.code) if lead.code in _PREFERRED else len(_PREFERRED)
    return lead.lead_off, place


def _wave(packet: Packet, number: int) -> frames.Wave:
    channel = packet.channels[number]
    return frames.Wave(
        round(packet.first_sample * channel.rate / packet.channels[0].rate),
        channel.code,
        channel.kind,
        channel.unit,
        channel.lead_off,
        channel.rate,
        channel.gain,
        channel.offset,
        channel.samples,
        number,
        channel.high_pass,
        channel.low_pass,
        channel.notch,
    )
