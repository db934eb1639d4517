"""What a gateway is tried with: some seconds of a made heart in sinus rhythm, of four leads."""

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from devices.simulator import Bed, simulate
from schemas.records import Packet, Vital

LEADS = ("I", "II", "III", "V1")
RATE_HZ, GAIN = 250.0, 200.0
DURATION_S = 60.0
STRANGER = "conform-no-such-device"
NAME = "MADE-UP-NAME"
"""Stands where a patient's name would; it must never come back."""
_BED = Bed(1, LEADS, RATE_HZ, GAIN, heart_rate=70, breaths=14, script=(), pleth=False)


class Signal:
    """Gives packet after packet of a device, each a second, none twice; time goes on with the signal.

    >>> first, second = (Signal("dev-1").packet() for _ in range(2))
    >>> [channel.samples.size for channel in first.channels], first.seq
    ([250, 250, 250, 250], 0)
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self.session = time.time_ns() - round(DURATION_S * 1e9)
        source = simulate(_BED, duration_s=DURATION_S)
        items = [emission.item for emission in source.emissions(self.session)]
        self._packets = iter([item for item in items if isinstance(item, Packet)])
        self._vitals = iter([item for item in items if isinstance(item, Vital)])
        self._ids: Iterator[int] = count(1)

    def packet(self) -> Packet:
        """Return the next second."""
        return replace(next(self._packets), device=self.device)

    def vital(self) -> Vital:
        """Return the next number."""
        return replace(next(self._vitals), device=self.device)

    def id(self) -> str:
        """Return an id of a message that nobody has had before."""
        return f"conform-{self.session}-{next(self._ids)}"
