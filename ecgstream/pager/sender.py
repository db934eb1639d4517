"""The thread that hands pages to the channel, beside the steps of the pager: a channel may hang or be away.

It tries each page once and reports how that went; when to try again is decided where the notification log is
(``alerts.outbox``). It holds few pages, so that one of high priority is never more than one attempt away from
being the next. What finds no room is offered again: it stands in the log.
"""

import heapq
import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import NamedTuple

import structlog

from alerts.notify import NotifyError, Page, Reason, Strip
from alerts.page import urgency
from schemas.records import Priority

ROOM = 16
STOP_PATIENCE_S = 10.0
Draw = Callable[[], Strip | None]
"""Gives a page's strip, within a time of its own; never raises."""
_RANKS = {priority: rank for rank, priority in enumerate(Priority)}

log = structlog.get_logger()


class Tried(NamedTuple):
    """How an attempt went; ``error``: None where the channel has taken the page."""

    page: Page
    partition: int
    error: NotifyError | None


class _Task(NamedTuple):
    """In the order in which pages are sent: the more urgent first, then the one that is due for longer."""

    rank: int
    due_ns: int
    key: str
    page: Page
    partition: int
    draw: Draw


class Sender:
    """Sends pages one by one on a thread of its own; all else is called by one other thread.

    Args:
        send: hands a page to the channel, or raises ``NotifyError``.
    """

    def __init__(self, send: Callable[[Page], None]) -> None:
        self._send = send
        self._changed = threading.Condition()
        self._tasks: list[_Task] = []
        self._held: set[str] = set()
        self._tried: list[Tried] = []
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._thread.start()

    def room(self) -> int:
        """Return how many pages would be taken."""
        with self._changed:
            return ROOM - len(self._tasks)

    def holds(self, key: str) -> bool:
        """Return whether a page waits here, is being tried, or was tried and not yet reported."""
        with self._changed:
            return key in self._held

    def offer(self, page: Page, due_ns: int, partition: int, draw: Draw = lambda: None) -> None:
        """Take a page to send; ``draw`` gives its strip when it is its turn."""
        with self._changed:
            self._held.add(page.key)
            rank = _RANKS[urgency(page.what, page.priority)]
            heapq.heappush(self._tasks, _Task(rank, due_ns, page.key, page, partition, draw))
            self._changed.notify()

    def keep_only(self, partitions: Collection[int]) -> None:
        """Forget pages of other partitions: somebody else sends them."""
        with self._changed:
            self._held -= {task.key for task in self._tasks if task.partition not in partitions}
            self._tasks = [task for task in self._tasks if task.partition in partitions]
            heapq.heapify(self._tasks)

    def tried(self) -> list[Tried]:
        """Return what was tried since the last call."""
        with self._changed:
            found, self._tried = self._tried, []
            self._held -= {tried.page.key for tried in found}
            return found

    def stop(self) -> None:
        """End the thread, behind what it is just trying; what waits stays DUE."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(STOP_PATIENCE_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._tasks)
                if self._stopping:
                    return
                task = heapq.heappop(self._tasks)
            error = self._attempt(replace(task.page, strip=task.draw()))
            with self._changed:
                self._tried.append(Tried(task.page, task.partition, error))

    def _attempt(self, page: Page) -> NotifyError | None:
        try:
            self._send(page)
        except NotifyError as error:
            return error
        except Exception as error:  # the thread must outlive whatever a channel does
            # Not its words, which may hold an address.
            log.error("channel_broken", error=type(error).__name__, alert=page.alert)  # noqa: TRY400
            return NotifyError(Reason.OTHER, retryable=True)
        return None
