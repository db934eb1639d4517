"""Reports of made ECGs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from alerts.sheet import Lead
from ecgstream.reports.material import NS, RhythmSpan
from ecgstream.reports.resting.content import Recorded, Resting, compute
from ecgstream.reports.resting.document import RestingDocument
from ecgstream.reports.resting.leads import twelve
from ecgstream.reports.resting.stored import shown
from tests.ecgstream.reports.made import BEGIN, SUBJECT
from tests.ecgstream.reports.resting.made_of import LEADS, Beat, signal

Array = NDArray[np.float64]


USUAL = Beat()


def recorded(
    beat: Beat = USUAL,
    rr_s: float = 0.83,
    *,
    rate: float = 500,
    noise_mv: float = 0.0,
    wander_mv: float = 0.0,
    code: str = "N",
    rhythm: str = "N",
    high_pass: float | None = 0.05,
    off: Mapping[str, slice] | None = None,
    instead: Array | None = None,
) -> Recorded:
    """Ten seconds of eight leads; ``off``: what of a lead was not measured, ``instead``: other samples."""
    rng = np.random.default_rng(4)
    begins_s = np.arange(0.45, 9.9, rr_s)
    mv = signal(beat, begins_s, rate) if instead is None else instead.copy()
    time_s = np.arange(mv.shape[1]) / rate
    mv += wander_mv * np.sin(2 * np.pi * 0.25 * time_s + np.arange(len(mv))[:, None])
    mv += noise_mv * rng.standard_normal(mv.shape)
    for name, part in (off or {}).items():
        mv[LEADS.index(name), part] = np.nan
    leads = [Lead(name, time_s, row) for name, row in zip(LEADS, mv, strict=True)]
    found = twelve(leads, dict.fromkeys(LEADS, float(rate)))
    asked = (BEGIN, BEGIN + 10 * NS)
    return Recorded(
        SUBJECT,
        asked,
        ("7",),
        (RhythmSpan(rhythm, *asked),),
        found,
        "0.05 to 150 Hz: diagnostic bandwidth",
        dict.fromkeys((*LEADS, "III", "aVR", "aVL", "aVF"), high_pass),
        begins_s + beat.qrs / 2000 + rng.uniform(-0.008, 0.008, begins_s.size),
        (code * begins_s.size)[: begins_s.size],
    )


def report(*args: object, **how: object) -> Resting:
    return compute(recorded(*args, **how))  # type: ignore[arg-type]


def document_of(one: Recorded) -> RestingDocument:
    return RestingDocument(compute(one), shown(one.twelve))
