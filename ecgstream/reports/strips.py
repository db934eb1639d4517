"""Which seconds of ECG a report shows, and their signal."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import psycopg

from ecgstream.monitor.printed import leads
from ecgstream.monitor.read import signal
from ecgstream.reports.content import Report
from ecgstream.reports.material import NS
from ecgstream.reports.stored import Part

if TYPE_CHECKING:
    from alerts.sheet import Lead

SECONDS = 7.0
MOST_LEADS = 2


class Chosen(NamedTuple):
    """A moment worth showing: what it is (a key of ``words``), and when the strip begins."""

    what: str
    from_ns: int


class Strip(NamedTuple):
    """A moment with its signal; no leads: nothing is stored of it."""

    chosen: Chosen
    leads: "Sequence[Lead]"


def chosen(report: Report) -> list[Chosen]:
    """Return the longest pause, run, VT, VF and AF, the slowest and fastest minute, and a usual one.

    A strip begins 2 s before an onset; of a minute its middle is shown; the usual one is the minute whose
    rate is the median.
    """
    found = []
    if report.longest_pause is not None:
        found.append(Chosen("longest pause", report.longest_pause.from_ns - 2 * NS))
    for what, rate in (("slowest minute", report.rates.slowest), ("fastest minute", report.rates.fastest)):
        if rate is not None:
            found.append(Chosen(what, rate.from_ns + 27 * NS))
    if report.ventricular.longest_run_from_ns is not None:
        found.append(Chosen("longest ventricular run", report.ventricular.longest_run_from_ns - 2 * NS))
    for what, rhythm in (("longest VT", "VT"), ("longest VF", "VF"), ("longest AF", "AFIB")):
        if (one := report.rhythm(rhythm)) is not None:
            found.append(Chosen(what, one.longest.from_ns - 2 * NS))
    if minutes := sorted(report.rates.minutes, key=lambda rate: rate.bpm):
        found.append(Chosen("usual minute", minutes[len(minutes) // 2].from_ns + 27 * NS))
    return found


def strips(connection: psycopg.Connection, report: Report, parts: Sequence[Part]) -> Iterator[Strip]:
    """Yield the strips; never a sample from outside of the parts."""
    for one in chosen(report):
        part = next((p for p in parts if p.span[0] - 2 * NS <= one.from_ns < p.span[1]), None)
        if part is None:
            continue
        begin = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=one.from_ns // 1000)
        since, until = max(begin, part.since), min(begin + timedelta(seconds=SECONDS), part.until)
        yield Strip(one, leads(list(signal.parts(connection, part.device, since, until)), begin)[:MOST_LEADS])
