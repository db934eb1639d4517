"""Lost links: a device that sends nothing is a condition of its own, never the end of another.

The timers run on the log's time: the broker's clock, which stamps every ingest record and never goes back
within a partition. So a worker that replays an hour of log finds the same lost links as the one that lived
through it. Only where nothing at all arrives does the wall clock move them on.

Onset is the last sample that came, or the one that was due when the device was enabled again; its id does not
depend on when the loss was noticed. While a device is disabled its link is not supervised.

Whoever holds a device's connection may know sooner (``LinkDown``): then silence is not waited for.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.bundle import Bundle, Gathered

_NEVER = -1
_LINK = np.dtype(
    [
        ("heard_ms", "<i8"),  # the log's time of the last packet
        ("session", "<i8"),
        ("sample", "<i8"),  # the onset if it is lost now, with its device time
        ("time_ns", "<i8"),
        ("rate_hz", "<f8"),  # of channel 0, which samples count at
        ("lost", "?"),
        ("disabled", "?"),
    ],
    align=True,
)
_VERSION = b"1"
"""Of the form above: a timer of another version begins anew with the next packet."""
_UNHEARD = np.array([(_NEVER, 0, 0, 0, 0.0, False, False)], _LINK)


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """A link is lost or back. ``silent_s``: signal time since the onset."""

    row: int
    back: bool
    session: int
    last_sample: int
    last_ns: int
    silent_s: float


class Links:
    """The lost-link timers of one partition; a row is the device's row in the detector bank.

    Args:
        timeout_s: silence in s of signal after which a link is lost.
        clock_rate: s of signal a s of the log's clock (1 except in a demo that runs faster than life).
    """

    STATE_BYTES = _LINK.itemsize + len(_VERSION)

    def __init__(self, timeout_s: float, clock_rate: float) -> None:
        self._timeout_ms = timeout_s * 1000 / clock_rate
        self._signal_s_per_ms = clock_rate / 1000
        self._link = np.repeat(_UNHEARD, 0)

    def _make_room(self, row: int) -> None:
        if row >= self._link.size:
            more = max(row + 1, 2 * self._link.size) - self._link.size
            self._link = np.concatenate([self._link, np.repeat(_UNHEARD, more)])

    def heard(self, bundle: Bundle, rows: NDArray[np.int64], log_ms: int) -> list[LinkEvent]:
        """Note the packets of a bundle; return the links that are back.

        ``rows``: one an entry of ``bundle.devices``, -1 to skip it.
        """
        row = rows[bundle.packet.device]
        row = row[(row >= 0) & (row < self._link.size)]
        lost = dict.fromkeys(row[self._link["lost"][row]].tolist())
        back = [self._event(r, back=True, log_ms=log_ms) for r in lost]
        self._note(bundle, rows, np.full(bundle.packet.device.size, log_ms))
        return back

    def heard_calmly(self, gathered: Gathered, rows: NDArray[np.int64], log_ms: NDArray[np.int64]) -> bool:
        """Note the packets of several bundles at once; return False where a link is lost or back meanwhile.

        ``rows``: as in ``heard``; ``log_ms``: the log's time of each bundle, never going back.
        """
        known = rows[(rows >= 0) & (rows < self._link.size)]
        if (
            log_ms[-1] - log_ms[0] > self._timeout_ms  # who is heard first may be lost behind
            or self._link["lost"][known].any()
            or self._overdue(int(log_ms[-1])).any()
        ):
            return False
        self._note(gathered.bundle, rows, log_ms.repeat(gathered.packets))
        return True

    def _note(self, bundle: Bundle, rows: NDArray[np.int64], log_ms: NDArray[np.int64]) -> None:
        p, c = bundle.packet, bundle.channel
        row = rows[p.device]
        wanted = row >= 0
        row = row[wanted]
        if not row.size:
            return
        self._make_room(int(row.max()))
        link = self._link
        first = (np.cumsum(p.channels, dtype=np.int64) - p.channels)[wanted]
        samples = c.samples[first].astype(np.int64)
        link["lost"][row] = False
        link["heard_ms"][row] = log_ms[wanted]
        link["session"][row] = p.session[wanted]
        link["sample"][row] = p.first_sample[wanted] + samples - 1
        link["time_ns"][row] = p.start_ns[wanted] + ((samples - 1) / c.rate[first] * 1e9).astype(np.int64)
        link["rate_hz"][row] = c.rate[first]

    def enrol(self, row: int, *, disabled: bool, log_ms: int) -> list[LinkEvent]:
        """Note that a device is disabled, or is not; return its link if it was lost and is no longer watched.

        The timer of a device that is enabled again begins anew.
        """
        self._make_room(row)
        link = self._link[row]
        ended = []
        if disabled and link["lost"]:
            ended.append(self._event(row, back=True, log_ms=log_ms))
            link["lost"] = False
        if link["disabled"] and not disabled and link["heard_ms"] != _NEVER:
            # From a new onset, since the condition with the old one is over.
            silent_s = float(log_ms - link["heard_ms"]) * self._signal_s_per_ms
            link["sample"] += round(silent_s * link["rate_hz"])
            link["time_ns"] += round(silent_s * 1e9)
            link["heard_ms"] = log_ms
        link["disabled"] = disabled
        return ended

    def down(self, row: int, log_ms: int) -> list[LinkEvent]:
        """Note that a device's connection has ended; return its link if that was not lost before.

        A log that is read again may tell so of a time before the device was heard last: that is over.
        """
        self._make_room(row)
        link = self._link[row]
        if link["heard_ms"] == _NEVER or link["heard_ms"] > log_ms or link["lost"] or link["disabled"]:
            return []
        link["lost"] = True
        return [self._event(row, back=False, log_ms=log_ms)]

    def advance(self, log_ms: int) -> list[LinkEvent]:
        """Return the links that are lost at this time of the log and were not before."""
        lost = np.flatnonzero(self._overdue(log_ms))
        self._link["lost"][lost] = True
        return [self._event(row, back=False, log_ms=log_ms) for row in lost.tolist()]

    def _overdue(self, log_ms: int) -> NDArray[np.bool_]:
        link = self._link
        watched = (link["heard_ms"] != _NEVER) & ~link["lost"] & ~link["disabled"]
        overdue: NDArray[np.bool_] = watched & (log_ms - link["heard_ms"] > self._timeout_ms)
        return overdue

    def _event(self, row: int, *, back: bool, log_ms: int) -> LinkEvent:
        link = self._link[row]
        silent_s = float(log_ms - link["heard_ms"]) * self._signal_s_per_ms
        return LinkEvent(row, back, int(link["session"]), int(link["sample"]), int(link["time_ns"]), silent_s)

    def snapshot(self, row: int) -> bytes:
        """Return a row's timer as ``STATE_BYTES`` bytes."""
        self._make_room(row)
        return _VERSION + bytes(self._link[row].tobytes())

    def restore(self, row: int, state: bytes) -> None:
        """Set a row's timer to what ``snapshot`` gave, where this version can read it."""
        self._make_room(row)
        if len(state) == self.STATE_BYTES and state.startswith(_VERSION):
            self._link[row] = np.frombuffer(state, _LINK, offset=len(_VERSION))[0]
