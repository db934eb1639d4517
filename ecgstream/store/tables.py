"""How rows come into the tables: for each, the staging table it is copied to and the statement that upserts.

A staged row is a tuple in the order of ``columns``. Every upsert bears a replay: the same rows again change
nothing, and rows of a stale writer never overwrite newer ones.
"""

from dataclasses import dataclass
from typing import Any

from psycopg import sql

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One table as the sink writes it.

    Attributes:
        columns: name to PostgreSQL type, in the order of a staged row.
        upsert: from ``stage_NAME`` into ``ecg.NAME``.
    """

    name: str
    columns: dict[str, str]
    upsert: str

    @property
    def stage(self) -> sql.Composed:
        """The statement that makes the staging table of a connection, emptied at every commit."""
        columns = (sql.SQL("{} {}").format(sql.Identifier(c), sql.SQL(t)) for c, t in self.columns.items())
        text = "CREATE TEMPORARY TABLE {} ({}) ON COMMIT DELETE ROWS"
        return sql.SQL(text).format(self.staged, sql.SQL(", ").join(columns))

    @property
    def copy(self) -> sql.Composed:
        """The statement that fills the staging table."""
        return sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(self.staged)

    @property
    def staged(self) -> sql.Identifier:
        """The staging table's name."""
        return sql.Identifier(f"stage_{self.name}")


DECIDED = {"generation": "integer", "source_offset": "bigint"}
"""Who decided a row, and from which record."""


def _table(
    name: str, identity: str, time: str, columns: dict[str, str], *, nullable: str = "", first: str = ""
) -> Table:
    """Return a table of decided rows: identity, time from ``time``, the newest (generation, offset) wins.

    ``nullable``: columns in which NaN becomes NULL. ``first``: a ``WITH`` of what else is to be written.
    """
    columns = columns | DECIDED | ({} if name == "vital" else {"version": "text"})
    values = {c: f"nullif({c}, 'NaN')" if c in nullable.split() else c for c in columns}
    # Only the hypertables need the time in their key.
    key = identity if name == "rhythm" else f"{identity}, time"
    changed = [c for c in columns if c not in identity.replace(",", " ").split()]
    upsert = f"""
        {first}
        INSERT INTO ecg.{name} AS t (time, {", ".join(columns)})
        SELECT DISTINCT ON ({key}) ecg.at_ns({time}) AS time, {", ".join(values.values())}
        FROM stage_{name}
        ORDER BY {key}, generation DESC, source_offset DESC
        ON CONFLICT ({key}) DO UPDATE SET {", ".join(f"{c} = excluded.{c}" for c in changed)}
        WHERE (excluded.generation, excluded.source_offset) >= (t.generation, t.source_offset)
    """  # noqa: S608 - our own names
    return Table(name, columns, upsert)


BEAT = _table(
    "beat",
    "device, session, sample",
    "time_ns",
    {
        "device": "text",
        "session": "bigint",
        "sample": "bigint",
        "time_ns": "bigint",
        "code": "text",
        "rr_s": "real",
        "hr_bpm": "real",
    },
    nullable="rr_s hr_bpm",
)
RHYTHM = _table(
    "rhythm",
    "device, session, sample",
    "time_ns",
    {"device": "text", "session": "bigint", "sample": "bigint", "time_ns": "bigint", "rhythm": "text"},
)
VITAL = _table(
    "vital",
    "device, code, time_ns",
    "time_ns",
    {
        "device": "text",
        "session": "bigint",
        "code": "bigint",
        "time_ns": "bigint",
        "value": "double precision",
        "place": "integer",
    },
    nullable="value",
)
# Hours that have changed: ``housekeeping`` makes them anew. A row that is there is locked, so that it is not
# taken for done before the minutes are there.
_HOUR_DUE = """
    WITH due AS (
        INSERT INTO ecg.hour_due AS t (device, time)
        SELECT device, ecg.at_ns(hour::bigint * 3600000000000)
        FROM (SELECT DISTINCT device, floor(minute_ns / 3.6e12::float8) AS hour FROM stage_trend) AS h
        ORDER BY device, hour
        ON CONFLICT (device, time) DO UPDATE SET time = excluded.time WHERE false
    )
"""
TREND = _table(
    "trend",
    "device, session, code, lane",
    "minute_ns",
    {
        "device": "text",
        "session": "bigint",
        "minute_ns": "bigint",
        "code": "bigint",
        "n": "bigint",
        "mean": "real",
        "low": "real",
        "high": "real",
        "lane": "text",
    },
    nullable="mean low high",
    first=_HOUR_DUE,
)


