"""What the pipeline knows: the alerts of one partition, how far each has been told, and what waits."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from alerts.history import called_in_time, is_cleared
from alerts.told import Told
from schemas.conditions import Code
from schemas.records import Alert, AlertState, Condition, Priority


@dataclass(slots=True)
class Event:
    """Something that happens to an alert, on its way through the stages, each of which adds what it finds.

    Attributes:
        condition: the phase that came; None: nothing came, but its time or another alert changes this one.
        partition, offset: of the phase's record in the conditions topic.
        first: the phase that the alert is raised by, where this one was waited for.
        late: the condition is over, and was so long before it was known here.
        alert: the alert in its new state, once ``advance`` has been.
    """

    condition: Condition | None
    partition: int
    offset: int
    priority: Priority | None = None
    first: Condition | None = None
    late: bool = False
    alert: Alert | None = None

    @property
    def phase(self) -> Condition:
        """The phase that came.

        Raises:
            ValueError: nothing came.
        """
        if self.condition is None:
            raise ValueError("no phase came")
        return self.condition

    @classmethod
    def of(cls, alert: Alert) -> "Event":
        """Return what says that an alert has become this by itself."""
        return cls(None, alert.partition, alert.offset, alert=alert)


@dataclass(slots=True)
class Waiting:
    """A condition of which it is not sure yet whether it is over (``late``).

    Attributes:
        first, newest: phases.
        nearest_ns: the least age that a phase had when it came.
        patience_ns: how much longer it is waited for one that is younger by a second.
    """

    first: Event
    newest: Event
    nearest_ns: int
    patience_ns: int


@dataclass(slots=True)
class State:
    """Alerts by id, and the sample of the newest phase that each has taken in since the pager started.

    Attributes:
        waiting: by id; of none of these an alert is known.
        told: what was answered so long ago that its alerts are forgotten.
        passed_ns: when ``late`` last looked at what waits.
        replayed: phases dropped since they were answered long ago.
        siblings: of the other partitions that are answered in the same place.
    """

    alerts: dict[str, Alert] = field(default_factory=dict)
    newest_sample: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    told: Told = field(default_factory=Told)
    passed_ns: int | None = None
    replayed: int = 0
    siblings: tuple["State", ...] = field(default=(), repr=False, compare=False)  # they have us for theirs
    _of_device: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _timed: set[str] = field(default_factory=set)
    _inhibited: set[str] = field(default_factory=set)
    _grouped: set[str] = field(default_factory=set)
    _uncleared: set[str] = field(default_factory=set)
    _no_alarms: set[str] = field(default_factory=set)
    _of_site: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))

    @classmethod
    def of(cls, recorded: Iterable[Alert]) -> "State":
        """Return the state that recorded alerts tell, in any order: of each the newest holds.

        Newest by the condition it had taken in, not by its place in the topic: a pager that was paused and
        has lost its partition may have written an older one behind it. The first raise is kept, and so is
        the first acknowledgement, of which such a pager knew nothing.
        """
        state = cls()
        for alert in recorded:
            state.learn(alert)
        return state

    def learn(self, alert: Alert) -> None:
        """Take in a recorded alert, as ``of`` does."""
        known = self.alerts.get(alert.id)
        self._keep(_carried_on(alert if known is None else _merged(known, alert)))

    def put(self, alert: Alert) -> Alert:
        """Take an alert as it is now; return it as it is kept.

        Each change is stamped later than the one before, also where both are of one moment or the clock was
        set back: whoever keeps the newest, as the database does, keeps the last.
        """
        known = self.alerts.get(alert.id)
        if known is not None and alert.updated_ns <= known.updated_ns:
            alert = replace(alert, updated_ns=known.updated_ns + 1)
        self._keep(alert)
        return alert

    def _keep(self, alert: Alert) -> None:
        self.alerts[alert.id] = alert
        self._of_device[alert.device].add(alert.id)
        _sort(self._timed, alert.id, belongs=alert.held_until_ns is not None or alert.call_ns is not None)
        is_over = alert.state is AlertState.ENDED  # what inhibited it then, says why it has called nobody
        _sort(self._inhibited, alert.id, belongs=bool(alert.inhibited_by) and not is_over)
        _sort(self._grouped, alert.id, belongs=bool(alert.grouped) and answered(alert) is not None)
        _sort(self._uncleared, alert.id, belongs=_is_uncleared(alert))
        _sort(self._no_alarms, alert.id, belongs=is_no_alarm(alert))
        if alert.facility:
            self._of_site[alert.facility, alert.condition].add(alert.id)

    def of_device(self, device: str) -> Iterator[Alert]:
        """Yield a device's alerts, by onset."""
        found = (self.alerts[id_] for id_ in self._of_device.get(device, ()))
        yield from sorted(found, key=lambda alert: (alert.onset_ns, alert.id))

    def timed(self) -> Iterator[Alert]:
        """Yield the alerts that something waits to be done with, the longest due first."""
        found = (self.alerts[id_] for id_ in self._timed)
        yield from sorted(found, key=lambda alert: (alert.held_until_ns or alert.call_ns or 0, alert.id))

    def of_site(self, facility: str, condition: str) -> Iterator[Alert]:
        """Yield a facility's alerts of a condition, by onset."""
        found = (self.alerts[id_] for id_ in self._of_site.get((facility, condition), ()))
        yield from sorted(found, key=lambda alert: (alert.onset_ns, alert.id))

    def known(self, id_: str) -> Alert | None:
        """Return an alert of this partition, or of one that is answered in the same place."""
        return next((a for one in (self, *self.siblings) if (a := one.alerts.get(id_)) is not None), None)

    def grouped(self) -> Iterator[Alert]:
        """Yield the alerts that last and that another one calls for."""
        yield from (self.alerts[id_] for id_ in sorted(self._grouped))

    def inhibited(self) -> Iterator[Alert]:
        """Yield the alerts that another one inhibits, and that are not over."""
        yield from (self.alerts[id_] for id_ in sorted(self._inhibited))

    def uncleared(self) -> Iterator[Alert]:
        """Yield the alerts that are over, which those who were called are still to be told."""
        yield from (self.alerts[id_] for id_ in sorted(self._uncleared))

    def no_alarms(self) -> Iterator[Alert]:
        """Yield what only calls people, whatever has become of it."""
        yield from (self.alerts[id_] for id_ in sorted(self._no_alarms))

    def family(self, alert: Alert) -> Iterator[Alert]:
        """Yield an alert with those that it repeats or that repeat it, by onset."""
        first = alert.joined or alert.id
        yield from (one for one in self.of_device(alert.device) if first in (one.id, one.joined))

    def held(self) -> int | None:
        """Return the lowest offset that must be read again after a crash, for its condition waits."""
        return min((w.first.offset for w in self.waiting.values()), default=None)

    def forget(self, alert: str) -> None:
        """Forget an alert that is over."""
        gone = self.alerts.pop(alert)
        device, site = gone.device, (gone.facility, gone.condition)
        self.newest_sample.pop(alert, None)
        self._timed.discard(alert)
        self._inhibited.discard(alert)
        self._grouped.discard(alert)
        self._uncleared.discard(alert)
        self._no_alarms.discard(alert)
        self._of_site[site].discard(alert)
        if not self._of_site[site]:
            del self._of_site[site]
        self._of_device[device].discard(alert)
        if not self._of_device[device]:
            del self._of_device[device]


