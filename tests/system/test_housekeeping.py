"""Housekeeping, on PostgreSQL and on TimescaleDB: hours are made, what is old goes, what must stay stays."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import psycopg
import pytest

from ecgstream import cli
from ecgstream.store import hours, tables
from ecgstream.store.connection import connect
from ecgstream.store.housekeeping import ROLE
from ecgstream.store.rows import Rows
from schemas.records import Lane
from tests.system.access_world import insert
from tests.system.command import Command
from tests.system.house import ALL, DAY, HOUR, KINDS, MINUTE, NOW, House, kept, minutes, ns


@pytest.fixture
def house(database_url: str) -> House:
    return House(database_url)


# Hours


def test_hours_are_shown_before_and_after_they_are_made(house: House) -> None:
    ten = NOW.replace(hour=10, minute=0)
    house.write(minutes("a", ten, [60.0] * 60 + [90.0] * 30), minutes("b", ten + 2 * HOUR, [70.0] * 20))
    expected = [
        ("a", ten, 600, 60.0, 55.0, 65.0),
        ("a", ten + HOUR, 300, 90.0, 85.0, 95.0),
        ("b", ten + 2 * HOUR, 200, 70.0, 65.0, 75.0),
    ]
    assert house.hours() == expected
    assert house.keep(dry_run=True)[0] == "hours        2 of devices to make of their minutes"
    assert house.keep()[0] == "hours        2 of devices made of their minutes"
    assert house.hours() == expected
    assert house.due() == [("b", ten + 2 * HOUR)]  # which is not over
    assert house.rows("SELECT count(*) FROM ecg.trend_hour") == [(2,)]
    assert house.keep()[0] == "hours        0 of devices made of their minutes"
    assert house.seen("SELECT device, time, n, mean FROM api.trends_daily ORDER BY 1") == [
        ("a", ten.replace(hour=0), 900, 70.0),
        ("b", ten.replace(hour=0), 200, 70.0),
    ]


def test_what_comes_late_makes_its_hour_anew(house: House) -> None:
    ten = NOW.replace(hour=10, minute=0)
    house.write(minutes("a", ten + 30 * MINUTE, [60.0] * 30))
    house.keep()
    house.write(minutes("a", ten, [90.0] * 31, Lane.BACKFILL))  # the minute at the seam in both lanes
    assert house.due() == [("a", ten)]
    assert house.hours() == [("a", ten, 300, 60.0, 55.0, 65.0)]  # until the next run
    house.keep()
    assert house.hours() == [("a", ten, 610, pytest.approx((300 * 60 + 310 * 90) / 610), 55.0, 95.0)]
    again = house.rows("SELECT * FROM ecg.trend_hour")
    house.write(minutes("a", ten, [90.0] * 31, Lane.BACKFILL))  # delivered twice
    house.keep()
    assert house.rows("SELECT * FROM ecg.trend_hour") == again


def test_hours_outlive_their_minutes(house: House) -> None:
    """Retention of the minutes, and then a refresh: what TimescaleDB's own aggregates lose (#2198, #4328)."""
    old = NOW - 300 * DAY
    old = old.replace(hour=0, minute=0)
    house.write(minutes("a", old, [60.0] * 90), minutes("a", NOW.replace(hour=9, minute=0), [80.0] * 60))
    assert house.keep(kept(trends=100))[0].startswith("hours        3 ")
    assert house.rows("SELECT min(time) > now() - interval '100 years', count(*) FROM ecg.trend") == [
        (True, 60)
    ]
    whole = house.hours()
    assert [n for _, _, n, *_ in whole] == [600, 300, 600]
    house.write(minutes("a", old, [99.0]))  # a minute of then, told anew
    house.write(minutes("a", old + 5 * HOUR, [99.0]))  # and of an hour of which nothing was known
    house.keep(kept(trends=100))
    assert house.hours() == sorted([*whole, ("a", old + 5 * HOUR, 10, 99.0, 94.0, 104.0)])
    assert house.rows("SELECT count(*) FROM ecg.trend") == [(60,)]
    assert house.due() == []


def test_minutes_stay_until_their_hour_is_made(house: House) -> None:
    """As long as a sink holds an hour, its minutes are not deleted, however old."""
    old = (NOW - 300 * DAY).replace(hour=0, minute=0)
    house.write(minutes("a", old, [60.0] * 10), minutes("b", old, [60.0] * 10))
    with connect(house.url, role="ecg_sink") as sink:
        sink.execute("SELECT FROM ecg.hour_due WHERE device = 'a' FOR UPDATE")
        assert house.keep(kept(trends=100))[0].startswith("hours        1 ")
    assert house.rows("SELECT device, count(*) FROM ecg.trend GROUP BY 1 ORDER BY 1") == [
        ("a", 10),
        ("b", 10),
    ]
    house.keep(kept(trends=100))
    assert house.rows("SELECT count(*) FROM ecg.trend") == [(0,)]
    assert [device for device, *_ in house.hours()] == ["a", "b"]


