"""Where reports are made and drawn: two processes of low priority, so that no screen waits for a report.

What waits for them is bounded, of all and of each account. They are started with the first report, and anew
where one has died of what it was given.
"""

import multiprocessing
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

import structlog

from ecgstream.monitor import making
from ecgstream.monitor.making import Order
from ecgstream.reports.standing import Standing
from ecgstream.reports.words import Language

AT_ONCE = 2
MOST, MOST_OF_ACCOUNT = 16, 2
"""Reports that are being made, or wait for it."""
MOST_DRAWN = 16
"""Files that are being drawn, or wait for it."""
_TASKS = 200
"""After so many, a process is renewed, whatever the libraries have left in it."""
_REMEMBERED = 1000
"""Reports whose outcome can be asked for."""

log = structlog.get_logger()


class BusyError(Exception):
    """So many wait already; try again."""


@dataclass(frozen=True, slots=True)
class Job:
    """A report that is being made."""

    order: Order
    slot: int
    began_s: float
    future: "Future[str]"

    @property
    def outcome(self) -> str | None:
        """Why it was not made (as ``making.made`` says it, or ``failed``), empty if it was; None: not yet."""
        if not self.future.done():
            return None
        return "failed" if self.future.cancelled() or self.future.exception() else self.future.result()


class Workshop:
    """Makes and draws; any thread may ask. Close it.

    Args:
        url: of the monitor's login at the database.
        clock_s: steady.
    """

    def __init__(self, url: str, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock_s = clock_s
        self._context = multiprocessing.get_context("spawn")
        self._done = self._context.RawArray("d", MOST)
        self._pool: ProcessPoolExecutor | None = None
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._drawing = threading.BoundedSemaphore(MOST_DRAWN)
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the processes; what they were at is not done."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def make(self, order: Order) -> None:
        """Begin to make a report.

        Raises:
            BusyError: too many wait, of all or of this account.
        """
        with self._lock:
            active = [job for job in self._jobs.values() if job.outcome is None]
            own = sum(job.order.account == order.account for job in active)
            if len(active) >= MOST or own >= MOST_OF_ACCOUNT:
                raise BusyError
            slot = min({*range(MOST)} - {job.slot for job in active})
            self._done[slot] = 0.0
            future = self._submit(making.made, self._url, order, slot)
            self._jobs[str(order.id)] = Job(order, slot, self._clock_s(), future)
            while len(self._jobs) > _REMEMBERED:
                self._jobs.popitem(last=False)
        future.add_done_callback(_tell)

    def job(self, id_: str) -> Job | None:
        """Return a report that is being made or was made of late; None: there is none of that id."""
        with self._lock:
            return self._jobs.get(id_)

    def done(self, job: Job) -> float:
        """Return how much of it is done, 0 to 1."""
        return float(self._done[job.slot])

    def lasting_s(self, job: Job) -> float:
        """Return how long it has been asked for."""
        return self._clock_s() - job.began_s

    def draw(self, content: bytes, kind: str, language: Language, standing: Standing) -> bytes:
        """Return a document as a file; it waits for its turn.

        Raises:
            BusyError: too many wait, or the process has died of it.
            RegistryError: there is no font.
            ValueError: it is no document.
        """
        if not self._drawing.acquire(blocking=False):
            raise BusyError
        try:
            with self._lock:
                future = self._submit(making.drawn, content, kind, language, standing)
            drawn: bytes = future.result()
        except BrokenProcessPool as error:
            raise BusyError from error
        else:
            return drawn
        finally:
            self._drawing.release()

    def _submit(self, work: Callable[..., Any], *given: Any) -> "Future[Any]":
        for _ in range(2):
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    AT_ONCE, self._context, making.begin, (self._done,), max_tasks_per_child=_TASKS
                )
            try:
                return self._pool.submit(work, *given)
            except BrokenProcessPool:  # one has died of what it was given before
                self._pool.shutdown(wait=False)
                self._pool = None
        raise BusyError


def _tell(future: "Future[str]") -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        log.warning("report_failed", error=type(error).__name__)
