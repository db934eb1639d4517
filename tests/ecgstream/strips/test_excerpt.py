"""What is cut out of packets: the right seconds, in mV, of the right leads; what is not known stays blank."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alerts.ecg import Signal
from ecgstream.strips.excerpt import MOST_LEADS, excerpt
from schemas import mdc
from schemas.records import MISSING, PLETH_KIND, Alert, Channel, Packet
from schemas.units import COUNTS, MILLIVOLT
from tests.ecgstream.strips.published import (
    ALERT,
    GAIN,
    OFFSET,
    ONSET_S,
    RATE,
    SECOND,
    SESSION,
    packet,
    packets,
    with_evidence,
)

BEFORE_S, AFTER_S = 7.0, 3.0
BEGIN = round((ONSET_S - BEFORE_S) * RATE)
LENGTH = round((BEFORE_S + AFTER_S) * RATE) + 1


def cut(found: list[Packet], alert: Alert = ALERT) -> Signal:
    signal = excerpt(found, alert, BEFORE_S, AFTER_S)
    assert signal is not None
    return signal


def expected(lead: int = 0) -> np.ndarray:
    return (np.arange(BEGIN, BEGIN + LENGTH) + 100 * lead - OFFSET) / GAIN


def test_it_is_the_signal_from_before_the_onset_to_behind_it_in_millivolts() -> None:
    signal = cut(packets())
    assert (signal.leads, signal.rate_hz) == (("I", "II"), RATE)
    assert signal.start_ns == ALERT.onset_ns - round(BEFORE_S * SECOND)
    np.testing.assert_allclose(signal.mv, [expected(0), expected(1)])


def test_packets_may_come_in_any_order_and_twice() -> None:
    found = packets()
    shuffled = [found[i] for i in np.random.default_rng(1).permutation([*range(40), *range(40)])]
    np.testing.assert_array_equal(cut(shuffled).mv, cut(found).mv)


def test_a_packet_that_is_missing_and_what_is_missing_in_one_is_a_gap() -> None:
    holed = packet(19)
    holed.channels[0].samples[50:60] = MISSING
    mv = cut([*packets([*range(17), 18]), holed, *packets(range(20, 40))]).mv
    missing = np.zeros((2, LENGTH), bool)
    missing[:, 17 * RATE - BEGIN : 18 * RATE - BEGIN] = True
    missing[0, 19 * RATE + 50 - BEGIN : 19 * RATE + 60 - BEGIN] = True
    np.testing.assert_array_equal(np.isnan(mv), missing)
    np.testing.assert_allclose(mv[0][~missing[0]], expected()[~missing[0]])


def test_a_packet_that_came_again_with_less_takes_nothing_away() -> None:
    poorer = packet(19)
    poorer.channels[1].samples[:] = MISSING
    np.testing.assert_allclose(cut([*packets(), poorer]).mv[1], expected(1))


def test_what_is_not_published_yet_is_blank() -> None:
    mv = cut(packets(range(22))).mv
    assert np.isfinite(mv[:, : 22 * RATE - BEGIN]).all()
    assert np.isnan(mv[:, 22 * RATE - BEGIN :]).all()


def test_of_an_electrode_that_is_off_nothing_is_shown() -> None:
    found = packets()
    for one in found:
        one.channels[0].lead_off = one.first_sample >= ONSET_S * RATE
    mv = cut(found).mv
    assert np.isnan(mv[0, round(BEFORE_S * RATE) :]).all()
    assert np.isfinite(mv[1]).all()


def test_another_session_counts_anew_and_is_not_shown() -> None:
    other = packets(session=SESSION + 1, leads=1)
    np.testing.assert_allclose(cut([*other, *packets()]).mv, [expected(0), expected(1)])
    assert excerpt(other, ALERT, BEFORE_S, AFTER_S) is None


@pytest.mark.parametrize("found", [[], packets(range(5)), packets(channels=packet(0).channels[:0])])
def test_where_nothing_is_known_there_is_none(found: list[Packet]) -> None:
    assert excerpt(found, ALERT, BEFORE_S, AFTER_S) is None


def test_a_packet_of_another_layout_is_left_out() -> None:
    odd = packet(19, leads=1)
    assert np.isfinite(cut([*packets(), odd]).mv).all()
    mv = cut([*packets([n for n in range(40) if n != 19]), odd]).mv
    assert np.isnan(mv).sum() == 2 * RATE


def test_samples_count_at_the_rate_of_channel_0_whatever_that_is() -> None:
    found = packets()
    for one in found:
        pleth = Channel(mdc.PLETH, PLETH_KIND, COUNTS, RATE / 2, 1.0, np.zeros(RATE // 2, np.int16))
        one.channels.insert(0, pleth)
        one.first_sample //= 2
    np.testing.assert_allclose(cut(found).mv, [expected(0), expected(1)])


def test_leads_are_those_at_the_rate_of_the_first_and_in_millivolts() -> None:
    """As the detectors number them, whose evidence names them by number."""
    found = packets(leads=3)
    for one in found:
        one.channels[1].unit = MILLIVOLT + 1
        one.channels.insert(1, replace(one.channels[0], rate=RATE / 2, samples=np.zeros(125, np.int16)))
    signal = cut(found, with_evidence(quality_lead_1=0.0, quality_lead_2=0.9))
    assert signal.leads == ("V5",)
    np.testing.assert_allclose(signal.mv, [expected(2)])


@pytest.mark.parametrize(
    ("evidence", "shown"),
    [
        (
            {"quality_lead_1": 0.1, "quality_lead_2": 0.0, "quality_lead_3": 1.0, "quality_lead_4": 0.5},
            "I V5 V1",
        ),
        ({f"quality_lead_{n}": 0.9 for n in range(1, 5)}, "I II V5"),
        ({f"quality_lead_{n}": 0.9 for n in range(1, 5)} | {"lead": 4.0}, "V1 I II"),
        ({"quality_lead_3": 0.9}, "V5"),
        ({"spo2_percent": 80.0}, "I II V5"),
        ({f"quality_lead_{n}": 0.0 for n in range(1, 5)}, ""),
    ],
)
def test_the_leads_that_can_be_read_are_shown_and_no_more_than_fit(
    evidence: dict[str, float], shown: str
) -> None:
    signal = excerpt(packets(leads=4), with_evidence(**evidence), BEFORE_S, AFTER_S)
    assert (signal.leads if signal else ()) == tuple(shown.split())
    assert len(shown.split()) <= MOST_LEADS


def test_an_onset_between_two_samples_and_a_clock_that_was_set_keep_sample_and_time_together() -> None:
    alert = replace(ALERT, onset_ns=ALERT.onset_ns + 1_500_000)
    found = packets()
    for one in found[30:]:
        one.start_ns += 3600 * SECOND
    signal = cut(found, alert)
    assert signal.start_ns == SESSION + (BEGIN + 1) * SECOND // RATE
    np.testing.assert_allclose(signal.mv[0], expected() + 1 / GAIN)
