"""How irregular the intervals of a window of beats are: what tells atrial fibrillation by its timing.

References: D. E. Lake and J. R. Moorman, "Accurate estimation of entropy in very short physiological time
series: the problem of atrial fibrillation detection in implanted ventricular devices", Am. J. Physiol.
Heart Circ. Physiol. 300 (2011) H319-H325 (COSEn); S. Sarkar, D. Ritscher and R. Mehra, "A detector for a
chronic implantable atrial tachyarrhythmia monitor", IEEE Trans. Biomed. Eng. 55 (2008) 1219-1224 (steps from
interval to interval; regular ones, and patterns of ectopy, as evidence against); S. Dash et al., "Automatic
real time detection of atrial fibrillation", Ann. Biomed. Eng. 37 (2009) 1701-1709 (turning points, mean
step); A. Petrenas, V. Marozas and L. Sornmo, "Low-complexity detection of atrial fibrillation in continuous
long-term monitoring", Comput. Biol. Med. 65 (2015) 184-191 (bigeminy told by every second interval).
Deviations: the figures go together into one log-odds (``atrial``) instead of a threshold each; COSEn with a
fixed tolerance and a count added, so that it is finite in eight beats; every second and every third interval
are compared by medians of absolute steps.
"""

import math
from typing import Any

import numpy as np

from detectors.compiled import jit

FEATURES = (
    "p_likeness",  # mean correlation of the stretch before each QRS with its running mean
    "p_height",  # log of that mean's peak to peak, mV
    "rr",  # log of the median interval, s
    "step",  # log of the median step from interval to interval over the median interval
    "clean_step",  # log of the mean step without ventricular beats, over the median interval
    "clean_share",  # steps without ventricular beats, of all steps
    "clean_regular",  # share of these below 4 % of the median interval and 10 ms
    "near",  # share of all steps below 10 % of the median interval
    "cosen",
    "turning",  # share of intervals that are a peak or a trough among their neighbours
    "second",  # log of steps to the interval before last, over steps to the last: low in bigeminy
    "third",  # the same one further back: low in trigeminy
    "pattern",  # the lower of both, 0 at most
    "below",  # log of how far the shortest tenth of intervals lies below the median
    "ventricular",  # share of ventricular beats
)
(
    P_LIKENESS, P_HEIGHT, RR, STEP, CLEAN_STEP, CLEAN_SHARE, CLEAN_REGULAR, NEAR, COSEN, TURNING,
    SECOND, THIRD, PATTERN, BELOW, VENTRICULAR_SHARE,
) = range(len(FEATURES))  # fmt: skip

_VENTRICULAR = ord("V")
LEAST_INTERVALS = 6
LEAST_STEPS = 5
LEAST_LAGGED = 3  # steps over two or three intervals, below which nothing is said of them
MOST_STEP = 0.5  # of the median interval, as which a step counts at most: one pause is one step
REGULAR_SHARE, REGULAR_S = 0.04, 0.010  # of the median interval, and the grid of R peaks
NEAR_SHARE = 0.10
MATCH_SHARE, MATCH_LEAST_S = 0.06, 0.030  # COSEn's tolerance; Lake 2011: 30 ms at least
FLOOR_S = 0.004  # added before a logarithm is taken: half of what R peaks can be told apart by
LAG_FLOOR_S = 0.010
BELOW_FLOOR_S = 0.008
PRIOR_STEPS = 2  # clean steps are few in ectopy: so many of all steps are added to them


@jit
def regular(step_s: float, median_s: float) -> bool:
    """Return whether a step from one interval to the next is one of a regular rhythm."""
    return step_s < REGULAR_SHARE * median_s + REGULAR_S


@jit
def median(value: Any) -> float:
    """Return the median of a filled array."""
    ordered = np.sort(value)
    half = ordered.size // 2
    return float(ordered[half]) if ordered.size % 2 else float(0.5 * (ordered[half - 1] + ordered[half]))


@jit
def _steps(rr: Any, lag: int) -> Any:
    """Return the absolute steps from each interval to the ``lag``-th before, where all between are known."""
    found = np.empty(rr.size)
    n = 0
    for i in range(lag, rr.size):
        if rr[i - lag : i + 1].min() > 0.0:
            found[n] = abs(rr[i] - rr[i - lag])
            n += 1
    return found[:n]


