"""WFDB records that tests make: their leads in mV, and what is annotated."""

from pathlib import Path

import numpy as np
import wfdb

from tests.detectors import synthetic

FS = 250
NAMES = ("II", "V1", "V5")
MISSING = -32768


def write(
    folder: Path, name: str, mv: np.ndarray, marks: list[tuple[int, str, str]], leads: int = 1, fs: int = FS
) -> Path:
    """Write a record with annotations: sample, symbol, rhythm. NaN is written as missing; leads are alike."""
    counts = np.where(np.isnan(mv), MISSING, np.rint(np.nan_to_num(mv) * 200)).astype(np.int64)
    wfdb.wrsamp(
        name,
        fs=fs,
        units=["mV"] * leads,
        sig_name=list(NAMES[:leads]),
        d_signal=np.repeat(counts[:, None], leads, axis=1),
        fmt=["16"] * leads,
        adc_gain=[200.0] * leads,
        baseline=[0] * leads,
        write_dir=str(folder),
    )
    if marks:
        sample, symbol, aux = zip(*marks, strict=True)
        wfdb.wrann(name, "atr", np.array(sample), list(symbol), aux_note=list(aux), write_dir=str(folder))
    return folder / f"{name}.hea"


def regular(seconds: float, rr_s: float = 0.8, fs: int = FS) -> tuple[np.ndarray, list[int]]:
    """Return a lead and where its beats are."""
    at = np.arange(1.0, seconds - 1.0, rr_s)
    return synthetic.beats(at, seconds, fs), np.rint(at * fs).astype(int).tolist()


def normal(at: list[int]) -> list[tuple[int, str, str]]:
    """Return annotations of normal beats."""
    return [(k, "N", "") for k in at]
