"""Between the notification log and the senders: which page is sent next over each channel, and how that went.

Each channel has a thread and a budget of its own, so that one that hangs, or has spent its minute, keeps no
page from another. The strip is asked for by that thread too, so that the loop never waits for a picture; no
page waits for one longer than ``STRIP_PATIENCE_S`` from when it was due, however many are due at once.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType

import structlog

from alerts.channels.budget import MINUTE_NS, Budget, Due
from alerts.notify import NotifyError, Page, Strip
from alerts.page import page_of, urgency
from alerts.state import is_no_alarm
from ecgstream.pager import metrics
from ecgstream.pager.channels import UNKNOWN
from ecgstream.pager.partition import Partition
from ecgstream.pager.sender import Sender
from schemas.records import Alert, Notification, NotificationState, Priority

WARN_EVERY = 20
"""Failed attempts of a page between two lines of the log."""
STRIP_PATIENCE_S = 1.5
StripOf = Callable[[Alert, float], Strip | None]
"""Gives an alert's strip by a time of ``time.monotonic``, s; None: it cannot be had by then. Never raises."""
_RANKS = {priority: rank for rank, priority in enumerate(Priority)}

log = structlog.get_logger()


class Pages:
    """What goes to the channels.

    Args:
        senders: hand pages over, by name of the channel.
        budgets: how many, and how soon, likewise.
        strips: draw for those that show pictures, likewise.
        link: makes the address at which an account sees an alert; None: there is no web.
        monotonic_ns: a clock that never goes back, which budgets are counted by.
    """

    def __init__(
        self,
        senders: Mapping[str, Sender],
        budgets: Mapping[str, Budget],
        strips: Mapping[str, StripOf] = MappingProxyType({}),
        link: Callable[[str, str], str] | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._senders = senders
        self._budgets = budgets
        self._strips = strips
        self._link = link
        self._monotonic_ns = monotonic_ns
        self._tried: list[tuple[Page, int, NotifyError | None]] = []

    def __bool__(self) -> bool:
        return bool(self._senders)

    def keep_only(self, partitions: Iterable[int]) -> None:
        """Leave the pages of other partitions to whoever owns these."""
        mine = set(partitions)
        for sender in self._senders.values():
            sender.keep_only(mine)

    def remember(self, entries: Iterable[Notification], now_ns: int) -> None:
        """Count what the log says was sent within the last minute; ``now_ns``: by the log's clock."""
        here_ns = self._monotonic_ns()
        went_ns: dict[str, dict[str, int]] = defaultdict(dict)
        for entry in entries:
            if entry.done_ns is not None and (age_ns := max(0, now_ns - entry.done_ns)) < MINUTE_NS:
                went_ns[entry.channel][entry.key] = here_ns - age_ns
        for channel, budget in self._budgets.items():
            budget.remember(went_ns[channel])

    def send(self, partitions: Mapping[int, Partition], now_ns: int) -> None:
        """Give the senders what they have room for, the most urgent first."""
        due: dict[str, list[tuple[Notification, Alert]]] = defaultdict(list)
        for partition in partitions.values():
            for entry, alert in partition.to_send(now_ns):
                due[entry.channel].append((entry, alert))
        for channel, entries in due.items():
            if channel in self._senders:
                self._offer(channel, entries, now_ns)
            else:
                self._tried += [(page_of(alert, entry), entry.partition, UNKNOWN) for entry, alert in entries]

    def _offer(self, channel: str, entries: list[tuple[Notification, Alert]], now_ns: int) -> None:
        sender, budget = self._senders[channel], self._budgets[channel]
        waiting = [(entry, alert) for entry, alert in entries if not sender.holds(entry.key)]
        waiting.sort(key=lambda one: (_RANKS[urgency(one[0].what, one[1].priority)], one[0].due_ns))
        first = {entry.key: (entry, alert) for entry, alert in waiting[: sender.room()]}
        asked = [
            Due(key, urgency(entry.what, alert.priority), entry.due_ns)
            for key, (entry, alert) in first.items()
        ]
        for key in budget.plan(asked, self._monotonic_ns()).now:
            entry, alert = first[key]
            draw = partial(self._draw, channel, alert, _drawn_by_s(entry, now_ns))
            page = page_of(alert, entry, self._link_to(alert, entry.account))
            sender.offer(page, entry.due_ns, entry.partition, draw)

    def _link_to(self, alert: Alert, account: str) -> str:
        """Return an alert's address; an alert with an id that is none of ours is paged without."""
        if self._link is None:
            return ""
        try:
            return self._link(alert.id, account)
        except ValueError:
            log.warning("link_lacking", alert=alert.id, device=alert.device)
            return ""

    def _draw(self, channel: str, alert: Alert, until_s: float) -> Strip | None:
        strip_of = None if is_no_alarm(alert) else self._strips.get(channel)
        return None if strip_of is None else strip_of(alert, until_s)

    def report(self, partitions: Mapping[int, Partition], now_ns: int) -> list[Notification]:
        """Return the entries that attempts have changed; they come again until they are ``written``.

        What is not ours any more is left out: its owner tries it again.
        """
        for sender in self._senders.values():
            self._tried += sender.tried()
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
        """End the senders, behind what each is trying."""
        for sender in self._senders.values():
            sender.stop()

    def _tell(self, page: Page, entry: Notification) -> None:
        metrics.NOTIFICATIONS.labels(entry.channel, str(entry.state), entry.reason).inc()
        at = {"alert": entry.alert, "what": entry.what, "device": page.device, "partition": entry.partition}
        at |= {"channel": entry.channel, "account": entry.account}
        if entry.state is NotificationState.SENT:
            log.info("page_sent", attempts=entry.attempts, **at)
        elif entry.state is NotificationState.FAILED:
            log.error("page_given_up", reason=entry.reason, attempts=entry.attempts, **at)
        elif entry.attempts % WARN_EVERY == 1:
            log.warning("page_delayed", reason=entry.reason, attempts=entry.attempts, **at)


def _drawn_by_s(entry: Notification, now_ns: int) -> float:
    """Return until when a page may wait for its strip, by ``time.monotonic``, s."""
    waited_s = max(0.0, (now_ns - entry.due_ns) / 1e9)
    return time.monotonic() + STRIP_PATIENCE_S - waited_s
