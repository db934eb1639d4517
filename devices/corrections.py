"""By how much devices' times are corrected, and from where on; pure.

The gateway's clock is the measure. A device's time is changed only where something shows that its clock is
wrong, and by the least that this shows:

* *Ahead*: nothing comes before it was measured. A packet that ends more than ``LEAST_S`` after it came shows
  that the clock is ahead by at least as much.
* *Set back*: within a session samples are counted. A packet that begins more than ``LEAST_S`` before where
  the count puts it shows that the clock was set back by as much; behind a hole more than that, since a count
  is no better than its crystal. One that begins later may stand behind a pause. It counts only where a clock
  had been set back and now is seen to be ahead: it was set forward.
* *Slow*: see ``devices.drift``.

A correction holds until one of these shows another, by at least ``LEAST_S``. A session that begins where the
last one ended, by the device's clock, goes on with it. Any other begins without, unless its first packet
shows that the clock is still ahead: a device that starts anew may have been set meanwhile.

Never corrected is a clock that has been behind from the beginning: a device that sends what it has kept looks
the same, and must not be taken for it. So a clock that is right is left alone, however late its packets come.

What holds where is a matter of session and sample: a packet that comes again has the time that it had, also
behind a restart, since what must be known is kept beside the records that it is of.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from devices.bundler import Instant
from devices.drift import WINDOW_S, Drift
from schemas.checks import MAX_COUNT, MAX_TIME_NS
from schemas.records import ClockCorrection, Control, Packet, Vital

LEAST_S = 1.0
REMEMBERED = 16
"""Changes, and sessions, of a device of which is known what held: those that may still come again."""
CRYSTAL = 1e-3
"""By how much a device's samples may be more or less than it says, of a hole."""
_KEEP_S, _KEEP_DRIFT_S = 0.25, 0.05  # what has moved by less since it was kept is not kept anew
_NS = 1_000_000_000
_NEWEST = ("session", "origin_ns", "first_sample", "next_sample", "end_ns", "ahead_ns")
_LEAST_NS, _KEEP_NS, _KEEP_DRIFT_NS = (round(s * _NS) for s in (LEAST_S, _KEEP_S, _KEEP_DRIFT_S))


class Place(NamedTuple):
    """From where on a device's clock is taken to be ahead by so much."""

    session: int
    from_sample: int
    ahead_ns: int


@dataclass(slots=True)
class _Clock:
    """What is known of a device's clock; all times ns.

    Attributes:
        session: of its newest packet, or number where no packet came.
        origin_ns: when that session's sample 0 was, by the device's clock and its newest packet; None: no
            packet of it came.
        first_sample, next_sample, end_ns: where that packet begins and ends, and when, by the device's clock.
        ahead_ns: what is taken from its times now.
        places: what held where, the newest last.
        left: sessions that it has left, each with the sample at which its last packet began.
        jumped_ns: how far the gateway's own clock had been set forward when this was looked at last.
        doubted: since when and by how much, at least, its packets have come late since a restart of the
            gateway, which may have been set meanwhile; None: it needs no doubt.
        kept_ns: ``origin_ns`` and the drift's level as they were kept last.
    """

    session: int = -1
    origin_ns: int | None = None
    first_sample: int = -1
    next_sample: int = 0
    end_ns: int = 0
    ahead_ns: int = 0
    places: list[Place] = field(default_factory=list)
    left: dict[int, int] = field(default_factory=dict)
    drift: Drift = field(default_factory=Drift)
    jumped_ns: int = 0
    doubted: tuple[int, int] | None = None
    kept_ns: tuple[int, int] = (0, 0)

    def held(self, session: int, sample: int = MAX_COUNT) -> int | None:
        """Return what held at a sample of a session; None: it is not known."""
        for place in reversed(self.places):
            if place.session == session and place.from_sample <= sample:
                return place.ahead_ns
        return None

    def enter(self, session: int) -> None:
        """Begin a session, or go on with one that was left."""
        if self.origin_ns is not None:
            self.left[self.session] = self.first_sample
            if len(self.left) > REMEMBERED:
                del self.left[next(iter(self.left))]
        self.session, self.origin_ns = session, None
        self.first_sample, self.next_sample = self.left.pop(session, -1), 0
        self.drift = Drift()

    def to_bytes(self) -> bytes:
        """Return what must be known to go on."""
        newest = [getattr(self, name) for name in _NEWEST]
        drift = (self.drift.base_ns, self.drift.level_ns)
        return json.dumps([newest, self.places, list(self.left.items()), drift]).encode()

    @classmethod
    def of_bytes(cls, kept: bytes) -> "_Clock":
        """Return what ``to_bytes`` was given."""
        newest, places, left, drift = json.loads(kept)
        clock = cls(**dict(zip(_NEWEST, newest, strict=True)))
        clock.places, clock.left = [Place(*place) for place in places], dict(left)
        clock.drift = Drift(*drift)
        clock.doubted = (0, 0) if clock.ahead_ns > 0 else None
        return clock


