"""Single beats as functions of time, and how they are laid into a signal.

The beat of EC13 as A. Ruha and S. Nissilä describe it, "A real-time microprocessor QRS detector system with a
1-ms timing accuracy for the measurement of ambulatory HRV", IEEE Trans. Biomed. Eng. 44 (1997) 159-167: a QRS
of straight lines, whose amplitude is that from peak to valley, and a T wave of 180 ms.
Deviation: the T wave is half a sine; the standard's drawing leaves its form open.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Shape = Callable[[Array], Array]
"""From times about the R peak, s, to mV."""

BEFORE_S, AFTER_S = 0.6, 0.8
"""A beat lies within these times about its R peak."""
# Share of the QRS duration at which its corners lie, and of its amplitude: Ruha 1997.
_CORNERS = np.array([0.0, 0.4375, 0.9375, 1.0])
_HEIGHTS = np.array([0.0, 0.875, -0.125, 0.0])


def ec13(qrs_mv: float, qrs_s: float, t_mv: float, *, qt_s: float = 0.35, t_s: float = 0.18) -> Shape:
    """Return a beat of EC13.

    Args:
        qrs_mv: from peak to valley; below 0 the beat points down.
        qrs_s: how long the QRS complex is.
        t_mv: the T wave's height.
        qt_s: from the QRS complex's begin to the T wave's end.
        t_s: how long the T wave is.

    >>> import numpy as np
    >>> ec13(1.0, 0.1, 0.2)(np.array([-0.05, 0.0, 0.05, 0.2163, 0.31])).round(3)
    array([ 0.   ,  0.875, -0.125,  0.2  ,  0.   ])
    """
    begin_s = -_CORNERS[1] * qrs_s
    t_begin_s = begin_s + qt_s - t_s

    def shape(time_s: Array) -> Array:
        qrs = np.interp(time_s, begin_s + qrs_s * _CORNERS, qrs_mv * _HEIGHTS)
        wave = t_mv * np.sin(np.pi * np.clip((time_s - t_begin_s) / t_s, 0.0, 1.0))
        return np.asarray(qrs + wave, np.float64)

    return shape


def ventricular(mv: float, first_s: float, second_s: float, second_share: float) -> Shape:
    """Return a wide complex without a flat stretch: a wave, and one behind it that points the other way.

    Args:
        mv: from peak to valley; below 0 the first wave points down.
        first_s: how long the first wave is.
        second_s: the same of the second.
        second_share: of ``mv``, how high the second is.
    """

    def wave(time_s: Array, begin_s: float, length_s: float) -> Array:
        return np.asarray(np.sin(np.pi * np.clip((time_s - begin_s) / length_s, 0.0, 1.0)) ** 2)

    def shape(time_s: Array) -> Array:
        first = (1.0 - second_share) * wave(time_s, -first_s / 2, first_s)
        return mv * (first - second_share * wave(time_s, first_s / 2, second_s))

    return shape


def lay(at_s: Iterable[float], seconds: float, rate: float, shape: Shape) -> Array:
    """Return a signal, mV, shape (n,), with beats whose R peaks lie at ``at_s``.

    >>> lay([1.0], 2.0, 100.0, ec13(1.0, 0.1, 0.2)).argmax()
    np.int64(100)
    """
    time_s = np.arange(int(seconds * rate)) / rate
    mv = np.zeros_like(time_s)
    for at in at_s:
        near = slice(max(0, int((at - BEFORE_S) * rate)), max(0, int((at + AFTER_S) * rate)))
        mv[near] += shape(time_s[near] - at)
    return mv
