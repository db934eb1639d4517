"""Ends a worker that is alive but dead.

A process may live on without work: a service of Faust that has crashed waits for a shutdown that does not
come, an event loop hangs, a consumer is no member of its group any more and never rejoins (seen after errors
in SyncGroup), or reads nothing though there is something. This thread notices and ends the process; the
supervisor starts it again.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

INTERVAL_S = 1.0
PATIENCE_S = 3.0
"""How long a crashed app may take to end by itself."""
HANG_S = 30.0
"""How long the event loop may stand still."""
STALL_S = 60.0
"""How long a worker may be outside of its group, be refused its commits, or leave what waits unread: a
hand-over to or from another worker takes up to 20 s."""


class Pulse:
    """When the event loop turned last; any thread may ask."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beaten_s = clock()

    def beat(self) -> None:
        """Say that it turns."""
        self._beaten_s = self._clock()

    def age_s(self) -> float:
        """Return how long ago that was said."""
        return self._clock() - self._beaten_s


class Patient(Protocol):
    """What is watched, as seen from another thread."""

    pulse: Pulse

    def crash(self) -> str:
        """Return why a service of Faust has crashed, empty where none has."""

    def is_member(self) -> bool:
        """Return whether the consumer is in its group, and the group takes its commits."""

    def unread(self) -> dict[int, int]:
        """Return the next offset of each partition in which something waits that is not processed."""


class Watchdog:
    """Looks at a worker every second, and says why it must end."""

    def __init__(self, patient: Patient, clock: Callable[[], float] = time.monotonic) -> None:
        self._patient = patient
        self._clock = clock
        self._member_s = clock()
        self._unread: dict[int, tuple[int, float]] = {}

    def ails(self) -> str:
        """Return why the process must end, empty while all is well."""
        now_s = self._clock()
        if self._patient.pulse.age_s() > HANG_S:
            return f"the event loop has not turned for {HANG_S:g} s"
        if self._patient.is_member():
            self._member_s = now_s
        if now_s - self._member_s > STALL_S:
            return f"it has been outside of its group for {STALL_S:g} s"
        unread = self._patient.unread()
        since = {p: s for p, s in self._unread.items() if unread.get(p) == s[0]}
        self._unread = {p: since.get(p, (offset, now_s)) for p, offset in unread.items()}
        for partition, (offset, began_s) in self._unread.items():
            if now_s - began_s > STALL_S:
                return f"partition {partition} has not gone on from offset {offset} for {STALL_S:g} s"
        return ""


def start(patient: Patient, give_up: Callable[[str], NoReturn]) -> threading.Thread:
    """Watch from a thread of its own, since the event loop may be what hangs."""
    thread = threading.Thread(target=_watch, args=(patient, give_up), name="watchdog", daemon=True)
    thread.start()
    return thread


def _watch(patient: Patient, give_up: Callable[[str], NoReturn]) -> None:
    watchdog = Watchdog(patient)
    while not (crash := patient.crash()):
        if why := watchdog.ails():
            give_up(why)
        time.sleep(INTERVAL_S)
    time.sleep(PATIENCE_S)
    give_up(f"Faust has crashed: {crash}")


def has_crashed(service: Any) -> bool:
    """Return whether a Faust service or one below it has crashed."""
    return service.crashed or any(has_crashed(child) for child in service._children)
