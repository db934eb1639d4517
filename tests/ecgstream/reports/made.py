"""Made beat series of which every figure can be computed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from ecgstream.reports.material import (
    MINUTE_NS,
    NS,
    Beats,
    Material,
    Minutes,
    RhythmSpan,
    StoredLead,
    StStored,
    Subject,
)
from ecgstream.reports.resting.leads import NAMES
from ecgstream.reports.standing import Signature, Standing

BEGIN = 1_790_002_800 * NS
"""A whole hour of UTC."""
assert BEGIN % (60 * MINUTE_NS) == 0
SUBJECT = Subject(("mon-17",), "P-ABCDEFGHIJ", ("County Hospital", ""), "Asia/Shanghai")

SIGNED = Standing(
    "amended",
    report="7c9e6679-7425-40de-944b-e07fc1f90ae7",
    sha256="ab" * 32,
    version=2,
    made_by="li",
    made_at=datetime(2026, 9, 21, 16, tzinfo=UTC),
    signature=Signature("Sinus rhythm.\n窦性心律", "wang", "王医生", datetime(2026, 9, 21, 17, tzinfo=UTC)),
    amends="16fd2706-8baf-433b-82eb-8c7fada847da",
)


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


def lead(name: str, *high_pass_hz: float | None, mv: Sequence[float] = (), n: float = 6.0) -> StoredLead:
    """A lead, and its ST levels from the first minute on; NaN: none was measured."""
    levels = np.array(mv, np.float64)
    known = np.flatnonzero(np.isfinite(levels))
    start = BEGIN + known.astype(np.int64) * MINUTE_NS
    return StoredLead(name, high_pass_hz, start, np.full(known.size, n), levels[known])


def material(
    found: Beats,
    minutes: int,
    rhythms: Sequence[RhythmSpan] = (),
    *,
    analysed_s: float = 60.0,
    high_pass: tuple[float | None, ...] = (0.05,),
    leads: tuple[StoredLead, ...] = (),
    subject: Subject = SUBJECT,
) -> Material:
    asked = (BEGIN, BEGIN + minutes * MINUTE_NS)
    each = Minutes(
        BEGIN + np.arange(minutes) * MINUTE_NS, np.full(minutes, 60.0), np.full(minutes, analysed_s)
    )
    st = StStored(leads or tuple(lead(name, hz) for name, hz in zip(NAMES, high_pass, strict=False)), 0, 0)
    return Material(subject, asked, (asked,), found, each, tuple(rhythms), st, ("1",))