def _newest(*columns: str) -> str:
    """Return assignments to ``columns`` of ecg.device: the greater row of values wins, whichever came first.

    Where the first column is NULL there is no value. Greater in all columns, not the first alone: so equal
    times end alike in any order too.
    """
    theirs, ours = (", ".join(f"{row}.{c}" for c in columns) for row in ("excluded", "t"))
    wins = f"coalesce(({theirs}) > ({ours}), t.{columns[0]} IS NULL)"
    return ", ".join(f"{c} = CASE WHEN {wins} THEN excluded.{c} ELSE t.{c} END" for c in columns)


DEVICE = Table(
    "device",
    {
        "device": "text",
        "gateway": "text",
        "session": "bigint",
        "seen_ns": "bigint",
        "skew_ns": "bigint",
        "skew_ms": "double precision",
        "battery_ns": "bigint",
        "battery_percent": "real",
        "clock_ns": "bigint",
        "clock_ahead_ns": "bigint",
    },
    f"""
    INSERT INTO ecg.device AS t (device, gateway, session, first_seen_ns, last_seen_ns, skew_ns, skew_ms,
        battery_ns, battery_percent, clock_ns, clock_ahead_ns)
    SELECT DISTINCT ON (device) device, gateway, session, min(seen_ns) OVER (PARTITION BY device), seen_ns,
        first_value(skew_ns) OVER skew, first_value(skew_ms) OVER skew,
        first_value(battery_ns) OVER battery, first_value(battery_percent) OVER battery,
        first_value(clock_ns) OVER clock, first_value(clock_ahead_ns) OVER clock
    FROM stage_device
    WINDOW skew AS (PARTITION BY device ORDER BY skew_ns DESC NULLS LAST, skew_ms DESC),
        battery AS (PARTITION BY device ORDER BY battery_ns DESC NULLS LAST, battery_percent DESC),
        clock AS (PARTITION BY device ORDER BY clock_ns DESC NULLS LAST, clock_ahead_ns DESC)
    ORDER BY device, seen_ns DESC, session DESC, gateway DESC
    ON CONFLICT (device) DO UPDATE SET
        first_seen_ns = least(t.first_seen_ns, excluded.first_seen_ns),
        {_newest("last_seen_ns", "session", "gateway")},
        {_newest("skew_ns", "skew_ms")},
        {_newest("battery_ns", "battery_percent")},
        {_newest("clock_ns", "clock_ahead_ns")}
    """,  # noqa: S608 - our own names
)

CLOCK_CORRECTION = Table(
    "clock_correction",
    {
        "device": "text",
        "session": "bigint",
        "from_sample": "bigint",
        "since_ns": "bigint",
        "ahead_ns": "bigint",
        "gateway": "text",
    },
    """
    INSERT INTO ecg.clock_correction (device, session, from_sample, since_ns, time, ahead_ns, gateway)
    SELECT device, session, from_sample, since_ns, ecg.at_ns(since_ns), ahead_ns, gateway
    FROM stage_clock_correction ORDER BY device, session, from_sample, since_ns
    ON CONFLICT DO NOTHING
    """,
)

# What changes results, as it travelled: one row a record, which never changes.
CONTROL = Table(
    "control",
    {
        "device": "text",
        "issued_ns": "bigint",
        "source_offset": "bigint",
        "kind": "text",
        "record": "bytea",
    },
    """
    INSERT INTO ecg.control (device, issued_ns, time, source_offset, kind, record)
    SELECT device, issued_ns, ecg.at_ns(issued_ns), source_offset, kind, record FROM stage_control
    ORDER BY device, issued_ns, source_offset
    ON CONFLICT DO NOTHING
    """,
)

