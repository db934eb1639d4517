"""Devices whose signal somebody may watch as it comes."""

from collections.abc import Mapping
from typing import LiteralString

import psycopg
from psycopg.rows import class_row

from ecgstream.monitor.live.device import SELDOM
from ecgstream.monitor.live.view import Bed
from ecgstream.monitor.read.alerts import may_read
from ecgstream.registry.shares import OPENS_TO
from schemas import mdc
from schemas.records import Vital

_WATCHING = ["clinic", "cardiologist", "auditor"]
"""Kinds of position that see signals; others see numbers, or devices (docs/access.md)."""

_WATCHED: LiteralString = """
WITH own AS (
    SELECT f.path, f.parent FROM api.positions AS p JOIN api.facilities AS f ON f.code = p.facility
    WHERE p.account = %(account)s AND p.kind = ANY(%(kinds)s)
)
SELECT h.device, coalesce(h.place, h.facility, ''), coalesce(h.patient, ''), coalesce(f.path::text, ''), NULL,
    1000 * extract(epoch FROM w.changed)::float8
FROM api.device_health AS h LEFT JOIN api.facilities AS f ON f.code = h.facility
CROSS JOIN LATERAL (
    SELECT max(t.at) AS changed
    FROM api.associations AS a CROSS JOIN LATERAL (VALUES (a.since), (a.until)) AS t (at)
    WHERE a.device = h.device AND a.superseded_at IS NULL AND t.at <= clock_timestamp()
) AS w
WHERE EXISTS (SELECT FROM own WHERE f.path <@ own.path OR (f.path IS NULL AND own.parent IS NULL))
"""


# As ecg.my_share: what is open to this person; api.shares has those of their own patients to others, too.
_SHARED: LiteralString = """
SELECT a.device, coalesce(max(a.place), ''), max(a.patient), '',
    1000 * extract(epoch FROM min(greatest(s.since, a.since)))::float8, NULL
FROM api.shares AS s JOIN api.associations AS a ON a.patient = s.patient
WHERE s.revoked_at IS NULL AND clock_timestamp() < s.expires
    AND clock_timestamp() >= s.since AND clock_timestamp() < s.until AND a.superseded_at IS NULL
    AND (a.since IS NULL OR a.since <= clock_timestamp()) AND (a.until IS NULL OR a.until > clock_timestamp())
    AND EXISTS (SELECT FROM api.positions AS p WHERE p.account = %(account)s AND p.kind = ANY(%(kinds)s)
                AND (s.account = p.account OR s.facility = p.facility))
GROUP BY a.device
"""


_SELDOM: LiteralString = """
SELECT v.* FROM unnest(%(devices)s::text[]) AS d (device) CROSS JOIN unnest(%(codes)s::bigint[]) AS c (code)
CROSS JOIN LATERAL (
    SELECT device, session, time_ns, code, coalesce(value, 'NaN')::float8 AS value FROM api.vitals
    WHERE device = d.device AND code = c.code AND time > now() - interval '12 h'
    ORDER BY time_ns DESC LIMIT 1
) AS v
"""


def measured_last(connection: psycopg.Connection, devices: list[str]) -> list[Vital]:
    """Return the newest of what is measured seldom, of each device and number, of at most twelve hours.

    A pressure's three parts are of one measurement, or a part of it is left out.
    """
    if not devices or not may_read(connection, "vitals"):
        return []
    with connection.cursor(row_factory=class_row(Vital)) as cursor:
        found = cursor.execute(_SELDOM, {"devices": devices, "codes": list(SELDOM)}).fetchall()
    newest = {vital.device: vital.time_ns for vital in found if vital.code == mdc.NIBP_SYS}
    return [v for v in found if v.code == mdc.TEMPERATURE or newest.get(v.device) == v.time_ns]


def watched(connection: psycopg.Connection, account: str) -> Mapping[str, Bed]:
    """Return the devices whose signal somebody may watch now.

    They stand where this person has a position; or a patient wears them whose data of now are shared.
    """
    found: dict[str, Bed] = {}
    for view, query, kinds in (("shares", _SHARED, OPENS_TO), ("device_health", _WATCHED, _WATCHING)):
        if may_read(connection, view) and may_read(connection, "associations"):  # service knows of no patient
            rows = connection.execute(query, {"account": account, "kinds": list(kinds)})
            found |= {device: Bed(*bed) for device, *bed in rows}  # what is seen by place, is seen wholly
    return found
