"""Ten seconds of a stored ECG as a PDF that a printer puts on A4 (``alerts.sheet``)."""

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from ecgstream.monitor.live.frames import Wave
from ecgstream.monitor.read.signal import Part
from schemas.mdc import lead_name
from schemas.records import ECG_KIND, MISSING

if TYPE_CHECKING:
    from alerts.sheet import Lead

Samples = NDArray[np.float64]

SECONDS = 10.0
DIAGNOSTIC_HZ = (0.05, 150.0)
"""What passes these filters and more is of diagnostic bandwidth (IEC 60601-2-25), all else for monitoring."""


def printed(
    parts: Sequence[Part], at: datetime, *, patient: str, device: str, account: str, zone: str, twelve: bool
) -> bytes:
    """Return the PDF of the seconds from a time on; what an electrode measured that was off is left out."""
    from alerts import sheet  # it imports matplotlib, which costs a second, and nobody may print

    waves = [wave for part in parts for wave in part.waves if wave.kind == ECG_KIND]
    end = at + timedelta(seconds=SECONDS)
    anew = "measured by more than one session; " if len({part.session for part in parts}) > 1 else ""
    heading = sheet.Heading(
        f"patient {patient}, device {device}",
        f"{_told(at, zone, 'milliseconds')} to {_told(end, zone, 'milliseconds')} ({zone})",
        f"{anew}{bandwidth(waves)}",
        f"printed by {account}, {_told(datetime.now(UTC), zone, 'seconds')}; supplements bedside monitoring",
    )
    return sheet.draw(sheet.in_rows(leads(parts, at), twelve=twelve), heading)


def leads(parts: Sequence[Part], at: datetime) -> list["Lead"]:
    """Return the ECG leads of a stretch, s from a time on; a break is a sample that is missing."""
    from alerts.sheet import Lead

    origins: dict[int, float] = {}
    found: dict[tuple[int, int], list[tuple[Samples, Samples]]] = {}
    ends: dict[tuple[int, int], tuple[int, int]] = {}
    for part in parts:
        origin_ms = origins.setdefault(part.session, part.origin_ms)  # samples lie evenly within a session
        begin_s = (origin_ms - at.timestamp() * 1000) / 1000
        for wave in part.waves:
            if wave.kind != ECG_KIND:
                continue
            key = wave.code, wave.channel
            mv = (wave.samples - np.float64(wave.offset)) / wave.gain
            mv[(wave.samples == MISSING) | wave.is_off] = np.nan
            time_s = begin_s + (wave.first + np.arange(wave.samples.size)) / wave.rate
            pieces = found.setdefault(key, [])
            if ends.get(key, (part.session, wave.first)) != (part.session, wave.first):
                pieces.append((time_s[:1], np.array([np.nan])))
            pieces.append((time_s, mv))
            ends[key] = part.session, wave.first + wave.samples.size
    joined = {key: map(np.concatenate, zip(*pieces, strict=True)) for key, pieces in found.items()}
    return [Lead(lead_name(key[0]), *joined[key]) for key in sorted(joined, key=_rank)]


def bandwidth(waves: Iterable[Wave]) -> str:
    """Return the filters of leads, and what they are good for.

    >>> import numpy as np
    >>> lead = Wave(0, 131330, 0, 0, False, 250.0, 200.0, 0.0, np.zeros(1, np.int16), 0, 0.5, 40.0, 50.0)
    >>> bandwidth([lead])
    '0.5 to 40 Hz, notch 50 Hz: monitoring bandwidth'
    """
    told = {_filters(wave.high_pass, wave.low_pass, wave.notch) for wave in waves}
    return "filters differ: " + "; ".join(sorted(told)) if len(told) > 1 else next(iter(told), "no signal")


def _filters(high: float, low: float, notch: float) -> str:
    mains = f", notch {notch:g} Hz" if math.isfinite(notch) and notch > 0 else ""
    if not (math.isfinite(high) and math.isfinite(low)):
        return f"filters not known{mains}"
    most, least = DIAGNOSTIC_HZ
    use = "diagnostic" if high <= most * 1.001 and low >= least else "monitoring"
    return f"{high:.3g} to {low:.4g} Hz{mains}: {use} bandwidth"


def _rank(key: tuple[int, int]) -> tuple[int, int]:
    order = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6", "ECG")
    return order.index(lead_name(key[0])), key[1]


def _told(time: datetime, zone: str, precision: str) -> str:
    return time.astimezone(ZoneInfo(zone)).isoformat(sep=" ", timespec=precision)
