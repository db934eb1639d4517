"""How far devices' clocks are off the gateway's, and which have been set; pure.

Nothing comes before it was measured. So the least time from the end of a device's packet, by its clock, to
its arrival, by ours, is how far its clock is behind ours and how long the quickest way takes, which is a
fraction of a second; less than nothing is how far it is ahead. The least of ``WINDOW_S`` counts, since a line
may be slow for a while:

* A clock is *off* where that is more than ``OFF_S`` either way, until it is less than half of it.
* It was *set*, or has drifted so far, where that has moved by more than ``OFF_S`` since it was told last.

A device that sends what it has kept for hours looks like one whose clock is hours behind; what is told then
ends with the window in which it has caught up. If all devices are off at once, it is the gateway's own clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.records import Packet

WINDOW_S = 60.0
OFF_S = 1.0
_NS = 1_000_000_000


@dataclass(slots=True)
class _Clock:
    """A device's: ``least_ns`` of the present window; ``told_s``: ahead by so much, as was told last."""

    begin_ns: int
    least_ns: int
    told_s: float = 0.0


class Clocks:
    """What is known of clocks; one thread tells it of packets, others may ask.

    >>> from schemas.records import Channel, Packet
    >>> import numpy as np
    >>> lead = Channel(131330, 0, 0, 1.0, 1.0, np.zeros(1, np.int16))
    >>> clocks = Clocks()
    >>> for s in range(61):  # each comes 3 s before it is measured
    ...     told_s = clocks.hear(Packet("d", 7, s, s, (s + 3) * 10**9, (s + 1) * 10**9, [lead]))
    >>> told_s, dict(clocks.off)
    (3.0, {'d': 3.0})
    """

    def __init__(self) -> None:
        self._clocks: dict[str, _Clock] = {}
        self._off: Mapping[str, float] = {}

    def hear(self, packet: Packet) -> float | None:
        """Hear of a packet that has come now; return by how much its device's clock is ahead if it has moved.

        Seconds; less than 0: it is behind; 0: it is right again. ``None``: it is as it was told last.
        """
        first = packet.channels[0]
        took_ns = packet.received_ns - packet.start_ns - round(first.samples.size / first.rate * _NS)
        clock = self._clocks.get(packet.device)
        if clock is None:
            self._clocks[packet.device] = _Clock(packet.received_ns, took_ns)
            return None
        if 0 <= packet.received_ns - clock.begin_ns < WINDOW_S * _NS:
            clock.least_ns = min(clock.least_ns, took_ns)
            return None
        ahead_s = -clock.least_ns / _NS
        clock.begin_ns, clock.least_ns = packet.received_ns, took_ns
        return self._told(packet.device, clock, ahead_s)

    @property
    def off(self) -> Mapping[str, float]:
        """Devices whose clocks are off, and by how many seconds they are ahead."""
        return self._off

    def _told(self, device: str, clock: _Clock, ahead_s: float) -> float | None:
        is_off = abs(ahead_s) > (OFF_S / 2 if clock.told_s else OFF_S)
        if not is_off and not clock.told_s:
            return None
        if is_off and abs(ahead_s - clock.told_s) <= OFF_S:
            return None
        clock.told_s = ahead_s if is_off else 0.0
        others = {name: s for name, s in self._off.items() if name != device}
        self._off = others | ({device: ahead_s} if is_off else {})
        return clock.told_s
