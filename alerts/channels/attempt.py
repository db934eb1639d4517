"""One attempt that ends in time, whatever a library does: on a thread, which is left to itself if need be.

A thread cannot be killed. One that hangs ends when its sockets' own limits end it, or never; few may be left,
and until one of them ends nothing more is tried.
"""

import threading
from collections.abc import Callable

from alerts.notify import NotifyError, Reason

LEFT_AT_MOST = 2
_LONGER = 1.5


class Attempts:
    """Attempts of one channel; one thread at a time calls.

    Args:
        timeout_s: of an attempt as a whole.

    Attributes:
        patience_s: what a library may wait for at each step: longer, so that it is the deadline that ends an
            attempt, and not much longer, so that a thread that was left behind ends.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self.patience_s = _LONGER * timeout_s
        self._left: list[threading.Thread] = []

    def run(self, act: Callable[[], None]) -> None:
        """Run an act; return when it has returned.

        Raises:
            NotifyError: the act has; or it raised something else, or has not ended in time.
        """
        self._left = [thread for thread in self._left if thread.is_alive()]
        if len(self._left) >= LEFT_AT_MOST:
            raise NotifyError(Reason.TIMEOUT, retryable=True)
        ends: list[NotifyError | None] = []
        thread = threading.Thread(target=lambda: ends.append(_end(act)), name="attempt", daemon=True)
        thread.start()
        thread.join(self._timeout_s)
        if not ends:
            self._left.append(thread)
            raise NotifyError(Reason.TIMEOUT, retryable=True)
        if ends[0] is not None:
            raise ends[0]


def _end(act: Callable[[], None]) -> NotifyError | None:
    try:
        act()
    except NotifyError as error:
        # Another one, without what caused it, which may hold an address.
        return NotifyError(error.reason, retryable=error.retryable)
    except Exception:  # a library of two hundred services may raise anything
        return NotifyError(Reason.OTHER, retryable=True)
    return None