class Sink:
    """A sink's transaction that is not committed yet."""

    def __init__(self, house: House, words: Rows) -> None:
        self.connection = connect(house.url, role="ecg_sink")
        self.connection.execute(tables.TREND.stage)
        with self.connection.cursor() as cursor, cursor.copy(tables.TREND.copy) as copy:
            copy.set_types(list(tables.TREND.columns.values()))
            for row in words[tables.TREND]:
                copy.write_row(row)
        self.connection.execute(tables.TREND.upsert)

    def commit(self) -> None:
        self.connection.commit()
        self.connection.close()


def test_a_sink_that_is_at_it_is_not_missed(house: House) -> None:
    ten = NOW.replace(hour=10, minute=0)
    house.write(minutes("a", ten, [60.0] * 10))
    sink = Sink(house, minutes("a", ten + 10 * MINUTE, [90.0] * 10))
    house.keep()  # leaves the hour that the sink holds
    assert house.due() == [("a", ten)]
    sink.commit()
    house.keep()
    assert house.hours() == [("a", ten, 200, 75.0, 55.0, 95.0)]
    assert house.due() == []


def test_a_sink_that_comes_while_an_hour_is_made_has_it_made_again(house: House) -> None:
    ten = NOW.replace(hour=10, minute=0)
    house.write(minutes("a", ten, [60.0] * 10))
    late = minutes("a", ten + 10 * MINUTE, [90.0] * 10)
    with connect(house.url, role=ROLE) as at_it, connect(house.url, autocommit=True) as reader:
        taken = at_it.execute(hours._TAKE, (NOW, 1000)).fetchall()
        assert taken == [("a", ten)]
        sink = threading.Thread(target=house.write, args=(late,))
        sink.start()
        waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        while reader.execute(waits).fetchone() is None:
            assert sink.is_alive()
            time.sleep(0.01)
        at_it.execute(hours._MAKE, (["a"], [ten], ten, ten + HOUR))
        at_it.commit()
        sink.join(30)
    assert house.rows("SELECT n FROM ecg.trend_hour") == [(100,)]
    assert house.due() == [("a", ten)]
    house.keep()
    assert house.rows("SELECT n FROM ecg.trend_hour") == [(200,)]


