"""Pulse waves: pulses where they are, runs that end with the first doubt, what conditions tell of them."""

import numpy as np
import pytest

from detectors.bank import Bank
from detectors.evidence import NAMES, evidence_of
from detectors.pulse_feed import LAG, WAVES
from detectors.state import FEET, PULSE_WAVE
from schemas.conditions import Code
from schemas.records import MISSING
from tests.detectors import synthetic as syn

FS = 250
SECONDS = 40
RATES = [62.5, 125.0, 240.0, 250.0, 500.0]


def at(bpm=75, start_s=0.6, stop_s=SECONDS):
    return syn.regular(bpm, start_s, stop_s)


def made(*channels, seconds=SECONDS, spans=None, cuts=None, mv=None):
    """Packets of an ECG of 75 a minute with pulse waves beside it."""
    mv = syn.ecg(75, seconds, FS) if mv is None else mv
    return syn.with_waves(syn.packets(syn.counts(mv), FS, cuts), FS, *channels, spans=spans)


def state(bank, wave=0):
    return bank._signal[0]["flow"][wave]


def point_hz(w):
    return w["rate_hz"] / max(1, np.ceil(w["rate_hz"] / 75.0))


def run_s(packets, wave=0):
    """How long the run of good pulses has lasted when the packets end, s; 0: there is none."""
    w = state(syn.run(packets)[0], wave)
    return (w["done"] + LAG - w["since"]) / point_hz(w) if w["run"] else 0.0


def onsets_s(packets, wave=0):
    """Onsets of all pulses, in the order in which they were found, s."""
    bank, found, seen = Bank(), [], 0
    for packet in packets:
        syn.run([packet], bank)
        w = state(bank, wave)
        found += [w["foot"][n % FEET] / point_hz(w) for n in range(seen + 1, int(w["feet"]) + 1)]
        seen = int(w["feet"])
    return np.array(found)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("kind", [syn.pressure, syn.pleth])
@pytest.mark.parametrize("bpm", [40, 75, 150])
def test_pulses_are_found_where_they_begin(rate, kind, bpm):
    truth = at(bpm)
    wave = syn.pulse(truth, SECONDS, rate) + syn.noise(round(SECONDS * rate), 0.3)
    found = onsets_s(made(kind(wave, rate)), 0 if kind is syn.pressure else 1)
    wanted = truth[(truth > 4.0) & (truth < SECONDS - 0.6)]
    apart = [np.abs(found - one).min() for one in wanted]
    assert max(apart) < 0.04
    assert len(found[(found > 3.95) & (found < SECONDS - 0.65)]) == len(wanted)


@pytest.mark.parametrize("rate", RATES)
def test_a_clean_wave_runs_unbroken(rate):
    bank, _ = syn.run(made(syn.pressure(syn.pulse(at(), SECONDS, rate), rate)))
    w = state(bank)
    assert w["run"] >= (SECONDS - 6) / 0.8
    assert w["since"] / point_hz(w) < 5.5


def spoilt(name, wave, rate):
    """The wave with something between 20 and 21 s that ends a run."""
    a, b = round(20 * rate), round(21 * rate)
    if name == "missing":
        wave[a : a + 1] = np.nan
    elif name == "rail":
        wave[a:b] = 1e6
    elif name == "flat":
        wave[a:b] = wave[a]
    elif name == "motion":
        wave[a:b] += 150.0 * np.sin(2 * np.pi * 3.1 * np.arange(b - a) / rate)
    elif name == "tremor":
        wave[a:b] += 25.0 * np.sin(2 * np.pi * 8.0 * np.arange(b - a) / rate)
    return wave


@pytest.mark.parametrize("name", ["missing", "rail", "flat", "motion", "tremor"])
@pytest.mark.parametrize("rate", [62.5, 125.0])
@pytest.mark.parametrize("kind", [syn.pressure, syn.pleth])
def test_what_spoils_the_wave_ends_the_run(name, rate, kind):
    wave = spoilt(name, syn.pulse(at(), SECONDS, rate), rate)
    lasted = run_s(made(kind(wave, rate)), 0 if kind is syn.pressure else 1)
    assert 5.0 < lasted < 20.5


def test_a_pulse_left_out_too_early_or_too_high_ends_the_run():
    rate = 125.0
    truth = at()
    left_out = np.delete(truth, 30)
    early = np.sort([*truth, truth[30] + 0.42])
    high = syn.pulse(truth, SECONDS, rate) + syn.pulse(truth[30:31], SECONDS, rate, 60.0, 0.0)
    for wave in (syn.pulse(left_out, SECONDS, rate), syn.pulse(early, SECONDS, rate), high):
        assert 5.0 < run_s(made(syn.pressure(wave, rate))) < SECONDS - truth[30]


