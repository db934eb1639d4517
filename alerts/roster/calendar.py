"""Shifts from a calendar, iCalendar (RFC 5545): events that repeat or not, with their zones and exceptions.

Who has a shift is the one account of the roster that the event names: as an attendee's address before the @,
in its summary, or as its organizer. Three things are read as a duty is meant:

* An event that repeats ends at the same local time every night, as calendars show it; RFC 5545 (3.8.5.3) has
  it last equally long where it has a DTEND, which leaves a hole or an overlap as clocks are changed.
* A time without a zone, and a whole day, are the team's.
* An event that is cancelled is no shift.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import islice
from typing import Any, TypeAlias

from dateutil.rrule import rruleset, rrulestr
from icalendar import Calendar

from alerts.roster.civil import local, moment_ns
from alerts.roster.model import LONGEST_SHIFT, Roster, Team
from alerts.roster.read import RosterError

_REPEATS = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_MOST = 10_000
"""Shifts that one import may bring."""
_DAY = timedelta(days=1)
_WORD = re.compile(r"[a-z0-9_]+")


_Value: TypeAlias = datetime | date
_Event: TypeAlias = Any
"""``icalendar.Event``, each property of which may be one of thirty types."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift that was in a calendar, in the team's local time, with its offset."""

    account: str
    begins: datetime
    ends: datetime


class _EventError(ValueError):
    """An event cannot be a shift."""


def shifts_of(data: bytes, roster: Roster, team: Team, from_ns: int, until_ns: int) -> list[Shift]:
    """Return the shifts of a team in a calendar that run between two moments, UTC ns, by their start.

    Raises:
        RosterError: it is no calendar; or each event that names nobody, more than one, or a time that cannot
            be read. An event is named by its start, never by its text.
    """
    try:
        events = Calendar.from_ical(data).walk("VEVENT")
    except (ValueError, IndexError, KeyError) as error:
        said = " ".join(str(error).split())[:100]
        raise RosterError([f"this is no calendar (iCalendar, RFC 5545): {said}"]) from None
    moved = _moved(events)
    found: list[Shift] = []
    wrong: list[str] = []
    for event in events:
        try:
            _check(event)
            if str(event.get("STATUS", "")).upper() != "CANCELLED":
                found += _of_event(
                    event, roster, team, from_ns, until_ns, moved.get(str(event.get("UID")), ())
                )
        except _EventError as error:
            wrong.append(f"{_named(event)}: {error}")
    if len(found) > _MOST:
        wrong.append(f"more than {_MOST:,} shifts")
    if wrong:
        raise RosterError(wrong)
    return sorted(found, key=lambda shift: (shift.begins, shift.account))


def _of_event(
    event: _Event, roster: Roster, team: Team, from_ns: int, until_ns: int, moved: Sequence[_Value]
) -> Iterator[Shift]:
    begins, zone = _local(event, "DTSTART", team)
    length = _length(event, begins, zone, team)
    # A day more on either side for the zones, cut to the moment below.
    first = local(from_ns, zone).replace(tzinfo=None) - length - _DAY
    last = local(until_ns, zone).replace(tzinfo=None) + _DAY
    account = ""
    for start in islice(_starts(event, begins, zone, moved).between(first, last, inc=True), _MOST + 1):
        begins_ns, ends_ns = (moment_ns(moment, zone) for moment in (start, start + length))
        if begins_ns < until_ns and ends_ns > from_ns:
            account = account or _account(event, roster)
            yield Shift(account, local(begins_ns, team.clock), local(ends_ns, team.clock))


def _starts(event: _Event, begins: datetime, zone: tzinfo, moved: Sequence[_Value]) -> rruleset:
    """Return the local times at which an event begins, without those that have an event of their own."""
    found = rruleset()
    if "RECURRENCE-ID" in event:
        found.rdate(begins)
        return found
    for rule in (rules := _values(event, "RRULE")):
        if str(rule.get("FREQ", [""])[0]).upper() not in _REPEATS:
            raise _EventError(f"it repeats in another way than {', '.join(_REPEATS).lower()}")
        until = [_in(zone, value, begins.time()) for value in rule.get("UNTIL", [])]
        text = type(rule)({**rule, "UNTIL": until} if until else rule).to_ical().decode()
        try:
            found.rrule(rrulestr(text, dtstart=begins))
        except (ValueError, TypeError):
            raise _EventError("its RRULE cannot be read") from None
    if not rules:
        found.rdate(begins)
    for value in _dates(event, "RDATE"):
        found.rdate(_in(zone, value, begins.time()))
    for value in (*_dates(event, "EXDATE"), *moved):
        found.exdate(_in(zone, value, begins.time()))
    return found


