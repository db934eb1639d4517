"""What a gateway tells of messages that can never be taken: who sends them and why, never what is in them.

Messages name patients (HL7's PID), and whoever may read of refusals may not read those. So a refusal has the
reason, who has sent it by which protocol, the message's id where it has one, and size and digest, by which a
message is known that is sent again and again. It is for those who look for the sender, not a record of all
that was refused: a few a minute, kept in memory until Kafka is there, the newest only.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from hashlib import blake2b
from typing import Protocol

from schemas.records import Refusal

OF_DEVICE, OF_ALL = 5, 60
"""Told a minute, of a device and in all."""
MOST_WAITING = 200
_MOST_CHARACTERS = 400
_DIGEST_BYTES = 16


class Refused(Protocol):
    """Hears of what can never be taken: ``Refusals.tell``, or nobody."""

    def __call__(self, protocol: str, device: str, reason: str, content: bytes, message: str = "") -> None:
        """Hear of one.

        Args:
            protocol: by which it came.
            device: who has sent it, as far as that is known.
            reason: without content.
            content: of which size and digest are told.
            message: its id, where it has one.
        """


def unheard(protocol: str, device: str, reason: str, content: bytes, message: str = "") -> None:
    """Hear of nothing."""


class Refusals:
    """Refusals that wait for Kafka; threads may share it.

    Args:
        gateway: its name.
        steady_s, utc_ns: clocks, for tests.
    """

    def __init__(
        self,
        gateway: str,
        *,
        steady_s: Callable[[], float] = time.monotonic,
        utc_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._gateway = gateway
        self._steady_s = steady_s
        self._utc_ns = utc_ns
        self._lock = threading.Lock()
        self._minute = -1
        self._told: Counter[str] = Counter()
        self._waiting: deque[Refusal] = deque(maxlen=MOST_WAITING)

    def tell(self, protocol: str, device: str, reason: str, content: bytes, message: str = "") -> None:
        """Tell of one, unless there were many in this minute: see ``Refused``."""
        with self._lock:
            if not self._may(device):
                return
            self._waiting.append(
                Refusal(
                    self._gateway,
                    self._utc_ns(),
                    device[:_MOST_CHARACTERS],
                    protocol,
                    message[:_MOST_CHARACTERS],
                    reason[:_MOST_CHARACTERS],
                    len(content),
                    blake2b(content, digest_size=_DIGEST_BYTES).digest(),
                )
            )

    def take(self) -> list[Refusal]:
        """Return those that wait, and forget them."""
        with self._lock:
            found = list(self._waiting)
            self._waiting.clear()
            return found

    def _may(self, device: str) -> bool:
        minute = int(self._steady_s() // 60)
        if minute != self._minute:
            self._minute = minute
            self._told.clear()
        if self._told[device] >= OF_DEVICE or self._told.total() >= OF_ALL:
            return False
        self._told[device] += 1
        return True
