"""What is stored of a stretch, as findings; read through the views of ``api`` as whose login it is."""

from typing import Any, LiteralString

import psycopg

from ecgstream.replay.findings import LEFT_OUT, Findings, Key, Values, minute
from ecgstream.replay.stored import moment

_INSIDE: LiteralString = "device = %(device)s AND time >= %(since)s AND time < %(until)s"
_WHOLE_MINUTE: LiteralString = (
    "device = %(device)s AND time >= %(since)s AND time <= %(until)s::timestamptz - interval '1 min'"
)
_DECIDED: LiteralString = (
    "device = %(device)s AND onset >= %(since)s AND onset < %(until)s AND decided_ns < %(until_ns)s"
)


def findings(connection: psycopg.Connection, device: str, since_ns: int, until_ns: int) -> Findings:
    """Return what is stored of what happened in a stretch of the device's time."""
    values = {
        "device": device,
        "since": moment(since_ns),
        "until": moment(until_ns),
        "until_ns": until_ns,
        "left_out": list(LEFT_OUT),
    }

    def rows(
        columns: LiteralString, view: LiteralString, where: LiteralString, keys: int
    ) -> dict[Key, Values]:
        query = f"SELECT {columns} FROM api.{view} WHERE {where}"  # noqa: S608 - our own words
        cursor = connection.execute(query, values, binary=True)
        names = [column.name for column in cursor.description or ()][keys:]
        return {row[:keys]: dict(zip(names, row[keys:], strict=True)) for row in cursor}

    found = Findings(
        beats=rows("session, sample, time_ns, code, rr_s, hr_bpm", "beats", _INSIDE, 2),
        rhythms=rows("session, sample, time_ns, rhythm", "rhythms", _INSIDE, 2),
        trends=rows("session, minute_ns, code, n, mean, low, high", "trends", _WHOLE_MINUTE, 3),
        segments=rows(
            "session, lane, from_sample, from_ns, to_sample, to_ns, start, settings", "segments", _INSIDE, 3
        ),
        conditions=rows(
            "id::text, told_patient AS patient, session, code, onset_sample, onset_ns, decided_sample,"
            " decided_ns, delay_s, lane, phase, end_ns, evidence",
            "conditions",
            _DECIDED + " AND code <> ALL(%(left_out)s)",
            1,
        ),
        alerts=rows(
            "id::text, told_patient AS patient, session, condition, priority, onset_sample, onset_ns,"
            " decided_sample, decided_ns, delay_s, end_ns",
            "alerts",
            _DECIDED + " AND condition <> ALL(%(left_out)s)",
            1,
        ),
    )
    found.trends = {key: minute([_minute(row)]) for key, row in found.trends.items()}
    return found


def _minute(row: Values) -> tuple[Any, ...]:
    return row["n"], row["mean"], row["low"], row["high"]
