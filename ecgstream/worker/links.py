"""Lost links: a device that sends nothing is a condition of its own, never the end of another.

The timers run on the log's time: the broker's clock, which stamps every ingest record and never goes back
within a partition. So a worker that replays an hour of log finds the same lost links as the one that lived
through it. Only where nothing at all arrives does the wall clock move them on.

Onset is the last sample that came; its id does not depend on when the loss was noticed.
"""

from dataclasses import dataclass
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from schemas.bundle import Bundle

_STATE = Struct("<qqqqB")
_NEVER = -1


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """A link is lost or back. ``silent_s``: signal time since the last sample."""

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

    STATE_BYTES = _STATE.size

    def __init__(self, timeout_s: float, clock_rate: float) -> None:
        self._timeout_ms = timeout_s * 1000 / clock_rate
        self._signal_s_per_ms = clock_rate / 1000
        self._heard_ms = np.full(0, _NEVER, np.int64)
        self._session = np.zeros(0, np.int64)
        self._sample = np.zeros(0, np.int64)
        self._time_ns = np.zeros(0, np.int64)
        self._lost = np.zeros(0, np.bool_)

    def _grow(self, rows: int) -> None:
        more = max(rows, 2 * self._lost.size) - self._lost.size
        self._heard_ms = np.concatenate([self._heard_ms, np.full(more, _NEVER, np.int64)])
        for name in ("_session", "_sample", "_time_ns", "_lost"):
            column = getattr(self, name)
            setattr(self, name, np.concatenate([column, np.zeros(more, column.dtype)]))

    def heard(self, bundle: Bundle, rows: NDArray[np.int64], log_ms: int) -> list[LinkEvent]:
        """Note the packets of a bundle; return the links that are back.

        ``rows``: one an entry of ``bundle.devices``, -1 to skip it.
        """
        if not bundle.packet.device.size:
            return []
        p, c = bundle.packet, bundle.channel
        row = rows[p.device]
        wanted = row >= 0
        row = row[wanted]
        if not row.size:
            return []
        if int(row.max()) >= self._lost.size:
            self._grow(int(row.max()) + 1)
        back = [
            self._event(r, back=True, log_ms=log_ms) for r in dict.fromkeys(row[self._lost[row]].tolist())
        ]
        first = (np.cumsum(p.channels, dtype=np.int64) - p.channels)[wanted]
        samples = c.samples[first].astype(np.int64)
        self._lost[row] = False
        self._heard_ms[row] = log_ms
        self._session[row] = p.session[wanted]
        self._sample[row] = p.first_sample[wanted] + samples - 1
        self._time_ns[row] = p.start_ns[wanted] + ((samples - 1) / c.rate[first] * 1e9).astype(np.int64)
        return back

    def advance(self, log_ms: int) -> list[LinkEvent]:
        """Return the links that are lost at this time of the log and were not before."""
        silent = (self._heard_ms != _NEVER) & ~self._lost & (log_ms - self._heard_ms > self._timeout_ms)
        lost = np.flatnonzero(silent).tolist()
        self._lost[lost] = True
        return [self._event(row, back=False, log_ms=log_ms) for row in lost]

    def _event(self, row: int, *, back: bool, log_ms: int) -> LinkEvent:
        silent_s = float(log_ms - self._heard_ms[row]) * self._signal_s_per_ms
        session, sample, ns = int(self._session[row]), int(self._sample[row]), int(self._time_ns[row])
        return LinkEvent(row, back, session, sample, ns, silent_s)

    def snapshot(self, row: int) -> bytes:
        """Return a row's timer as ``STATE_BYTES`` bytes."""
        if row >= self._lost.size:
            return _STATE.pack(_NEVER, 0, 0, 0, 0)
        columns = (self._heard_ms, self._session, self._sample, self._time_ns, self._lost)
        return _STATE.pack(*(column[row].item() for column in columns))

    def restore(self, row: int, state: bytes) -> None:
        """Set a row's timer to what ``snapshot`` gave."""
        if row >= self._lost.size:
            self._grow(row + 1)
        heard, self._session[row], self._sample[row], self._time_ns[row], self._lost[row] = _STATE.unpack(
            state
        )
        self._heard_ms[row] = heard
