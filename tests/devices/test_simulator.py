"""The simulated ward: the same every time, and each trouble really there."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from devices.simulator import WARD, Bed, simulate, ward
from devices.source import Source, Wave
from devices.trouble import SPO2_LOW_BELOW, Kind, Trouble
from schemas import mdc
from schemas.conditions import Code
from schemas.records import MISSING, PLETH_KIND, RESPIRATION_KIND, Packet, Vital

pytest.importorskip("neurokit2")

START_NS = 10**18


@pytest.fixture(scope="module")
def beds() -> dict[str, Source]:
    return {s.device: s for s in ward()}


def value(wave: Wave, begin_s: float, end_s: float) -> NDArray[np.float64]:
    part = wave.samples[round(begin_s * wave.rate) : round(end_s * wave.rate)]
    return (part - wave.offset) / wave.gain


def swing(wave: Wave, begin_s: float, end_s: float) -> float:
    return float(np.ptp(value(wave, begin_s, end_s)))


def numbers(source: Source, code: int) -> dict[float, float]:
    return {n.at_s: n.value for s in source.sessions for n in s.numbers if n.code == code}


def test_the_ward_shows_the_range_and_says_that_it_is_simulated(beds: dict[str, Source]) -> None:
    assert len(beds) == 7
    assert {b.rate for b in WARD} >= {100, 1000}
    assert {len(b.leads) for b in WARD} >= {1, 12}
    kinds = {w.kind for s in beds.values() for w in s.sessions[0].waves}
    assert {PLETH_KIND, RESPIRATION_KIND} <= kinds
    for source in beds.values():
        assert source.simulated
        assert source.device.startswith("sim-")
        assert source.label.startswith("SIMULATED")
        assert source.duration_s == 300
        for wave in source.sessions[0].waves:
            assert wave.samples.min() > MISSING


def test_each_trouble_is_expected_and_all_kinds_are_there(beds: dict[str, Source]) -> None:
    expected = [e for s in beds.values() for e in s.expected]
    assert {e.trouble for e in expected} == {k.value for k in Kind}
    assert {c for e in expected for c in e.codes} == {
        Code[n].name
        for n in (
            "ASYSTOLE",
            "VENTRICULAR_TACHYCARDIA",
            "SPO2_LOW",
            "LEAD_OFF",
            "ALL_LEADS_OFF",
            "LINK_LOST",
            "DEVICE_RESTARTED",
        )
    }


def test_it_is_the_same_every_time(beds: dict[str, Source]) -> None:
    for source in ward():
        for a, b in zip(source.sessions, beds[source.device].sessions, strict=True):
            np.testing.assert_array_equal([n.value for n in a.numbers], [n.value for n in b.numbers])
            for x, y in zip(a.waves, b.waves, strict=True):
                np.testing.assert_array_equal(x.samples, y.samples)
    other = simulate(WARD[0], duration_s=10, seed=2)
    assert not np.array_equal(
        other.sessions[0].waves[0].samples, beds["sim-02"].sessions[0].waves[0].samples[:2500]
    )


def test_asystole_is_flat_but_alive(beds: dict[str, Source]) -> None:
    ii, v1, pleth = beds["sim-02"].sessions[0].waves
    for wave in (ii, v1):
        assert swing(wave, 110, 118) > 0.8
        assert swing(wave, 121, 132) < 0.3
        high = np.diff(value(wave, 121, 132))
        assert 0.001 < high.std() < 0.02
        assert swing(wave, 135, 145) > 0.8
    assert swing(pleth, 122, 132) < 0.15 < swing(pleth, 110, 118)
    assert numbers(beds["sim-02"], mdc.HEART_RATE)[128.0] == 0
    assert math.isnan(numbers(beds["sim-02"], mdc.SPO2)[128.0])


def test_the_run_of_vt_is_fast_wide_and_on_all_leads(beds: dict[str, Source]) -> None:
    waves = {w.name: w for w in beds["sim-03"].sessions[0].waves}
    assert len(waves) == 12
    v1 = value(waves["V1"], 150.5, 161)
    spectrum = np.abs(np.fft.rfft(v1 - v1.mean()))
    assert np.fft.rfftfreq(v1.size, 1 / 500)[spectrum.argmax()] * 60 == pytest.approx(180, abs=6)
    upper = v1 > v1.max() / 2
    assert 0.06 < upper.mean() * 60 / 180 < 0.12  # s at half height; a narrow complex has some 0.03
    for wave in waves.values():
        assert swing(wave, 151, 161) > 0.4
    assert numbers(beds["sim-03"], mdc.HEART_RATE)[158.0] == pytest.approx(180, abs=3)
    assert numbers(beds["sim-03"], mdc.HEART_RATE)[100.0] == pytest.approx(80, abs=8)


def test_the_limb_leads_obey_einthoven(beds: dict[str, Source]) -> None:
    waves = {w.name: w for w in beds["sim-03"].sessions[0].waves}
    one, two, three = (value(waves[n], 10, 20) for n in ("I", "II", "III"))
    np.testing.assert_allclose(three, two - one, atol=1.5 / 400)  # rounded three times


def test_spo2_falls_from_97_to_84_and_stays(beds: dict[str, Source]) -> None:
    spo2 = numbers(beds["sim-04"], mdc.SPO2)
    assert (spo2[60.0], spo2[141.0], spo2[300.0]) == (97, 84, 84)
    [expected] = beds["sim-04"].expected
    below = min(s for s, v in spo2.items() if v < SPO2_LOW_BELOW)
    assert abs(below - expected.onset_s) < 4


def test_leads_come_off_and_say_so(beds: dict[str, Source]) -> None:
    packets = [e.item for e in beds["sim-05"].emissions(START_NS) if isinstance(e.item, Packet)]
    off = [[c.lead_off for c in p.channels] for p in packets]
    assert [i for i, o in enumerate(off) if o == [False, False, True]] == list(range(100, 160))
    assert all(o == [False] * 3 for i, o in enumerate(off) if not 100 <= i < 160)
    packets = [e.item for e in beds["sim-06"].emissions(START_NS) if isinstance(e.item, Packet)]
    all_off = [i for i, p in enumerate(packets) if all(c.lead_off for c in p.channels if c.kind == 0)]
    assert all_off == list(range(130, 155))
    assert math.isnan(numbers(beds["sim-06"], mdc.HEART_RATE)[140.0])


def test_a_lost_link_leaves_a_gap_in_samples_but_none_in_seq(beds: dict[str, Source]) -> None:
    emitted = list(beds["sim-07"].emissions(START_NS))
    packets = [e.item for e in emitted if isinstance(e.item, Packet)]
    assert [p.seq for p in packets] == list(range(275))
    assert {p.session for p in packets} == {START_NS}
    assert [p.first_sample for p in packets[139:141]] == [139 * 360, 165 * 360]
    assert not any(140 < e.at_s < 165 for e in emitted)


def test_a_reboot_is_a_new_session_that_loses_nothing_but_the_time_between(beds: dict[str, Source]) -> None:
    emitted = list(beds["sim-08"].emissions(START_NS))
    packets = [e.item for e in emitted if isinstance(e.item, Packet)]
    sessions = sorted({p.session for p in packets})
    assert sessions == [START_NS, START_NS + 185 * 10**9]
    assert [len([p for p in packets if p.session == s]) for s in sessions] == [180, 115]
    assert packets[180].seq == packets[180].first_sample == 0
    assert packets[180].start_ns == sessions[1]
    vitals = [e.item for e in emitted if isinstance(e.item, Vital)]
    assert {v.session for v in vitals} == set(sessions)


def test_a_short_ward_expects_only_what_happens_in_it() -> None:
    bed = Bed(9, ("II",), 250, 200, 70, 14, (Trouble(Kind.VT, 5, 15), Trouble(Kind.ASYSTOLE, 50, 60)))
    source = simulate(bed, duration_s=20)
    assert [e.codes for e in source.expected] == [("VENTRICULAR_TACHYCARDIA",)]
    assert source.duration_s == 20
