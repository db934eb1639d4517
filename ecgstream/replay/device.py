"""A stretch of one device once more, beside what is stored of it.

What was found follows from all that a device sent since its session began, so that a replay runs in from
there, however short the stretch. Of the session before it takes the end, since that a device has begun anew
is a finding too, and vital signs of a day, which a score may go by. Compared is the stretch alone.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import psycopg

import detectors
from ecgstream.replay import kept, stored
from ecgstream.replay.compare import Difference, differences
from ecgstream.replay.errors import ReplayError
from ecgstream.replay.findings import Collected, Findings
from ecgstream.replay.log import Log, Step
from ecgstream.replay.packets import Came, packets
from ecgstream.replay.paged import Paged, paged
from ecgstream.replay.rerun import Rerun
from ecgstream.replay.settings import Controls, as_they_were
from ecgstream.replay.stored import Ran
from ecgstream.store.trace_codec import TraceError
from schemas.errors import BadRecordError
from schemas.records import Acknowledgement, Lane

BEHIND_NS = 60_000_000_000
"""So much behind the stretch is played too: what was found at its end was known only then."""
_BEFORE_ALL = -(2**31)
"""An offset; those of records that stand in for others are below 0."""
_TAIL_NS = 20_000_000_000
"""Of the session before."""


class Stretch(NamedTuple):
    """Of the device's time, UTC ns, without its end."""

    since_ns: int
    until_ns: int


class Replayed(NamedTuple):
    """What came of it.

    Attributes:
        ran: the segments that have a part in the stretch.
        then, now: what is stored, and what was found.
        differences: between the two.
        pages: alerts of what was found that began, and were decided, in the stretch.
        stretch_s: how much signal there is in the stretch.
        signal_s, wall_s: how much signal was taken in, the way in included, and how long all of it took.
    """

    device: str
    ran: list[Ran]
    then: Findings
    now: Findings
    differences: list[Difference]
    pages: list[Paged]
    stretch_s: float
    signal_s: float
    wall_s: float


def replay(
    connection: psycopg.Connection,
    device: str,
    stretch: Stretch,
    *,
    controls: Controls = as_they_were,
    any_version: bool = False,
) -> Replayed:
    """Replay a stretch of a device, and compare.

    Args:
        connection: of a person, who sees all of it.
        device: its name.
        stretch: which.
        controls: what changes results is that which there was, or something else in its place.
        any_version: also where other detectors found what is stored.

    Raises:
        ReplayError: nothing is there, or what is there cannot be replayed.
    """
    begun = time.perf_counter()
    ran = stored.segments(connection, device, *stretch)
    if not ran:
        raise ReplayError(f"{device}: nothing that you may see was analysed {_between(stretch)}")
    _check_versions(device, ran, any_version=any_version)
    into = Collected(*stretch)
    rerun = Rerun(into)
    order = _Order(device, stretch)
    try:
        for step in _steps(connection, ran, order, controls):
            rerun.take(step)
    except (TraceError, BadRecordError) as error:
        raise ReplayError(f"{device}: what is stored cannot be read: {error}") from None
    rerun.finish(device)
    now, then = into.findings(), kept.findings(connection, device, *stretch)
    pages = [
        page
        for page in paged(now.phases, _said(connection, device, stretch))
        if stretch.since_ns <= page.alert.onset_ns and page.alert.decided_ns < stretch.until_ns
    ]
    now.alerts = {(page.alert.id,): _values(page) for page in pages}
    found = differences(then, now, stretch.until_ns)
    wall_s = time.perf_counter() - begun
    return Replayed(device, ran, then, now, found, pages, order.stretch_s, rerun.device_seconds, wall_s)


def _check_versions(device: str, ran: Sequence[Ran], *, any_version: bool) -> None:
    others = sorted({one.version for one in ran} - {detectors.VERSION})
    if others and not any_version:
        raise ReplayError(
            f"{device}: found by detectors {', '.join(others)}, these are {detectors.VERSION}. To see what"
            " these make of it, add --detectors current; for the same, replay with that version's image"
        )


