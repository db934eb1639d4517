"""What the pager knows of one partition, and what follows from what is read; no I/O."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from alerts.history import FAILED, TAKEN, noted
from alerts.notify import NotifyError
from alerts.outbox import Outbox
from alerts.pipeline import Pipeline, Rules
from alerts.state import Event, State, is_no_alarm, is_test
from alerts.told import Told
from ecgstream.pager.recorded import Entry, learn
from schemas import topics
from schemas.records import Acknowledgement, Alert, AlertState, Notification, NotificationState

Reach = Callable[[str], Sequence[str]]
FORGOTTEN_A_STEP = 500
"""So that no step is long: an hour's alerts are forgotten at once."""


class Tombstone(NamedTuple):
    """The key of a compacted topic that is no more."""

    topic: str
    key: str
    partition: int


class Partition:
    """Alerts and notifications of one partition.

    Args:
        number: of the partition.
        rules: of alerts.
        told: what was answered long ago.
        reach: by which channels an account is reached; None: there is no channel.
    """

    def __init__(self, number: int, rules: Rules, told: Told, reach: Reach | None) -> None:
        self.number = number
        self.state = State(told=told)
        self._pipeline = Pipeline(self.state, rules, number)
        self._outbox = None if reach is None else Outbox(reach)
        self._over: deque[str] = deque()

    def learn(self, entry: Entry) -> None:
        """Take in what was recorded."""
        if entry.topic == topics.ALERTS.name:
            learn(self.state, entry)
        elif self._outbox is not None:
            if isinstance(entry.content, Notification):
                self._outbox.learn(entry.content)
            else:
                self._outbox.drop(entry.key)

    def answer(
        self, events: Iterable[Event], said: Iterable[Acknowledgement], now_ns: int
    ) -> tuple[list[Alert], list[Notification]]:
        """Return the alerts that change, in order, and what is to be told of them.

        Conditions come first: who acknowledges an alert has seen it.
        """
        changed = self._pipeline.run(events, now_ns)
        changed += self._pipeline.hear(said, now_ns)
        return changed, self.owe(changed, now_ns)

    def owe(self, alerts: Iterable[Alert], now_ns: int) -> list[Notification]:
        """Return what is to be told of alerts and is not in the log yet."""
        return [] if self._outbox is None else self._outbox.owe(alerts, now_ns)

    def to_send(self, now_ns: int) -> Iterator[tuple[Notification, Alert]]:
        """Yield what it is time to send, with the alert that it tells of."""
        if self._outbox is None:
            return
        for entry in self._outbox.to_try(now_ns):
            if alert := self.state.alerts.get(entry.alert):
                yield entry, alert

    def tried(self, key: str, error: NotifyError | None, now_ns: int) -> Notification | None:
        """Take note of an attempt; return the entry as it is now."""
        return None if self._outbox is None else self._outbox.tried(key, error, now_ns)

    def told_of(self, entry: Notification, now_ns: int) -> Alert | None:
        """Return an entry's alert with what became of the entry, where whoever sees it must know of that."""
        alert = self.state.alerts.get(entry.alert)
        if alert is None or entry.state is NotificationState.DUE:
            return None
        if entry.state is NotificationState.SENT and not is_test(alert):
            return None
        what = TAKEN if entry.state is NotificationState.SENT else FAILED
        why = ", ".join(filter(None, [entry.account, entry.channel, entry.reason]))
        found = noted(replace(alert, updated_ns=now_ns), now_ns, what, why)
        return self.state.put(found)

    def open_alerts(self) -> int:
        """Return how many alerts last or wait for somebody; what is no alarm waits for nobody."""
        known = self.state.alerts.values()
        return sum(alert.state is not AlertState.ENDED and not is_no_alarm(alert) for alert in known)

    def due_since_ns(self) -> int | None:
        """Return since when the page that is due for longest is; None: none is."""
        return None if self._outbox is None else self._outbox.due_since_ns()

    def turn(self, now_ns: int) -> list[str]:
        """Where it is time, return the alerts that are over for long and may be forgotten."""
        if self.state.waiting:
            return []  # not answered yet
        over_ns = self.state.told.turn(now_ns)
        if over_ns is None:
            return []
        over = [
            alert.id
            for alert in self.state.alerts.values()
            if alert.state is AlertState.ENDED and alert.updated_ns < over_ns
        ]
        if self._outbox is None:
            return over
        # A pager that ended between the two tombstones has left entries without their alert.
        over += [alert for alert in self._outbox.alerts() if alert not in self.state.alerts]
        return [alert for alert in over if self._outbox.is_done(alert)]

    def may_forget(self, over: Iterable[str]) -> None:
        """Forget these alerts, some of them a step."""
        self._over.extend(over)

    def forget(self) -> Iterator[Tombstone]:
        """Forget some; yield the keys that are no more."""
        for _ in range(min(FORGOTTEN_A_STEP, len(self._over))):
            alert = self._over.popleft()
            if alert in self.state.alerts:
                self.state.forget(alert)
                yield Tombstone(topics.ALERTS.name, alert, self.number)
            for key in self._outbox.forget(alert) if self._outbox else ():
                yield Tombstone(topics.NOTIFICATIONS.name, key, self.number)
