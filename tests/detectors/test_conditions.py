"""Each alarm condition on a signal made for it: it begins where and when it should, and ends."""

import numpy as np
import pytest

from detectors.bank import Bank
from detectors.evidence import NAMES
from schemas import mdc, wfdb
from schemas.conditions import Code
from schemas.records import Category, Control, Limit, Limits, Settings, Vital
from tests.detectors import synthetic as syn

FS = 250


def events_of(mv, fs=FS, step_s=0.25, **more):
    signal = syn.counts(mv)
    made = syn.packets(signal, fs, range(0, signal.shape[1], int(step_s * fs)), **more)
    return syn.run(made)[1]


def with_beats(at, seconds, fs=FS):
    return syn.beats(at, seconds, fs) + syn.noise(int(seconds * fs))


def test_sinus_rhythm_raises_nothing():
    events = events_of(with_beats(syn.regular(70, 0.5, 60), 60))
    assert syn.codes(events) == []
    assert set(events.beats["code"].tolist()) == {ord("N")}
    assert events.rhythms["rhythm"].tolist() == [wfdb.UNKNOWN, wfdb.SINUS]
    assert np.allclose(events.beats["hr_bpm"][2:], 70, atol=1)


def test_asystole_begins_at_the_last_beat_and_is_told_within_5_s():
    at = [*syn.regular(75, 0.5, 20), *syn.regular(75, 30, 45)]
    events = events_of(with_beats(at, 45))
    onset = syn.phases(events, Code.ASYSTOLE, 0)
    last = max(t for t in at if t < 20)
    assert len(onset) == 1
    assert abs(onset["onset_sample"][0] / FS - last) < 0.05
    assert 4.0 <= onset["delay_s"][0] <= 4.75
    told = syn.phases(events, Code.ASYSTOLE, 1)["sample"]
    assert np.all(np.diff(told) <= 1.2 * FS)
    end = syn.phases(events, Code.ASYSTOLE, 2)
    assert 30 < end["sample"][0] / FS < 33
    assert wfdb.ASYSTOLE in events.rhythms["rhythm"]


def test_asystole_from_the_start_is_told_within_10_s():
    events = events_of(syn.noise(12 * FS))
    assert syn.phases(events, Code.ASYSTOLE, 0)["sample"][0] <= 10 * FS


def test_extreme_bradycardia():
    at = [*syn.regular(70, 0.5, 15), *syn.regular(34, 16, 40), *syn.regular(70, 41, 60)]
    events = events_of(with_beats(at, 60))
    assert len(syn.phases(events, Code.EXTREME_BRADYCARDIA, 0)) == 1
    assert len(syn.phases(events, Code.EXTREME_BRADYCARDIA, 2)) == 1
    assert Code.ASYSTOLE not in syn.codes(events)


def test_one_pause_is_no_extreme_bradycardia():
    at = [*syn.regular(70, 0.5, 20), *syn.regular(70, 23.5, 40)]
    signal = syn.counts(syn.beats(at, 40, 250) + syn.noise(10_000))
    events = syn.run(syn.packets(signal, 250))[1]
    assert Code.EXTREME_BRADYCARDIA not in syn.codes(events)


def test_extreme_tachycardia():
    at = [*syn.regular(80, 0.5, 15), *syn.regular(165, 15.3, 35), *syn.regular(80, 35.5, 55)]
    events = events_of(with_beats(at, 55))
    assert len(syn.phases(events, Code.EXTREME_TACHYCARDIA, 0)) == 1
    assert len(syn.phases(events, Code.EXTREME_TACHYCARDIA, 2)) == 1
    assert wfdb.SUPRAVENTRICULAR_TACHYCARDIA in events.rhythms["rhythm"]


def test_ventricular_tachycardia_is_told_and_is_no_fibrillation():
    normal = [*syn.regular(75, 0.5, 20), *syn.regular(75, 31, 50)]
    mv = with_beats(normal, 50) + syn.beats(syn.regular(160, 20.4, 30), 50, FS, syn.VENTRICULAR)
    events = events_of(mv)
    onset = syn.phases(events, Code.VENTRICULAR_TACHYCARDIA, 0)
    assert len(onset) == 1
    assert abs(onset["onset_sample"][0] / FS - 20.4) < 1.0  # a wave begins with a window, once a second
    assert onset["delay_s"][0] < 5
    assert len(syn.phases(events, Code.VENTRICULAR_TACHYCARDIA, 2)) == 1
    assert Code.VENTRICULAR_FIBRILLATION not in syn.codes(events)
    assert wfdb.VT in events.rhythms["rhythm"]


