"""What the QRS detector must tell apart: small beats from T waves, hearts from electrodes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.monitor import Monitor
from tests.detectors import synthetic

FS = 250
SECONDS = 60
LOW_T = (*synthetic.NORMAL[:4], (0.08, 0.26, 0.045))
SMALL = tuple((0.5 * height, shift, width) for height, shift, width in LOW_T)


def found(mv: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where beats are found, s; what comes in the first five seconds is for learning."""
    signal = np.atleast_2d(mv)
    noisy = signal + np.array([synthetic.noise(signal.shape[1], seed=k) for k in range(len(signal))])
    at = Monitor(float(FS), len(signal)).push(noisy).beats["sample"] / FS
    return at[at > 5.0]


def assert_are(at: NDArray[np.float64], wanted: NDArray[np.float64]) -> None:
    """Hold that the beats found are those wanted, and no others."""
    late = wanted[(wanted > 5.0) & (wanted < SECONDS - 1.0)]
    at = at[at < SECONDS - 1.0]
    assert len(at) == len(late), (at, late)
    assert np.abs(at - late).max() < 0.05


def test_an_early_beat_of_half_the_size_is_found_where_t_waves_are_low() -> None:
    regular = synthetic.regular(75.0, 0.5, SECONDS - 0.5)
    early = regular[30::6] + 0.38
    rest = np.array([at for at in regular if not np.any((at - early > 0) & (at - early < 0.6))])
    mv = synthetic.beats(rest, SECONDS, FS, LOW_T) + synthetic.beats(early, SECONDS, FS, SMALL)
    assert_are(found(mv), np.sort(np.concatenate([rest, early])))


def test_a_t_wave_of_more_than_half_the_r_wave_is_no_beat() -> None:
    tall = (*synthetic.NORMAL[:4], (0.6, 0.26, 0.045))
    regular = synthetic.regular(75.0, 0.5, SECONDS - 0.5)
    assert_are(found(synthetic.beats(regular, SECONDS, FS, tall)), regular)


def test_a_tall_p_wave_gives_way_to_its_qrs() -> None:
    tall = ((0.5, -0.21, 0.02), *synthetic.NORMAL[1:])
    regular = synthetic.regular(60.0, 0.5, SECONDS - 0.5)
    assert_are(found(synthetic.beats(regular, SECONDS, FS, tall)), regular)


def test_what_one_lead_alone_sees_now_and_then_is_no_beat() -> None:
    regular = synthetic.regular(60.0, 0.5, SECONDS - 0.5)
    clean = synthetic.beats(regular, SECONDS, FS)
    moved = clean + synthetic.beats(regular[10::5] + 0.55, SECONDS, FS, ((0.9, 0.0, 0.02),))
    assert_are(found(np.stack([clean, moved])), regular)


def test_a_beat_of_another_shape_is_found_although_it_is_low_where_one_is_overdue() -> None:
    regular = synthetic.regular(60.0, 0.5, SECONDS - 0.5)
    kept = regular[regular != regular[30]]
    escape = np.array([regular[30] + 0.7])
    low = tuple((0.45 * height, shift, width) for height, shift, width in synthetic.VENTRICULAR)
    rest = kept[(kept < escape[0] - 0.5) | (kept > escape[0] + 0.5)]
    mv = synthetic.beats(rest, SECONDS, FS) + synthetic.beats(escape, SECONDS, FS, low)
    assert_are(found(mv), np.sort(np.concatenate([rest, escape])))
