"""What is measured of ECGs whose intervals are known, and what is not."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.sheet import Lead
from ecgstream.evaluate.played import play
from ecgstream.registry.errors import RegistryError
from ecgstream.reports.material import RhythmSpan
from ecgstream.reports.resting.content import Resting, compute
from ecgstream.reports.resting.leads import NAMES, SECONDS, twelve
from tests.ecgstream.reports.resting.made_of import LEADS, Beat, signal
from tests.ecgstream.reports.resting.made_of_report import recorded, report

# The greatest mean errors that IEC 60601-2-25 (201.12.4) grants on ECGs of the CSE set; of T the tangent ends
# ahead of where a bow does.
PR_MS, P_MS, QRS_MS, QT_MS = 10, 15, 10, 25


def values(one: Resting) -> dict[str, float | None]:
    return {field.name: getattr(one.measured, field.name).value for field in fields(one.measured)}


def whys(one: Resting) -> dict[str, str]:
    return {field.name: getattr(one.measured, field.name).why for field in fields(one.measured)}


def near(one: Resting, beat: Beat) -> None:
    found = one.measured
    assert found.p_ms.value == pytest.approx(beat.p, abs=P_MS)
    assert found.pr_ms.value == pytest.approx(beat.pr, abs=PR_MS)
    assert found.qrs_ms.value == pytest.approx(beat.qrs, abs=QRS_MS)
    assert found.qt_ms.value == pytest.approx(beat.qt, abs=QT_MS)


@pytest.mark.parametrize("rate", [250, 257.3, 500, 1000])
@pytest.mark.parametrize("wander_mv", [0.0, 0.3])
@pytest.mark.parametrize(
    ("beat", "rr_s"),
    [
        (Beat(), 1.0),
        (Beat(p=90, pr=130, qrs=80, qt=320), 0.5),
        (Beat(p=110, pr=240, qrs=140, qt=440), 0.9),
        (Beat(p=80, pr=110, qrs=80, qt=280), 0.4),
        (Beat(qt=520), 1.1),
    ],
)
def test_intervals_are_those_that_the_ecg_was_made_with(
    beat: Beat, rr_s: float, rate: float, wander_mv: float
) -> None:
    one = report(beat, rr_s, rate=rate, wander_mv=wander_mv)
    near(one, beat)
    assert one.measured.heart_rate_bpm.value == pytest.approx(60 / rr_s, rel=0.01)
    qt, rr = one.measured.qt_ms.value, one.measured.rr_ms.value
    assert qt is not None
    assert rr is not None
    assert one.measured.qtc_bazett_ms.value == pytest.approx(qt / (rr / 1000) ** 0.5)
    assert one.measured.qtc_fridericia_ms.value == pytest.approx(qt / (rr / 1000) ** (1 / 3))


@settings(max_examples=40, deadline=None)
@given(
    p=st.integers(80, 110),  # of a longer bow more is flat
    segment=st.integers(40, 100),
    qrs=st.integers(70, 150),
    st_t=st.integers(230, 330),
    rr_s=st.floats(0.75, 1.2),
)
def test_whatever_the_intervals_are(p: int, segment: int, qrs: int, st_t: int, rr_s: float) -> None:
    beat = Beat(p=p, pr=p + segment, qrs=qrs, qt=qrs + st_t)
    near(report(beat, rr_s, noise_mv=0.005), beat)


@settings(max_examples=30, deadline=None)
@given(degrees=st.floats(-179, 179))
def test_axes_are_where_the_vector_points(degrees: float) -> None:
    left, down = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    made = signal(Beat(), np.arange(0.45, 9.9, 0.83), 500)
    made[0], made[1] = made[7] * left, made[7] * (left / 2 + down * np.sqrt(3) / 2)
    one = report(instead=made).measured
    for axis in (one.p_axis_deg, one.qrs_axis_deg, one.t_axis_deg):
        assert axis.value is not None
        assert (axis.value - degrees + 180) % 360 - 180 == pytest.approx(0, abs=2)


def test_what_points_as_much_one_way_as_the_other_has_no_axis() -> None:
    made = signal(Beat(), np.arange(0.45, 9.9, 0.83), 500)
    time_s = np.arange(5000) / 500
    made[:2] = 0
    for begin in np.arange(0.45, 9.9, 0.83):
        inside = (time_s >= begin) & (time_s < begin + 0.09)
        made[:2, inside] = np.sin(2 * np.pi * (time_s[inside] - begin) / 0.09)
    assert report(instead=made).measured.qrs_axis_deg.why == "as much one way as the other"


def test_leads_that_are_not_stored_follow_from_i_and_ii() -> None:
    rng = np.random.default_rng(1)
    time_s, mv = np.arange(5000) / 500, rng.standard_normal((8, 5000))
    found = twelve(
        [Lead(n, time_s, row) for n, row in zip(LEADS, mv, strict=True)], dict.fromkeys(LEADS, 500.0)
    )
    assert found.derived == {"III", "aVR", "aVL", "aVF"}
    assert found.whole == set(NAMES)
    assert np.allclose(found.lead("I") + found.lead("III"), found.lead("II"))  # Einthoven
    assert np.allclose(found.lead("aVR") + found.lead("aVL") + found.lead("aVF"), 0)  # Goldberger
    all_stored = [Lead(name, time_s, np.full(5000, float(n))) for n, name in enumerate(NAMES)]
    as_they_are = twelve(all_stored, dict.fromkeys(NAMES, 500.0))
    assert not as_they_are.derived
    assert as_they_are.lead("aVF")[0] == NAMES.index("aVF")


def test_st_is_told_where_the_high_pass_allows_it() -> None:
    made = signal(Beat(), np.arange(0.45, 9.9, 0.83), 500)
    time_s = np.arange(5000) / 500
    for begin in np.arange(0.45, 9.9, 0.83):
        made[3, (time_s >= begin + 0.08) & (time_s < begin + 0.2)] += 0.2
    one = {lead.name: lead for lead in report(instead=made).leads}
    assert one["V2"].st_60_mv == pytest.approx(0.2, abs=0.02)
    assert one["V5"].st_80_mv == pytest.approx(0.0, abs=0.02)
    assert one["V4"].r_mv == pytest.approx(1.6, abs=0.05)
    for high_pass, why in ((0.5, "is 0.5 Hz, above 0.05 Hz"), (None, "not stated")):
        lead = {lead.name: lead for lead in report(instead=made, high_pass=high_pass).leads}["V2"]
        assert (lead.st_j_mv, lead.st_60_mv, lead.st_80_mv) == (None, None, None)
        assert why in lead.why_no_st
        assert lead.r_mv is not None


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"rhythm": "P"}, "paced rhythm"),
        ({"code": "/"}, "paced rhythm"),
        ({"rhythm": "VT"}, "ventricular tachycardia"),
        ({"rhythm": "NOISE"}, "noise"),
        ({"code": "NVV"}, "most beats are not normal"),
        ({"code": ""}, "no beats found"),
        ({"rr_s": 5.0}, "fewer than 3 whole normal beats"),
        ({"rate": 125}, "sampled below 250 Hz"),
        ({"off": {name: slice(0, 900) for name in ("V1", "V2", "V3")}}, "too few leads are whole"),
    ],
)
def test_what_cannot_be_measured_is_said_and_not_guessed(how: dict[str, object], why: str) -> None:
    one = recorded(**how)  # type: ignore[arg-type]
    if not one.code:
        one = replace(one, beat_s=np.empty(0))
    found = compute(one)
    given_none = set(values(found)) - {"heart_rate_bpm", "rr_ms"}
    assert {values(found)[name] for name in given_none} == {None}
    assert {whys(found)[name] for name in given_none} == {why}
    assert all(lead.r_mv is None and lead.st_60_mv is None for lead in found.leads)


def test_in_noise_nothing_is_measured() -> None:
    rng = np.random.default_rng(2)
    found = report(instead=0.3 * rng.standard_normal((8, 5000)))
    assert whys(found)["qrs_ms"] == whys(found)["pr_ms"] == "beats differ too much (noise)"


def test_without_a_p_wave_there_is_no_pr() -> None:
    found = report(Beat(p=0))
    assert whys(found)["p_ms"] == whys(found)["pr_ms"] == whys(found)["p_axis_deg"] == "no clear P wave"
    assert found.measured.qrs_ms.value is not None


@pytest.mark.parametrize("seed", range(5))
def test_fibrillation_has_no_p_wave_told_or_not(seed: int) -> None:
    rng = np.random.default_rng(seed)
    begins_s = 0.4 + np.cumsum(rng.uniform(0.5, 1.1, 20))
    begins_s = begins_s[begins_s < 9.7]
    time_s = np.arange(5000) / 500
    waves = 0.08 * np.sin(2 * np.pi * 6.3 * time_s + 1.5 * np.cumsum(rng.standard_normal(5000)) / 20)
    made = signal(Beat(p=0), begins_s, 500) + waves * rng.uniform(0.2, 1, (8, 1))
    one = replace(recorded(instead=made), beat_s=begins_s + 0.045, code="N" * begins_s.size)
    assert whys(compute(one))["pr_ms"] in ("no clear P wave", "P waves differ from beat to beat")
    told = replace(one, rhythms=(RhythmSpan("AFIB", *one.asked),))
    found = compute(told)
    assert whys(found)["pr_ms"] == whys(found)["p_axis_deg"] == "atrial fibrillation"
    assert found.measured.qrs_ms.value == pytest.approx(90, abs=15)


def test_a_lead_that_is_off_is_left_out_of_what_is_measured() -> None:
    found = report(off={"V3": slice(1000, 2000)})
    near(found, Beat())
    v3 = next(lead for lead in found.leads if lead.name == "V3")
    assert (v3.whole, v3.r_mv, v3.why_no_st) == (False, None, "the lead is not whole")
    without_i = report(off={"I": slice(1000, 2000)})
    assert {lead.name for lead in without_i.leads if not lead.whole} == {"I", "III", "aVR", "aVL", "aVF"}
    assert whys(without_i)["qrs_axis_deg"] == "lead I or II is not whole"
    near(without_i, Beat())


def test_what_is_no_resting_ecg_is_refused() -> None:
    time_s, zeros = np.arange(5000) / 500, np.zeros(5000)
    all_leads = [Lead(name, time_s, zeros) for name in LEADS]
    rates = dict.fromkeys(LEADS, 500.0)
    with pytest.raises(RegistryError, match="no ECG is stored"):
        twelve([], {})
    with pytest.raises(RegistryError, match="nothing of V4, V6"):
        twelve([lead for lead in all_leads if lead.name not in ("V4", "V6")], rates)
    with pytest.raises(RegistryError, match="different rates"):
        twelve(all_leads, rates | {"V1": 250.0})
    with pytest.raises(RegistryError, match=r"no lead more than 6\.4 s"):
        twelve([lead._replace(time_s=lead.time_s[:3200], mv=lead.mv[:3200]) for lead in all_leads], rates)
    assert SECONDS == 10


def test_the_beats_that_the_detectors_find_in_ten_seconds_are_enough(tmp_path: Path) -> None:
    wfdb = pytest.importorskip("wfdb")
    one = recorded(noise_mv=0.01)
    mv = np.stack([one.twelve.lead(name) for name in LEADS])
    how = {"fs": 500, "units": ["mV"] * 8, "sig_name": list(LEADS), "fmt": ["16"] * 8}
    wfdb.wrsamp("r", p_signal=mv.T, adc_gain=[1000.0] * 8, baseline=[0] * 8, write_dir=str(tmp_path), **how)
    played = play(tmp_path / "r.hea")
    found = compute(replace(one, beat_s=played.beats["sample"] / played.rate, code="N" * len(played.beats)))
    assert set(played.beats["code"]) <= {b"N", ord("N"), "N"}
    near(found, Beat())
    assert found.measured.heart_rate_bpm.value == pytest.approx(60 / 0.83, rel=0.01)


def test_flat_leads_have_no_measurements() -> None:
    found = report(instead=np.zeros((8, 5000)))
    assert {values(found)[name] for name in ("qrs_ms", "qt_ms", "pr_ms", "qrs_axis_deg")} == {None}
