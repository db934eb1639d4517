"""What the views and functions of schema api give, as Python reads it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest

from ecgstream.settings import Settings
from ecgstream.store import read, rows
from ecgstream.store.connection import connect
from ecgstream.store.housekeeping import keep_house
from ecgstream.store.migrate import migrate
from ecgstream.store.rows import Rows
from ecgstream.store.traces import TraceBuilder
from ecgstream.store.writer import Writer
from schemas import mdc, topics
from schemas.batches import Trends
from schemas.bundle import Bundle
from schemas.records import MISSING, Channel, Lane, Packet
from tests.system.people import person

SECOND = 10**9
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
SOURCE = (topics.INGEST.name, 0)


class Store:
    """A database, what writes to it, and a clinic at its root that reads."""

    def __init__(self, url: str, *devices: str) -> None:
        migrate(url)
        self.url = url
        self.clinic = person(url, "clinic")
        with connect(url) as owner:
            for device in devices:
                owner.execute("INSERT INTO ecg.device VALUES (%s, 'g', 1, 1, 1)", (device,))

    def write(self, *words: Rows) -> None:
        with closing(Writer(connect(self.url, role="ecg_sink"))) as writer:
            writer.write(words, ())

    def write_packets(self, packets: list[Packet]) -> None:
        builder = TraceBuilder()
        for offset, packet in enumerate(packets):
            builder.add(Bundle.of("g", 0, packet.start_ns, [packet], []), SOURCE, offset)
        with closing(Writer(connect(self.url, role="ecg_sink"))) as writer:
            writer.write((), builder.drain())

    def reader(self) -> psycopg.Connection:
        return connect(self.url, role=self.clinic, autocommit=True)


@pytest.fixture
def store(database_url: str) -> Store:
    return Store(database_url, "a", "b")


# Signals

SESSION = 1_790_000_000 * SECOND
RATES = {"II": 250.0, "V1": 250.0, "PLETH": 125.0}
CODES = {"II": mdc.LEADS["II"], "V1": mdc.LEADS["V1"], "PLETH": mdc.PLETH}


def value(lead: str, sample: np.ndarray) -> np.ndarray:
    return ((sample * 7 + len(lead)) % 5000).astype(np.int16)


def packets(seconds: range, clock: Callable[[int], int] = lambda second: 0) -> list[Packet]:
    """A packet a second; ``clock``: how far the device's clock is off its samples then, ns."""
    made = []
    for s in seconds:
        channels = []
        for lead, rate in RATES.items():
            at = np.arange(round(s * rate), round((s + 1) * rate))
            channels.append(Channel(CODES[lead], 0, 0, rate, 200.0, value(lead, at), offset=5.0))
        start = SESSION + s * SECOND + clock(s)
        made.append(Packet("a", SESSION, s, s * 250, start, start, channels))
    return made


@pytest.mark.parametrize("lead", RATES)
def test_a_strip_is_exact_to_the_sample(store: Store, lead: str) -> None:
    store.write_packets(packets(range(60)))
    rate = RATES[lead]
    with store.reader() as connection:
        (strip,) = read.signal(
            connection, "a", lead, SESSION + 14 * SECOND + SECOND // 2, SESSION + 24 * SECOND
        )
        assert (strip.session, strip.first_sample, strip.start_ns) == (
            SESSION,
            14.5 * rate + (0.5 if rate == 125 else 0),
            SESSION + 14 * SECOND + SECOND // 2 + (SECOND // 250 if rate == 125 else 0),
        )
        assert (strip.rate, strip.gain, strip.offset) == (rate, 200.0, 5.0)
        at = np.arange(strip.first_sample, 24 * rate)
        assert np.array_equal(strip.samples, value(lead, at))
        assert read.signal(connection, "a", lead, SESSION + 60 * SECOND, SESSION + 90 * SECOND) == []
        assert read.signal(connection, "a", lead, SESSION - 20 * SECOND, SESSION) == []
        assert read.signal(connection, "b", lead, SESSION, SESSION + 60 * SECOND) == []
        assert read.signal(connection, "a", "V9", SESSION, SESSION + 60 * SECOND) == []
        (whole,) = read.signal(connection, "a", lead, SESSION - 20 * SECOND, SESSION + 200 * SECOND)
        assert (whole.start_ns, whole.samples.size) == (SESSION, 60 * rate)


def test_time_is_that_of_the_devices_clock_even_where_it_has_drifted(store: Store) -> None:
    """After an hour it is a minute ahead of what the blocks' nominal times say."""
    drift = SECOND // 60
    store.write_packets(packets(range(3600), lambda s: s * drift))
    asked = SESSION + 3000 * (SECOND + drift)
    with store.reader() as connection:
        (strip,) = read.signal(connection, "a", "V1", asked, asked + 10 * SECOND)
    assert abs(strip.start_ns - asked) <= SECOND // 250
    assert strip.first_sample == 3000 * 250
    assert abs(strip.samples.size / 250 - 10) < 0.25
    assert np.array_equal(strip.samples, value("V1", 750_000 + np.arange(strip.samples.size)))


