"""Noise: QRS complexes where noise was added to clean recordings, by how strong it is.

G. B. Moody, W. K. Muldrow and R. G. Mark, "A noise stress test for arrhythmia detectors", Computers in
Cardiology 11 (1984) 381-384: from 5:00 on, two minutes with noise and two without take turns.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecgstream.evaluate import beatwise, played, truth
from ecgstream.evaluate.statistics import figures, rounded, total
from ecgstream.evaluate.suite import Suite, annotated

FIRST_S, NOISY_S, TURN_S = 300, 120, 240
_NAME = re.compile(r"^(?P<of>\w+?)e(?P<snr>_?\d+)$")


class OfRecord(NamedTuple):
    """The noisy blocks of a record: which, how strong the noise is, and ``beatwise.confusion``."""

    record: str
    snr_db: int
    table: NDArray[np.int64]


def snr_of(record: str) -> int | None:
    """Return the signal-to-noise ratio that a record's name tells, dB.

    >>> snr_of("118e06"), snr_of("119e_6"), snr_of("bw")
    (6, -6, None)
    """
    match = _NAME.match(record)
    return int(match["snr"].replace("_", "-")) if match else None


def paths(folder: Path) -> list[Path]:
    """Return the records whose names tell a signal-to-noise ratio."""
    return [path for path in annotated(folder) if snr_of(path.stem) is not None]


def look(path: Path) -> OfRecord:
    """Play a record, and compare where it is noisy."""
    said, found = truth.read(path), played.play(path)
    last_s = round(said.length / said.rate)
    noisy = [
        (round(begin * said.rate), round((begin + NOISY_S) * said.rate))
        for begin in range(FIRST_S, last_s, TURN_S)
    ]
    sample = np.sort(np.rint(found.beats["sample"] * (said.rate / found.rate)).astype(np.int64))
    table = beatwise.confusion(
        (said.sample, said.aami),
        (sample, np.full(sample.size, "N")),  # classes are the other suite's
        beatwise.WINDOW_S * said.rate,
        noisy,
    )
    snr = snr_of(path.stem)
    if snr is None:
        raise ValueError(path.stem)
    return OfRecord(path.stem, snr, table)


def sum_up(found: Sequence[OfRecord]) -> dict[str, Any]:
    """Return the figures by signal-to-noise ratio, the cleanest first."""
    by_snr: defaultdict[int, list[beatwise.Counts]] = defaultdict(list)
    for one in found:
        by_snr[one.snr_db].append(beatwise.qrs(one.table))
    told: dict[str, Any] = rounded(
        {
            "qrs_by_snr_db": {str(snr): figures(total(by_snr[snr])) for snr in sorted(by_snr, reverse=True)},
            "by_record": [{"record": one.record, "qrs": figures(beatwise.qrs(one.table))} for one in found],
        }
    )
    return told


SUITE = Suite("noise", "records of the MIT-BIH Noise Stress Test Database", paths, look, sum_up)