def test_a_dicrotic_wave_does_not_double_a_slow_pulse():
    """Whatever its height: a heart at 40 a minute is never told as twice as fast."""
    rate = 125.0
    for share in np.arange(0.1, 1.01, 0.1):
        for later_s in (0.3, 0.4, 0.5):
            truth = at(40)
            wave = syn.pulse(truth, SECONDS, rate) + syn.pulse(
                truth + later_s, SECONDS, rate, 40 * share, 0.0
            )
            events = syn.run(made(syn.pressure(wave, rate), mv=syn.ecg(38, SECONDS, FS)))[1]
            told = syn.phases(events, Code.EXTREME_BRADYCARDIA, 1)
            assert len(told) > 10
            rates = [evidence_of(Code.EXTREME_BRADYCARDIA, r["evidence"]).get("pulse_bpm", 0.0) for r in told]
            assert max(rates) < 46.0, (share, later_s)


def test_pressures_that_no_artery_has_are_no_pulse():
    rate = 125.0
    for height, base in ((15.0, 80.0), (40.0, 5.0), (150.0, 200.0)):
        assert run_s(made(syn.pressure(syn.pulse(at(), SECONDS, rate, height, base), rate))) == 0.0
    assert run_s(made(syn.pleth(syn.pulse(at(), SECONDS, rate, 15.0, 0.0), rate)), 1) > 30.0


def test_noise_and_nothing_are_no_pulse():
    rate = 125.0
    n = round(SECONDS * rate)
    for values in (np.zeros(n), syn.noise(n, 1.0), np.full(n, np.nan), np.full(n, 1e6)):
        assert run_s(made(syn.pleth(values, rate)), 1) == 0.0


def test_a_gap_of_the_device_ends_the_run():
    packets = made(syn.pressure(syn.pulse(at(), SECONDS, 125.0), 125.0))
    assert 5.0 < run_s(packets[:20] + packets[21:]) < 19.5


def test_a_gap_equals_missing_samples():
    channels = syn.pulse(at(), SECONDS, 125.0), syn.pulse(at(), SECONDS, 62.5)
    whole = made(syn.pressure(channels[0], 125.0), syn.pleth(channels[1], 62.5))
    missing = made(syn.pressure(channels[0], 125.0), syn.pleth(channels[1], 62.5))
    for packet in missing[20:26]:
        for channel in packet.channels:
            channel.samples = np.full_like(channel.samples, MISSING)
    explicit, absent = syn.run(missing), syn.run(whole[:20] + whole[26:])
    assert syn.same(explicit[1], absent[1])
    assert explicit[0].snapshot(0) == absent[0].snapshot(0)


def test_a_channel_comes_and_goes():
    wave = syn.pressure(syn.pulse(at(), SECONDS, 125.0), 125.0)
    assert 5.0 < run_s(made(wave, spans=[(20.0, np.inf)])) < 17.0
    assert run_s(made(wave, spans=[(0.0, 30.0)])) == 0.0
    packets = made(wave)
    for packet in packets[15:17]:
        del packet.channels[1]
    assert 15.0 < run_s(packets) < 23.0
    off = made(wave)
    for packet in off[15:17]:
        packet.channels[1].lead_off = True
    assert run_s(off) == run_s(packets)


def test_a_channel_that_comes_back_at_another_rate_begins_anew():
    slow, fast = (syn.pleth(syn.pulse(at(), SECONDS, rate), rate) for rate in (62.5, 125.0))
    packets = made(slow, fast, spans=[(0.0, 20.0), (20.0, np.inf)])
    assert 5.0 < run_s(packets, 1) < 17.0
    assert np.abs(onsets_s(packets, 1)[-1] + 20.0 - at()).min() < 0.04


def test_only_the_first_of_each_kind_and_no_other_pressure_counts():
    good, flat = (syn.pulse(times, SECONDS, 125.0) for times in (at(), []))
    assert run_s(made(syn.pressure(good, 125.0), syn.pressure(flat, 125.0))) > 30.0
    assert run_s(made(syn.pressure(flat, 125.0), syn.pressure(good, 125.0))) == 0.0
    venous = syn.pressure(good, 125.0)
    venous.code += 4
    assert syn.run(made(venous))[0]._signal[0]["flows"] == 0


def test_a_device_without_pulse_waves_keeps_nothing_of_them():
    bank, events = syn.run(made())
    blank = np.zeros(WAVES, PULSE_WAVE)
    assert bank._signal[0]["flow"].tobytes() == blank.tobytes()
    assert not any(name.startswith("pulse") for row in events.conditions for name in told_of(row))


