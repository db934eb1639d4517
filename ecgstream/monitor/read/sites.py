"""Sites: how many patients each has now, what is open there, and which devices are silent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from ecgstream.monitor.read.alerts import may_read

SILENT_S = 60.0
"""Not heard of for so long, a device is down: what is stored is some seconds old at most."""


@dataclass(slots=True)
class Site:
    """A facility with what is at it, or at and below it.

    Attributes:
        code, name_en, name_zh, level, path: of the facility; all empty: devices that nobody has enrolled.
        patients: who wear a device now.
        devices: that were ever heard of and are not disabled; ``down``: those of them that are silent.
        high, medium, low: open alerts.
    """

    code: str
    name_en: str
    name_zh: str
    level: int
    path: str
    patients: int = 0
    devices: int = 0
    down: int = 0
    high: int = 0
    medium: int = 0
    low: int = 0

    @property
    def worst(self) -> str:
        """What the tile's edge shows."""
        counts = {"high": self.high, "medium": self.medium, "low": self.low, "down": self.down}
        return next((name for name, n in counts.items() if n), "none")


_HEALTH: LiteralString = """
SELECT h.facility, count(DISTINCT h.patient) AS patients,
    count(*) FILTER (WHERE h.last_seen IS NOT NULL AND h.disabled IS NOT TRUE) AS devices,
    count(*) FILTER (WHERE h.last_seen < now() - %(silent)s * interval '1 s'
                     AND h.disabled IS NOT TRUE) AS down,
    coalesce(sum(o.high), 0)::int, coalesce(sum(o.medium), 0)::int, coalesce(sum(o.low), 0)::int
FROM api.device_health AS h
LEFT JOIN (SELECT device, count(*) FILTER (WHERE priority = 'HIGH') AS high,
               count(*) FILTER (WHERE priority = 'MEDIUM') AS medium,
               count(*) FILTER (WHERE priority = 'LOW') AS low
           FROM api.alerts WHERE state <> 'ENDED' GROUP BY device) AS o ON o.device = h.device
GROUP BY h.facility
"""

# For who looks after devices and sees no patient.
_DEVICES: LiteralString = """
SELECT facility, 0, count(*) FILTER (WHERE last_seen IS NOT NULL AND disabled IS NOT TRUE),
    count(*) FILTER (WHERE last_seen < now() - %(silent)s * interval '1 s' AND disabled IS NOT TRUE), 0, 0, 0
FROM api.devices GROUP BY facility
"""

_FACILITIES: LiteralString = """
SELECT code, name_en, name_zh, level, path::text FROM api.facilities WHERE code = ANY(%s)
"""


def sites(connection: psycopg.Connection, level: int | None = None) -> list[Site]:
    """Return the sites that have devices, the worst first.

    Args:
        connection: as one person.
        level: gather all that is below a facility of this level there; None: each site by itself.
    """
    asked = {"silent": SILENT_S}
    query = _HEALTH if may_read(connection, "device_health") else _DEVICES
    counts = {row[0] or "": row[1:] for row in connection.execute(query, asked)}
    own = _facilities(connection, counts)
    above = _facilities(connection, {code for site in own.values() for code in site.path.split(".")})
    found: dict[str, Site] = {}
    for code, values in counts.items():
        site = own.get(code) or Site("", "", "", 0, "")
        into = _gathered(site, above, level)
        kept = found.setdefault(into.code, into)
        for name, value in zip(("patients", "devices", "down", "high", "medium", "low"), values, strict=True):
            setattr(kept, name, getattr(kept, name) + value)
    return sorted((site for site in found.values() if site.devices or site.patients), key=_order)


def names_of(connection: psycopg.Connection, codes: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return the names of facilities by their codes, English and Chinese, of those that one sees."""
    return {site.code: (site.name_en, site.name_zh) for site in _facilities(connection, codes).values()}


def _facilities(connection: psycopg.Connection, codes: Iterable[str]) -> dict[str, Site]:
    rows: Sequence[tuple[Any, ...]] = connection.execute(_FACILITIES, (list(codes),)).fetchall()
    return {row[0]: Site(*row) for row in rows}


def _gathered(site: Site, above: dict[str, Site], level: int | None) -> Site:
    """Return the facility on the way to the root that a site counts for."""
    if level is None:
        return site
    way = (above[code] for code in reversed(site.path.split(".")) if code in above)
    return next((one for one in way if one.level <= level), site)


def _order(site: Site) -> tuple[object, ...]:
    return (-site.high, -site.medium, -site.low, -site.down, site.path)
