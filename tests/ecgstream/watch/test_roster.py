"""A hole in the roster is told a day ahead, once, and its end: timelines on the wall clock's time."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaError

from alerts.roster.model import Roster
from alerts.roster.read import to_json, version_of
from ecgstream import clients
from ecgstream.settings import Settings
from ecgstream.watch.alarms import Alarms
from ecgstream.watch.book import Book
from ecgstream.watch.roster import RosterLook
from schemas import records, topics
from schemas.codec import encode
from tests.alerts.roster.rosters import at, period, roster, team, weekly
from tests.ecgstream.watch.world import NS, World

STEP_S = 600.0
"""Longer than the watch waits between looks, and than an alarm waits for its end."""
NIGHT = weekly("wang", "20:00", "08:00")
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri"]
# Nobody is on duty by day at the weekend: Saturday, 3 October 2026.
HOLED = roster(weekly=[weekly("li", days=WEEKDAYS), NIGHT])
FULL = roster(weekly=[weekly("li"), NIGHT])


def world(local: str, of: Roster | None, zone: str = "Asia/Shanghai") -> World:
    return World(now_s=at(local, zone) / NS, roster=of)


def go_to(world: World, local: str, zone: str = "Asia/Shanghai") -> None:
    """Let time pass, until a local time."""
    while (left_s := at(local, zone) / NS - world.now_s) > 0:
        world.now_s += min(STEP_S, left_s)
        world.look()


def told(world: World) -> list[tuple[str, str]]:
    assert {page.condition for page in world.pages} <= {"ROSTER_HOLE"}
    return [(page.what, page.text) for page in world.pages]


def test_a_hole_is_told_a_day_ahead_once_and_when_it_is_over() -> None:
    of = world("2026-10-01T12:00", HOLED)
    go_to(of, "2026-10-02T07:59")
    assert told(of) == []
    go_to(of, "2026-10-02T08:01")
    ((what, text),) = told(of)
    assert what == "RAISED"
    assert text.startswith(
        "Nobody is on duty in team henan (region henan) from 2026-10-03 08:00+08:00, until 2026-10-03 "
        "20:00+08:00 (Asia/Shanghai): pages go to the team above"
    )
    assert of.pages[0].priority == "MEDIUM"
    go_to(of, "2026-10-03T19:59")  # before it, and in it; the one of Sunday has been told, too
    assert [page.what for page in of.pages] == ["RAISED", "RAISED"]
    go_to(of, "2026-10-03T20:20")
    assert [page.what for page in of.pages] == ["RAISED", "RAISED", "ENDED"]
    assert of.pages[2].alert == of.pages[0].alert
    go_to(of, "2026-10-06T00:00")
    assert [page.what for page in of.pages] == ["RAISED", "RAISED", "ENDED", "ENDED"]


def test_a_hole_that_a_new_roster_fills_is_over() -> None:
    of = world("2026-10-02T12:00", HOLED)
    go_to(of, "2026-10-02T12:10")
    of.roster = FULL
    go_to(of, "2026-10-02T12:30")
    assert [what for what, _ in told(of)] == ["RAISED", "ENDED"]


def test_a_roster_that_changes_elsewhere_tells_no_hole_twice() -> None:
    of = world("2026-10-03T07:00", HOLED)
    go_to(of, "2026-10-03T07:10")
    begun = period("zhang", "2026-10-03T08:00", "2026-10-03T10:00")  # it is met in part: it is the same hole
    of.roster = roster(weekly=[weekly("li", days=WEEKDAYS), NIGHT], dated=[begun])
    go_to(of, "2026-10-03T19:00")
    assert sum(page.what == "RAISED" and "until 2026-10-03" in page.text for page in of.pages) == 1


def test_a_roster_that_ends_has_a_hole_without_an_end() -> None:
    of = world("2026-09-29T12:00", roster(weekly=[weekly("li", "08:00", "08:00", until="2026-09-30")]))
    go_to(of, "2026-10-02T00:00")
    ((what, text),) = told(of)
    assert what == "RAISED"
    assert "from 2026-10-01 08:00+08:00, without an end that can be seen (Asia/Shanghai)" in text


def test_a_hole_that_is_there_already_is_told_at_once() -> None:
    of = world("2026-10-03T12:00", HOLED)
    of.look()
    ((_, text), *_) = told(of)
    assert "(region henan) now, until 2026-10-03 20:00+08:00" in text


@pytest.mark.parametrize(
    ("shifts", "noon", "begins", "ends"),
    [
        ([weekly("li", "08:00", "02:30"), weekly("wang", "03:30", "08:00")], "2026-03-28T12:00", 3, 3.5),
        ([weekly("li", "08:00", "03:00"), weekly("wang", "05:00", "08:00")], "2026-10-24T12:00", 3, 5),
    ],
)
def test_its_times_are_those_of_the_clocks_that_were_changed(
    shifts: list[dict[str, Any]], noon: str, begins: float, ends: float
) -> None:
    """In spring 02:30 is skipped: the shift ends as 03:00 begins. In autumn an hour comes twice before."""
    zone = "Europe/Berlin"
    of = world(noon, roster(team=[team(zone=zone)], weekly=shifts), zone)
    of.look()
    offset, day = ("+02:00", "2026-03-29") if noon.startswith("2026-03") else ("+01:00", "2026-10-25")
    first, last = (f"{day} {int(h):02}:{int(h % 1 * 60):02}{offset}" for h in (begins, ends))
    assert [text for _, text in told(of) if f"from {first}, until {last} (Europe/Berlin)" in text]


def test_part_time_teams_have_no_holes_and_no_roster_tells_nothing() -> None:
    by_day = team("h1", "h1", part_time=True)
    of = world("2026-10-01T12:00", roster(team=[team(), by_day], weekly=[weekly("li"), NIGHT]))
    go_to(of, "2026-10-02T12:00")
    of.roster = None
    go_to(of, "2026-10-03T12:00")
    assert told(of) == []


def test_a_hole_that_comes_while_many_are_open_is_told_as_well() -> None:
    teams = [team(f"t{n}", f"r{n}") for n in range(5)]
    late = [weekly("li", "08:00", "08:00", team="henan", until="2026-10-04")]
    of = world("2026-10-02T00:00", roster(team=[team(), *teams], weekly=late))
    of.look()
    ((_, text),) = told(of)
    assert text.startswith("5 at once (hole t0, t1, t2, t3, t4). Of one: Nobody is on duty in team t0")
    go_to(of, "2026-10-05T00:00")
    assert [text for _, text in told(of)[1:]] == [text for _, text in told(of) if "team henan" in text]
    assert len(of.pages) == 2


def test_a_watch_that_is_started_again_in_a_hole_does_not_tell_it_again(tmp_path: Path) -> None:
    of = world("2026-10-03T12:00", HOLED)
    of.look()
    book = Book(tmp_path / "book.json")
    book.note(of.alarms.open.values(), of.pages)
    later = world("2026-10-03T13:00", HOLED)
    later.alarms = Alarms(Book(tmp_path / "book.json").alarms())
    go_to(later, "2026-10-03T14:00")
    assert told(later) == []


def test_a_roster_that_cannot_be_read_is_told() -> None:
    of = world("2026-10-02T00:00", FULL)
    of.unread = "RosterError"
    of.look()
    of.unread = ""
    go_to(of, "2026-10-02T00:20")
    (raised, ended) = told(of)
    assert raised[1].startswith("The duty roster that was published last cannot be read (RosterError): the ")
    assert ended[0] == "ENDED"


# -- the look


class Reader:
    """A consumer of the roster's topic."""

    def __init__(self) -> None:
        self.values: list[bytes | None] = []
        self.read = 0
        self.away = False

    def write(self, of: Roster, published_ns: int) -> None:
        self.values.append(encode(records.Roster(version_of(of), to_json(of), published_ns, "li")))

    def assign(self, sources: list[TopicPartition]) -> None:
        self.sources = sources

    def end_offsets(self, sources: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(sources, len(self.values))

    def seek_to_beginning(self, *_: TopicPartition) -> None:
        self.read = 0

    def position(self, _: TopicPartition) -> int:
        return self.read

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        if self.away:
            raise KafkaError("away")
        found: dict[TopicPartition, list[Any]] = defaultdict(list)
        found[self.sources[0]] += [SimpleNamespace(value=value) for value in self.values[self.read :]]
        self.read = len(self.values)
        return found

    def close(self, *, autocommit: bool) -> None:
        assert not autocommit


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    made = Reader()
    monkeypatch.setattr(clients, "reader", lambda _: made)
    monkeypatch.setattr(
        "ecgstream.watch.roster.time", SimpleNamespace(time_ns=lambda: at("2026-10-02T12:00"))
    )
    return made


def test_it_looks_at_the_roster_that_holds(reader: Reader) -> None:
    look = RosterLook(Settings())
    assert (look(1.0).holes, look(1.0).unread) == ((), "")
    reader.write(HOLED, 5)
    seen = look(2.0)
    assert (seen.asked_s, [hole.team for hole in seen.holes]) == (2.0, ["henan"])
    reader.write(FULL, 4)  # older than what holds
    assert len(look(3.0).holes) == 1
    reader.write(FULL, 6)
    assert look(4.0).holes == []
    assert reader.sources == [TopicPartition(topics.ROSTER.name, 0)]


@pytest.mark.parametrize("value", [b"", b"nonsense", encode(records.Roster("v", b"{}", 9, "li"))])
def test_one_that_cannot_be_read_leaves_the_one_before_and_is_seen(reader: Reader, value: bytes) -> None:
    look = RosterLook(Settings())
    reader.write(HOLED, 5)
    reader.values.append(value)
    seen = look(1.0)
    assert len(seen.holes) == 1
    assert seen.unread in ("BadRecordError", "RosterError")
    reader.write(FULL, 10)
    assert (look(2.0).holes, look(2.0).unread) == ([], "")


def test_after_a_failure_it_reads_from_the_beginning(reader: Reader) -> None:
    look = RosterLook(Settings())
    reader.write(HOLED, 5)
    assert len(look(1.0).holes) == 1
    reader.away = True
    with pytest.raises(KafkaError):
        look(2.0)
    reader.away = False
    reader.values[:] = [None]  # deleted by hand meanwhile
    assert look(3.0).holes == ()
