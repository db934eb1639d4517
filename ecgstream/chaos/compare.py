"""What two runs of the same load have left in the clinical tables, and where that differs.

Compared without the columns that tell who decided when: generation and offset, and the clocks of broker,
gateway and pager. Lost links are told by timers, so they follow what happened to a run: ``alarms`` judges
them.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from schemas.conditions import Code

COMPARED: dict[str, tuple[str, ...]] = {
    "beat": ("device", "session", "sample", "time_ns", "code", "rr_s", "hr_bpm", "version"),
    "rhythm": ("device", "session", "sample", "time_ns", "rhythm", "version"),
    "trend": ("device", "session", "minute_ns", "code", "lane", "n", "mean", "low", "high", "version"),
    "vital": ("device", "code", "time_ns", "session", "value"),
    "trace": (
        *("device", "session", "channel", "first_sample", "time", "code", "kind", "unit", "rate", "gain"),
        *("offset", "high_pass", "low_pass", "notch", "n", "codec", "data"),
        *("packet_seq", "packet_first", "packet_ns", "packet_lead_off", "pace"),
    ),
    "condition": (
        *("id", "device", "patient", "session", "code", "onset_sample", "onset_ns", "decided_sample"),
        *("decided_ns", "delay_s", "phase", "sample", "time_ns", "end_ns", "evidence", "lane", "version"),
    ),
    "segment": (
        *("device", "session", "lane", "from_sample", "from_ns", "to_sample", "to_ns", "start", "settings"),
        "version",
    ),
    "alert": (
        *("id", "device", "patient", "session", "condition", "priority", "state", "onset_sample", "onset_ns"),
        *("decided_sample", "decided_ns", "delay_s", "end_ns", "evidence", "acknowledged_by", "reason"),
        *("joined", "inhibited_by"),
    ),
}
WHOLE = ("trace", "vital")
"""What was measured: the same however it came. The rest is what detectors found, by segment."""
_KEYS = {
    "beat": 3,
    "rhythm": 3,
    "trend": 5,
    "vital": 3,
    "trace": 4,
    "segment": 4,
    "condition": 1,
    "alert": 1,
}
"""How many of the first columns tell a row from all others."""
_TIMERS = {"condition": "code", "alert": "condition"}
"""Where the name of a condition stands; those of timers are left out."""

Row = tuple[Any, ...]
Contents = dict[str, dict[Row, Row]]
"""A table's rows by key."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not the same: ``undisturbed`` is None where it is extra, ``found`` where it lacks."""

    table: str
    key: Row
    undisturbed: Row | None
    found: Row | None

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.table} {self.key}: missing"
        if self.undisturbed is None:
            return f"{self.table} {self.key}: extra {self.found}"
        columns = COMPARED[self.table][len(self.key) :]
        apart = [
            f"{c} {_short(was)} became {_short(now)}"
            for c, was, now in zip(columns, self.undisturbed, self.found, strict=True)
            if was != now
        ]
        return f"{self.table} {self.key}: {', '.join(apart)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def read(connection: psycopg.Connection, tables: Collection[str] = tuple(COMPARED)) -> Contents:
    """Return what is compared of the clinical tables."""
    return {table: rows(connection, table) for table in tables}


def rows(connection: psycopg.Connection, table: str) -> dict[Row, Row]:
    """Return what is compared of one table."""
    query = sql.SQL("SELECT {} FROM {} WHERE {} <> %s").format(
        sql.SQL(", ").join(map(sql.Identifier, COMPARED[table])),
        sql.Identifier("ecg", table),
        sql.Identifier(_TIMERS[table]) if table in _TIMERS else sql.SQL("''"),
    )
    found = connection.execute(query, (Code.LINK_LOST.name,)).fetchall()
    keys = _KEYS[table]
    return {row[:keys]: row[keys:] for row in found}


def of_devices(contents: Contents, devices: Collection[str], tables: Collection[str]) -> Contents:
    """Return what contents hold of some devices in some tables."""
    return {
        table: {key: row for key, row in contents[table].items() if _device(table, key, row) in devices}
        for table in tables
    }


def _device(table: str, key: Row, row: Row) -> str:
    found = (*key, *row)[COMPARED[table].index("device")]
    return str(found)


def differences(undisturbed: Contents, found: Contents) -> Iterator[Difference]:
    """Yield every row that is not the same."""
    for table, expected in undisturbed.items():
        yield from of_table(table, expected, found[table])


def of_table(table: str, expected: Mapping[Row, Row], found: Mapping[Row, Row]) -> Iterator[Difference]:
    """Yield every row of one table that is not the same."""
    for key in sorted(expected.keys() | found.keys(), key=repr):
        was, now = expected.get(key), found.get(key)
        if was != now:
            yield Difference(table, key, was, now)
