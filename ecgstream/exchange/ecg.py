"""The ECG leads of a recording by themselves, for formats that hold nothing else."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgstream.exchange.errors import ExchangeError
from ecgstream.exchange.recording import Mark, Segment
from schemas.records import ECG_KIND


def ecg_only(segment: Segment, folder: Path) -> Segment:
    """Return a segment with its ECG leads alone, one sample of each a frame.

    Args:
        segment: one.
        folder: where samples that must be laid out anew lie, in a file without a name.

    Raises:
        ExchangeError: it has none, or they are of several rates, or a lead is not in mV.
        OSError: the folder's disk is full.
    """
    numbers = [i for i, lead in enumerate(segment.leads) if lead.kind == ECG_KIND]
    leads = tuple(segment.leads[i] for i in numbers)
    if not leads:
        raise ExchangeError("no ECG lead, and this format holds nothing else: use wfdb or edf")
    if len({lead.rate for lead in leads}) > 1:
        raise ExchangeError("ECG leads of several rates, which this format does not hold: use wfdb or edf")
    if any(lead.unit != "mV" for lead in leads):
        raise ExchangeError("an ECG lead that is not in mV, which this format does not hold: use wfdb or edf")
    count = segment.per_frame[numbers[0]]
    if count == 1 and numbers == list(range(len(numbers))):
        return replace(segment, leads=leads, samples=segment.samples[:, : len(numbers)])
    ratio = leads[0].rate / segment.leads[0].rate
    last = segment.frames * count - 1
    return replace(
        segment,
        rate_hz=leads[0].rate,
        leads=leads,
        samples=_gathered(segment, numbers, count, folder),
        beat_sample=np.minimum(np.rint(segment.beat_sample * ratio), last).astype(np.int64),
        rhythms=_scaled(segment.rhythms, ratio, last),
        conditions=_scaled(segment.conditions, ratio, last),
    )


def _gathered(segment: Segment, numbers: list[int], count: int, folder: Path) -> NDArray[np.int16]:
    """Return samples of leads, each ``count`` a frame, as shape (samples, leads)."""
    edges = np.cumsum((0, *segment.per_frame)).tolist()
    with tempfile.TemporaryFile(dir=folder) as file:
        for _, rows in segment.chunks():
            columns = [rows[:, edges[i] : edges[i] + count].reshape(-1) for i in numbers]
            file.write(np.stack(columns, axis=1).tobytes())
        file.flush()
        return np.memmap(file, np.int16, "r", shape=(segment.frames * count, len(numbers)))


def _scaled(marks: tuple[Mark, ...], ratio: float, last: int) -> tuple[Mark, ...]:
    """Return marks at samples of another rate, of which there are none behind ``last``."""
    return tuple(
        Mark(
            min(round(mark.sample * ratio), last),
            mark.text,
            None if mark.end is None else round(mark.end * ratio),
        )
        for mark in marks
    )
