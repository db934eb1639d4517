"""Devices whose state was refused: built anew from the log, without telling again what was told.

The log is read again from some minutes before the refused state (``restore``). Until a device is back at it,
what the detectors find only warms them up: the state's own version told it. Then a new segment begins, and
conditions and the segment that the refused state had open, and that are not open now, end.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from detectors.output import Events
from ecgstream.worker.outputs import ended
from ecgstream.worker.unfinished import Begun, Unfinished
from schemas.records import Condition


class Rebuild:
    """The devices of a partition that are being rebuilt: until which offset, and what they had open."""

    def __init__(self) -> None:
        self._until: dict[str, int] = {}
        self._open: dict[str, list[Begun]] = {}

    def __bool__(self) -> bool:
        return bool(self._until)

    def add(self, device: str, until: int, unfinished: list[Begun]) -> None:
        """Note a device whose state was refused; it stood for the records below ``until``."""
        self._until[device] = until
        self._open[device] = unfinished

    @property
    def until(self) -> int:
        """The offset at which all are rebuilt."""
        return max(self._until.values(), default=0)

    @property
    def devices(self) -> list[str]:
        """The devices that are being rebuilt."""
        return list(self._until)

    def quiet(self, devices: list[str], offset: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether what is found in an entry was told already; shapes (entries,)."""
        return np.array([self._until.get(d, 0) for d in devices], np.int64) > offset

    def finish(
        self, unfinished: Unfinished, at: dict[str, tuple[int, int]], offset: int, generation: int
    ) -> Iterator[Begun]:
        """Yield the ends of what is open no more; ``at``: each device's sample now, with its time."""
        for device, records in self._open.items():
            now = {r.id for r in unfinished.of(device) if isinstance(r, Condition)}
            sample, time_ns = at[device]
            for record in records:
                if isinstance(record, Condition):
                    if record.id not in now:
                        yield ended(record, generation)
                    continue
                end = max((sample, time_ns), (record.from_sample, record.from_ns))
                yield replace(record, to_sample=end[0], to_ns=end[1], offset=offset, generation=generation)
        self._until.clear()
        self._open.clear()


def loud(events: Events, quiet: NDArray[np.bool_]) -> Events:
    """Return the events of the entries that are not quiet."""
    return Events(*(kind[~quiet[kind["entry"]]] for kind in events))