@jit
def _clean_steps(rr: Any, code: Any) -> Any:
    """Return the steps of which none of the three beats is ventricular."""
    found = np.empty(rr.size)
    n = 0
    for i in range(1, rr.size):
        ventricular = code[i] == _VENTRICULAR or code[i - 1] == _VENTRICULAR
        ventricular = ventricular or (i > 1 and code[i - 2] == _VENTRICULAR)
        if rr[i] > 0.0 and rr[i - 1] > 0.0 and not ventricular:
            found[n] = abs(rr[i] - rr[i - 1])
            n += 1
    return found[:n]


@jit
def _turning(rr: Any) -> float:
    """Return the share of intervals that are longer or shorter than both neighbours."""
    turns = 0
    asked = 0
    for i in range(2, rr.size):
        if rr[i - 2 : i + 1].min() > 0.0:
            asked += 1
            turns += (rr[i - 1] - rr[i - 2]) * (rr[i] - rr[i - 1]) < 0.0
    return turns / max(1, asked)


@jit
def _cosen(rr: Any, median_s: float, mean_s: float) -> float:
    """Return the coefficient of sample entropy: of like intervals, how seldom the next are alike too."""
    tolerance = max(MATCH_LEAST_S, MATCH_SHARE * median_s)
    alike = 0
    both = 0
    for i in range(rr.size):
        for j in range(i + 1, rr.size):
            if rr[i] > 0.0 and rr[j] > 0.0 and abs(rr[i] - rr[j]) < tolerance:
                alike += 1
                if j + 1 < rr.size and rr[i + 1] > 0.0 and rr[j + 1] > 0.0:
                    both += abs(rr[i + 1] - rr[j + 1]) < tolerance
    return -math.log((both + 0.5) / (alike + 1.0)) + math.log(2.0 * tolerance / mean_s)


@jit
def _lagged(rr: Any, lag: int, step_s: float) -> float:
    """Return the log of the median step over ``lag`` intervals against that over one."""
    steps = _steps(rr, lag)
    if steps.size < LEAST_LAGGED:
        return 0.0
    return math.log((median(steps) + LAG_FLOOR_S) / (step_s + LAG_FLOOR_S))


@jit
def describe(rr: Any, code: Any, into: Any) -> bool:
    """Fill in the features of the intervals; return whether there are enough of them.

    Args:
        rr: float64 (intervals,), s, oldest first; 0 where an interval is not known.
        code: uint8 (intervals,), of the beat that each interval ends with.
        into: float64 (features,); those of the P wave are left as they are.
    """
    known = rr[rr > 0.0]
    if known.size < LEAST_INTERVALS:
        return False
    steps = _steps(rr, 1)
    if steps.size < LEAST_STEPS:
        return False
    middle = median(known)
    step = median(steps)
    near = 0
    for s in steps:
        near += s < NEAR_SHARE * middle
    clean = _clean_steps(rr, code)
    total = PRIOR_STEPS * np.minimum(steps, MOST_STEP * middle).mean()
    calm = 0.0
    for s in steps:
        calm += PRIOR_STEPS * regular(s, middle) / steps.size
    for s in clean:
        total += min(s, MOST_STEP * middle)
        calm += regular(s, middle)
    ventricular = 0
    for c in code:
        ventricular += c == _VENTRICULAR
    into[RR] = math.log(middle)
    into[STEP] = math.log((step + FLOOR_S) / middle)
    into[CLEAN_STEP] = math.log((total / (clean.size + PRIOR_STEPS) + FLOOR_S) / middle)
    into[CLEAN_SHARE] = clean.size / steps.size
    into[CLEAN_REGULAR] = calm / (clean.size + PRIOR_STEPS)
    into[NEAR] = near / steps.size
    into[COSEN] = _cosen(rr, middle, known.mean())
    into[TURNING] = _turning(rr)
    into[SECOND] = _lagged(rr, 2, step)
    into[THIRD] = _lagged(rr, 3, step)
    into[PATTERN] = min(0.0, into[SECOND], into[THIRD])
    into[BELOW] = math.log((middle - np.sort(known)[known.size // 10] + BELOW_FLOOR_S) / middle)
    into[VENTRICULAR_SHARE] = ventricular / code.size
    return True
