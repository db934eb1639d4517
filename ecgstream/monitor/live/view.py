"""What waits for one screen. Signals may be lost, the oldest first; numbers and alarms never are.

Of numbers and alarms only which devices have changed is kept, and what is sent is how they stand then: a
screen that reads slowly sees fewer steps, not older ones.
"""

import math
import threading
from collections import deque
from collections.abc import Collection, Mapping
from typing import NamedTuple

from ecgstream.monitor import metrics
from ecgstream.monitor.live import frames
from ecgstream.monitor.live.device import Device
from ecgstream.monitor.live.frames import Kind

MOST_BYTES = 2 * 1_048_576
"""Of signals that wait for a screen; the frames themselves are shared by all screens."""
BEAT_MS = 1000
"""So often a screen hears that the line is there, if nothing else."""


class Bed(NamedTuple):
    """Where a device stands, and the pseudonym of who wears it; empty: not known, nobody.

    Attributes:
        place: as people call it.
        patient: a pseudonym.
        path: of the facility: codes from the root on, joined by dots; empty: it is not known.
        since_ms: UTC ms; of a share, which opens nothing older. None: seen by place.
        worn_ms: UTC ms; since then this patient wears it, or nobody: older numbers are of somebody else.
            None: it was never worn.
    """

    place: str
    patient: str
    path: str
    since_ms: float | None = None
    worn_ms: float | None = None


class Watch(NamedTuple):
    """A device that is watched: as a wall shows it, or with all its waves and its beats."""

    device: str
    whole: bool = False


class View:
    """One screen; the hub's thread puts in, the socket takes out.

    Attributes:
        beds: all that the viewer may see, by device.
        shown: what is wanted of waves and numbers.
        is_away: the database is, so that nobody knows whether they may still see it.
    """

    def __init__(self) -> None:
        self.beds: Mapping[str, Bed] = {}
        self.shown: frozenset[Watch] = frozenset()
        self.is_away = False
        self._lock = threading.Lock()
        self._signals: deque[bytes] = deque()
        self._size = self._lost = 0
        self._numbers: dict[int, Device] = {}
        self._alarms: dict[int, Device] = {}
        self._devices = b""
        self._since_ms: dict[int, float] = {}
        self._told_ms = 0.0

    def signal(self, *frames_: bytes) -> None:
        """Let signals wait; where it is too much, the oldest are lost."""
        with self._lock:
            opened = [frame for frame in frames_ if self._is_open(frame)] if self._since_ms else frames_
            self._signals += opened
            self._size += sum(map(len, opened))
            while self._size > MOST_BYTES:
                self._size -= len(self._signals.popleft())
                self._lost += 1

    def numbers(self, device: Device) -> None:
        """A device's numbers have changed."""
        with self._lock:
            self._numbers[device.number] = device

    def alarms(self, device: Device) -> None:
        """A device's alarms have changed."""
        with self._lock:
            self._alarms[device.number] = device

    def devices(self, beds: Mapping[str, Bed], devices: Mapping[str, Device]) -> None:
        """What the viewer may see has changed."""
        told = {name: {"n": devices[name].number, **bed._asdict()} for name, bed in beds.items()}
        frame = frames.of_told(Kind.DEVICES, {"devices": told})
        with self._lock:
            self.beds = beds
            since = {devices[name].number: bed.since_ms for name, bed in beds.items()}
            self._since_ms = {number: ms for number, ms in since.items() if ms is not None}
            self._devices = frame
            self._alarms |= {devices[name].number: devices[name] for name in beds}

    def restrict(self, numbers: Collection[int]) -> None:
        """Forget what waits of numbers and alarms of all but these devices."""
        with self._lock:
            for waiting in (self._numbers, self._alarms):
                for number in waiting.keys() - set(numbers):
                    del waiting[number]

    def waiting(self) -> int:
        """Return how many bytes of signals wait."""
        return self._size

    def take(self, now_ms: float, is_current: bool) -> bytes:
        """Return what waits as one message: alarms first. Empty: nothing, and it is no time to say so."""
        with self._lock:
            devices, self._devices = self._devices, b""
            changed = [self._opened(n, device.alarms_frame) for n, device in self._alarms.items()]
            changed += [self._opened(n, device.numbers_frame) for n, device in self._numbers.items()]
            lost, self._lost = self._lost, 0
            signals, self._signals = self._signals, deque()
            self._size = 0
            self._alarms, self._numbers = {}, {}
        metrics.FRAMES.labels("sent").inc(len(signals))
        metrics.FRAMES.labels("lost").inc(lost)
        if not (devices or changed or lost or signals or abs(now_ms - self._told_ms) >= BEAT_MS):
            return b""
        self._told_ms = now_ms
        state = frames.of_state(now_ms, is_current, self.is_away)
        return b"".join((state, devices, *changed, frames.of_lost(lost) if lost else b"", *signals))

    def _is_open(self, frame: bytes) -> bool:
        number, at_ms = frames.when(frame)
        return at_ms >= self._since_ms.get(number, -math.inf)

    def _opened(self, number: int, frame: bytes) -> bytes:
        since_ms = self._since_ms.get(number)
        return frames.without_older(frame, since_ms) if since_ms is not None and frame else frame
