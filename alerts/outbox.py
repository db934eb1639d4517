"""The notification log of one partition's alerts: what people must be told, were told, and could not be told.

An entry is DUE from before it is first tried until the channel has taken it, however many attempts that
takes, so that whoever reads the log after a crash tries again what may not have been said, under the same
key. It is FAILED where a retry cannot help. Nothing is ever left out: what cannot be sent stays DUE.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from alerts.history import CLEARED, is_cleared
from alerts.notify import NotifyError, key_of
from alerts.page import words
from alerts.retry import LONGEST_S, delay_s
from alerts.timer import is_due
from schemas.records import Alert, Notification, NotificationState

_DUE, _SENT, _FAILED = NotificationState.DUE, NotificationState.SENT, NotificationState.FAILED


class Outbox:
    """What is told, to whom, and over which channel.

    Args:
        channels: by which an account is reached; of the empty one, those that reach whoever they reach.
        jitter: gives 0 to 1.
    """

    def __init__(
        self, channels: Callable[[str], Sequence[str]], jitter: Callable[[], float] = random.random
    ) -> None:
        self._channels = channels
        self._jitter = jitter
        self._entries: dict[str, Notification] = {}
        self._of_alert: dict[str, list[str]] = defaultdict(list)
        self._try_at_ns: dict[str, int] = {}

    def learn(self, entry: Notification) -> None:
        """Take in an entry as the log has it, in any order: of each key the one that says most holds."""
        known = self._entries.get(entry.key)
        if known is None or _says_more(entry, known):
            self._keep(entry)

    def drop(self, key: str) -> None:
        """Forget one entry, which the log has forgotten."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._try_at_ns.pop(key, None)
            self._of_alert[entry.alert].remove(key)
            if not self._of_alert[entry.alert]:
                del self._of_alert[entry.alert]

    def owe(self, alerts: Iterable[Alert], now_ns: int) -> list[Notification]:
        """Return new entries: for what must be told of these alerts and stands in no entry yet."""
        made = []
        for alert in alerts:
            for what, channel, account in self._to_tell(alert):
                key = key_of(alert.id, what, channel, account)
                if key not in self._entries:
                    at = (now_ns, None, alert.partition)
                    made.append(Notification(key, alert.id, what, channel, _DUE, 0, "", *at, account))
                    self._keep(made[-1])
        return made

    def _to_tell(self, alert: Alert) -> Iterator[tuple[str, str, str]]:
        """Yield what is told of an alert, over which channel, and to whom."""
        for what, account in words(alert):
            yield from ((what, channel, account) for channel in self._channels(account))
        if not is_cleared(alert):
            return
        if alert.acknowledged_by:
            by = alert.acknowledged_by
            yield from ((CLEARED, channel, by) for channel in self._channels(by))
            return
        # An alert names those of its last calls, and the log all who were called.
        called = [self._entries[key] for key in self._of_alert.get(alert.id, ())]
        yield from ((CLEARED, one.channel, one.account) for one in called)

    def to_try(self, now_ns: int) -> list[Notification]:
        """Return the entries that it is time to try: of an alert, the first that each is to be told."""
        return [
            self._entries[key]
            for key, at_ns in self._try_at_ns.items()
            if is_due(at_ns, now_ns, LONGEST_S) and self._is_first(self._entries[key])
        ]

    def _is_first(self, entry: Notification) -> bool:
        of_alert = (self._entries[key] for key in self._of_alert[entry.alert] if key in self._try_at_ns)
        same = (one for one in of_alert if (one.channel, one.account) == (entry.channel, entry.account))
        return min(same, key=lambda one: one.due_ns).key == entry.key

    def tried(self, key: str, error: NotifyError | None, now_ns: int) -> Notification | None:
        """Take note of an attempt, and of why it failed; return the entry as it is now, if it is ours."""
        known = self._entries.get(key)
        if known is None or known.state is not _DUE:
            return None
        attempts = known.attempts + 1
        if error is None:
            entry = replace(known, state=_SENT, attempts=attempts, reason="", done_ns=now_ns)
        elif error.retryable:
            entry = replace(known, attempts=attempts, reason=str(error.reason))
        else:
            reason = str(error.reason)
            entry = replace(known, state=_FAILED, attempts=attempts, reason=reason, done_ns=now_ns)
        self._keep(entry)
        if entry.state is _DUE:
            self._try_at_ns[key] = now_ns + int(delay_s(attempts, self._jitter()) * 1e9)
        return entry

    def due_since_ns(self) -> int | None:
        """Return since when the entry that is due for longest is; None: none is."""
        return min((self._entries[key].due_ns for key in self._try_at_ns), default=None)

    def is_done(self, alert: str) -> bool:
        """Return whether nothing of an alert is still to be told."""
        return not any(key in self._try_at_ns for key in self._of_alert.get(alert, ()))

    def alerts(self) -> list[str]:
        """Return the alerts that entries are of."""
        return list(self._of_alert)

    def forget(self, alert: str) -> list[str]:
        """Forget an alert's entries; return their keys."""
        keys = self._of_alert.pop(alert, [])
        for key in keys:
            del self._entries[key]
            self._try_at_ns.pop(key, None)
        return keys

    def _keep(self, entry: Notification) -> None:
        if entry.key not in self._entries:
            self._of_alert[entry.alert].append(entry.key)
        self._entries[entry.key] = entry
        if entry.state is _DUE:
            self._try_at_ns[entry.key] = entry.due_ns
        else:
            self._try_at_ns.pop(entry.key, None)


def _says_more(one: Notification, other: Notification) -> bool:
    """Return whether an entry is newer: what is done stays done, whoever has written last."""
    return (one.state is not _DUE, one.attempts) > (other.state is not _DUE, other.attempts)
