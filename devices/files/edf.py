"""EDF+ and BDF+ (Kemp and Olivan 2003; BioSemi) by edfio, sample for sample."""

import warnings
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.errors import RecordingError
from devices.files.content import MAX_SAMPLES, Content, to_int16
from devices.source import Wave
from devices.waves import Meaning, filters, meaning

EDF_MAGIC, BDF_MAGIC = b"0       ", b"\xffBIOSEMI"
_COUNT = slice(252, 256)
"""Of the header: how many signals there are."""
_SIZES_AT = 16 + 80 + 5 * 8 + 80
"""Bytes a signal before how many samples each has in a data record."""
_MISSING = "Signal missing"
_SLACK_S = 1e-6


def read_edf(path: Path, limit_s: float | None = None) -> Content:
    """Return the waves that are known here, at most their first ``limit_s`` seconds.

    Of EDF+D what lies between data records is missing, and so is what an annotation ``Signal missing`` says
    that it is, as our own exports have it (``ecgstream/exchange/edf.py``).

    Raises:
        RecordingError: its data records are out of order or too far from each other, or it needs more than 16
            bits. Whatever edfio raises on a broken file.
    """
    edf = open_edf(path)
    onsets = None if edf.is_continuous else _onsets(path, edf)
    told = _told_missing(edf)
    content = Content([], [], _start(edf))
    for signal in edf.signals:
        what = meaning(signal.label, signal.physical_dimension)
        if isinstance(what, str):
            content.left_out.append(f"{signal.label}: {what}")
            continue
        digital = np.asarray(signal.digital)
        missing = np.zeros(digital.shape, bool)
        if onsets is not None:
            digital, missing = _apart(signal, digital, onsets, edf.data_record_duration)
        for label, begin_s, end_s in told:
            if label in ("", signal.label.strip()):
                first, end = (round(edge * signal.sampling_frequency) for edge in (begin_s, end_s))
                missing[max(first, 0) : max(end, 0)] = True
        if limit_s is not None:
            digital = digital[: round(limit_s * signal.sampling_frequency)]
            missing = missing[: digital.size]
        content.waves.append(_wave(signal, what, digital, missing))
    return content


def open_edf(path: Path) -> Any:
    """Return edfio's view of the file; BDF is told by its first bytes."""
    import edfio

    with path.open("rb") as file:
        is_bdf = file.read(len(BDF_MAGIC)) == BDF_MAGIC
    return edfio.read_bdf(path) if is_bdf else edfio.read_edf(path)


def _start(edf: Any) -> datetime | None:
    """Return when it begins; None where the date is hidden, as EDF+ allows."""
    with warnings.catch_warnings(), suppress(ValueError):
        warnings.simplefilter("ignore")  # of two dates that differ, edfio takes the one of EDF+
        start: datetime = edf.startdatetime
        return start
    return None


def _onsets(path: Path, edf: Any) -> NDArray[np.float64]:
    """Return when each data record begins, s behind the first: the first annotation of each says it.

    Raises:
        RecordingError: they are not in order.
    """
    with path.open("rb") as file:
        header = file.read(edf.bytes_in_header_record)
    count = int(header[_COUNT])
    labels, sizes = (header[256 + count * at :] for at in (0, _SIZES_AT))
    size = 3 if header.startswith(BDF_MAGIC) else 2
    edges = np.cumsum([0, *(size * int(sizes[8 * i : 8 * i + 8]) for i in range(count))])
    first = next(i for i in range(count) if b" Annotations" in labels[16 * i : 16 * i + 16])
    records = np.memmap(path, np.uint8, "r", len(header), (edf.num_data_records, int(edges[-1])))
    column = records[:, edges[first] : edges[first + 1]]
    found = np.array([float(record.tobytes().split(b"\x14")[0]) for record in column], np.float64)
    if not (np.isfinite(found).all() and (np.diff(found) >= edf.data_record_duration - _SLACK_S).all()):
        raise RecordingError("data records that are not in order")
    behind: NDArray[np.float64] = found - found[0]
    return behind


def _apart(
    signal: Any, digital: NDArray[Any], onsets: NDArray[np.float64], long_s: float
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the samples with what lies between their data records, and where that is.

    Raises:
        RecordingError: that would be more than ``MAX_SAMPLES``.
    """
    rate = signal.sampling_frequency
    if (onsets[-1] + long_s) * rate > MAX_SAMPLES:
        raise RecordingError(f"more than {MAX_SAMPLES} samples, with what lies between data records")
    each = digital.size // onsets.size
    first = np.rint(onsets * rate).astype(np.int64)
    whole = np.zeros(int(first[-1]) + each, digital.dtype)
    missing = np.ones(whole.shape, bool)
    for number, at in enumerate(first.tolist()):
        whole[at : at + each] = digital[number * each : (number + 1) * each]
        missing[at : at + each] = False
    return whole, missing


def _told_missing(edf: Any) -> list[tuple[str, float, float]]:
    """Return what annotations say is missing: the signal's label ("": all), from when to before when, s."""
    found = []
    for one in edf.annotations:
        what, _, label = one.text.partition("@@")
        if what == _MISSING and one.duration is not None:
            found.append((label.strip(), one.onset, one.onset + one.duration))
    return found


def _wave(signal: Any, what: Meaning, digital: NDArray[Any], missing: NDArray[np.bool_]) -> Wave:
    low, high = signal.physical_range
    first, last = signal.digital_range
    gain = (last - first) / (high - low)
    zero = first - low * gain
    if gain < 0:  # EDF may state an inverted range; here a gain is above 0
        digital, gain, zero = -digital.astype(np.int64), -gain, -zero
    # EDF has no sign for "not measured": its lowest value is the rail, and is kept from reading as missing.
    samples, offset = to_int16(digital, missing, zero)
    return Wave(
        signal.label.strip(),
        what.code,
        what.kind,
        what.unit,
        float(signal.sampling_frequency),
        gain * what.per_unit,
        samples,
        offset,
        *filters(signal.prefiltering),
    )
