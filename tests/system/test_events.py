"""Segments, alerts, conditions, minutes of two lanes: the newest holds, in any order, cut and repetition."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ecgstream.store import rows
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from ecgstream.store.rows import Rows
from ecgstream.store.writer import Writer
from schemas import mdc, topics
from schemas.codec import encode
from schemas.records import Alert, AlertState, Condition, Lane, Phase, Segment, Start
from tests.system import made
from tests.system.made import SECOND, SESSION
from tests.system.people import person

DEVICE = "dev-1"


@pytest.fixture
def url(database_url: str) -> str:
    migrate(database_url)
    return database_url


@pytest.fixture
def writer(url: str) -> Iterator[Writer]:
    with closing(Writer(connect(url, role="ecg_sink"))) as found:
        yield found


def of(record: Alert | Condition | Segment) -> Rows:
    topic = {Alert: topics.ALERTS, Condition: topics.CONDITIONS, Segment: topics.SEGMENTS}[type(record)]
    return rows.OF[topic.name](encode(record))


def cuts(words: Sequence[Rows], chance: random.Random) -> Iterator[list[Rows]]:
    """Yield the words in groups, of which each is written at once."""
    left = list(words)
    while left:
        n = chance.randint(1, len(left))
        yield left[:n]
        left = left[n:]


def ends(url: str, writer: Writer, table: str, columns: str, words: Sequence[Rows]) -> set[Any]:
    """Write the words in every order, cut by chance; return how the table's only row ends."""
    found = set()
    chance = random.Random(1)  # noqa: S311 - no secret
    with connect(url, autocommit=True) as reader:
        for order in itertools.permutations(words):
            reader.execute(f"TRUNCATE ecg.{table}")  # type: ignore[arg-type]
            for group in cuts([*order, chance.choice(order)], chance):
                writer.write(group, ())
            query = f"SELECT {columns} FROM ecg.{table}"  # noqa: S608
            (row,) = reader.execute(query).fetchall()  # type: ignore[arg-type]
            found.add(row)
    return found


def seen(url: str, query: str) -> list[Any]:
    """Return what a clinic at the root sees, to whom devices belong that nobody has enrolled."""
    with connect(url, autocommit=True) as owner:
        for device in (DEVICE, "dev-2"):
            owner.execute("INSERT INTO ecg.device VALUES (%s, 'g', 1, 1, 1)", (device,))
    with connect(url, role=person(url, "clinic")) as reader:
        return reader.execute(query).fetchall()  # type: ignore[arg-type]


def test_an_end_that_is_known_stays_known(url: str, writer: Writer) -> None:
    """A worker that was killed behind the end of a segment tells its beginning anew, and later its end."""
    begun = made.segment(DEVICE, offset=10)
    over = {"to_sample": 1000, "to_ns": SESSION + 4 * SECOND, "offset": 20}
    ended = replace(begun, **over)
    again = replace(begun, generation=2, start=Start.RESTORED)
    told = [of(begun), of(ended), of(again)]
    columns = "to_sample, to_ns, start, generation, source_offset"
    known = (1000, SESSION + 4 * SECOND, "RESTORED")
    assert ends(url, writer, "segment", columns, told) == {(*known, 2, 10)}
    told.append(of(replace(again, **over)))
    assert ends(url, writer, "segment", columns, told) == {(*known, 2, 20)}


def test_of_two_ends_the_newer_ones_holds(url: str, writer: Writer) -> None:
    begun = made.segment(DEVICE, offset=10)
    ended = replace(begun, to_sample=900, to_ns=1, offset=20)
    newer = replace(begun, to_sample=1000, to_ns=2, offset=20, generation=2)
    told = [of(begun), of(newer), of(ended)]
    assert ends(url, writer, "segment", "to_sample, to_ns", told) == {(1000, 2)}


