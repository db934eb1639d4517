"""Signals that are made: they are as high, as wide, as fast and as band-limited as they say."""

import numpy as np
import pytest
from scipy.signal import find_peaks

from ecgstream.evaluate.suites.timing import trials
from ecgstream.evaluate.waveforms import pacing, rhythms
from ecgstream.evaluate.waveforms.pacing import FAST_HZ, Pulse
from ecgstream.evaluate.waveforms.shapes import Array, Shape, ec13, lay
from ecgstream.evaluate.waveforms.signal import GAIN, PHASES, RATE_HZ, onset_of
from schemas.records import Packet

FINE_S = np.arange(-0.5, 0.8, 1e-4)
QUIET_MV = 0.03  # beyond what the noise reaches


def support(shape: Shape, below_s: float) -> tuple[float, float]:
    """Return where a beat begins and ends, of what lies before a time."""
    there = FINE_S[(np.abs(shape(FINE_S)) > 1e-6) & (below_s > FINE_S)]
    return float(there[0]), float(there[-1])


@pytest.mark.parametrize("qrs_s", [0.07, 0.1, 0.12])
@pytest.mark.parametrize("qrs_mv", [0.5, -1.0, 5.0])
def test_a_beat_of_ec13_has_its_amplitude_width_and_t_wave(qrs_mv: float, qrs_s: float) -> None:
    shape = ec13(qrs_mv, qrs_s, 0.3)
    begin, end = support(shape, 0.08)
    assert end - begin == pytest.approx(qrs_s, abs=3e-4)
    qrs = shape(FINE_S[FINE_S < 0.08])
    assert np.ptp(qrs) == pytest.approx(abs(qrs_mv), rel=1e-2)
    assert FINE_S[np.abs(qrs).argmax()] == pytest.approx(0.0, abs=2e-4)
    t_wave = shape(FINE_S[FINE_S > 0.08])
    assert t_wave.max() == pytest.approx(0.3, rel=1e-3)
    assert support(shape, 1.0)[1] - begin == pytest.approx(0.35, abs=3e-4)  # QT


def test_beats_are_laid_where_they_should_be_and_add_up() -> None:
    shape = ec13(1.0, 0.1, 0.2)
    mv = lay([0.1, 1.0, 2.0], 3.0, 1000.0, shape)
    assert mv[[100, 1000, 2000]] == pytest.approx(0.875)
    assert np.allclose(mv, lay([0.1], 3.0, 1000.0, shape) + lay([1.0, 2.0], 3.0, 1000.0, shape))


def peaks_s(mv: Array, height: float) -> Array:
    return find_peaks(mv, height=height, distance=int(0.15 * RATE_HZ))[0] / RATE_HZ


@pytest.mark.parametrize("run", [0, 7])
def test_asystole_is_silent_from_its_last_beat_on(run: int) -> None:
    signal = rhythms.asystole(run)
    at_s = peaks_s(signal.mv, 0.5)
    assert at_s[-1] == pytest.approx(signal.onset_s, abs=0.005)
    assert np.diff(at_s) == pytest.approx(0.75, abs=0.009)
    silent = signal.mv[int((signal.onset_s + 0.4) * RATE_HZ) :]
    assert np.abs(silent).max() < QUIET_MV
    assert silent.size / RATE_HZ > 10.0


@pytest.mark.parametrize(("of", "mv"), [(rhythms.FIGURE_4A, 1.0), (rhythms.FIGURE_4B, 2.0)])
@pytest.mark.parametrize("share", [0.5, 1.0, 2.0])
def test_a_tachycardia_has_its_rate_and_amplitude(of: rhythms.Tachycardia, mv: float, share: float) -> None:
    signal = rhythms.tachycardia(3, of, share)
    during = signal.mv[int((signal.onset_s + 0.5) * RATE_HZ) : -int(RATE_HZ)]
    assert np.ptp(during) == pytest.approx(mv * share, rel=0.1)
    at_s = peaks_s(during * np.sign(of.mv), 0.3 * mv * share)
    assert 60.0 / np.diff(at_s).mean() == pytest.approx(of.bpm, rel=0.02)
    whole = signal.mv * np.sign(of.mv)
    first = int(signal.onset_s * RATE_HZ)
    assert whole[first - 5 : first + 6].argmax() == pytest.approx(5, abs=2)


def test_a_step_changes_the_rate_at_its_onset() -> None:
    for after_bpm in (120.0, 40.0):
        signal = rhythms.step(2, 80.0, after_bpm)
        at_s = peaks_s(signal.mv, 0.5)
        new = at_s[at_s > signal.onset_s - 0.01]
        assert new[0] == pytest.approx(signal.onset_s, abs=0.005)
        assert np.diff(new) == pytest.approx(60.0 / after_bpm, abs=0.009)
        old = at_s[at_s < signal.onset_s - 0.01]
        assert new[0] - old[-1] == pytest.approx(60.0 / after_bpm, abs=0.009)
        assert np.diff(old) == pytest.approx(0.75, abs=0.009)


