"""A stretch of one device once more, beside what is stored of it; compared is the stretch alone."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg

import detectors
from ecgstream.replay import kept, stored
from ecgstream.replay.compare import Difference, differences
from ecgstream.replay.errors import ReplayError
from ecgstream.replay.findings import Collected, Findings
from ecgstream.replay.paged import Paged, paged
from ecgstream.replay.rerun import Rerun
from ecgstream.replay.source import FromStore, Signal, Source, Stretch, at
from ecgstream.replay.stored import Ran
from ecgstream.store.trace_codec import TraceError
from schemas.errors import BadRecordError
from schemas.records import Acknowledgement


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
    source: Source | None = None,
    any_version: bool = False,
) -> Replayed:
    """Replay a stretch of a device, and compare.

    Args:
        connection: of a person, who sees all of it.
        device: its name.
        stretch: which.
        source: whence the records come; by default from what is stored, with the settings of then.
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
    source = source or FromStore(connection)
    signal = Signal(stretch)
    first = min(ran, key=lambda one: (one.session, one.from_ns)).session
    whole = [*stored.session(connection, device, first), *(one for one in ran if one.session != first)]
    try:
        for step in source.steps(device, whole, signal):
            rerun.take(step)
    except (TraceError, BadRecordError) as error:
        raise ReplayError(f"{device}: what was recorded cannot be read: {error}") from None
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
    return Replayed(device, ran, then, now, found, pages, signal.inside_s, rerun.device_seconds, wall_s)


def _check_versions(device: str, ran: Sequence[Ran], *, any_version: bool) -> None:
    others = sorted({one.version for one in ran} - {detectors.VERSION})
    if others and not any_version:
        raise ReplayError(
            f"{device}: found by detectors {', '.join(others)}, these are {detectors.VERSION}. To see what"
            " these make of it, add --detectors current; for the same, replay with that version's image"
        )


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
    return f"between {at(stretch.since_ns)} and {at(stretch.until_ns)}"
