"""Many technical conditions of one site at once are one page: a power cut must not bury an arrest.

An alert of medium priority about the equipment waits for ``WAIT_S`` before it calls anybody. If by then
``LEAST`` of the same condition wait at the same facility, the first of them calls for all, and says how many
there are; the others are grouped with it, and so is what follows within ``STORM_S``. All of them are on the
list. Fewer call each by itself. What is grouped is freed when the one that called for it is over and nobody
has taken it on; if it still lasts ``AGAIN_S`` later, people are called again, for all that are left.

The devices of a large site lie in several partitions; those that one pager has are looked at together
(``State.siblings``), so that a site pages once. Where another pager has the one that calls for an alert, or
gets it later, that alert is freed: people are called twice rather than not at all.

What is about a patient is never grouped and never waits here; neither is what is of high priority. What is
over before the wait is calls all the same: Prometheus Alertmanager, which groups by labels and waits for all,
loses short alarms in it (alertmanager#878).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from alerts.history import noted
from alerts.priority import is_technical
from alerts.state import Event, State
from schemas.records import Alert, AlertState, Priority

WAIT_S = 2.5
"""A page that is alone is sent within 3 s all the same."""
LEAST = 5
STORM_S = 10.0
"""Between the first onset of a storm and the last, by the devices' clocks."""
AGAIN_S = 60.0
_NS = 1_000_000_000


def storm(state: State, events: Sequence[Event], now_ns: int) -> list[Event]:
    """Let new alerts wait that may be of a storm; without events, group those that are, and free them."""
    if not events:
        return [*_grouped(state, now_ns), *_freed(state, now_ns)]
    for event in events:
        alert = event.alert
        if alert is not None and alert.id not in state.alerts and _may_wait(alert) and not event.late:
            event.alert = replace(alert, call_ns=now_ns + int(WAIT_S * _NS))
    return list(events)


def _may_wait(alert: Alert) -> bool:
    """Return whether an alert is of those that wait, and has called nobody yet."""
    is_free = alert.calls == 0 and not alert.inhibited_by and not alert.grouped
    is_free &= alert.state is not AlertState.SILENCED
    is_technical_one = alert.priority is Priority.MEDIUM and is_technical(alert.condition)
    return is_free and is_technical_one and bool(alert.facility) and alert.acknowledged_ns is None


def _grouped(state: State, now_ns: int) -> Iterator[Event]:
    """Yield the alerts of storms: first the one that calls, then those that it calls for."""
    groups = {(a.facility, a.condition) for a in state.timed() if _waits(a)}
    for facility, condition in sorted(groups):
        of_site = _of_site(state, facility, condition)
        left = [alert for alert in of_site if _waits(alert)]
        while left:  # a device whose clock is wrong is of no storm, and keeps no others from one
            leader = next((a for a in of_site if _leads(a) and _of_one_storm(a, left[0])), None)
            of_storm = [alert for alert in left if _of_one_storm(leader or left[0], alert)]
            left = [alert for alert in left if not _of_one_storm(leader or left[0], alert)]
            yield from _one_storm(state, of_site, leader, of_storm, now_ns)


def _of_site(state: State, facility: str, condition: str) -> list[Alert]:
    """Return a site's alerts of a condition, by onset, of all partitions that are known here."""
    found = [a for one in (state, *state.siblings) for a in one.of_site(facility, condition)]
    return sorted(found, key=lambda alert: (alert.onset_ns, alert.id))


def _waits(alert: Alert) -> bool:
    return alert.call_ns is not None and _may_wait(alert)


def _one_storm(
    state: State, of_site: Sequence[Alert], leader: Alert | None, of_storm: Sequence[Alert], now_ns: int
) -> Iterator[Event]:
    """Yield what becomes of this partition's part of a storm; the others see the same, in their turn."""
    first = leader or of_storm[0]
    with_it = sum(alert.grouped == first.id for alert in of_site)  # another partition may have been quicker
    if leader is None and len(of_storm) + with_it >= LEAST:
        leader = noted(first, now_ns, "GROUPED", "calls for others")
    if leader is None:
        return
    others = [alert for alert in of_storm if alert.id != leader.id]
    if leader.calls == 0 and leader.id in state.alerts:  # how many it calls for is told as it calls
        among = with_it + len(others)
        if leader.others != among:
            yield Event.of(replace(leader, others=among, updated_ns=now_ns))
    for alert in others:
        if alert.id in state.alerts:
            joined = replace(alert, grouped=leader.id, call_ns=None, updated_ns=now_ns)
            yield Event.of(noted(joined, now_ns, "GROUPED", f"with {leader.id}"))


def _leads(alert: Alert) -> bool:
    """Return whether an alert calls for others, or will, and is not over without an answer."""
    return alert.others > 0 and not alert.grouped and (alert.calls == 0 or not _is_over(alert))


def _is_over(alert: Alert) -> bool:
    return alert.state is AlertState.ENDED and alert.acknowledged_ns is None


def _of_one_storm(one: Alert, other: Alert) -> bool:
    return abs(other.onset_ns - one.onset_ns) <= STORM_S * _NS


def _caller(state: State, alert: Alert) -> Alert | None:
    """Return who calls for an alert in the end; None: it is not known here.

    What calls for others may have joined another storm before it called, as after a crash. Nothing joins
    what has joined, so that this comes to an end.
    """
    caller = state.known(alert.grouped)
    while caller is not None and caller.grouped:
        caller = state.known(caller.grouped)
    return caller


def _freed(state: State, now_ns: int) -> Iterator[Event]:
    for alert in state.grouped():
        leader = _caller(state, alert)
        called_alone = leader is not None and leader.calls > 0 and not leader.others
        if leader is None or called_alone or (leader.calls > 0 and _is_over(leader)):
            freed = replace(alert, grouped="", call_ns=now_ns + int(AGAIN_S * _NS), updated_ns=now_ns)
            yield Event.of(noted(freed, now_ns, "FREED", "what called for it is over"))