def test_a_gap_is_missing_and_sessions_are_apart(store: Store) -> None:
    store.write_packets(packets(range(10)) + packets(range(25, 40)))
    later = packets(range(5))
    for packet in later:
        packet.session += 50 * SECOND
        packet.start_ns += 50 * SECOND
    store.write_packets(later)
    with store.reader() as connection:
        first, second = read.signal(connection, "a", "II", SESSION + 5 * SECOND, SESSION + 100 * SECOND)
    assert (first.session, second.session) == (SESSION, SESSION + 50 * SECOND)
    missing = first.samples == MISSING
    assert missing[1250:5000].all()
    assert missing.sum() == 3750
    assert (second.start_ns, second.samples.size) == (SESSION + 50 * SECOND, 1250)


def test_leads_and_waves_have_the_names_of_the_field(store: Store) -> None:
    names = mdc.LEADS | {"ECG": mdc.ECG, "PLETH": mdc.PLETH, "ABP": mdc.ABP, "RESP": mdc.RESP, "x": None}
    with store.reader() as connection:
        found = connection.execute("SELECT n, api.lead_code(n) FROM unnest(%s::text[]) AS n", (list(names),))
        assert dict(found.fetchall()) == names


# Trends

TEN = datetime(2026, 5, 4, 10, tzinfo=UTC)


def minutes(device: str, first: datetime, means: list[float], lane: Lane = Lane.LIVE, n: int = 10) -> Rows:
    """Minutes of two numbers from ``first`` on: a heart rate, and half of it."""
    ones = np.ones(2 * len(means), np.int64)
    at = int(first.timestamp()) * SECOND + np.repeat(np.arange(len(means)), 2) * 60 * SECOND
    codes = np.tile([mdc.HEART_RATE, mdc.RESP_RATE], len(means))
    mean = (np.repeat(means, 2) / np.tile([1, 2], len(means))).astype(np.float32)
    batch = Trends(
        *(0, 1, "1", [device], 0 * ones, ones, at, codes, n * ones),
        *(mean, mean - 5, mean + 5, ones, lane),
    )
    return rows.OF[topics.TRENDS.name](batch.encode())


def rate_of(found: list[read.TrendRow]) -> list[tuple[Any, ...]]:
    return [(r.time, r.n, r.mean, r.low, r.high) for r in found if r.code == mdc.HEART_RATE]


def test_trends_by_any_bucket(store: Store) -> None:
    store.write(minutes("a", TEN, [60.0 + i for i in range(90)]), minutes("b", TEN, [200.0]))
    store.write(minutes("a", TEN, [90.0], Lane.BACKFILL, n=20))
    with store.reader() as connection:
        by_minute = read.trend(connection, "a", TEN, TEN + 2 * MINUTE, MINUTE)
        assert rate_of(by_minute) == [
            (TEN, 30, 80.0, 55.0, 95.0),
            (TEN + MINUTE, 10, 61.0, 56.0, 66.0),
        ]
        assert {r.code for r in by_minute} == {mdc.HEART_RATE, mdc.RESP_RATE}
        # Buckets begin where one asks, and the last is whole.
        since = TEN + 10 * MINUTE
        assert rate_of(read.trend(connection, "a", since, since + 31 * MINUTE, 30 * MINUTE)) == [
            (since, 300, 84.5, 65.0, 104.0),
            (since + 30 * MINUTE, 300, 114.5, 95.0, 134.0),
        ]
        assert read.trend(connection, "a", TEN - HOUR, TEN, MINUTE) == []
        with pytest.raises(psycopg.Error):
            read.trend(connection, "a", TEN, TEN + HOUR, timedelta(0))


@pytest.mark.parametrize("are_made", [False, True])
def test_whole_hours_come_from_hours(store: Store, are_made: bool) -> None:
    """And say the same as the minutes, which an hour that begins elsewhere is made of."""
    store.write(minutes("a", TEN, [60.0 + i for i in range(150)]))
    if are_made:
        with connect(store.url, role="ecg_housekeeping", autocommit=True) as connection:
            keep_house(connection, Settings(), lambda _: None, now=TEN + DAY)
        with connect(store.url, autocommit=True) as owner:
            owner.execute("DELETE FROM ecg.trend")
    with store.reader() as connection:
        hourly = rate_of(read.trend(connection, "a", TEN, TEN + 150 * MINUTE, HOUR))
        assert hourly == [
            (TEN, 600, 89.5, 55.0, 124.0),
            (TEN + HOUR, 600, 149.5, 115.0, 184.0),
            (TEN + 2 * HOUR, 300, 194.5, 175.0, 214.0),
        ]
        two = rate_of(read.trend(connection, "a", TEN, TEN + HOUR, 2 * HOUR))
        assert two == [(TEN, 1200, 119.5, 55.0, 184.0)]
        shifted = rate_of(read.trend(connection, "a", TEN + MINUTE, TEN + HOUR, HOUR))
        assert shifted == ([] if are_made else [(TEN + MINUTE, 600, 90.5, 56.0, 125.0)])
