"""EDF+ and BDF+ (Kemp and Olivan 2003; BioSemi) by edfio, sample for sample."""

import warnings
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.errors import RecordingError
from devices.files.content import Content, to_int16
from devices.source import Wave
from devices.waves import Meaning, filters, meaning

EDF_MAGIC, BDF_MAGIC = b"0       ", b"\xffBIOSEMI"


def read_edf(path: Path, limit_s: float | None = None) -> Content:
    """Return the waves that are known here, at most their first ``limit_s`` seconds.

    Raises:
        RecordingError: it has gaps, or needs more than 16 bits. Whatever edfio raises on a broken file.
    """
    edf = open_edf(path)
    if not edf.is_continuous:
        raise RecordingError("EDF+D (with gaps) is not played; cut it into continuous files")
    content = Content([], [], _start(edf))
    for signal in edf.signals:
        what = meaning(signal.label, signal.physical_dimension)
        if isinstance(what, str):
            content.left_out.append(f"{signal.label}: {what}")
            continue
        digital = np.asarray(signal.digital)
        if limit_s is not None:
            digital = digital[: round(limit_s * signal.sampling_frequency)]
        content.waves.append(_wave(signal, what, digital))
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


def _wave(signal: Any, what: Meaning, digital: NDArray[Any]) -> Wave:
    low, high = signal.physical_range
    first, last = signal.digital_range
    gain = (last - first) / (high - low)
    zero = first - low * gain
    if gain < 0:  # EDF may state an inverted range; here a gain is above 0
        digital, gain, zero = -digital.astype(np.int64), -gain, -zero
    # EDF has no sign for "not measured": its lowest value is the rail, and is kept from reading as missing.
    samples, offset = to_int16(digital, np.zeros(digital.shape, bool), zero)
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
