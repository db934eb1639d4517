"""Records to rows: what each topic's records become in the tables. No I/O.

Traces are not made here: they need more than one record (``traces``).
"""

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from itertools import repeat
from typing import Any
from uuid import UUID

from ecgstream.store import events, tables
from ecgstream.store.tables import Row, Table
from schemas import mdc, topics, wfdb
from schemas.batches import Batch, Beats, Rhythms, Trends
from schemas.bundle import Bundle
from schemas.codec import decode_as
from schemas.conditions import Code
from schemas.errors import BadRecordError
from schemas.records import Alert, BacklogEnd, ClockCorrection, Condition, Control, Lane, Segment

_LETTERS = {ord(letter): letter for letter in wfdb.BEATS}
Rows = dict[Table, list[Row]]


def of_bundle(bundle: Bundle, offset: int) -> Rows:
    """Return the vitals of a bundle, and what it tells of its devices."""
    device, session, time_ns, code, value = (column.tolist() for column in bundle.vital)
    names = [bundle.devices[i] for i in device]
    places = range(len(names))
    vitals = zip(names, session, code, time_ns, value, places, repeat(0), repeat(offset), strict=False)
    return {tables.DEVICE: _devices(bundle), tables.VITAL: list(vitals)}


def of_control(control: Control, value: bytes, offset: int) -> Rows:
    """Return the row of a control record, as it travelled (``value``), and the mark of a clock.

    None of the end of a backlog: that changes no result, and where the backlog ends its segment says.
    """
    change = control.change
    if isinstance(change, BacklogEnd):
        return {}
    device, session, at_ns, by = control.device, control.session, control.issued_ns, control.issued_by
    found: Rows = {tables.CONTROL: [(device, at_ns, offset, type(change).__name__, value)]}
    if isinstance(change, ClockCorrection):
        seen = (device, by, session, at_ns, None, None, None, None, at_ns, change.ahead_ns)
        mark = (device, session, control.from_sample, at_ns, change.ahead_ns, by)
        found |= {tables.DEVICE: [seen], tables.CLOCK_CORRECTION: [mark]}
    return found


def _devices(bundle: Bundle) -> list[Row]:
    """Return a row a device: when it was seen, how far its clock is off, its battery's charge.

    All times are the gateway's: a device's clock may be set back, and would then hide what is newer. No
    NumPy: most bundles are a small gateway's, and hold few devices.
    """
    newest = _newest_packets(bundle)
    charges = _newest_charges(bundle)
    session = dict(zip(bundle.vital.device.tolist(), bundle.vital.session.tolist(), strict=True))
    session |= {device: packet[2] for device, packet in newest.items()}
    rows = []
    for device, its_session in session.items():
        seen_ns, skew_ns, skew_ms = bundle.created_ns, None, None
        if device in newest:
            seen_ns, end_ns, _ = newest[device]
            skew_ns, skew_ms = seen_ns, (end_ns - seen_ns) / 1e6
        battery = (bundle.created_ns, charges[device][1]) if device in charges else (None, None)
        name = bundle.devices[device]
        rows.append((name, bundle.gateway, its_session, seen_ns, skew_ns, skew_ms, *battery, None, None))
    return rows


def _newest_packets(bundle: Bundle) -> dict[int, tuple[int, int, int]]:
    """Return device to its newest packet: received_ns, the device's time at its end, session."""
    device, session, _, _, start_ns, received_ns, channels, _ = (c.tolist() for c in bundle.packet)
    samples, rate = bundle.channel.samples.tolist(), bundle.channel.rate.tolist()
    newest: dict[int, tuple[int, int, int]] = {}
    first = 0
    for i, its_session, start, received, n in zip(
        device, session, start_ns, received_ns, channels, strict=True
    ):
        packet = (received, start + round(samples[first] / rate[first] * 1e9), its_session)
        newest[i] = max(packet, newest.get(i, packet))
        first += n
    return newest


def _newest_charges(bundle: Bundle) -> dict[int, tuple[int, float]]:
    """Return device to its newest charge: device time, %."""
    newest: dict[int, tuple[int, float]] = {}
    if mdc.BATTERY_CHARGE not in bundle.vital.code:
        return newest
    device, _, time_ns, code, value = (c.tolist() for c in bundle.vital)
    for i, at_ns, its_code, percent in zip(device, time_ns, code, value, strict=True):
        if its_code == mdc.BATTERY_CHARGE and 0 <= percent <= 100:
            newest[i] = max((at_ns, percent), newest.get(i, (0, 0.0)))
    return newest


