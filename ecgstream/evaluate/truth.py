"""What people have annotated, read from WFDB annotation files."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.errors import RecordingError

CLASSES = "NSVFQ"
# ANSI/AAMI EC57:2012, 4.3.2: beat labels and the annotation codes of PhysioNet that they stand for.
AAMI = {
    **dict.fromkeys("NLRBejn", "N"),
    **dict.fromkeys("AaJS", "S"),
    **dict.fromkeys("VEr", "V"),
    "F": "F",
    **dict.fromkeys("/fQ?", "Q"),
}
VF_BEGINS, VF_ENDS = "[", "]"
PACED = "/"

Span = tuple[int, int]
"""From (included) to (excluded), samples."""


class Truth(NamedTuple):
    """What people said of one recording.

    Attributes:
        rate: at which ``sample`` counts, Hz.
        length: of the recording, samples.
        sample, aami: where the beats are, ascending, and their class, a character of ``CLASSES``.
        fibrillation: spans between ``[`` and ``]``.
        rhythms: a mark and the span in which it holds; marks as they stand there, without their parenthesis.
        paced: whether there are paced beats: EC57 leaves such records out of what is said of classes.
    """

    rate: float
    length: int
    sample: NDArray[np.int64]
    aami: NDArray[np.str_]
    fibrillation: list[Span]
    rhythms: list[tuple[str, Span]]
    paced: bool


def read(path: Path) -> Truth:
    """Return the annotations of the record at ``path`` (with or without ``.hea``).

    Raises:
        RecordingError: there are none, or they cannot be read.
    """
    import wfdb

    name = str(path.with_suffix("") if path.suffix == ".hea" else path)
    try:
        header = wfdb.rdheader(name)
        marks = wfdb.rdann(name, "atr")
    except FileNotFoundError as error:
        raise RecordingError(f"{path}: there is no file {error.filename or path}") from error
    except Exception as error:  # what the library raises on a broken file is not documented
        raise RecordingError(f"{path}: {type(error).__name__}: {error}") from error
    return _truth(float(header.fs), int(header.sig_len), marks)


def _truth(rate: float, length: int, marks: Any) -> Truth:
    symbol = np.array(marks.symbol, dtype="U1")
    sample = np.asarray(marks.sample, np.int64)
    beat = np.isin(symbol, list(AAMI))
    aux = [(str(text).rstrip("\0"), int(at)) for text, at in zip(marks.aux_note, sample, strict=True)]
    return Truth(
        rate,
        length,
        sample[beat],
        np.array([AAMI[s] for s in symbol[beat]], dtype="U1"),
        list(_fibrillation(symbol, sample, length)),
        list(_rhythms(aux, length)),
        PACED in symbol,
    )


def _fibrillation(symbol: NDArray[np.str_], sample: NDArray[np.int64], length: int) -> Iterator[Span]:
    begun: int | None = None
    for mark, at in zip(symbol.tolist(), sample.tolist(), strict=True):
        if mark == VF_BEGINS and begun is None:
            begun = at
        elif mark == VF_ENDS and begun is not None:
            yield begun, at
            begun = None
    if begun is not None:
        yield begun, length


def _rhythms(aux: list[tuple[str, int]], length: int) -> Iterator[tuple[str, Span]]:
    marks = [(text[1:], at) for text, at in aux if text.startswith("(") and len(text) > 1]
    for (text, at), (_, until) in pairwise([*marks, ("", length)]):
        if until > at:
            yield text, (at, until)


def spans(truth: Truth, *wanted: str) -> list[Span]:
    """Return the spans in which one of some rhythms holds."""
    return [span for text, span in truth.rhythms if text in wanted]
