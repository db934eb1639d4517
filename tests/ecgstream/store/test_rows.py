"""What a bundle tells of its devices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgstream.store import events, tables
from ecgstream.store.rows import OF, of_bundle, of_control
from ecgstream.store.tables import Row
from schemas import mdc, topics
from schemas.batches import Trends
from schemas.bundle import Bundle
from schemas.codec import encode
from schemas.errors import BadRecordError
from schemas.records import (
    Association,
    Channel,
    ClockCorrection,
    Control,
    Lane,
    Packet,
    Segment,
    Start,
    Vital,
)

MILLISECOND = 1_000_000
SECOND = 1000 * MILLISECOND
CREATED = 50 * SECOND


def packet(device: str, start_ns: int, received_ns: int, *rates: float, session: int = 1) -> Packet:
    channels = [Channel(mdc.LEADS["II"], 0, 0, rate, 200.0, np.zeros(int(rate), np.int16)) for rate in rates]
    return Packet(device, session, 0, 0, start_ns, received_ns, channels)


def devices(packets: list[Packet], vitals: list[Vital]) -> list[Row]:
    return of_bundle(Bundle.of("gw-1", 0, CREATED, packets, vitals), 7)[tables.DEVICE]


def test_the_skew_is_that_of_the_newest_packet_at_its_end() -> None:
    packets = [
        packet("a", 0, 5 * SECOND, 100.0, 25.0),
        packet("b", 30 * SECOND, 20 * SECOND, 250.0, session=2),
        packet("a", 10 * SECOND, 12 * SECOND, 100.0),
        packet("a", 8 * SECOND, 11 * SECOND, 500.0, 100.0, 50.0),
    ]
    assert devices(packets, []) == [
        ("a", "gw-1", 1, 12 * SECOND, 12 * SECOND, -1000.0, None, None, None, None),
        ("b", "gw-1", 2, 20 * SECOND, 20 * SECOND, 11_000.0, None, None, None, None),
    ]


def test_vitals_show_a_device_too_but_not_its_clock() -> None:
    vitals = [Vital("c", 3, 4 * SECOND, mdc.SPO2, 97.0)]
    assert devices([], vitals) == [("c", "gw-1", 3, CREATED, None, None, None, None, None, None)]


def test_the_newest_charge_that_a_battery_can_have() -> None:
    told = [(3, 81.0), (5, 79.0), (4, 80.0), (6, float("nan")), (7, 255.0), (8, -1.0)]
    vitals = [Vital("c", 3, at * SECOND, mdc.BATTERY_CHARGE, percent) for at, percent in told]
    vitals.append(Vital("c", 3, 9 * SECOND, mdc.SPO2, 97.0))
    vitals.append(Vital("d", 3, 9 * SECOND, mdc.BATTERY_CHARGE, float("nan")))
    assert devices([], vitals) == [
        ("c", "gw-1", 3, CREATED, None, None, CREATED, 79.0, None, None),
        ("d", "gw-1", 3, CREATED, None, None, None, None, None, None),
    ]


@given(st.permutations([(at, start) for at in range(3) for start in range(2)]))
def test_the_order_of_packets_does_not_matter(order: list[tuple[int, int]]) -> None:
    packets = [packet("a", start, at, 100.0) for at, start in order]
    assert devices(packets, []) == [
        ("a", "gw-1", 1, 2, 2, (SECOND + 1 - 2) / MILLISECOND, None, None, None, None)
    ]


def test_a_correction_of_a_clock_is_a_row_and_the_devices_newest() -> None:
    mark = Control("i", "a", 7, 250, 5 * SECOND, "gw-1", ClockCorrection(-3 * SECOND))
    assert of_control(mark, b"as it came", 17) == {
        tables.CONTROL: [("a", 5 * SECOND, 17, "ClockCorrection", b"as it came")],
        tables.CLOCK_CORRECTION: [("a", 7, 250, 5 * SECOND, -3 * SECOND, "gw-1")],
        tables.DEVICE: [
            ("a", "gw-1", 7, 5 * SECOND, None, None, None, None, 5 * SECOND, -3 * SECOND),
        ],
    }
    other = replace(mark, change=Association("P-1"))
    row = ("a", 5 * SECOND, 18, "Association", b"it")
    assert of_control(other, b"it", 18) == {tables.CONTROL: [row]}


SEGMENT = Segment("a", 1, Lane.BACKFILL, 10, 20, None, None, Start.RESTORED, '{"paced": true}', 0, 5, 2, "9")


def test_a_segment_is_one_row() -> None:
    row = ("a", 1, "BACKFILL", 10, 20, None, None, "RESTORED", {"paced": True}, 2, 5, "9")
    assert OF[topics.SEGMENTS.name](encode(SEGMENT)) == {events.SEGMENT: [row]}


@pytest.mark.parametrize("settings", ["", "null", "[]", "{", '"x"'])
def test_settings_that_are_no_object_make_a_bad_segment(settings: str) -> None:
    with pytest.raises(BadRecordError, match="settings"):
        OF[topics.SEGMENTS.name](encode(replace(SEGMENT, settings=settings)))


@pytest.mark.parametrize(("lane", "known"), [("LIVE", True), ("BACKFILL", True), ("SIDE", False)])
def test_a_minute_is_of_a_lane_that_there_is(lane: str, known: bool) -> None:
    one = np.ones(1, np.int64)
    number = np.ones(1, np.float32)
    batch = Trends(
        0, 1, "1", ["a"], 0 * one, one, 60 * SECOND * one, one, one, number, number, number, one, lane
    )
    if not known:
        with pytest.raises(BadRecordError, match="lane"):
            OF[topics.TRENDS.name](batch.encode())
        return
    ((row,),) = OF[topics.TRENDS.name](batch.encode()).values()
    assert dict(zip(tables.TREND.columns, row, strict=True))["lane"] == lane