def test_ventricular_fibrillation():
    seconds, n = 45, 45 * FS
    t = np.arange(n) / FS
    rng = np.random.default_rng(5)
    phase = 2 * np.pi * np.cumsum(5.0 + 0.8 * np.sin(2 * np.pi * 0.4 * t) + rng.normal(0, 1, n)) / FS
    wave = (0.5 + 0.2 * np.sin(2 * np.pi * 0.31 * t)) * np.sin(phase)
    at = [*syn.regular(75, 0.5, 20), *syn.regular(75, 32.5, seconds)]
    mv = with_beats(at, seconds) + np.where((t > 20.2) & (t < 32), wave, 0.0)
    events = events_of(mv)
    onset = syn.phases(events, Code.VENTRICULAR_FIBRILLATION, 0)
    assert len(onset) == 1
    assert onset["sample"][0] / FS - 20.2 < 8
    assert len(syn.phases(events, Code.VENTRICULAR_FIBRILLATION, 2)) == 1
    assert Code.ASYSTOLE not in syn.codes(events)


@pytest.mark.parametrize(("bpm", "code"), [(45, Code.HEART_RATE_LOW), (130, Code.HEART_RATE_HIGH)])
def test_heart_rate_limits(bpm, code):
    at = [*syn.regular(80, 0.5, 15), *syn.regular(bpm, 15.5, 40), *syn.regular(80, 40.5, 60)]
    events = events_of(with_beats(at, 60))
    # The step up comes from one beat to the next: no sinus node does that.
    assert set(syn.codes(events)) - {Code.SUPRAVENTRICULAR_TACHYCARDIA} == {code}
    assert [len(syn.phases(events, code, p)) for p in (0, 2)] == [1, 1]
    assert syn.phases(events, code, 0)["delay_s"][0] < 3
    limit = syn.phases(events, code, 0)["evidence"][0][NAMES[code].index("limit_bpm")]
    assert limit == {Code.HEART_RATE_LOW: 50, Code.HEART_RATE_HIGH: 120}[code]


@pytest.mark.parametrize("bpm", range(124, 204, 8))
def test_a_high_rate_is_told_at_every_rate(bpm):
    """How beats fall between the looks at the conditions does not matter."""
    events = events_of(with_beats(syn.regular(bpm, 0.5, 20), 20))
    onset = syn.phases(events, Code.HEART_RATE_HIGH, 0)
    assert len(onset) == 1
    assert onset["sample"][0] / FS < 8
    assert len(syn.phases(events, Code.HEART_RATE_HIGH, 2)) == 0


def test_all_leads_off_is_no_asystole():
    mv = np.stack([with_beats(syn.regular(75, 0.5, 40), 40)] * 2)
    mv[:, 15 * FS : 30 * FS] = 0.0
    events = events_of(mv, off=[(0, 15 * FS, 30 * FS), (1, 15 * FS, 30 * FS)])
    assert syn.codes(events) == [Code.ALL_LEADS_OFF]
    assert [len(syn.phases(events, Code.ALL_LEADS_OFF, p)) for p in (0, 2)] == [1, 1]
    assert wfdb.NOISE in events.rhythms["rhythm"]


def test_lead_at_the_rail_is_off_without_the_device_saying_so():
    mv = np.stack([with_beats(syn.regular(75, 0.5, 30), 30)] * 2)
    mv[0, 10 * FS :] = 1000.0
    assert syn.codes(events_of(mv)) == [Code.LEAD_OFF]


def test_noise_is_said_and_is_neither_asystole_nor_fibrillation():
    mv = with_beats(syn.regular(75, 0.5, 40), 40)
    mv[15 * FS : 30 * FS] += syn.noise(15 * FS, 2.0)
    assert syn.codes(events_of(mv)) == [Code.ECG_NOISY]


def test_paced_beats_are_known_by_their_marks():
    at = syn.regular(70, 0.5, 30)
    events = events_of(with_beats(at, 30), pace=[int((r - 0.08) * FS) for r in at])
    assert set(events.beats["code"].tolist()) == {ord("/")}
    assert wfdb.PACED in events.rhythms["rhythm"]


