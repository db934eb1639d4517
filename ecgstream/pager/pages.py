"""Between the notification log and the sender: which page is sent next, and how that went."""

from collections.abc import Iterable, Mapping

import structlog

from alerts.notify import Page
from alerts.page import page_of
from ecgstream.pager import metrics
from ecgstream.pager.partition import Partition
from ecgstream.pager.sender import Sender, Tried
from schemas.records import Notification, NotificationState, Priority

WARN_EVERY = 20
"""Failed attempts of a page between two lines of the log."""
_RANKS = {priority: rank for rank, priority in enumerate(Priority)}

log = structlog.get_logger()


class Pages:
    """What goes to a channel; ``sender``: None where there is no channel."""

    def __init__(self, sender: Sender | None) -> None:
        self.sender = sender
        self._tried: list[Tried] = []

    def keep_only(self, partitions: Iterable[int]) -> None:
        """Leave the pages of other partitions to whoever owns these."""
        if self.sender is not None:
            self.sender.keep_only(set(partitions))

    def send(self, partitions: Mapping[int, Partition], now_ns: int) -> None:
        """Give the sender what it has room for, the most urgent first."""
        if self.sender is None or not self.sender.has_room():
            return
        due = [
            (_RANKS[alert.priority], entry.due_ns, entry, alert)
            for partition in partitions.values()
            for entry, alert in partition.to_send(now_ns)
            if not self.sender.holds(entry.key)
        ]
        for _, due_ns, entry, alert in sorted(due, key=lambda found: found[:2]):
            if not self.sender.has_room():
                return
            self.sender.offer(page_of(alert, entry.what, entry.channel), due_ns, entry.partition)

    def report(self, partitions: Mapping[int, Partition], now_ns: int) -> list[Notification]:
        """Return the entries that attempts have changed; they come again until they are ``written``.

        What is not ours any more is left out: its owner tries it again.
        """
        if self.sender is None:
            return []
        self._tried += self.sender.tried()
        changed = []
        for page, number, error in self._tried:
            partition = partitions.get(number)
            entry = None if partition is None else partition.tried(page.key, error, now_ns)
            if entry is not None:
                self._tell(page, entry)
                changed.append(entry)
        return changed

    def written(self) -> None:
        """What ``report`` has returned is in the log."""
        self._tried.clear()

    def stop(self) -> None:
        """End the sender, behind what it is trying."""
        if self.sender is not None:
            self.sender.stop()

    def _tell(self, page: Page, entry: Notification) -> None:
        metrics.NOTIFICATIONS.labels(entry.channel, str(entry.state), entry.reason).inc()
        at = {"alert": entry.alert, "what": entry.what, "device": page.device, "partition": entry.partition}
        if entry.state is NotificationState.SENT:
            log.info("page_sent", attempts=entry.attempts, **at)
        elif entry.state is NotificationState.FAILED:
            log.error("page_given_up", reason=entry.reason, attempts=entry.attempts, **at)
        elif entry.attempts % WARN_EVERY == 1:
            log.warning("page_delayed", reason=entry.reason, attempts=entry.attempts, **at)