def _local(event: _Event, name: str, team: Team) -> tuple[datetime, tzinfo]:
    """Return a time as its own zone tells it, and that zone; of a whole day the team's midnight."""
    prop = event.get(name)
    if prop is None:
        raise _EventError(f"{name} is missing")
    value = prop.dt
    if not isinstance(value, datetime):
        return datetime.combine(value, time()), team.clock
    if value.tzinfo is None and "TZID" in prop.params:
        raise _EventError(f"{name}: its zone is none of the IANA database, nor told in the calendar")
    zone = value.tzinfo or team.clock
    return value.replace(tzinfo=None, fold=0), zone


def _length(event: _Event, begins: datetime, zone: tzinfo, team: Team) -> timedelta:
    """Return how long an event lasts by the clock on the wall."""
    if "DTEND" in event:
        ends, there = _local(event, "DTEND", team)
        length = _in(zone, ends.replace(tzinfo=there), time()) - begins
    elif "DURATION" in event:
        length = event["DURATION"].dt
    else:
        length = _DAY if not isinstance(event["DTSTART"].dt, datetime) else timedelta()
    if not timedelta() < length <= LONGEST_SHIFT:
        raise _EventError(f"it does not end after it begins, and within {LONGEST_SHIFT.days} days")
    return length


def _in(zone: tzinfo, value: _Value, clock: time) -> datetime:
    """Return a value as local time of a zone, without its offset; of a day at a time of it."""
    if not isinstance(value, datetime):
        return datetime.combine(value, clock)
    return value.astimezone(zone).replace(tzinfo=None, fold=0) if value.tzinfo else value


def _moved(events: Sequence[_Event]) -> dict[str, list[_Value]]:
    """Return, by UID, the times of which an event of its own says what has become of them."""
    found: dict[str, list[_Value]] = {}
    for event in events:
        if "RECURRENCE-ID" in event and not event.errors:
            found.setdefault(str(event.get("UID", "")), []).append(event["RECURRENCE-ID"].dt)
    return found


def _account(event: _Event, roster: Roster) -> str:
    attendees = [str(address).lower().removeprefix("mailto:") for address in _values(event, "ATTENDEE")]
    organizers = [str(address).lower().removeprefix("mailto:") for address in _values(event, "ORGANIZER")]
    for words in (
        [address.partition("@")[0] for address in attendees],
        _WORD.findall(str(event.get("SUMMARY", "")).lower()),
        [address.partition("@")[0] for address in organizers],
    ):
        known: list[str] = [word for word in dict.fromkeys(words) if word in roster.person_of]
        if len(known) > 1:
            raise _EventError(f"it names {' and '.join(known)}: an event is one person's")
        if known:
            return known[0]
    raise _EventError("neither ATTENDEE, SUMMARY nor ORGANIZER names an account of the roster")


def _values(event: _Event, name: str) -> list[Any]:
    found = event.get(name, [])
    return found if isinstance(found, list) else [found]


def _dates(event: _Event, name: str) -> Iterator[_Value]:
    for value in (one.dt for several in _values(event, name) for one in several.dts):
        if not isinstance(value, date):
            raise _EventError(f"{name} has periods, which are no shifts of one length")
        yield value


def _check(event: _Event) -> None:
    """Raise where a part of an event cannot be read, or is of a kind that nothing here follows."""
    if event.errors:
        raise _EventError(f"{event.errors[0][0] or 'a line'} cannot be read")
    if "RECURRENCE-ID" in event and "RANGE" in event["RECURRENCE-ID"].params:
        raise _EventError("it changes all events behind it (RANGE): end the old series and begin a new one")


def _named(event: _Event) -> str:
    if any(name == "DTSTART" for name, _ in event.errors) or "DTSTART" not in event:
        return "an event without a start"
    return f"the event of {event['DTSTART'].dt:%Y-%m-%d %H:%M}"