def test_segments_are_told_apart(url: str, writer: Writer) -> None:
    first = made.segment(DEVICE, to_sample=15_000, to_ns=SESSION + 60 * SECOND)
    late = replace(first, lane=Lane.BACKFILL, from_sample=15_000, start=Start.RESTORED)
    live = replace(first, from_sample=90_000, to_sample=None, to_ns=None)
    other = replace(first, device="dev-2", settings='{"category": "NEONATE", "limits": [[147842, 90, null]]}')
    writer.write([of(s) for s in (first, late, live, other)], ())
    found = seen(
        url,
        "SELECT device, lane, from_sample, to_sample, ended IS NULL, start, settings->>'category'"
        " FROM api.segments ORDER BY 1, 3",
    )
    assert found == [
        ("dev-1", "LIVE", 0, 15_000, False, "COLD", "ADULT"),
        ("dev-1", "BACKFILL", 15_000, 15_000, False, "RESTORED", "ADULT"),
        ("dev-1", "LIVE", 90_000, None, True, "COLD", "ADULT"),
        ("dev-2", "LIVE", 0, 15_000, False, "COLD", "NEONATE"),
    ]


def test_what_is_acknowledged_stays_so_whatever_the_pagers_clocks_say(url: str, writer: Writer) -> None:
    raised = made.alert(DEVICE, AlertState.ACTIVE, 5, 100)
    latched = made.alert(DEVICE, AlertState.LATCHED, 7, 300)
    # By a pager that took over, on a machine whose clock is behind; no condition came since.
    acknowledged = replace(
        made.alert(DEVICE, AlertState.ENDED, 7, 250), acknowledged_ns=250, acknowledged_by="li", reason="seen"
    )
    stale = made.alert(DEVICE, AlertState.ACTIVE, 6, 900)  # of the paused one
    columns = "state, acknowledged_ns, acknowledged_by, reason, source_offset, updated_ns"
    told = [of(a) for a in (raised, latched, acknowledged, stale)]
    assert ends(url, writer, "alert", columns, told) == {("ENDED", 250, "li", "seen", 7, 250)}
    query = "SELECT acknowledged, acknowledged_by, reason FROM api.alerts"
    assert seen(url, query) == [(datetime.fromtimestamp(0, UTC), "li", "seen")]


def test_a_condition_shows_the_lane_in_which_it_was_found(url: str, writer: Writer) -> None:
    onset, end = (made.condition(DEVICE, phase, at) for phase, at in ((Phase.ONSET, 2000), (Phase.END, 2500)))
    late = [of(replace(c, lane=Lane.BACKFILL)) for c in (onset, end)]
    assert ends(url, writer, "condition", "lane, phase, decided_sample", late) == {("BACKFILL", "END", 2000)}


def test_a_minute_of_both_lanes_is_one(url: str, writer: Writer) -> None:
    """Live from half the minute on; the half before comes from the backlog."""
    live = made.trend(DEVICE, 60.0)
    numbers = {"n": 3 * live.n, "mean": 90 + 0 * live.mean, "low": 85 + 0 * live.low}
    late = replace(live, lane=Lane.BACKFILL, offset=live.offset * 7, **numbers)
    words = [rows.OF[topics.TRENDS.name](batch.encode()) for batch in (live, late)]
    for word in [*words, *reversed(words)]:
        writer.write([word], ())
    minute = int(live.minute_ns[0])
    found = seen(url, "SELECT session, code, minute_ns, n, mean, low, high, version FROM api.trends")
    assert found == [(SESSION, mdc.HEART_RATE, minute, 36, 82.5, 60.0, 80.0, "1")]


def test_a_minute_without_a_number_has_none(url: str, writer: Writer) -> None:
    one = made.trend(DEVICE, float("nan"))
    nothing = replace(one, low=one.mean, high=one.mean, n=0 * one.n)
    writer.write([rows.OF[topics.TRENDS.name](nothing.encode())], ())
    assert seen(url, "SELECT n, mean, low, high FROM api.trends") == [(0, None, None, None)]
