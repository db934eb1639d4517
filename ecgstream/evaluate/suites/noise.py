"""Noise: QRS complexes where noise was added to clean recordings, by how strong it is.

G. B. Moody, W. K. Muldrow and R. G. Mark, "A noise stress test for arrhythmia detectors", Computers in
Cardiology 11 (1984) 381-384: from 5:00 on, two minutes with noise and two without take turns. Beats count
where it is noisy. That the detectors know when they err is asked of all seconds, the clean ones too: whether
the quality that was told at a second's end is lower where in that second a beat is missed or one too many.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ecgstream.evaluate import auc, beatwise, played, truth
from ecgstream.evaluate.auc import Seconds
from ecgstream.evaluate.others import Comparison, OfOther
from ecgstream.evaluate.scored import Scored, qrs, score, unclassed
from ecgstream.evaluate.statistics import rounded
from ecgstream.evaluate.suite import Suite, annotated
from ecgstream.evaluate.truth import Span, Truth

T = TypeVar("T", "OfRecord", OfOther)
FIRST_S, NOISY_S, TURN_S = 300, 120, 240
_NAME = re.compile(r"^(?P<of>\w+?)e(?P<snr>_?\d+)$")


class OfRecord(NamedTuple):
    """What was found in one record.

    Attributes:
        record: its name.
        scored: the noisy blocks; see there.
        seconds: all of the record; bad is one with an error, the score is the quality that was told.
        noisy: which of the seconds lie in noisy blocks, shape (n,).
    """

    record: str
    scored: Scored
    seconds: Seconds
    noisy: NDArray[np.bool_]


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


def noisy_blocks(said: Truth) -> list[Span]:
    """Return where noise was added."""
    begins_s = range(FIRST_S, round(said.length / said.rate), TURN_S)
    return [(round(begin * said.rate), round((begin + NOISY_S) * said.rate)) for begin in begins_s]


def look(path: Path) -> OfRecord:
    """Play a record, and compare."""
    said, found = truth.read(path), played.play(path)
    sample = np.sort(np.rint(found.beats["sample"] * (said.rate / found.rate)).astype(np.int64))
    begins = np.rint(np.arange(found.quality.size) * said.rate).astype(np.int64)
    return OfRecord(
        path.stem,
        score(said, sample, unclassed(sample), noisy_blocks(said)),
        Seconds(errs(said, sample, found.quality.size), found.quality),
        beatwise.within(begins, noisy_blocks(said)),
    )


def errs(said: Truth, sample: NDArray[np.int64], seconds: int) -> NDArray[np.bool_]:
    """Return in which seconds a beat is missed, or one too many; each counts where it lies."""
    left, right = beatwise.pair(said.sample, sample, beatwise.WINDOW_S * said.rate)
    errors = np.concatenate([said.sample[left[right < 0]], sample[right[left < 0]]])
    bad = np.zeros(seconds, bool)
    bad[np.minimum((errors / said.rate).astype(np.int64), seconds - 1)] = True
    return bad


def sum_up(found: Sequence[OfRecord]) -> dict[str, Any]:
    """Return the figures by signal-to-noise ratio, the cleanest first, and how well quality tells errors."""
    told: dict[str, Any] = rounded(
        {
            "qrs": qrs([one.scored for one in found]),
            "qrs_by_snr_db": _by_snr(found, lambda some: qrs([one.scored for one in some])),
            "quality": _quality(found),
            "quality_by_snr_db": _by_snr(found, _quality),
            "by_record": [
                {"record": one.record, "qrs": qrs([one.scored]), "quality": _quality_of(one)} for one in found
            ],
        }
    )
    return told


def sum_up_other(found: Sequence[OfOther]) -> dict[str, Any]:
    """Return the same figures of QRS complexes for another detector."""
    return {
        "qrs": qrs([one.scored for one in found]),
        "qrs_by_snr_db": _by_snr(found, lambda some: qrs([one.scored for one in some])),
    }


def _by_snr(found: Sequence[T], of: Callable[[list[T]], dict[str, Any]]) -> dict[str, Any]:
    by_snr: defaultdict[str, list[T]] = defaultdict(list)
    for one in found:
        by_snr[str(snr_of(one.record))].append(one)
    return {snr: of(by_snr[snr]) for snr in sorted(by_snr, key=int, reverse=True)}


def _quality(found: Sequence[OfRecord]) -> dict[str, Any]:
    """Return how well quality tells the seconds with an error, over all seconds and over the noisy ones."""
    seconds = [one.seconds for one in found]
    each = [area for one in seconds if (area := auc.auc([one])) is not None]
    return {
        "auc": auc.auc(seconds),
        "auc_interval": auc.interval(seconds),
        "average_auc": float(np.mean(each)) if each else None,
        "auc_in_noise": auc.auc([_in_noise(one) for one in found]),
        "bad_s": int(sum(one.bad.sum() for one in seconds)),
        "all_s": int(sum(one.bad.size for one in seconds)),
    }


def _quality_of(one: OfRecord) -> dict[str, Any]:
    return {
        "auc": auc.auc([one.seconds]),
        "auc_in_noise": auc.auc([_in_noise(one)]),
        "bad_s": int(one.seconds.bad.sum()),
        "all_s": one.seconds.bad.size,
    }


def _in_noise(one: OfRecord) -> Seconds:
    return Seconds(one.seconds.bad[one.noisy], one.seconds.score[one.noisy])


SUITE = Suite(
    "noise",
    "records of the MIT-BIH Noise Stress Test Database",
    paths,
    look,
    sum_up,
    Comparison(noisy_blocks, sum_up_other),
)
