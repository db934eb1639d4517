"""Moments as the web writes them (RFC 3339, as FHIR's ``instant`` and full ``dateTime``), to the ns."""

import re
from datetime import UTC, datetime, timedelta

from devices.errors import MessageError
from schemas.checks import MAX_TIME_NS

_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment_ns(text: str) -> int:
    """Return a moment as UTC ns; a leap second is the second behind it, as Unix counts.

    Raises:
        MessageError: it is no moment, has no offset from UTC, or lies before 1970.

    >>> moment_ns("2026-11-28T10:00:00.123456789+08:00") - moment_ns("2026-11-28T02:00:00Z")
    123456789
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise MessageError("a moment has the form 2026-11-28T10:00:00.250+08:00 (or Z for UTC)")
    day, minute, second, fraction, sign, hours, minutes = found.groups()
    try:
        begin = datetime.fromisoformat(f"{day}T{minute}:00+00:00")
        ahead = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    except ValueError:
        raise MessageError("a moment that no calendar has") from None
    if int(second) > 60 or int(minutes or 0) > 59 or int(hours or 0) > 23:
        raise MessageError("a moment that no clock shows")
    seconds = (begin - _EPOCH) // timedelta(seconds=1) + int(second)
    seconds += (ahead if sign == "-" else -ahead) // timedelta(seconds=1)
    at_ns = seconds * 1_000_000_000 + int((fraction or "").ljust(9, "0"))
    if not 0 <= at_ns < MAX_TIME_NS:
        raise MessageError("a moment before 1970, or too far ahead")
    return at_ns


def moment_of(at_ns: int) -> str:
    """Return UTC ns as such a moment, to the µs, in UTC.

    >>> moment_of(1_795_860_000_250_000_000)
    '2026-11-28T10:00:00.250000Z'
    """
    at = _EPOCH + timedelta(microseconds=at_ns // 1000)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
