"""A simulated device, which plays in real time and keeps what is not answered, as a good device does."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from devices.source import Source
from ecgstream.speaking.link import Link, LinkDownError
from schemas.records import Packet, Vital

HELD = 20_000
"""Packets and numbers that the device's store holds; the oldest go first."""
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 15.0
"""s between two tries while the gateway does not answer."""
_TURN_S = 1.0


@dataclass(slots=True)
class Course:
    """How far a device has come.

    Attributes:
        measured: packets and numbers so far.
        taken: of these, answered as safe.
        refused: how many will never be taken, by reason.
        dropped: those that its store had no room for.
        trouble: why the gateway does not answer now; empty: it does.
    """

    measured: int = 0
    taken: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    dropped: int = 0
    trouble: str = ""

    @property
    def waiting(self) -> int:
        """How many are not answered yet."""
        return self.measured - self.taken - sum(self.refused.values()) - self.dropped


class Device:
    """Plays one source to a gateway.

    Args:
        source: what the device measures.
        link: its way to the gateway.
        on_turn: called every second or so with how far it has come.
        now_s: a clock that never goes back, s.
    """

    def __init__(
        self,
        source: Source,
        link: Link,
        on_turn: Callable[[Course], None] = lambda _course: None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.course = Course()
        self._source = source
        self._link = link
        self._on_turn = on_turn
        self._now_s = now_s
        self._held: deque[Packet | Vital] = deque()
        self._wait_s = 0.0
        self._try_at_s = float("-inf")

    def play(self, stop: threading.Event, *, start_ns: int, patience_s: float, speed: float = 1.0) -> None:
        """Play to the end, or until told to stop; then wait so long for what is not answered.

        Args:
            stop: set to end it.
            start_ns: the device's clock at the beginning, UTC ns.
            patience_s: s for what waits at the end.
            speed: seconds of signal a second.
        """
        begin_s = self._now_s()
        for at_s, item in self._source.emissions(start_ns):
            while (left_s := begin_s + at_s / speed - self._now_s()) > 0 and not stop.is_set():
                self._send()
                stop.wait(min(left_s, _TURN_S))
            if stop.is_set():
                break
            self._keep(item)
        end_s = self._now_s() + patience_s
        while self._held and self._now_s() < end_s:
            self._send()
            stop.wait(0.0 if not self.course.trouble else _TURN_S)
        self._on_turn(self.course)

    def _keep(self, item: Packet | Vital) -> None:
        self.course.measured += 1
        self._held.append(item)
        if len(self._held) > HELD:
            self._held.popleft()
            self.course.dropped += 1

    def _send(self) -> None:
        """Send what waits, the oldest first, as long as it is answered."""
        while self._held and self._now_s() >= self._try_at_s:
            batch = [self._held[i] for i in range(min(self._link.most, len(self._held)))]
            try:
                told = self._link.send(
                    [item for item in batch if isinstance(item, Packet)],
                    [item for item in batch if isinstance(item, Vital)],
                )
            except LinkDownError as error:
                self.course.trouble = str(error)
                self._wait_s = min(max(2 * self._wait_s, FIRST_WAIT_S), LONGEST_WAIT_S)
                self._try_at_s = self._now_s() + self._wait_s
                break
            self.course.trouble, self._wait_s = "", 0.0
            for _ in batch:
                self._held.popleft()
            self.course.taken += told.taken
            for why in told.refused:
                self.course.refused[why] = self.course.refused.get(why, 0) + 1
        self._on_turn(self.course)
