"""Local times of a shift as moments, also where clocks are changed.

A time that the clocks skip is the moment at which they do; one that comes twice is meant the first time. So a
later local time is never an earlier moment: two shifts that meet at any local time meet in fact, and a night
over a change of summer time is an hour shorter or longer, without a hole or an overlap. RFC 5545, 3.3.5,
says the same of a time that comes twice. One that is skipped it counts on from before the change, which would
set the end of a shift at 02:30 behind the start of one at 03:00.
"""

from datetime import UTC, date, datetime, time, tzinfo

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS


def moment_ns(local: datetime, zone: tzinfo) -> int:
    """Return a local time of a zone as UTC ns; one with an offset of its own means that.

    >>> from zoneinfo import ZoneInfo
    >>> berlin = ZoneInfo("Europe/Berlin")
    >>> def utc(*local):
    ...     return f"{datetime.fromtimestamp(moment_ns(datetime(*local), berlin) / 1e9, UTC):%H:%M}"
    >>> utc(2026, 3, 29, 1, 59), utc(2026, 3, 29, 2, 30), utc(2026, 3, 29, 3, 0)
    ('00:59', '01:00', '01:00')
    >>> utc(2026, 10, 25, 2, 30), utc(2026, 10, 25, 3, 0)
    ('00:30', '02:00')
    """
    if local.tzinfo is not None:
        return _seconds(local) * SECOND_NS
    found = local.replace(tzinfo=zone, fold=0)
    seconds = _seconds(found)
    if datetime.fromtimestamp(seconds, zone).replace(tzinfo=None, fold=0) != local:
        # Skipped: read with the offset behind the change it lies before it, and the other way round.
        seconds = _change(_seconds(found.replace(fold=1)), seconds, zone)
    return seconds * SECOND_NS


def midnight_ns(day: date, zone: tzinfo) -> int:
    """Return when a day begins, UTC ns."""
    return moment_ns(datetime.combine(day, time()), zone)


def local(time_ns: int, zone: tzinfo) -> datetime:
    """Return a moment as a time of a zone, with its offset; parts of a second are cut off."""
    return datetime.fromtimestamp(time_ns // SECOND_NS, zone)


def _seconds(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp())


def _change(before: int, behind: int, zone: tzinfo) -> int:
    """Return the second at which clocks were changed between two, of which the first is before the change."""
    old = datetime.fromtimestamp(before, zone).utcoffset()
    while behind - before > 1:
        middle = (before + behind) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == old:
            before = middle
        else:
            behind = middle
    return behind
