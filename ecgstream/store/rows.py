"""Records to rows: what each topic's records become in the tables. No I/O.

Traces are not made here: they need more than one record (``traces``).
"""

import math
from collections.abc import Callable
from itertools import repeat
from typing import Any
from uuid import UUID

from ecgstream.store import tables
from ecgstream.store.tables import Row, Table
from schemas import topics, wfdb
from schemas.batches import Batch, Beats, Rhythms, Trends
from schemas.bundle import Bundle
from schemas.codec import decode_as
from schemas.errors import BadRecordError
from schemas.records import Alert, Condition

_LETTERS = {ord(letter): letter for letter in wfdb.BEATS}
Rows = dict[Table, list[Row]]


def of_bundle(bundle: Bundle, offset: int) -> Rows:
    """Return the vitals of a bundle, and when its devices were seen."""
    names, packet, vital = bundle.devices, bundle.packet, bundle.vital
    seen: dict[int, tuple[int, int]] = {}
    for device, session in zip(vital.device.tolist(), vital.session.tolist(), strict=True):
        seen[device] = (session, bundle.created_ns)
    columns = (packet.device.tolist(), packet.session.tolist(), packet.received_ns.tolist())
    for device, session, received_ns in zip(*columns, strict=True):
        seen[device] = (session, received_ns)
    values = zip(
        [names[i] for i in vital.device.tolist()],
        vital.session.tolist(),
        vital.code.tolist(),
        vital.time_ns.tolist(),
        vital.value.tolist(),
        repeat(0),
        repeat(offset),
        strict=False,
    )
    devices = [(names[i], bundle.gateway, session, at_ns) for i, (session, at_ns) in seen.items()]
    return {tables.DEVICE: devices, tables.VITAL: list(values)}


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
    return {tables.TREND: _decided(t, t.offset, *(column.tolist() for column in columns))}


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
            c.generation,
            c.offset,
            c.version,
        ),
    )
    return {tables.CONDITION: [row]}


def _alerts(value: bytes) -> Rows:
    a = decode_as(Alert, value)
    row = (
        *(_uuid(a.id), a.device, a.patient, a.session, a.condition, str(a.priority), str(a.state)),
        *(a.onset_sample, a.onset_ns, a.decided_sample, a.decided_ns, a.delay_s, a.end_ns, _json(a.evidence)),
        *(a.published_ns, a.raised_ns, a.updated_ns, a.offset),
    )
    return {tables.ALERT: [row]}


OF: dict[str, Callable[[bytes], Rows]] = {
    topics.BEATS.name: _beats,
    topics.RHYTHMS.name: _rhythms,
    topics.TRENDS.name: _trends,
    topics.CONDITIONS.name: _conditions,
    topics.ALERTS.name: _alerts,
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