def test_a_pulse_wave_changes_nothing_that_is_found_in_the_ecg():
    mv = np.concatenate([syn.ecg(75, 20, FS), syn.noise(FS * 20)[None]], axis=1)
    alone = syn.run(made(mv=mv))[1]
    both = syn.run(made(syn.pressure(syn.pulse(at(), SECONDS, 125.0), 125.0), mv=mv))[1]
    assert syn.same(alone[:3], both[:3])
    assert syn.same([alone.conditions], [both.conditions], skip=("evidence",))


def told_of(row):
    return evidence_of(Code(int(row["code"])), row["evidence"])


def standstill(*channels):
    """Evidence of an asystole, by the whole second that it is told in; the ECG stops at 20 s."""
    mv = np.concatenate([syn.ecg(75, 20, FS), syn.noise(FS * 20)[None]], axis=1)
    events = syn.run(made(*channels, mv=mv))[1]
    rows = events.conditions[events.conditions["code"] == Code.ASYSTOLE]
    return [(row["sample"] / FS, told_of(row)) for row in rows]


@pytest.mark.parametrize("kind", [syn.pressure, syn.pleth])
def test_a_condition_tells_of_the_pulse_that_goes_on(kind):
    told = standstill(kind(syn.pulse(at(), SECONDS, 125.0), 125.0))
    assert len(told) >= 15
    for now_s, evidence in told:
        assert abs(evidence["pulse_bpm"] - 75.0) < 1.0
        last = max(t for t in at() if t < now_s - 0.3)
        assert min(abs(evidence["pulse_age_s"] - (now_s - t)) for t in (last, last + 0.8)) < 0.06
        assert abs(evidence["pulse_unbroken_s"] - now_s) < 6.0
        onset_s = told[0][0] - 4.0
        before_s = evidence["pulse_unbroken_s"] - (now_s - onset_s)
        assert abs(evidence["pulse_before_onset_s"] - before_s) < 0.6


def test_a_pulse_that_stops_with_the_heart_is_told_as_over():
    told = standstill(syn.pressure(syn.pulse(at(stop_s=20.0), SECONDS, 125.0), 125.0))
    for now_s, evidence in told:
        assert evidence["pulse_unbroken_s"] == 0.0
        assert abs(evidence["pulse_age_s"] - (now_s - at(stop_s=20.0)[-1])) < 0.06
        assert not {"pulse_bpm", "pulse_before_onset_s"} & evidence.keys()


def test_compressions_are_told_as_having_begun_after_the_onset():
    truth = [*at(stop_s=20.0), *syn.regular(100, 26.0, SECONDS)]
    told = standstill(syn.pressure(syn.pulse(truth, SECONDS, 125.0), 125.0))
    late = [evidence for now_s, evidence in told if now_s > 32.0]
    assert late
    assert all(abs(evidence["pulse_bpm"] - 100.0) < 1.0 for evidence in late)
    assert all(evidence["pulse_before_onset_s"] < -5.0 for evidence in late)


def test_the_wave_that_has_run_for_longer_is_told():
    rate = 125.0
    spoilt_late = syn.pulse(at(), SECONDS, rate)
    spoilt_late[round(25 * rate)] = np.nan
    good = syn.pulse(at(), SECONDS, rate)
    for channels in (
        (syn.pressure(good, rate), syn.pleth(spoilt_late, rate)),
        (syn.pressure(spoilt_late, rate), syn.pleth(good, rate)),
    ):
        assert all(
            abs(evidence["pulse_unbroken_s"] - now_s) < 6.0 for now_s, evidence in standstill(*channels)
        )


def test_leads_that_show_the_beats_and_their_quality_are_told():
    mv = np.concatenate([syn.ecg(75, 20, FS, leads=3), syn.noise((3, FS * 20))], axis=1)
    mv[1] = syn.noise(mv[1].size, 0.05, 7)
    mv[2] = 0.0
    (onset,) = syn.phases(syn.run(made(mv=mv))[1], Code.ASYSTOLE, 0)
    evidence = told_of(onset)
    assert (evidence["leads"], evidence["leads_agreeing"]) == (3.0, 1.0)
    assert evidence["quality_lead_1"] > 0.9
    assert evidence["quality_lead_2"] < 0.6
    assert "quality_lead_4" not in evidence
    of_leads = [evidence[f"quality_lead_{n}"] for n in (1, 2, 3)]
    assert np.mean(of_leads) == pytest.approx(evidence["quality"], abs=0.1)  # which is a second old at most


def test_names_fill_the_slots():
    for names in NAMES.values():
        named = [name for name in names if name]
        assert len(set(named)) == len(named)