# Devices get the newest of all their rhythms that are stored: it does not matter in which order these came.
# The rows of ecg.device are locked before, so that what another sink has stored meanwhile is seen too.
LOCK_DEVICES = "SELECT FROM ecg.device WHERE device = ANY(%s) ORDER BY device FOR UPDATE"
FOLLOW_RHYTHM = """
    UPDATE ecg.device AS t SET rhythm = n.rhythm, rhythm_ns = n.time_ns
    FROM unnest(%s::text[]) AS o (device) CROSS JOIN LATERAL (
        SELECT r.rhythm, r.time_ns FROM ecg.rhythm AS r
        WHERE r.device = o.device ORDER BY r.session DESC, r.sample DESC LIMIT 1
    ) AS n
    WHERE t.device = o.device AND (t.rhythm, t.rhythm_ns) IS DISTINCT FROM (n.rhythm, n.time_ns)
"""

_KEY = {
    "device": "text",
    "session": "bigint",
    "channel": "smallint",
    "first_sample": "bigint",
    "time": "timestamptz",
}
_TRACE = {
    "code": "bigint",
    "kind": "smallint",
    "unit": "smallint",
    "rate": "double precision",
    "gain": "double precision",
    "offset": "double precision",
    "high_pass": "real",
    "low_pass": "real",
    "notch": "real",
    "n": "integer",
    "codec": "text",
    "data": "bytea",
    "packet_seq": "bigint[]",
    "packet_first": "bigint[]",
    "packet_ns": "bigint[]",
    "packet_lead_off": "boolean[]",
    "packet_offset": "bigint[]",
    "pace": "bigint[]",
}
_TRACE_COLUMNS = ", ".join(f'"{c}"' for c in [*_KEY, *_TRACE])

# Only blocks of which something is stored go through the staging table. COPY_TRACE brings the others straight
# into place: of these nothing can be stored, since who writes blocks of a partition holds its lock.
TRACE = Table(
    "trace",
    _KEY | _TRACE,
    f"""
    INSERT INTO ecg.trace ({_TRACE_COLUMNS})
    SELECT {_TRACE_COLUMNS} FROM stage_trace ORDER BY {", ".join(_KEY)}
    ON CONFLICT ({", ".join(_KEY)}) DO UPDATE SET {", ".join(f'"{c}" = excluded."{c}"' for c in _TRACE)}
    """,  # noqa: S608 - our own names
)
COPY_TRACE = sql.SQL("COPY ecg.trace ({}) FROM STDIN (FORMAT BINARY)").format(
    sql.SQL(", ").join(map(sql.Identifier, TRACE.columns))
)

SESSION = Table(
    "session",
    {"device": "text", "session": "bigint", "origin_ns": "bigint", "source_offset": "bigint"},
    """
    INSERT INTO ecg.session (device, session, origin_ns)
    SELECT DISTINCT ON (device, session) device, session, origin_ns FROM stage_session
    ORDER BY device, session, source_offset
    ON CONFLICT DO NOTHING
    """,
)
ORIGINS = """
    SELECT s.device, s.session, s.origin_ns
    FROM ecg.session AS s JOIN (SELECT DISTINCT device, session FROM stage_session) AS b
    USING (device, session)
"""

# What is stored of blocks that come, whose times lie between the two bounds. By these alone the planner finds
# the chunks to ask: comparing the exact time in there too would have TimescaleDB look for chunks a block. The
# OFFSET keeps both apart, and holds the planner to one look into the index a block.
BLOCK_KEY = Table(
    "block_key",
    _KEY,
    f"""
    SELECT {", ".join(f't."{c}"' for c in [*_KEY, *_TRACE] if c != "time")}
    FROM stage_block_key AS b CROSS JOIN LATERAL (
        SELECT * FROM ecg.trace AS t
        WHERE t.device = b.device AND t.session = b.session AND t.channel = b.channel
          AND t.first_sample = b.first_sample AND t.time BETWEEN %s AND %s
        OFFSET 0
    ) AS t
    WHERE t.time = b.time
    """,  # noqa: S608 - our own names
)

MEASURED = (DEVICE, CLOCK_CORRECTION, CONTROL, VITAL, BEAT, RHYTHM, TREND)
