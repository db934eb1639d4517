"""Reads a resting ECG, as the person whose login the connection has: views of ``api`` alone."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, LiteralString

import numpy as np
import psycopg

from ecgstream.monitor import printed
from ecgstream.monitor.read import signal
from ecgstream.registry.errors import RegistryError
from ecgstream.reports import stored
from ecgstream.reports.resting.content import Recorded
from ecgstream.reports.resting.leads import NAMES, SECONDS, STRETCH, Twelve, twelve
from ecgstream.reports.stored import Part
from schemas.mdc import lead_name
from schemas.records import ECG_KIND

if TYPE_CHECKING:
    from alerts.sheet import Lead

TEN = timedelta(seconds=SECONDS)
LATER = STRETCH - TEN
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)

_BEATS: LiteralString = """
SELECT sample, code, version FROM api.beats
WHERE device = %s AND session = %s AND time >= %s AND time < %s ORDER BY sample
"""


def recorded(connection: psycopg.Connection, device: str, patient: str, at: datetime) -> Recorded:
    """Return the ten seconds from a time on, of a device or of what a patient wore.

    Raises:
        RegistryError: one sees no such device, or of the patient nothing of that time; or what is stored is
            no resting ECG, and why.
    """
    parts = list(_parts(connection, device, patient, at, at + LATER))
    begin = _begin(parts, at)
    worn = _part(connection, device, patient, begin)
    found = list(signal.parts(connection, worn.device, begin, begin + TEN))
    waves = [wave for part in found for wave in part.waves if wave.kind == ECG_KIND]
    if len(sessions := {part.session for part in found if part.waves}) > 1:
        raise RegistryError("these ten seconds were measured by more than one session: ask for a later time")
    # Of two channels that are called alike the first counts, as in ``twelve``.
    rates = {lead_name(wave.code): wave.rate for wave in reversed(waves)}
    leads = twelve(printed.leads(found, begin), rates)
    time_s, code, versions = _beats(connection, worn, found[0], sessions.pop(), begin)
    high_pass = {lead_name(wave.code): _known(wave.high_pass) for wave in reversed(waves)}
    i_ii = [high_pass["I"], high_pass["II"]]
    highest = None if None in i_ii else max(hz for hz in i_ii if hz is not None)
    return Recorded(
        stored.subject(connection, [worn], patient),
        (_ns(begin), _ns(begin + TEN)),
        versions,
        tuple(stored.rhythm_spans(connection, worn)),
        leads,
        printed.bandwidth(waves),
        high_pass | dict.fromkeys(leads.derived, highest),
        time_s,
        code,
    )


def shown(leads: Twelve) -> "list[Lead]":
    """Return leads as a sheet draws them."""
    from alerts.sheet import Lead  # it imports matplotlib

    time_s = np.arange(leads.mv.shape[1]) / leads.rate_hz
    return [Lead(name, time_s, row) for name, row in zip(NAMES, leads.mv, strict=True)]


def _parts(
    connection: psycopg.Connection, device: str, patient: str, since: datetime, until: datetime
) -> "list[signal.Part]":
    """Return what is stored of the first second."""
    if patient:
        worn = stored.worn(connection, patient, since, until)
    else:
        worn = stored.device_parts(connection, device, since, until)
    return [part for one in worn for part in signal.parts(connection, one.device, one.since, one.until)]


def _begin(parts: "list[signal.Part]", at: datetime) -> datetime:
    """Return when the ten seconds begin: as asked for, or with the recording's first sample behind it."""
    first_ms = [
        part.origin_ms + wave.first / wave.rate * 1000
        for part in parts
        for wave in part.waves
        if wave.kind == ECG_KIND
    ]
    if not first_ms:
        raise RegistryError("no ECG is stored of this time: a recording begins at --at, or within a second")
    begin = _FIRST + timedelta(milliseconds=int(round(min(first_ms), 3)))
    return max(at, begin)


def _part(connection: psycopg.Connection, device: str, patient: str, begin: datetime) -> Part:
    """Return the ten seconds as a part of one device."""
    if not patient:
        return stored.device_parts(connection, device, begin, begin + TEN)[0]
    for worn in stored.worn(connection, patient, begin, begin + TEN):
        if worn.since <= begin and worn.until >= begin + TEN:
            return worn
    raise RegistryError("the patient did not wear one device for all of these ten seconds")


def _beats(
    connection: psycopg.Connection, worn: Part, part: signal.Part, session: int, begin: datetime
) -> tuple[np.ndarray, str, tuple[str, ...]]:
    """Return when beats were, s, their letters, and the versions of detectors that found them."""
    rows = connection.execute(_BEATS, (worn.device, session, begin, begin + TEN)).fetchall()
    offset_s = part.origin_ms / 1000 - begin.timestamp()
    time_s = np.array([offset_s + sample / part.rate_0 for sample, *_ in rows], np.float64)
    return time_s, "".join(code for _, code, _ in rows), tuple(sorted({version for *_, version in rows}))


def _known(hz: float) -> float | None:
    return float(hz) if np.isfinite(hz) else None


def _ns(time: datetime) -> int:
    return (time - _FIRST) // timedelta(microseconds=1) * 1000
