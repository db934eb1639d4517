"""What the class of a beat goes by: shape, time, and what the rhythm allows to be said."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.monitor import Monitor
from tests.detectors import synthetic

FS = 250
SECONDS = 90


def classes(mv: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Return where beats are found, s, and their classes."""
    beats = Monitor(float(FS), 1).push(np.atleast_2d(mv + synthetic.noise(mv.size))).beats
    return beats["sample"] / FS, np.array([chr(code) for code in beats["code"].tolist()])


def between(found: tuple[NDArray[np.float64], NDArray[np.str_]], begin_s: float, end_s: float) -> str:
    """Return the classes of the beats of a stretch, in order."""
    at, kind = found
    return "".join(kind[(at >= begin_s) & (at < end_s)])


def with_ventricular(every: int, coupling_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return when beats of a rhythm of 75 bpm come whose every so manieth is early and ventricular."""
    regular = synthetic.regular(75.0, 0.5, SECONDS - 1.0)
    early = regular[every::every] - 0.8 + coupling_s
    own = np.setdiff1d(regular, regular[every::every])
    return own, early


def test_an_early_beat_of_another_shape_is_ventricular() -> None:
    own, early = with_ventricular(6, 0.45)
    mv = synthetic.beats(own, SECONDS, FS) + synthetic.beats(early, SECONDS, FS, synthetic.VENTRICULAR)
    found = classes(mv)
    assert between(found, 10.0, SECONDS - 2.0).count("V") == np.sum((early > 10.0) & (early < SECONDS - 2.0))
    assert not set(between(found, 10.0, SECONDS - 2.0)) - set("NV")


def test_what_is_half_the_own_and_half_a_ventricular_beat_in_time_is_a_fusion_beat() -> None:
    own, early = with_ventricular(6, 0.45)
    late = own[own > 60.0][2]
    own = own[own != late]
    half = tuple((0.55 * mv, at, width) for mv, at, width in synthetic.NORMAL)
    other = tuple((0.55 * mv, at, width) for mv, at, width in synthetic.VENTRICULAR)
    mv = sum(
        synthetic.beats(at, SECONDS, FS, shape)
        for at, shape in (
            (own, synthetic.NORMAL),
            (early, synthetic.VENTRICULAR),
            (np.array([late]), half),
            (np.array([late]), other),
        )
    )
    found = classes(mv)
    assert between(found, late - 0.1, late + 0.1) == "F"
    assert between(found, 10.0, SECONDS - 2.0).count("F") == 1


def test_a_tachycardia_of_the_own_shape_stays_supraventricular() -> None:
    slow, fast = synthetic.regular(75.0, 0.5, 40.0), synthetic.regular(150.0, 40.0, 52.0)
    back = synthetic.regular(75.0, 52.4, SECONDS - 1.0)
    found = classes(synthetic.beats(np.concatenate([slow, fast, back]), SECONDS, FS))
    assert set(between(found, 10.0, 39.5)) == {"N"}
    assert set(between(found, 40.1, 51.9)) == {"S"}
    assert set(between(found, 53.5, SECONDS - 2.0)) == {"N"}


def test_a_rate_that_stays_becomes_the_patients_own() -> None:
    seconds = 400
    at = np.concatenate([synthetic.regular(75.0, 0.5, 40.0), synthetic.regular(110.0, 40.0, seconds - 1.0)])
    found = classes(synthetic.beats(at, seconds, FS))
    assert set(between(found, seconds - 20.0, seconds - 2.0)) == {"N"}


def test_where_every_interval_differs_no_beat_is_early_but_another_shape_is_told() -> None:
    intervals = np.random.default_rng(3).uniform(0.45, 1.1, 200)
    at = 0.5 + np.cumsum(intervals)
    at = at[at < SECONDS - 1.0]
    other = at[60::9]
    mv = synthetic.beats(np.setdiff1d(at, other), SECONDS, FS)
    mv += synthetic.beats(other, SECONDS, FS, synthetic.VENTRICULAR)
    found = classes(mv)
    assert "S" not in between(found, 30.0, SECONDS - 2.0)
    assert between(found, 30.0, SECONDS - 2.0).count("V") == np.sum((other > 30.0) & (other < SECONDS - 2.0))
