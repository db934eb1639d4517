"""What is printed of a stored signal: each sample in its place, breaks, and the filters in words."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ecgstream.monitor.live.frames import Wave
from ecgstream.monitor.printed import bandwidth, leads, printed
from ecgstream.monitor.read.signal import Part
from schemas import mdc
from schemas.records import MISSING, PLETH_KIND

AT = datetime(2026, 3, 5, 8, 4, 9, tzinfo=UTC)
AT_MS = AT.timestamp() * 1000
RATE = 250.0


def wave(first: int, n: int = 2500, name: str = "II", channel: int = 0, **more: object) -> Wave:
    samples = (np.arange(first, first + n) % 1000).astype(np.int16)
    one = Wave(
        first, mdc.lead_code(name), 0, 0, is_off=False, rate=RATE, gain=200.0, offset=100.0, samples=samples
    )
    return replace(one, channel=channel, **more)  # type: ignore[arg-type]


def part(*waves: Wave, session: int = 1, origin_ms: float = AT_MS - 4000) -> Part:
    return Part(session, RATE, origin_ms, list(waves))


def test_samples_stand_where_they_were_measured_whatever_a_clock_says_in_between() -> None:
    (lead,) = leads([part(wave(1000, 1500)), part(wave(2500), origin_ms=AT_MS - 3990)], AT)
    np.testing.assert_allclose(lead.time_s, np.arange(4000) / RATE, atol=1e-6)
    np.testing.assert_allclose(lead.mv, (np.arange(1000, 5000) % 1000 - 100) / 200)


def test_a_hole_a_missing_sample_and_an_electrode_that_is_off_are_breaks() -> None:
    broken = wave(2500, 10)
    broken.samples[3] = MISSING
    (lead,) = leads([part(wave(1000, 10)), part(broken), part(wave(2510, 10, is_off=True))], AT)
    assert np.flatnonzero(np.isnan(lead.mv)).tolist() == [10, 14, *range(21, 31)]


def test_another_session_is_a_break_even_where_it_counts_on() -> None:
    (lead,) = leads([part(wave(0, 10)), part(wave(10, 10), session=2, origin_ms=AT_MS)], AT)
    assert np.flatnonzero(np.isnan(lead.mv)).tolist() == [10]


def test_leads_stand_in_their_usual_order_and_others_behind_channel_by_channel() -> None:
    names = ("V1", "II", "ECG", "ECG", "I")
    waves = [wave(0, 10, name, channel) for channel, name in enumerate(names)]
    pleth = replace(wave(0, 10), kind=PLETH_KIND)
    assert [lead.name for lead in leads([part(*waves, pleth)], AT)] == ["I", "II", "V1", "ECG", "ECG"]


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ((0.05, 150.0, math.nan), "0.05 to 150 Hz: diagnostic bandwidth"),
        ((float(np.float32(0.05)), 250.0, 50.0), "0.05 to 250 Hz, notch 50 Hz: diagnostic bandwidth"),
        ((0.5, 150.0, 0.0), "0.5 to 150 Hz: monitoring bandwidth"),
        ((0.05, 40.0, math.nan), "0.05 to 40 Hz: monitoring bandwidth"),
        ((math.nan, 40.0, 60.0), "filters not known, notch 60 Hz"),
    ],
)
def test_the_bandwidth_is_said_where_it_is_known(filters: tuple[float, ...], said: str) -> None:
    one = wave(0, 10)
    high, low, notch = filters
    told = replace(one, high_pass=high, low_pass=low, notch=notch)
    assert bandwidth([told, told]) == said
    assert bandwidth([told, replace(one, high_pass=1.0, low_pass=30.0)]).startswith("filters differ: ")


def test_it_prints() -> None:
    pdf = printed(
        [part(wave(1000))], AT, patient="p-1", device="d", account="li", zone="Asia/Shanghai", twelve=True
    )
    assert pdf.startswith(b"%PDF")
    assert printed(
        [part(wave(0), origin_ms=(AT + timedelta(hours=1)).timestamp() * 1000)],
        AT,
        patient="p",
        device="d",
        account="li",
        zone="UTC",
        twelve=False,
    )
