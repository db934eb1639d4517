"""Keeps the spool within its bounds, by giving up what harms least; all that is given up is counted.

* Where it is too large, the oldest records give up most of their numbers (``devices.thinning``); once all
  have, the oldest give up waves other than ECG; once all have, the oldest are dropped.
* What has waited for too long is dropped.

Only what goes by the backlog's lane is given up for size: never what goes live, what Kafka may have without
having said so, nor what came within the last minutes. One step is a few records and a sync or two.
"""

from collections.abc import Callable
from typing import NamedTuple

from devices.parts import only, parts_of
from devices.rows import Record
from devices.shipper import Shipper
from devices.spool import Spool
from devices.tally import Lost
from devices.thinning import (
    ECG_ONLY,
    FEW_NUMBERS,
    WHOLE,
    Sieve,
    all_of,
    with_ecg_only,
    with_few_numbers,
)
from schemas.bundle import Bundle
from schemas.errors import BadRecordError

YOUNG_S = 300.0
"""What is younger is not given up for size: it may be all that a ward has of an arrest."""
RESERVE_BYTES = 256 * 1_000_000
"""So much the disk has left for what comes, however large the spool may be."""
STEP = 32
"""Records of a step."""
_GB = 1_000_000_000
_DAY_S = 86_400.0


class Bounds(NamedTuple):
    """How large the spool may be, bytes of records, and how old, s for which the gateway has run."""

    max_bytes: float = 10.0 * _GB
    max_age_s: float = 30.0 * _DAY_S

    @classmethod
    def of(cls, gb: float, days: float) -> "Bounds":
        """Return these of so many GB and days."""
        return cls(gb * _GB, days * _DAY_S)


BOUNDS = Bounds()


class Keeper:
    """Keeps a spool within its bounds; used by the thread that ships.

    Args:
        spool: what is kept.
        shipper: knows which records go by which lane.
        bounds: what may be kept.
    """

    def __init__(self, spool: Spool, shipper: Shipper, bounds: Bounds) -> None:
        self._spool = spool
        self._shipper = shipper
        self._bounds = bounds
        self._sieve = Sieve()

    def step(self, now_ns: int, disk_free: int) -> bool:
        """Give up a few records' worth where too much is kept; return whether anything was.

        Args:
            now_ns: the gateway's clock.
            disk_free: bytes that the spool's disk has left.
        """
        ran_s = self._spool.tally.ran_s
        old_s = ran_s - self._bounds.max_age_s
        excess = self._excess(disk_free)
        if excess <= 0 and not self._spool.oldest(None, old_s, 1, lambda _: True):
            return False
        self._shipper.plan(now_ns)  # by now it is known what goes live; all else may be given up
        if not (self._spool.commit() or self._spool.is_settled):
            return False  # the disk takes nothing: what was given up would be given up again
        gave = self._drop_old(old_s) or (excess > 0 and self._shrink(ran_s - YOUNG_S, excess))
        self._spool.commit()
        return gave

    def _excess(self, disk_free: int) -> float:
        """Return how many bytes too many are kept; pages that are free within the file count as room."""
        room = disk_free + self._spool.free_bytes() - RESERVE_BYTES
        kept = self._spool.held().bytes
        return max(kept - self._bounds.max_bytes, -room)

    def _drop_old(self, old_s: float) -> bool:
        found = self._spool.oldest(None, old_s, STEP, self._shipper.may_drop)
        for record in found:
            self._drop(record)
        return bool(found)

    def _shrink(self, young_s: float, excess: float) -> bool:
        """Give up what harms least among what there is."""
        ways: tuple[tuple[int, Callable[[Record], int]], ...] = (
            (WHOLE, self._thin),
            (FEW_NUMBERS, self._keep_ecg),
            (ECG_ONLY, self._drop),
        )
        for level, give_up in ways:
            found = self._spool.oldest(level, young_s, STEP, self._shipper.may_thin)
            for record in found:
                excess -= give_up(record)
                if excess <= 0:
                    break
            if found:
                return True
        return False

    def _thin(self, record: Record) -> int:
        """Let a record give up numbers; return how many bytes less it is."""
        if not any(part.numbers for part in record.parts):
            return self._raise(record, FEW_NUMBERS)
        bundle = self._read(record)
        if bundle is None:
            return record.size
        return self._keep(record, *with_few_numbers(bundle, self._sieve.keeps), FEW_NUMBERS)

    def _keep_ecg(self, record: Record) -> int:
        """Let a record give up other waves; return how many bytes less it is."""
        bundle = self._read(record)
        return record.size if bundle is None else self._keep(record, *with_ecg_only(bundle), ECG_ONLY)

    def _drop(self, record: Record) -> int:
        if not record.parts:  # the end of a recording, which is too old as well
            self._spool.drop(record, Lost())
        elif (bundle := self._read(record)) is not None:
            self._spool.drop(record, all_of(bundle))
        self._shipper.dropped(record)
        return record.size

    def _read(self, record: Record) -> Bundle | None:
        """Return what Kafka does not have of a record; ``None``: it is damaged, and lost."""
        value = self._spool.read(record.number)
        if value is None:
            return None
        try:
            bundle = Bundle.decode(value)
        except BadRecordError:  # of version 2, which had no checksums
            self._spool.drop(record, Lost(records=1))
            return None
        return bundle if record.is_live else only(bundle, self._shipper.backlog_of(record))

    def _keep(self, record: Record, bundle: Bundle, lost: Lost, level: int) -> int:
        if not bundle.devices:
            self._spool.drop(record, lost)
            self._shipper.dropped(record)
            return record.size
        if lost == Lost():
            return self._raise(record, level)
        value = bundle.encode()
        thinner = record._replace(size=len(value), parts=parts_of(bundle), level=level)
        self._spool.thin(record, value, thinner, lost)
        return record.size - len(value)

    def _raise(self, record: Record, level: int) -> int:
        """Remember that a record has nothing to give up here."""
        self._spool.thin(record, None, record._replace(level=level), Lost())
        return 0
