"""WFDB records (*WFDB Applications Guide*, header(5) and signal(5)) by wfdb, sample for sample."""

import re
from datetime import datetime
from pathlib import Path

import numpy as np

from devices.files.content import Content, to_int16
from devices.source import Wave
from devices.waves import meaning

_RECORD_LINE = re.compile(rb"[-\w]+(?:/\d+)?[ \t]+\d+[ \t]+\d.*")  # a name, how many signals, a rate
_DEFAULT_GAIN = 200.0
"""Steps a mV where a header states none: header(5)."""

# What each format writes for a sample that was not measured: signal(5).
_NOT_MEASURED = {
    "8": -128, "80": -128, "508": -128, "310": -512, "311": -512, "212": -2048, "16": -32768,
    "61": -32768, "160": -32768, "516": -32768, "24": -(2**23), "524": -(2**23), "32": -(2**31),
}  # fmt: skip


def read_wfdb(record: Path, limit_s: float | None = None) -> Content:
    """Return the waves that are known here of a record (its path without ``.hea``).

    wfdb takes signals from the record's own folder only: its names of files have no slash.

    Raises:
        RecordingError: it needs more than 16 bits. Whatever wfdb raises on a broken record.
    """
    import wfdb

    header = wfdb.rdheader(str(record))
    end = None if limit_s is None else min(round(limit_s * header.fs), header.sig_len)
    # Samples as recorded: no physical units, and every channel at the rate of its own.
    found = wfdb.rdrecord(str(record), sampto=end, physical=False, smooth_frames=False, return_res=64)
    content = Content([], [])
    if found.base_date is not None and found.base_time is not None:
        content.start = datetime.combine(found.base_date, found.base_time)
    for i, label in enumerate(found.sig_name):
        what = meaning(label, found.units[i] or "mV")
        if isinstance(what, str):
            content.left_out.append(f"{label}: {what}")
            continue
        digital = np.asarray(found.e_d_signal[i])
        missing = digital == _NOT_MEASURED[found.fmt[i]]
        zero = found.baseline[i] if found.baseline[i] is not None else found.adc_zero[i] or 0
        samples, offset = to_int16(digital, missing, float(zero))
        content.waves.append(
            Wave(
                label,
                what.code,
                what.kind,
                what.unit,
                float(found.fs * found.samps_per_frame[i]),
                (found.adc_gain[i] or _DEFAULT_GAIN) * what.per_unit,
                samples,
                offset,
            )
        )
    return content


def is_header(head: bytes) -> bool:
    r"""Return whether a file begins as a header does: behind comments, how its record is made.

    >>> is_header(b"#made\n100 2 360 650000\n"), is_header(b"a text file\n")
    (True, False)
    """
    lines = (line.strip() for line in head.splitlines())
    first = next((line for line in lines if line and not line.startswith(b"#")), b"")
    return _RECORD_LINE.fullmatch(first) is not None
