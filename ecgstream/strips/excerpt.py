"""The seconds around an onset, cut out of a device's packets; no I/O."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from alerts.ecg import Signal
from ecgstream.store.traces import position
from schemas.mdc import lead_name
from schemas.records import ECG_KIND, MISSING, Alert, Channel, Packet
from schemas.units import MILLIVOLT

MOST_LEADS = 3
"""More make a page's strip too high for a telephone."""


def excerpt(packets: Sequence[Packet], alert: Alert, before_s: float, after_s: float) -> Signal | None:
    """Return the ECG around an alert's onset, missing samples as NaN; None: nothing can be shown.

    Packets may come in any order, and twice. Their place is their sample's; the time is counted on from the
    newest packet before the onset. Only the alert's own session is shown: another one counts anew.
    """
    own = [p for p in packets if p.session == alert.session and _leads(p)]
    if not own:
        return None
    before = [p for p in own if p.start_ns <= alert.onset_ns]
    anchor = max(before, key=_start_ns) if before else min(own, key=_start_ns)
    leads = _leads(anchor)
    rate_hz, anchor_at = leads[0].rate, _first(anchor)
    begin = anchor_at + math.ceil(((alert.onset_ns - anchor.start_ns) / 1e9 - before_s) * rate_hz)
    start_ns = anchor.start_ns + round((begin - anchor_at) / rate_hz * 1e9)
    shown = _usable(alert.evidence, len(leads))
    mv = np.full((len(shown), math.floor((before_s + after_s) * rate_hz) + 1), np.nan)
    for packet in own:
        found = _leads(packet)
        if len(found) != len(leads) or found[0].rate != rate_hz:
            continue  # a session has one layout; what differs was not measured by these leads
        for row, lead in zip(mv, shown, strict=True):
            _put(row, _first(packet) - begin, found[lead])
    known = [n for n, row in enumerate(mv) if np.isfinite(row).any()][:MOST_LEADS]
    if not known:
        return None
    return Signal(tuple(lead_name(leads[shown[n]].code) for n in known), mv[known], rate_hz, start_ns)


def _leads(packet: Packet) -> list[Channel]:
    """Return a packet's leads as the detectors number them: those at the rate of the first."""
    found = [c for c in packet.channels if c.kind == ECG_KIND and c.unit == MILLIVOLT]
    return [c for c in found if c.rate == found[0].rate]


def _first(packet: Packet) -> int:
    """Return the index of a packet's first sample at the rate of its leads."""
    return position(packet.first_sample, _leads(packet)[0].rate, packet.channels[0].rate)


def _start_ns(packet: Packet) -> int:
    return packet.start_ns


def _usable(evidence: Mapping[str, float], leads: int) -> list[int]:
    """Return which leads can be read, from 0 on; the one that a condition is about comes first.

    All of them where the evidence says nothing of leads, as that of a vital sign.
    """
    quality = [evidence.get(f"quality_lead_{lead + 1}") for lead in range(leads)]
    if quality == [None] * leads:
        return list(range(leads))
    about = evidence.get("lead")
    usable = [lead for lead in range(leads) if quality[lead]]
    return sorted(usable, key=lambda lead: lead + 1 != about)


def _put(row: NDArray[np.float64], at: int, lead: Channel) -> None:
    """Write what a lead has measured into a row, from ``at`` on; of an electrode that is off, nothing."""
    begin, end = max(0, at), min(row.size, at + lead.samples.size)
    if begin >= end or lead.lead_off:
        return
    samples = lead.samples[begin - at : end - at]
    measured = samples != MISSING
    row[begin:end][measured] = (samples[measured] - lead.offset) / lead.gain