def _decided(batch: Batch, offset: Any, *columns: list[Any]) -> list[Row]:
    names = [batch.devices[i] for i in batch.device.tolist()]
    ends = (repeat(batch.generation), offset.tolist(), repeat(batch.version))
    return list(zip(names, batch.session.tolist(), *columns, *ends, strict=False))


def _beats(value: bytes) -> Rows:
    b = decode_as(Beats, value)
    try:
        codes = [_LETTERS[code] for code in b.code.tolist()]
    except KeyError as error:
        raise BadRecordError(f"Beats: {error} is no beat code") from None
    numbers = (b.sample.tolist(), b.time_ns.tolist(), codes, b.rr_s.tolist(), b.hr_bpm.tolist())
    return {tables.BEAT: _decided(b, b.offset, *numbers)}


def _rhythms(value: bytes) -> Rows:
    r = decode_as(Rhythms, value)
    if r.rhythm.size and int(r.rhythm.max()) >= len(wfdb.RHYTHMS):
        raise BadRecordError("Rhythms: an index outside the table of rhythms")
    names = [wfdb.RHYTHMS[i] for i in r.rhythm.tolist()]
    return {tables.RHYTHM: _decided(r, r.offset, r.sample.tolist(), r.time_ns.tolist(), names)}


def _trends(value: bytes) -> Rows:
    t = decode_as(Trends, value)
    columns = (t.minute_ns, t.code, t.n, t.mean, t.low, t.high)
    numbers = [column.tolist() for column in columns]
    if t.lane not in tuple(Lane):
        raise BadRecordError("Trends: no such lane")
    return {tables.TREND: _decided(t, t.offset, *numbers, [t.lane] * len(t.minute_ns))}


def _conditions(value: bytes) -> Rows:
    c = decode_as(Condition, value)
    row = (
        *(_uuid(c.id), c.device, c.patient, c.session, c.code, str(c.phase), c.onset_sample, c.onset_ns),
        *(
            c.sample,
            c.time_ns,
            c.delay_s,
            c.published_ns,
            _json(c.evidence),
            str(c.lane),
            c.generation,
            c.offset,
            c.version,
        ),
    )
    return {events.CONDITION: [row]}


def _alerts(value: bytes) -> Rows:
    a = decode_as(Alert, value)
    if a.condition in (Code.TEST_PAGE.name, Code.CONSULTATION.name):
        return {}  # no alarm, and no statistic may count it
    row = (
        *(_uuid(a.id), a.device, a.patient, a.session, a.condition, str(a.priority), str(a.state)),
        *(a.onset_sample, a.onset_ns, a.decided_sample, a.decided_ns, a.delay_s, a.end_ns, _json(a.evidence)),
        *(a.published_ns, a.raised_ns, a.updated_ns, a.offset),
        *(a.acknowledged_ns, a.acknowledged_by, a.reason),
        *(a.silenced_until_ns, a.joined, a.inhibited_by, a.grouped, a.others, a.calls, a.call_ns),
        list(dict.fromkeys(one.account for one in a.called if one.account)),
        [asdict(turn) for turn in a.history],
    )
    return {events.ALERT: [row]}


def _segments(value: bytes) -> Rows:
    s = decode_as(Segment, value)
    try:
        settings = json.loads(s.settings)
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise BadRecordError("Segment: settings that are no JSON object")
    row = (
        *(s.device, s.session, str(s.lane), s.from_sample, s.from_ns, s.to_sample, s.to_ns, str(s.start)),
        *(settings, s.generation, s.offset, s.version),
    )
    return {events.SEGMENT: [row]}


OF: dict[str, Callable[[bytes], Rows]] = {
    topics.BEATS.name: _beats,
    topics.RHYTHMS.name: _rhythms,
    topics.TRENDS.name: _trends,
    topics.CONDITIONS.name: _conditions,
    topics.ALERTS.name: _alerts,
    topics.SEGMENTS.name: _segments,
}
"""Topic to what makes rows of a record's bytes; raises ``BadRecordError``."""


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise BadRecordError("an id that is no UUID") from None


def _json(evidence: dict[str, float]) -> dict[str, float | None]:
    # JSON has no NaN.
    return {name: value if math.isfinite(value) else None for name, value in evidence.items()}