def _steps(
    connection: psycopg.Connection, ran: Sequence[Ran], order: "_Order", controls: Controls
) -> Iterator[Step]:
    """Yield what lay in the log, from the begin of the first session on."""
    device, stretch = order.device, order.stretch
    first = min(ran, key=lambda one: (one.session, one.from_ns)).session
    whole = [*stored.session(connection, device, first), *(one for one in ran if one.session != first)]
    sessions = {n: [one for one in whole if one.session == n] for n in sorted({one.session for one in whole})}
    begin_ns = min(one.from_ns for one in whole)
    end_ns = stretch.until_ns + BEHIND_NS
    if not stored.has_places(connection, device, first, begin_ns, stretch.until_ns):
        raise ReplayError(
            f"{device}: its session began {_at(begin_ns)}, and a part of it was stored by a version that did"
            " not keep what a replay needs. A session that began later can be replayed"
        )
    placed = controls(stored.controls(connection, device, begin_ns, end_ns))
    placed += stored.vitals(connection, device, begin_ns, end_ns)
    log = Log(device, whole, sorted(placed, key=lambda one: (one.offset, one.place)))
    if (last := stored.before(connection, device, begin_ns, first)) is not None and last.to_ns is not None:
        tail = Stretch(last.to_ns - _TAIL_NS, last.to_ns)
        yield from order.checked(log, _come(connection, device, last.session, tail))
    for number, of_one in sessions.items():
        until_ns = max(end_ns if one.to_ns is None else one.to_ns for one in of_one)
        part = Stretch(min(one.from_ns for one in of_one), min(until_ns, end_ns))
        yield from order.checked(log, _come(connection, device, number, part))
    yield from log.rest()


class _Order:
    """Sees to it that sessions follow each other in the log, and counts the signal of the stretch."""

    def __init__(self, device: str, stretch: Stretch) -> None:
        self.device = device
        self.stretch = stretch
        self.stretch_s = 0.0
        self._newest = _BEFORE_ALL

    def checked(self, log: Log, slices: Iterator[list[Came]]) -> Iterator[Step]:
        """Yield the steps of a session.

        Raises:
            ReplayError: they lie before those of the session before.
        """
        newest = self._newest
        for come in slices:
            inside = (one.packet for one in come if self._is_inside(one.packet.start_ns))
            self.stretch_s += sum((packet.received_ns - packet.start_ns) / 1e9 for packet in inside)
            for step in log.steps(come):
                if step.lane is Lane.LIVE:
                    if step.records[-1].offset < newest:
                        raise ReplayError(
                            f"{self.device}: two sessions of this stretch lie mixed in the log, or the log"
                            " was begun anew between them; replay them one by one"
                        )
                    self._newest = max(self._newest, step.records[-1].offset)
                yield step

    def _is_inside(self, time_ns: int) -> bool:
        return self.stretch.since_ns <= time_ns < self.stretch.until_ns


def _come(connection: psycopg.Connection, device: str, session: int, part: Stretch) -> Iterator[list[Came]]:
    for come in packets(stored.blocks(connection, device, session, *part)):
        yield [one for one in come if one.packet.start_ns < part.until_ns]


def _said(connection: psycopg.Connection, device: str, stretch: Stretch) -> list[Acknowledgement]:
    """Return how alerts of a stretch were acknowledged."""
    rows = connection.execute(
        "SELECT id::text, acknowledged_by, reason, acknowledged_ns FROM api.alerts WHERE device = %s"
        " AND onset >= %s AND onset < %s AND acknowledged_ns IS NOT NULL",
        (device, *map(stored.moment, stretch)),
    )
    return [Acknowledgement(f"replay-{id_}", id_, by, reason, at_ns) for id_, by, reason, at_ns in rows]


def _values(page: Paged) -> dict[str, Any]:
    a = page.alert
    return {
        "patient": a.patient,
        "session": a.session,
        "condition": a.condition,
        "priority": str(a.priority),
        "onset_sample": a.onset_sample,
        "onset_ns": a.onset_ns,
        "decided_sample": a.decided_sample,
        "decided_ns": a.decided_ns,
        "delay_s": a.delay_s,
        "end_ns": a.end_ns,
    }


def _between(stretch: Stretch) -> str:
    return f"between {_at(stretch.since_ns)} and {_at(stretch.until_ns)}"


def _at(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="seconds")
