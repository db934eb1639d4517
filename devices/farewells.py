"""Devices whose connections have ended, as a broker says: told to workers, unless they are heard again soon.

A worker takes a link for lost once nothing was heard for ten seconds. Where whoever holds the connection
knows that it has ended (a last will of MQTT, or a clean goodbye), that need not be waited for. But a device
that has changed its access point is back in a moment; to call somebody each time would teach people not to
come. So it is told of who was not heard again within ``HOLD_S``.

What is told here is of now, and kept in no spool: while Kafka is away, and where devices' signal waits its
turn, silence tells a lost link as it always does.
"""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

HOLD_S = 2.0
"""s in which a device may come back without a word; also so long its last packets may take into the spool."""
LATEST_S = 10.0
"""s after which there is nothing to be won: a worker has found it out by itself."""


class Gone(NamedTuple):
    """A device whose connection has ended, and its shard."""

    device: str
    shard: int


class Farewells:
    """Those that are to be told; threads may share it.

    Args:
        steady_s: a clock, for tests.
    """

    def __init__(self, steady_s: Callable[[], float] = time.monotonic) -> None:
        self._steady_s = steady_s
        self._lock = threading.Lock()
        self._gone_s: dict[Gone, float] = {}

    def gone(self, device: str, shard: int) -> None:
        """Hear that a device's connection has ended."""
        with self._lock:
            self._gone_s[Gone(device, shard)] = self._steady_s()

    def heard(self, device: str, shard: int) -> None:
        """Hear of a device: it is not gone, or not any more."""
        with self._lock:
            self._gone_s.pop(Gone(device, shard), None)

    def take(self, may: Callable[[int], bool]) -> list[Gone]:
        """Return those that are to be told now, and forget them; ``may``: of which shards that can be."""
        with self._lock:
            now_s = self._steady_s()
            late = [gone for gone, at_s in self._gone_s.items() if now_s - at_s > LATEST_S]
            due = [gone for gone, at_s in self._gone_s.items() if HOLD_S <= now_s - at_s <= LATEST_S]
            told = [gone for gone in due if may(gone.shard)]
            for gone in (*late, *told):
                del self._gone_s[gone]
            return told
