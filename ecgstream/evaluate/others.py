"""Other QRS detectors, for a second opinion on the same records.

They work offline: each is given the first ECG lead of a whole recording at once, and may look ahead.
NeuroKit2 and wfdb are imported where they are used: what runs live has neither.
"""

import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices import recordings
from devices.source import Wave
from ecgstream.evaluate import truth
from ecgstream.evaluate.scored import Scored, score, unclassed
from ecgstream.evaluate.truth import Span, Truth
from schemas.records import MISSING

Detector = Callable[[NDArray[np.float64], float], NDArray[np.integer]]
"""From a lead in mV, shape (n,), without NaN, and its rate in Hz to the samples of the R peaks."""


class UnknownDetectorError(LookupError):
    """There is no other detector of that name; the message says which there are."""


class OfOther(NamedTuple):
    """What another detector found in one record.

    Attributes:
        record: its name.
        scored: see there; one that gave up has found nothing.
        ns_a_sample: CPU a sample, ns; of one that gave up: until then.
        gave_up: why it ended with an error, empty if it did not.
    """

    record: str
    scored: Scored
    ns_a_sample: float
    gave_up: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a suite compares other detectors.

    Attributes:
        counted: of what is annotated in a record, what counts.
        sum_up: of what one detector found in all records, the figures by name.
    """

    counted: Callable[[Truth], list[Span]]
    sum_up: Callable[[Sequence[OfOther]], dict[str, Any]]


def neurokit(millivolts: NDArray[np.float64], rate: float) -> NDArray[np.integer]:
    """NeuroKit2: ``ecg_clean`` and ``ecg_peaks`` with their default method.

    D. Makowski et al., "NeuroKit2: A Python toolbox for neurophysiological signal processing", Behav. Res.
    Methods 53 (2021) 1689-1696.
    """
    import neurokit2

    cleaned = neurokit2.ecg_clean(millivolts, sampling_rate=rate)
    found: NDArray[np.integer] = neurokit2.ecg_peaks(cleaned, sampling_rate=rate)[1]["ECG_R_Peaks"]
    return found


def xqrs(millivolts: NDArray[np.float64], rate: float) -> NDArray[np.integer]:
    """Return what wfdb's own detector finds."""
    from wfdb import processing

    found: NDArray[np.integer] = processing.xqrs_detect(millivolts, rate, verbose=False)
    return found


def gqrs(millivolts: NDArray[np.float64], rate: float) -> NDArray[np.integer]:
    """Return what George Moody's ``gqrs`` finds, as wfdb has put it into Python."""
    from wfdb import processing

    found: NDArray[np.integer] = processing.gqrs_detect(millivolts, rate)
    return found


DETECTORS: dict[str, Detector] = {"neurokit": neurokit, "xqrs": xqrs, "gqrs": gqrs}


def known(names: Iterable[str]) -> list[str]:
    """Return the names, each once.

    Raises:
        UnknownDetectorError: there is no such detector.

    >>> known(["gqrs", "xqrs", "gqrs"])
    ['gqrs', 'xqrs']
    """
    wanted = list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in DETECTORS]
    if unknown:
        raise UnknownDetectorError(f"no detector {', '.join(unknown)}; there are {', '.join(DETECTORS)}")
    return wanted


def look(name: str, counted: Callable[[Truth], list[Span]], path: Path) -> OfOther:
    """Let another detector find the beats of a record, and compare.

    Raises:
        devices.errors.RecordingError: the record or its annotations cannot be read.
    """
    said = truth.read(path)
    wave = recordings.read(path).sessions[0].waves[0]
    lead = millivolts(wave)
    at_work(DETECTORS[name], lead[: round(_FIRST_S * wave.rate)], wave.rate)
    began_s = time.process_time()
    found, gave_up = at_work(DETECTORS[name], lead, wave.rate)
    taken_s = time.process_time() - began_s
    sample = np.sort(np.rint(found * (said.rate / wave.rate)).astype(np.int64))
    return OfOther(
        path.stem,
        score(said, sample, unclassed(sample), counted(said)),
        taken_s * 1e9 / max(1, lead.size),
        gave_up,
    )


_FIRST_S = 10.0
"""What a detector is given before its time is taken: it imports its libraries then."""


def at_work(detector: Detector, lead: NDArray[np.float64], rate: float) -> tuple[NDArray[np.integer], str]:
    """Return what a detector finds; where it ends with an error, nothing, and the error.

    NeuroKit2 does so on signals without beats. What the libraries warn of is theirs.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return np.asarray(detector(lead, rate)), ""
        except Exception as error:  # what they raise is not documented
            return np.empty(0, np.int64), f"{type(error).__name__}: {error}"


def millivolts(wave: Wave) -> NDArray[np.float64]:
    """Return a lead in mV; a missing sample holds the value before it, since no detector takes NaN.

    >>> from schemas import mdc
    >>> counts = np.array([MISSING, 100, MISSING, 200], np.int16)
    >>> millivolts(Wave("II", mdc.LEADS["II"], 0, 0, 250.0, 100.0, counts)).tolist()
    [1.0, 1.0, 1.0, 2.0]
    """
    present = wave.samples != MISSING
    if not present.any():
        return np.zeros(wave.samples.size)
    last = np.maximum.accumulate(np.where(present, np.arange(present.size), -1))
    last[last < 0] = int(np.argmax(present))
    return (wave.samples[last].astype(np.float64) - wave.offset) / wave.gain