def _sort(into: set[str], alert: str, *, belongs: bool) -> None:
    if belongs:
        into.add(alert)
    else:
        into.discard(alert)


def is_test(alert: Alert) -> bool:
    """Return whether an alert is a test page (``trial``): of no patient, and over once it is answered."""
    return alert.condition == Code.TEST_PAGE.name


def is_no_alarm(alert: Alert) -> bool:
    """Return whether an alert only calls people: a test page, or a consultation that waits."""
    return alert.condition in (Code.TEST_PAGE.name, Code.CONSULTATION.name)


def _is_uncleared(alert: Alert) -> bool:
    if alert.priority is not Priority.MEDIUM or alert.state is not AlertState.ENDED or is_cleared(alert):
        return False
    if is_no_alarm(alert):
        return False
    return called_in_time(alert) if alert.acknowledged_ns is None else alert.calls > 0


def answered(alert: Alert) -> AlertState | None:
    """Return what an acknowledgement makes of an alert's state; None: it changes nothing.

    One whose condition lasts is acknowledged until it ends, one that is over ends.
    """
    if alert.acknowledged_ns is not None or alert.state in (AlertState.ENDED, AlertState.ACKNOWLEDGED):
        return None
    is_over = alert.end_ns is not None or alert.state in (AlertState.LATCHED, AlertState.LATE)
    is_over |= is_no_alarm(alert)
    return AlertState.ENDED if is_over else AlertState.ACKNOWLEDGED


def _carried_on(alert: Alert) -> Alert:
    """Return an alert of a pager that did not write down whom it called (``Alert-2``): due to be told again.

    What it told under the same key stands in the notification log, and is not told twice.
    """
    wants_somebody = alert.priority is not Priority.LOW and answered(alert) is not None
    return replace(alert, call_ns=0) if wants_somebody and not alert.history else alert


def _merged(one: Alert, other: Alert) -> Alert:
    newest = max(other, one, key=lambda alert: (alert.offset, alert.updated_ns))
    newest = replace(newest, raised_ns=min(one.raised_ns, other.raised_ns))
    said = [alert for alert in (one, other) if alert.acknowledged_ns is not None]
    if not said or newest.acknowledged_ns is not None:
        return _with_first(newest, said)
    state = answered(newest) or newest.state
    return _with_first(replace(newest, state=state, held_until_ns=None, call_ns=None), said)


def _with_first(alert: Alert, said: list[Alert]) -> Alert:
    """Return the alert with the first of several acknowledgements."""
    if not said:
        return alert
    first = min(said, key=lambda one: one.acknowledged_ns or 0)
    return replace(
        alert,
        acknowledged_ns=first.acknowledged_ns,
        acknowledged_by=first.acknowledged_by,
        reason=first.reason,
    )
