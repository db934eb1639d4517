"""Made beat series of which every figure can be computed by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ecgstream.reports.material import (
    MINUTE_NS,
    NS,
    Beats,
    Material,
    Minutes,
    RhythmSpan,
    StStored,
    Subject,
)

BEGIN = 1_790_002_800 * NS
"""A whole hour of UTC."""
assert BEGIN % (60 * MINUTE_NS) == 0
SUBJECT = Subject(("mon-17",), "P-ABCDEFGHIJ", ("County Hospital", ""), "Asia/Shanghai")


def beats(rr_s: Sequence[float], codes: str = "", *, source: int = 0, begin_ns: int = BEGIN) -> Beats:
    """The first beat at ``begin_ns``, with nothing before it; then one after each interval."""
    at = begin_ns + np.round(np.concatenate(([0.0], np.cumsum(rr_s))) * NS).astype(np.int64)
    letters = codes or "N" * at.size
    return Beats(
        at,
        np.frombuffer(letters.encode(), np.uint8),
        np.concatenate(([np.nan], rr_s)),
        np.full(at.size, source, np.int64),
    )


def joined(*several: Beats) -> Beats:
    return Beats(*(np.concatenate([getattr(one, name) for one in several]) for name in Beats.__slots__))


def material(
    found: Beats,
    minutes: int,
    rhythms: Sequence[RhythmSpan] = (),
    *,
    analysed_s: float = 60.0,
    high_pass: tuple[float | None, ...] = (0.05,),
    subject: Subject = SUBJECT,
) -> Material:
    asked = (BEGIN, BEGIN + minutes * MINUTE_NS)
    each = Minutes(
        BEGIN + np.arange(minutes) * MINUTE_NS, np.full(minutes, 60.0), np.full(minutes, analysed_s)
    )
    st = StStored(high_pass, 0, 0)
    return Material(subject, asked, (asked,), found, each, tuple(rhythms), st, ("1",))
