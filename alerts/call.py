"""Who is called, and who is called next when nobody answers.

An alert of high or medium priority calls people as soon as nothing holds it back. If nobody acknowledges it
in the time that the route names, others are called, and so on: a page that nobody answers does not end there.
A single number drives all of it: ``call_ns``, the time of an alert's next call. An acknowledgement clears it,
somebody who cannot come sets it to now, silence to the end of the silence.

Who is called stands in the alert from then on, so that what must be told follows from the alert alone,
whatever becomes of the roster, and everybody sees who was asked.

A medium alert calls nobody any more when its condition is over; one of high priority that latched goes on.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from alerts.history import CALLED, noted
from alerts.state import Event, State, answered
from alerts.timer import is_due
from schemas.records import Alert, AlertState, Called, Priority

KEPT_CALLS = 2
"""Calls whose people an alert names; those of earlier ones have their entries in the notification log."""
LONGEST_S = {Priority.HIGH: 300.0, Priority.MEDIUM: 1800.0, Priority.LOW: 7200.0}
"""From one call to the next at the most: the longest first steps that a roster may ask for."""


class Call(NamedTuple):
    """A call.

    Attributes:
        accounts: who is called; an empty one: whoever the channel reaches.
        next_s: after so many seconds without an answer the next call follows; None: there is none.
    """

    accounts: tuple[str, ...]
    next_s: float | None = None


Route = Callable[[Alert, int, int], Call]
"""From an alert, which call it is (the first is 1), and the time (UTC ns), to whom is called."""


def anybody(alert: Alert, call: int, now_ns: int) -> Call:  # noqa: ARG001
    """Route without a roster: one call, to whoever the channel reaches."""
    return Call(("",))


class Calling:
    """The stage; ``route``: who is called."""

    def __init__(self, route: Route = anybody) -> None:
        self._route = route

    def __call__(self, state: State, events: Sequence[Event], now_ns: int) -> list[Event]:
        """Call people for alerts that are new or free; without events, for those whose time has come."""
        if not events:
            waiting = [a for a in _due(state, now_ns) if not a.inhibited_by and not _is_passed_on(state, a)]
            return [Event.of(self._again(_heard(alert, now_ns), now_ns)) for alert in waiting]
        for event in events:
            if event.alert is not None:
                is_new = event.alert.id not in state.alerts
                event.alert = self._begun(event.alert, now_ns, is_new=is_new, late=event.late)
        return list(events)

    def _begun(self, alert: Alert, now_ns: int, *, is_new: bool, late: bool) -> Alert:
        if alert.priority is Priority.LOW or alert.acknowledged_ns is not None:
            return alert
        is_over = alert.state is AlertState.ENDED
        if alert.calls == 0:
            waits = alert.state is AlertState.CHECK or bool(alert.inhibited_by or alert.grouped)
            waits |= alert.call_ns is not None
            # What was over before it was known here calls once, unless that was long ago.
            return alert if waits or (is_over and (late or not is_new)) else self._called(alert, now_ns)
        if not is_new or is_over or alert.call_ns is not None:
            return alert
        # It repeats one that was over and had therefore stopped to call.
        next_s = self._route(alert, alert.calls, now_ns).next_s
        return replace(alert, call_ns=None if next_s is None else now_ns + int(next_s * 1e9))

    def _again(self, alert: Alert, now_ns: int) -> Alert:
        """Return an alert whose time has come; of one that calls nobody, only a silence ends."""
        if alert.priority is Priority.LOW or alert.grouped:
            return replace(alert, call_ns=None, updated_ns=now_ns)
        return self._called(alert, now_ns)

    def _called(self, alert: Alert, now_ns: int) -> Alert:
        n = alert.calls + 1
        call = self._route(alert, n, now_ns)
        kept = [one for one in alert.called if one.call > n - KEPT_CALLS]
        is_last = call.next_s is None or alert.state is AlertState.ENDED
        called = replace(
            alert,
            calls=n,
            called=(*kept, *(Called(n, account) for account in call.accounts)),
            call_ns=None if is_last else now_ns + int((call.next_s or 0.0) * 1e9),
            updated_ns=now_ns,
        )
        return noted(called, now_ns, CALLED, ", ".join(filter(None, call.accounts)))


def _due(state: State, now_ns: int) -> Iterator[Alert]:
    for alert in state.timed():
        if alert.call_ns is not None and is_due(alert.call_ns, now_ns, LONGEST_S[alert.priority]):
            yield alert


def _is_passed_on(state: State, alert: Alert) -> bool:
    """Return whether a newer repeat of an alert calls in its place; its first call is its own."""
    if alert.calls == 0:
        return False
    newer = (other for other in state.family(alert) if other.onset_ns > alert.onset_ns)
    return any(answered(other) is not None and other.state is not AlertState.CHECK for other in newer)


def _heard(alert: Alert, now_ns: int) -> Alert:
    """Return an alert whose silence, if there is one, is over."""
    if alert.state is not AlertState.SILENCED:
        return alert
    state = AlertState.ACTIVE if alert.end_ns is None else AlertState.LATCHED
    return noted(replace(alert, state=state, silenced_until_ns=None), now_ns, state, "the silence is over")