def test_ended_between_taking_and_making_nothing_is_lost(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ten = NOW.replace(hour=10, minute=0)
    house.write(minutes("a", ten, [60.0] * 10))
    with monkeypatch.context() as broken:
        broken.setattr(hours, "_MAKE", hours._MAKE + " RETURNING 1/0")
        with pytest.raises(psycopg.errors.DivisionByZero):
            house.keep()
    assert house.due() == [("a", ten)]
    house.keep()
    assert [n for _, _, n, *_ in house.hours()] == [100]


def test_many_hours_are_made_batch_by_batch(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hours, "BATCH", 7)
    first = NOW.replace(hour=0, minute=0)
    for device in ("a", "b"):
        house.write(minutes(device, first, [float(60 + i // 60) for i in range(12 * 60)]))
    assert house.keep()[0] == "hours        24 of devices made of their minutes"
    assert [(d, t, m) for d, t, _, m, *_ in house.hours()] == [
        (device, first + i * HOUR, 60.0 + i) for device in ("a", "b") for i in range(12)
    ]


# Retention


class Past:
    """A row of each of two devices in every table but rhythm, at each of some times; alerts that are over."""

    def __init__(self, house: House, *times: datetime) -> None:
        self.house = house
        with connect(house.url) as owner:
            for at in times:
                for device in ("a", "b"):
                    self._row(owner, device, at)

    @staticmethod
    def _row(owner: psycopg.Connection, device: str, at: datetime) -> None:
        n, of = ns(at) // 10**9, {"device": device, "session": 1}
        decided = {"generation": 1, "source_offset": 1}
        by = decided | {"version": "1"}
        packets = {key: [] for key in ("packet_seq", "packet_first", "packet_ns", "packet_lead_off", "pace")}
        wave = {"code": 131330, "kind": 0, "unit": 0, "rate": 250, "gain": 1, "offset": 0, "n": 2500}
        block = {"channel": 0, "first_sample": n, "codec": "x", "data": b""}
        insert(owner, "trace", **of, **block, **wave, **packets, time=at)
        insert(owner, "beat", **of, sample=n, time_ns=ns(at), time=at, code="N", **by)
        insert(owner, "vital", **of, code=1, time_ns=ns(at), time=at, value=1, **decided)
        insert(owner, "trend", **of, minute_ns=ns(at), time=at, code=1, n=1, mean=1, **by)
        insert(owner, "trend_hour", device=device, time=at, code=1, parts=60, n=1, mean=1)
        ran = {"lane": "LIVE", "from_sample": n, "from_ns": ns(at), "time": at, "to_sample": n + 1}
        insert(owner, "segment", **of, **ran, to_ns=ns(at) + 1, start="COLD", settings="{}", **by)
        said = {"issued_ns": ns(at), "source_offset": 1, "kind": "Limits", "record": b""}
        insert(owner, "control", device=device, time=at, **said)
        alert(owner, device, at, "ENDED")
        held = {"from_sample": n, "since_ns": ns(at), "time": at, "ahead_ns": 1, "gateway": "gw"}
        insert(owner, "clock_correction", **of, **held)
        said = {"alert": uuid.uuid4(), "verdict": "false", "said_by": "li"}
        insert(owner, "judgement", device=device, onset=at, **said)

    def times(self) -> dict[str, set[datetime]]:
        """Return of when there is something, a table."""
        columns = dict.fromkeys(("condition", "alert", "judgement"), "onset")
        return {
            name: {at for (at,) in self.house.rows(f"SELECT {columns.get(name, 'time')} FROM ecg.{name}")}  # noqa: S608
            for name in ALL
            if name not in ("hour_due", "rhythm")
        }


def alert(owner: psycopg.Connection, device: str, onset: datetime, state: str) -> None:
    """Insert an alert that was decided a quarter of an hour after its onset, and its condition."""
    began = {"onset_sample": 1, "onset_ns": ns(onset), "onset": onset}
    later = {"decided_sample": 2, "decided_ns": ns(onset + 15 * MINUTE), "delay_s": 900.0}
    of = {"id": uuid.uuid4(), "device": device, "patient": "", "session": 1, **began, **later}
    of |= {"evidence": "{}", "published_ns": 1, "source_offset": 1}
    last = {"phase": "ONSET", "sample": 2, "time_ns": 1, "generation": 1, "version": "1"}
    insert(owner, "condition", **of, **last, code="AFIB")
    told = {"raised_ns": 1, "updated_ns": 1}
    insert(owner, "alert", **of, **told, condition="AFIB", priority="HIGH", state=state)


OLD, YOUNG = NOW - 400 * DAY, NOW - 3 * DAY


def test_nothing_is_deleted_unless_it_is_said(house: House) -> None:
    Past(house, OLD, YOUNG)
    before = house.everything()
    said = house.keep()
    assert house.everything() == before
    assert said[1] == "trace        kept for ever"
    assert len(said) == 14


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_goes_when_it_is_its_time_and_nothing_else(house: House, kind: str) -> None:
    past = Past(house, OLD, YOUNG)
    before = past.times()
    house.keep(kept(**{kind: 100}))
    goes = {"traces": ["trace"], "beats": ["beat"], "vitals": ["vital"], "trends": ["trend"]}
    goes |= {"hours": ["trend_hour"], "events": ["segment", "condition", "alert", "judgement", "control"]}
    assert past.times() == before | {name: {YOUNG} for name in goes[kind]}
    after = house.everything()
    house.keep(kept(**{kind: 100}))
    assert house.everything() == after


def test_a_dry_run_tells_and_changes_nothing(house: House) -> None:
    Past(house, OLD, YOUNG)
    house.write(minutes("a", NOW - 5 * HOUR, [60.0]))
    before = house.everything()
    everything = kept(**dict.fromkeys((*KINDS, "unsigned"), 100))
    said = house.keep(everything, dry_run=True)
    assert house.everything() == before
    done = house.keep(everything)
    assert [line.replace("to delete", "deleted").replace("to make", "made") for line in said] == done
    assert all("older than 2026-02-21" in line for line in done[1:])
    assert [line[:6] for line in done if " 0 " in line] == ["rhythm", "clock_", "report"]


def test_what_an_open_alert_points_at_stays(house: House) -> None:
    """The minute around its onset and its decision; when it is over, that goes too."""
    onset = OLD + 6 * HOUR
    inside = [onset - 59 * timedelta(seconds=1), onset + 7 * MINUTE, onset + 15 * MINUTE + MINUTE / 2]
    outside = [onset - 2 * MINUTE, onset + 17 * MINUTE, onset + DAY]
    past = Past(house, *inside, *outside, YOUNG)
    with connect(house.url) as owner:
        alert(owner, "a", onset, "LATCHED")
    everything = kept(**dict.fromkeys(KINDS, 100))
    for _ in range(2):
        house.keep(everything)
        left = {name: of - {YOUNG} for name, of in past.times().items()}
        assert {name for name, of in left.items() if of == {*inside}} == {"trace", "beat", "vital"}
        assert {name for name, of in left.items() if of == {onset}} == {"condition", "alert"}
        gone = {"trend", "trend_hour", "segment", "judgement", "control"}
        assert {name for name, of in left.items() if not of} == gone
        assert left["clock_correction"] == {onset + DAY}  # it holds until the device's next one
        of_b = "SELECT count(*) FROM ecg.trace WHERE device = 'b' AND time < '2026-05-01'"
        assert house.rows(of_b) == [(0,)]
    assert [line for line in house.keep(everything) if "MB" in line] == []
    with connect(house.url) as owner:
        owner.execute("UPDATE ecg.alert SET state = 'ENDED'")
    house.keep(everything)
    assert {name for name, of in past.times().items() if of != {YOUNG}} == {"clock_correction"}


def test_what_still_holds_stays_however_old(house: House) -> None:
    """The rhythm that a device has had for a year, and a segment that goes on."""
    decided = {"generation": 1, "source_offset": 1, "version": "1"}
    with connect(house.url) as owner:
        for device, times in (("a", [OLD, OLD + DAY]), ("b", [OLD, OLD + DAY, YOUNG])):
            for n, at in enumerate(times):
                of = {"device": device, "session": 1, "sample": n, "time_ns": ns(at), "time": at}
                insert(owner, "rhythm", **of, rhythm="AFIB", **decided)
        ran = {"lane": "LIVE", "from_sample": 1, "from_ns": ns(OLD), "time": OLD, "start": "COLD"}
        insert(owner, "segment", device="a", session=1, **ran, settings="{}", **decided)
        over = {"to_sample": 2, "to_ns": ns(NOW - 99 * DAY)}
        insert(owner, "segment", device="b", session=1, **ran, **over, settings="{}", **decided)
    house.keep(kept(events=100))
    assert house.rows("SELECT device, time FROM ecg.rhythm ORDER BY 1, 2") == [
        ("a", OLD + DAY),
        ("b", OLD + DAY),
        ("b", YOUNG),
    ]
    assert house.rows("SELECT device FROM ecg.segment ORDER BY 1") == [("a",), ("b",)]


def test_rows_go_slice_by_slice(house: House) -> None:
    """With days between them, and more than one of a device in a slice."""
    days = [OLD + n * DAY / 2 for n in range(5)] + [OLD + 30 * DAY]
    past = Past(house, *days, YOUNG)
    house.keep(kept(traces=100))
    assert past.times()["trace"] == {YOUNG}


def test_of_two_at_once_one_works(house: House) -> None:
    Past(house, OLD)
    before = house.everything()
    with connect(house.url, role=ROLE) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (0x65636703,))
        said = house.keep(kept(traces=100))
        assert said == ["Another housekeeping is at work: nothing to do here."]
        assert house.everything() == before
    house.keep(kept(traces=100))
    assert house.rows("SELECT count(*) FROM ecg.trace") == [(0,)]


def test_late_rows_of_a_time_that_has_gone_are_taken(house: House) -> None:
    """A chunk that was dropped comes back for them, and goes again."""
    past = Past(house, OLD, YOUNG)
    house.keep(kept(beats=100))
    with connect(house.url) as owner:
        Past._row(owner, "a", OLD + HOUR)
    assert OLD + HOUR in past.times()["beat"]
    house.keep(kept(beats=100))
    assert past.times()["beat"] == {YOUNG}


def test_the_command_runs_from_a_timer(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    Past(house, OLD)
    _, said = Command(cli.app, house.url, capsys)("housekeeping", "--keep-traces-days", "100", "--dry-run")
    assert "trace        " in said
    assert " to delete, older than " in said
    _, said = Command(cli.app, house.url, capsys)("housekeeping", "--keep-traces-days", "100")
    assert " deleted, older than " in said
    assert house.rows("SELECT count(*) FROM ecg.trace") == [(0,)]


def test_a_database_that_is_not_of_this_version_says_so(
    plain_postgres_url: str, new_database: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    empty = new_database(plain_postgres_url)
    assert "ecgstream migrate" in Command(cli.app, empty, capsys).refused("housekeeping")
