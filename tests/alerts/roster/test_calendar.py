"""Shifts from a calendar, and where they stand in the roster's file."""

from __future__ import annotations

import pytest

from alerts.roster.calendar import Shift, shifts_of
from alerts.roster.imported import with_imported
from alerts.roster.read import RosterError, parse, tables_of
from tests.alerts.roster.rosters import at, roster, team

ZONE = "Europe/Berlin"
ROSTER = roster(team=[team(zone=ZONE)])
NIGHT = "DTSTART;TZID=Europe/Berlin:20260323T200000\nDTEND;TZID=Europe/Berlin:20260324T080000"


def calendar(*events: str) -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//test//EN"]
    for i, event in enumerate(events):
        uid = [] if "UID:" in event else [f"UID:{i}"]
        lines += ["BEGIN:VEVENT", *uid, "DTSTAMP:20260101T000000Z", *event.splitlines(), "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""]).encode()


def shifts(*events: str, first: str = "2026-03-20T00:00", last: str = "2026-04-20T00:00") -> list[Shift]:
    return shifts_of(calendar(*events), ROSTER, ROSTER.teams[0], at(first, ZONE), at(last, ZONE))


def told(*events: str, first: str = "2026-03-20T00:00", last: str = "2026-04-20T00:00") -> list[str]:
    found = shifts(*events, first=first, last=last)
    return [f"{s.account} {s.begins:%m-%d %H:%M%z} {s.ends:%m-%d %H:%M%z}" for s in found]


def refused(*events: str) -> str:
    with pytest.raises(RosterError) as error:
        shifts(*events)
    (line,) = error.value.problems
    return line


def test_a_night_every_day_ends_at_the_same_local_time_also_as_clocks_are_changed() -> None:
    assert told(
        f"{NIGHT}\nSUMMARY:li\nRRULE:FREQ=DAILY;UNTIL=20260330T180000Z", first="2026-03-27T12:00"
    ) == [
        "li 03-27 20:00+0100 03-28 08:00+0100",
        "li 03-28 20:00+0100 03-29 08:00+0200",
        "li 03-29 20:00+0200 03-30 08:00+0200",
        "li 03-30 20:00+0200 03-31 08:00+0200",
    ]


def test_exceptions_in_any_zone_and_extra_dates() -> None:
    rule = "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE;COUNT=6"
    without = "EXDATE;TZID=Europe/Berlin:20260324T200000\nEXDATE:20260330T180000Z"
    more = "RDATE;TZID=Europe/Berlin:20260404T200000"
    found = told(f"{NIGHT}\nSUMMARY:Dr. Li (li)\n{rule}\n{without}\n{more}")
    assert [line.split()[1] for line in found] == ["03-23", "03-25", "03-31", "04-01", "04-04"]


def test_one_of_a_series_that_was_moved_given_away_or_cancelled() -> None:
    assert told(
        f"UID:a\n{NIGHT}\nSUMMARY:li\nRRULE:FREQ=DAILY;COUNT=4",
        "UID:a\nRECURRENCE-ID;TZID=Europe/Berlin:20260324T200000\nDTSTART;TZID=Europe/Berlin:20260324T210000\n"
        "DTEND;TZID=Europe/Berlin:20260325T080000\nSUMMARY:wang",
        "UID:a\nRECURRENCE-ID;TZID=Europe/Berlin:20260325T200000\nSTATUS:CANCELLED\n" + NIGHT,
    ) == [
        "li 03-23 20:00+0100 03-24 08:00+0100",
        "wang 03-24 21:00+0100 03-25 08:00+0100",
        "li 03-26 20:00+0100 03-27 08:00+0100",
    ]


def test_a_series_without_an_end_is_read_as_far_as_is_asked() -> None:
    endless = "DTSTART;TZID=Europe/Berlin:19990101T080000\nDURATION:PT12H\nSUMMARY:li\nRRULE:FREQ=DAILY"
    assert len(told(endless)) == 31
    running = told(endless, first="2026-03-20T19:59", last="2026-03-21T08:00")
    assert running == ["li 03-20 08:00+0100 03-20 20:00+0100"]
    assert told(endless, first="2026-03-20T20:00", last="2026-03-21T08:00") == []


def test_other_zones_utc_windows_names_floating_times_and_whole_days() -> None:
    assert told(
        "DTSTART:20260401T060000Z\nDTEND:20260401T180000Z\nSUMMARY:li",
        "DTSTART;TZID=China Standard Time:20260402T140000\nDURATION:PT12H\nSUMMARY:wang",
        "DTSTART:20260403T080000\nDTEND:20260403T200000\nSUMMARY:zhao",
        "DTSTART;VALUE=DATE:20260404\nSUMMARY:chen",
        "DTSTART;VALUE=DATE:20260405\nDTEND;VALUE=DATE:20260407\nSUMMARY:chen",
    ) == [
        "li 04-01 08:00+0200 04-01 20:00+0200",
        "wang 04-02 08:00+0200 04-02 20:00+0200",
        "zhao 04-03 08:00+0200 04-03 20:00+0200",
        "chen 04-04 00:00+0200 04-05 00:00+0200",
        "chen 04-05 00:00+0200 04-07 00:00+0200",
    ]


def test_a_zone_that_the_calendar_tells_itself() -> None:
    zone = (
        "BEGIN:VTIMEZONE\r\nTZID:Hospital\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0800\r\n"
        "TZOFFSETTO:+0800\r\nTZNAME:H\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )
    event = "DTSTART;TZID=Hospital:20260402T140000\nDURATION:PT12H\nSUMMARY:wang\nRRULE:FREQ=DAILY;COUNT=1"
    data = calendar(event).replace(b"BEGIN:VEVENT", zone.encode() + b"BEGIN:VEVENT", 1)
    (found,) = shifts_of(data, ROSTER, ROSTER.teams[0], at("2026-04-01T00:00"), at("2026-05-01T00:00"))
    assert found.begins.isoformat() == "2026-04-02T08:00:00+02:00"


@pytest.mark.parametrize(
    "names",
    [
        "ATTENDEE;CN=Li:mailto:LI@hospital.example\nSUMMARY:Nachtdienst wang",
        "ATTENDEE:mailto:room7@hospital.example\nSUMMARY:night, li",
        "ATTENDEE:mailto:li@hospital.example\nATTENDEE:mailto:room7@hospital.example\nSUMMARY:duty",
        "SUMMARY:duty\nORGANIZER:mailto:li@hospital.example",
    ],
)
def test_an_event_names_its_person_as_attendee_in_its_summary_or_as_organizer(names: str) -> None:
    assert [s.account for s in shifts(f"{NIGHT}\n{names}")] == ["li"]


WRONG = [
    (f"{NIGHT}\nSUMMARY:Lu 0000", "03-23 20:00: neither ATTENDEE, SUMMARY nor ORGANIZER names an account"),
    (f"{NIGHT}\nSUMMARY:li/wang", "03-23 20:00: it names li and wang: an event is one person's"),
    ("DTSTART;TZID=Nowhere/City:20260401T080000\nDURATION:PT1H\nSUMMARY:li", "DTSTART: its zone is none"),
    ("DTSTART:20261332T080000\nSUMMARY:li", "an event without a start: DTSTART cannot be read"),
    ("SUMMARY:li", "an event without a start: DTSTART is missing"),
    ("DTSTART:20260401T080000Z\nSUMMARY:li", "it does not end after it begins, and within 31 days"),
    ("DTSTART:20260401T080000Z\nDTEND:20260301T080000Z\nSUMMARY:li", "it does not end after it begins"),
    (f"{NIGHT}\nSUMMARY:li\nRRULE:FREQ=SECONDLY", "it repeats in another way than daily, weekly, monthly"),
    (f"{NIGHT}\nSUMMARY:li\nRRULE:FREQ=DAILY;BYDAY=XX", "RRULE cannot be read"),
    (
        f"{NIGHT}\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260323T200000Z\nSUMMARY:li",
        "changes all events behind it",
    ),
    (f"{NIGHT}\nRDATE;VALUE=PERIOD:20260401T080000Z/PT5H\nSUMMARY:li", "RDATE has periods"),
]


@pytest.mark.parametrize(("event", "says"), WRONG, ids=[says for _, says in WRONG])
def test_an_event_that_is_no_shift_is_named_by_its_start_and_nothing_of_its_text(
    event: str, says: str
) -> None:
    said = refused(event)
    assert says in said
    assert "0000" not in said.replace("T080000", "")


@pytest.mark.parametrize("data", [b"", b"hello", b"BEGIN:VEVENT\r\n", b"\xff\xfe\x00"])
def test_what_is_no_calendar_is_refused(data: bytes) -> None:
    with pytest.raises(RosterError, match="no calendar"):
        shifts_of(data, ROSTER, ROSTER.teams[0], 0, 1)


FILE = """# kept by hand
version = 1
fallback = "henan"
[[person]]
account = "li"  # a comment
[[person]]
account = "wang"
[[team]]
name = "henan"
region = "henan"
zone = "Europe/Berlin"
members = ["li", "wang"]
"""


def test_what_is_imported_replaces_what_was_and_leaves_the_rest_as_it_is() -> None:
    first = with_imported(FILE, "henan", shifts(f"{NIGHT}\nSUMMARY:li\nRRULE:FREQ=DAILY;COUNT=9"))
    second = with_imported(first + "# added below\n", "henan", shifts(f"{NIGHT}\nSUMMARY:wang"))
    assert first.startswith(FILE)
    assert second.startswith(FILE + "\n# added below\n")
    assert len(parse(tables_of(first)).dated) == 9
    (shift,) = parse(tables_of(second)).dated
    assert (shift.person, shift.from_.isoformat()) == ("wang", "2026-03-23T20:00:00+01:00")
    assert with_imported(second, "henan", shifts(f"{NIGHT}\nSUMMARY:wang")) == second


def test_teams_have_parts_of_their_own() -> None:
    both = with_imported(
        with_imported(FILE, "henan", shifts(f"{NIGHT}\nSUMMARY:li")), 'a "b"', shifts(NIGHT + "\nSUMMARY:li")
    )
    assert [entry["team"] for entry in tables_of(both)["dated"]] == ["henan", 'a "b"']


def test_a_part_whose_end_was_deleted_is_not_guessed() -> None:
    file = with_imported(FILE, "henan", shifts(f"{NIGHT}\nSUMMARY:li"))
    with pytest.raises(
        ValueError, match=r"'# End of what was imported for team henan\.' is missing behind line 14"
    ):
        with_imported(file.replace("# End of", "# end of"), "henan", [])