def test_minutes_are_those_of_the_clock():
    start = syn.START_NS - syn.START_NS % 60_000_000_000 + 45_000_000_000
    events = events_of(with_beats(syn.regular(72, 0.5, 90), 90), start_ns=start)
    rate = events.trends[events.trends["code"] == mdc.HEART_RATE]
    share = events.trends[events.trends["code"] == mdc.ECG_ANALYSED]
    first = start - start % 60_000_000_000
    assert rate["minute_ns"].tolist() == [first, first + 60_000_000_000]
    assert share["n"].tolist() == [15, 60]
    assert share["mean"].tolist() == [100, 100]
    assert np.allclose(rate["mean"], 72, atol=1)


def vitals(code, values, step_s=1):
    return [Vital("d", 1, syn.START_NS + i * step_s * 10**9, code, v) for i, v in enumerate(values)]


@pytest.mark.parametrize(
    ("code", "value", "good", "condition"),
    [
        (mdc.SPO2, 85, 97, Code.SPO2_LOW),
        (mdc.RESP_RATE, 5, 15, Code.RESPIRATION_RATE_LOW),
        (mdc.RESP_RATE, 40, 15, Code.RESPIRATION_RATE_HIGH),
        (mdc.PULSE_RATE, 40, 70, Code.PULSE_RATE_LOW),
        (mdc.PULSE_RATE, 140, 70, Code.PULSE_RATE_HIGH),
        (mdc.NIBP_SYS, 70, 120, Code.NIBP_SYSTOLIC_LOW),
        (mdc.NIBP_SYS, 200, 120, Code.NIBP_SYSTOLIC_HIGH),
        (mdc.TEMPERATURE, 33, 37, Code.TEMPERATURE_LOW),
        (mdc.TEMPERATURE, 40, 37, Code.TEMPERATURE_HIGH),
    ],
)
def test_vital_limits(code, value, good, condition):
    sent = vitals(code, [good] * 10 + [value] * 20 + [good] * 10)
    events = Bank().push(syn.bundle([], sent))
    assert syn.codes(events) == [condition]
    onset = syn.phases(events, condition, 0)
    assert onset["onset_ns"].tolist() == [syn.START_NS + 10 * 10**9]
    assert onset["delay_s"][0] <= 10
    assert len(syn.phases(events, condition, 2)) == 1
    assert onset["evidence"][0][0] == value


def test_a_short_dip_is_no_alarm_and_limits_are_the_patients():
    dip = vitals(mdc.SPO2, [97] * 5 + [85] * 8 + [97] * 5)
    assert syn.codes(Bank().push(syn.bundle([], dip))) == []
    bank = Bank()
    change = Limits((Limit(mdc.SPO2, 80.0, None),))
    bank.control(Control("c", "d", 0, 0, 0, "nurse", change))
    assert syn.codes(bank.push(syn.bundle([], vitals(mdc.SPO2, [85] * 60)))) == []


def test_too_much_oxygen_is_told_of_a_neonate_only():
    sent = vitals(mdc.SPO2, [93] * 10 + [99] * 20 + [93] * 10)
    bank = Bank()
    bank.control(Control("c", "d", 0, 0, 0, "nurse", Settings(Category.NEONATE, paced=False)))
    events = bank.push(syn.bundle([], sent))
    assert syn.codes(events) == [Code.SPO2_HIGH]
    onset, end = (syn.phases(events, Code.SPO2_HIGH, phase) for phase in (0, 2))
    assert onset["evidence"][0][:2].tolist() == [99, 95]
    assert len(end) == 1
    assert syn.codes(Bank().push(syn.bundle([], sent))) == []


def test_minutes_of_vitals():
    # The first comes 20 s after a full UTC minute, the others each 30 s later.
    assert syn.START_NS % (60 * 10**9) == 20 * 10**9
    events = Bank().push(syn.bundle([], vitals(mdc.SPO2, [95, 97, 93, 99], step_s=30)))
    (first,) = events.trends
    assert (first["code"], first["n"], first["low"], first["high"]) == (mdc.SPO2, 2, 95, 97)
    assert first["minute_ns"] == syn.START_NS - 20 * 10**9