class Corrections:
    """Corrects what devices send to a gateway; one thread's.

    Args:
        gateway: the name that its marks carry.
        known: by device, what ``told`` gave of it last.

    >>> from schemas.records import Channel, Packet
    >>> import numpy as np
    >>> lead = Channel(131330, 0, 0, 1.0, 1.0, np.zeros(1, np.int16))
    >>> second = Packet("d", 7, 0, 0, 3600 * 10**9, 2 * 10**9, [lead])  # of 3600 s, it says; it came at 2 s
    >>> corrections = Corrections("gw")
    >>> corrections.packet(0, second)
    >>> second.start_ns, corrections.told()[1][0][1].change
    (1000000000, ClockCorrection(ahead_ns=3599000000000))
    """

    def __init__(self, gateway: str, known: Mapping[str, bytes] | None = None) -> None:
        self._gateway = gateway
        self._clocks = {device: _Clock.of_bytes(kept) for device, kept in (known or {}).items()}
        self._offset_ns: int | None = None
        self._jumped_ns = 0
        self._changed: set[str] = set()
        self._marks: list[tuple[int, Control]] = []

    def look(self, now: Instant) -> None:
        """See whether the gateway's own clock was set forward: what it took for ahead was not."""
        offset_ns = now.utc_ns - round(now.steady_s * _NS)
        if self._offset_ns is None:
            self._offset_ns = offset_ns
        elif abs(jump_ns := offset_ns - self._offset_ns) > _LEAST_NS:
            self._offset_ns = offset_ns
            self._jumped_ns += max(jump_ns, 0)

    def packet(self, shard: int, packet: Packet) -> None:
        """Correct the time of a packet of a device of this shard."""
        clock, first = self._of(packet.device), packet.channels[0]
        origin_ns = packet.start_ns - round(packet.first_sample * _NS / first.rate)
        end_ns = packet.start_ns + round(first.samples.size * _NS / first.rate)
        early_ns = end_ns - packet.received_ns
        is_new = packet.session != clock.session or clock.origin_ns is None
        newest = clock.left.get(packet.session, -1) if is_new else clock.first_sample
        if packet.first_sample <= newest:  # it comes again, or late
            packet.start_ns = _time(packet.start_ns - (clock.held(packet.session, packet.first_sample) or 0))
            return
        ahead_ns = clock.ahead_ns
        if is_new:
            ahead_ns = self._begun(clock, packet, early_ns)
        else:
            step_ns = origin_ns - (clock.origin_ns or 0)
            if (
                not -_LEAST_NS <= step_ns <= _LEAST_NS
                or early_ns > ahead_ns + _LEAST_NS
                or clock.jumped_ns != self._jumped_ns
                or clock.doubted is not None
            ):
                ahead_ns = self._looked(clock, packet, step_ns, early_ns)
        late_ns = ahead_ns - early_ns
        behind_ns = clock.drift.hear(packet.received_ns, late_ns)
        if 0 < behind_ns <= late_ns + _LEAST_NS:
            ahead_ns -= behind_ns
        if is_new or ahead_ns != clock.ahead_ns:
            self._move(
                shard, packet.device, Place(packet.session, packet.first_sample, ahead_ns), packet.received_ns
            )
        clock.origin_ns, clock.end_ns = origin_ns, end_ns
        clock.first_sample, clock.next_sample = packet.first_sample, packet.first_sample + first.samples.size
        if (
            abs(origin_ns - clock.kept_ns[0]) > _KEEP_NS
            or abs(clock.drift.level_ns - clock.kept_ns[1]) > _KEEP_DRIFT_NS
        ):
            self._changed.add(packet.device)
        packet.start_ns = _time(packet.start_ns - ahead_ns)

    def number(self, shard: int, vital: Vital, received_ns: int) -> Vital:
        """Return a number with its time corrected: as the packets around it, where there are any."""
        clock = self._of(vital.device)
        early_ns = vital.time_ns - received_ns
        has_waves, is_here = clock.origin_ns is not None, vital.session == clock.session
        held_ns = clock.held(vital.session)
        if is_here and has_waves:
            ahead_ns = clock.ahead_ns
        elif held_ns is not None and not is_here:
            ahead_ns = held_ns
        else:
            ahead_ns = clock.ahead_ns if early_ns > _LEAST_NS else 0
            if early_ns > ahead_ns + _LEAST_NS and not has_waves:
                ahead_ns = early_ns
            if ahead_ns and not has_waves and (ahead_ns != clock.ahead_ns or not is_here):
                if not is_here:
                    clock.enter(vital.session)
                self._move(shard, vital.device, Place(vital.session, 0, ahead_ns), received_ns)
        return replace(vital, time_ns=_time(vital.time_ns - ahead_ns)) if ahead_ns else vital

    def told(self) -> tuple[dict[str, bytes], list[tuple[int, Control]]]:
        """Return what must be kept, by device, and marks, each with its shard, since it was asked last."""
        kept, marks = {}, self._marks
        for device in self._changed:
            clock = self._clocks[device]
            clock.kept_ns = (clock.origin_ns or 0, clock.drift.level_ns)
            kept[device] = clock.to_bytes()
        self._changed, self._marks = set(), []
        return kept, marks

    def _of(self, device: str) -> _Clock:
        clock = self._clocks.get(device)
        if clock is None:
            clock = self._clocks[device] = _Clock(jumped_ns=self._jumped_ns)
        return clock

    def _begun(self, clock: _Clock, packet: Packet, early_ns: int) -> int:
        """Return by how much a clock is ahead with which a session begins, or is come back to."""
        ahead_ns = self._by_now(clock)
        if packet.session in clock.left:
            ahead_ns = clock.held(packet.session, packet.first_sample) or 0
        elif not 0 <= packet.start_ns - clock.end_ns <= _LEAST_NS and (ahead_ns < 0 or early_ns <= _LEAST_NS):
            ahead_ns = 0
        clock.enter(packet.session)
        clock.doubted = None
        return _at_least(ahead_ns, early_ns)

    def _looked(self, clock: _Clock, packet: Packet, step_ns: int, early_ns: int) -> int:
        """Return by how much a clock is ahead within a session, where something may have changed.

        Args:
            clock: as it was.
            packet: that shows it.
            step_ns: how much later it begins than its samples say.
            early_ns: how much later it ends than it came.
        """
        ahead_ns = self._by_now(clock)
        if clock.doubted is not None:
            ahead_ns = _doubted(clock, ahead_ns, packet.received_ns, ahead_ns - early_ns)
        hole_s = (packet.first_sample - clock.next_sample) / packet.channels[0].rate
        if step_ns < -_LEAST_NS - round(max(hole_s, 0.0) * CRYSTAL * _NS):
            ahead_ns += step_ns
        elif step_ns > _LEAST_NS and early_ns > ahead_ns + _LEAST_NS and ahead_ns < 0:
            ahead_ns = min(ahead_ns + step_ns, 0)
        ahead_ns = _at_least(ahead_ns, early_ns)
        if ahead_ns != clock.ahead_ns:
            clock.drift, clock.doubted = Drift(), None
        return ahead_ns

    def _by_now(self, clock: _Clock) -> int:
        """Return what was taken from a clock's times, by the gateway's clock as it has been set since."""
        jump_ns, clock.jumped_ns = self._jumped_ns - clock.jumped_ns, self._jumped_ns
        if jump_ns == 0 or clock.ahead_ns == 0:
            return clock.ahead_ns
        return max(clock.ahead_ns - jump_ns, 0) if clock.ahead_ns > 0 else clock.ahead_ns - jump_ns

    def _move(self, shard: int, device: str, place: Place, now_ns: int) -> None:
        """From there on this holds: keep it, and mark it where it changes anything."""
        clock = self._clocks[device]
        held_ns = clock.held(place.session, place.from_sample)
        if place.ahead_ns != held_ns:
            clock.places.append(place)
            del clock.places[:-REMEMBERED]
        if place.ahead_ns != (held_ns or 0) or place.ahead_ns != clock.ahead_ns:
            mark = Control(
                f"clock-{device}-{place.session}-{place.from_sample}-{now_ns}",
                *(device, place.session, place.from_sample, now_ns, self._gateway),
                ClockCorrection(place.ahead_ns),
            )
            self._marks.append((shard, mark))
        clock.ahead_ns = place.ahead_ns
        self._changed.add(device)


def _at_least(ahead_ns: int, early_ns: int) -> int:
    """Return a correction with which nothing ends after it came; one that is too small to count is none."""
    if abs(ahead_ns) < _LEAST_NS:
        ahead_ns = 0
    if early_ns > ahead_ns + _LEAST_NS:
        ahead_ns = early_ns
    return 0 if abs(ahead_ns) < _LEAST_NS else ahead_ns


def _doubted(clock: _Clock, ahead_ns: int, now_ns: int, late_ns: int) -> int:
    """Return what still holds behind a restart: not what no packet of a minute has needed."""
    since_ns, least_ns = clock.doubted or (0, 0)
    if since_ns == 0:
        since_ns, least_ns = now_ns, late_ns
    clock.doubted = (since_ns, least_ns := min(least_ns, late_ns))
    if now_ns - since_ns < round(WINDOW_S * _NS):
        return ahead_ns
    clock.doubted = None
    return 0 if least_ns >= ahead_ns else ahead_ns


def _time(ns: int) -> int:
    """Return a time that a record may carry: absurd ones, when corrected, need not be."""
    return min(max(ns, 0), MAX_TIME_NS - 1)