@pytest.mark.parametrize(
    ("figure", "bpm", "beats"),
    [(name, bpm, bpm // 3) for name, bpm in zip(rhythms.IRREGULAR, (80, 60, 120, 90), strict=True)],
)
def test_an_irregular_rhythm_has_its_rate(figure: str, bpm: int, beats: int) -> None:
    assert rhythms.rate_of(figure) == pytest.approx(bpm, abs=0.2)
    signal = rhythms.irregular(0, figure)
    at_s = peaks_s(np.abs(signal.mv), 0.34)  # R waves of either sign, no T waves
    counted = ((at_s > 5.0) & (at_s <= 25.0)).sum()
    assert abs(counted - beats) <= 1


def test_runs_differ_and_each_is_the_same_every_time() -> None:
    assert np.array_equal(rhythms.asystole(1).mv, rhythms.asystole(1).mv)
    assert not np.array_equal(rhythms.asystole(0).mv[:100], rhythms.asystole(1).mv[:100])
    assert len({onset_of(run) for run in range(PHASES)}) == PHASES


def test_every_trial_makes_a_signal_for_every_run() -> None:
    assert len({trial.name for trial in trials()}) == len(trials())
    for trial in trials():
        signal = trial.make(trial.runs - 1)
        assert 0.0 < signal.onset_s < signal.mv.size / RATE_HZ - 10.0
        assert np.all(np.isfinite(signal.mv))


def test_the_front_end_lets_through_what_lies_below_its_cut_off() -> None:
    time_s = np.arange(int(4.0 * FAST_HZ)) / FAST_HZ
    for hz, share in ((20.0, 1.0), (400.0, 0.0), (1000.0, 0.0)):
        passed = pacing.front_end(np.sin(2 * np.pi * hz * time_s), 5.0)
        assert passed.size == 4.0 * RATE_HZ
        assert np.abs(passed[100:]).max() == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("phase_s", [0.0, 0.0013, 0.0027])
def test_a_pulse_arrives_low_and_wide_with_its_area(sign: float, phase_s: float) -> None:
    fast = pacing.pulses(np.array([0.5 + phase_s]), 1.0, Pulse(sign * 700.0, 0.1))
    assert np.abs(fast).max() == 700.0
    assert (fast != 0.0).sum() == round(1e-4 * FAST_HZ)
    arrived = pacing.front_end(fast, 160.0)
    assert np.abs(arrived).max() < 20.0
    assert arrived.sum() / RATE_HZ == pytest.approx(sign * 700.0 * 1e-4, rel=0.1)


def test_a_converter_reaches_so_far_and_no_further() -> None:
    fast = pacing.pulses(np.array([0.5]), 1.0, Pulse(-700.0, 2.0))
    assert pacing.front_end(fast, 5.0).min() == -5.0
    assert pacing.front_end(fast, 160.0).min() == -160.0


@pytest.mark.parametrize(("mv", "top"), [(4.0, -1.0), (-4.0, 1.0), (700.0, -2.0)])
def test_an_overshoot_points_the_other_way_and_decays(mv: float, top: float) -> None:
    fast = pacing.pulses(np.array([0.1]), 1.0, Pulse(mv, 2.0, 50.0))
    after = round((0.1 + 0.002) * FAST_HZ)
    assert fast[after - 1] == mv
    assert fast[after] == pytest.approx(top)
    assert fast[after + round(0.05 * FAST_HZ)] == pytest.approx(top / np.e, rel=1e-3)


def test_pulses_without_capture_go_on_and_bring_no_beat() -> None:
    pulse = Pulse(2.0, 0.1)  # too small to be seen at all
    kept, lost = (
        pacing.paced(0, pulse, range_mv=5.0, marks=True, captures=captures) for captures in (True, False)
    )
    until = int((kept.onset_s + 0.4) * RATE_HZ)
    assert np.array_equal(kept.mv[:until], lost.mv[:until])
    assert np.abs(lost.mv[until + 25 :]).max() < 0.1
    assert kept.mv[until + 25 :].max() > 0.9
    assert kept.paces_s == lost.paces_s
    assert lost.paces_s[-1] > lost.onset_s + 10.0
    assert not pacing.paced(0, pulse, range_mv=5.0, marks=False, captures=False).paces_s


def test_a_signal_becomes_packets_with_its_pace_marks() -> None:
    signal = pacing.paced(5, Pulse(20.0, 2.0), range_mv=5.0, marks=True, captures=True)
    packets = [e.item for e in signal.source().emissions(0, 0.25) if isinstance(e.item, Packet)]
    counts = np.concatenate([p.channels[0].samples for p in packets])
    assert np.abs(counts / GAIN - signal.mv).max() <= 0.5 / GAIN + 1e-9
    marks = [p.first_sample + mark for p in packets for mark in p.pace_marks]
    assert marks == [round(at * RATE_HZ) for at in signal.paces_s]
