"""The ECG that the made files hold: numbers by rule, a patient who never was."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

FAMILY, GIVEN, PATIENT_ID = "Neverwas", "Madeup", "PID-0815-4711"
"""Stand in every made file that has a place for them, and in nothing that comes of it."""
IDENTITY = (FAMILY, GIVEN, PATIENT_ID, "19010203", "1901-02-03", "02-03-1901", "1901")

START = datetime.fromisoformat("2026-03-29T09:30:15")
"""By a clock on the wall, two hours before UTC."""
START_NS = 1_774_769_415_000_000_000

_POINTS = ((0, 0), (160, 0), (200, 25), (250, 0), (300, 0), (312, -20), (330, 220), (350, -40), (362, 0),
           (460, 5), (540, 60), (620, 0), (800, 0))  # fmt: skip
"""A beat of 800 ms: when, ms, and how much, in steps."""


@dataclass(frozen=True)
class Ecg:
    """What is written. ``leads``: int16 in the file's order; ``step_uv``: what one step is."""

    leads: dict[str, NDArray[np.int16]]
    rate: int
    step_uv: int
    start: datetime

    @property
    def size(self) -> int:
        return next(iter(self.leads.values())).size


def twelve_leads(rate: int = 500, seconds: float = 2.0, step_uv: int = 5) -> Ecg:
    """Twelve leads, of which four follow from I and II as in a body."""
    ms = np.arange(int(seconds * rate)) * 1000 // rate % 800
    beat = np.rint(np.interp(ms, *zip(*_POINTS, strict=True))).astype(np.int64)
    i, ii = beat * 3 // 4, beat
    leads = {
        "I": i,
        "II": ii,
        "III": ii - i,
        "aVR": -(i + ii) // 2,
        "aVL": (2 * i - ii) // 2,
        "aVF": (2 * ii - i) // 2,
        **{f"V{n}": beat * (n - 3) // 2 + n for n in range(1, 7)},
    }
    return Ecg({k: v.astype(np.int16) for k, v in leads.items()}, rate, step_uv, START)
