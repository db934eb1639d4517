"""What happened to a patient, as the list beside an ECG shows it: alerts, conditions, changes of rhythm."""

from datetime import datetime
from typing import LiteralString, NamedTuple

import psycopg
from psycopg.rows import class_row

from ecgstream.monitor.read.patient import Known

MOST = 300
"""The newest of a time."""

# What an alert came of is told by the alert. A rhythm that a worker found again after a restart is no change.
_HAPPENED: LiteralString = """
WITH worn AS (
    SELECT device, coalesce(since, '-infinity') AS since, coalesce(until, 'infinity') AS until
    FROM api.associations WHERE patient = %(patient)s AND superseded_at IS NULL
)
SELECT kind, device, at, code, priority, state FROM (
    SELECT 'alert' AS kind, device, onset AS at, condition AS code, priority, state FROM api.alerts
    WHERE device = ANY(%(devices)s) AND patient = %(patient)s AND onset >= %(since)s AND onset < %(until)s
    UNION ALL
    SELECT 'condition', c.device, c.onset, c.code, NULL, NULL FROM api.conditions AS c
    WHERE c.device = ANY(%(devices)s) AND c.patient = %(patient)s
        AND c.onset >= %(since)s AND c.onset < %(until)s
        AND NOT EXISTS (SELECT FROM api.alerts AS a WHERE a.id = c.id)
    UNION ALL
    SELECT 'rhythm', device, time, rhythm, NULL, NULL FROM (
        SELECT r.device, r.time, r.rhythm,
            lag(r.rhythm) OVER (PARTITION BY r.device ORDER BY r.time) AS before
        FROM api.rhythms AS r JOIN worn AS w ON w.device = r.device AND r.time >= w.since AND r.time < w.until
        WHERE r.device = ANY(%(devices)s) AND r.time >= %(since)s AND r.time < %(until)s) AS told
    WHERE before IS DISTINCT FROM rhythm AND rhythm <> '?'
) AS found ORDER BY at DESC LIMIT %(most)s
"""


class Happened(NamedTuple):
    """Something at a device's time; ``kind``: alert, condition or rhythm; ``code``: by which it has words."""

    kind: str
    device: str
    at: datetime
    code: str
    priority: str | None
    state: str | None

    @property
    def at_ms(self) -> int:
        """The same as ms since 1970."""
        return round(self.at.timestamp() * 1000)


def happened(connection: psycopg.Connection, one: Known, since: datetime, until: datetime) -> list[Happened]:
    """Return what happened to a patient in a time, newest first, at most ``MOST``."""
    devices = sorted({worn.device for worn in one.worn})
    asked = {"patient": one.patient, "devices": devices, "since": since, "until": until, "most": MOST}
    with connection.cursor(row_factory=class_row(Happened)) as cursor:
        return cursor.execute(_HAPPENED, asked).fetchall()
