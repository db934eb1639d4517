"""What a sink counts and measures, for Prometheus."""

from collections.abc import Iterable

from prometheus_client import Counter, Gauge

from ecgstream.store.rows import Rows

RECORDS = Counter("ecgstream_sink_records_total", "Records read.")
BAD = Counter(
    "ecgstream_sink_bad_records_total", "Records that could not be read or stored, and were left out."
)
ROWS = Counter("ecgstream_sink_rows_total", "Rows written, trace blocks apart.", ["table"])
BLOCKS = Counter("ecgstream_sink_trace_blocks_total", "Trace blocks written.")
FLUSHES = Counter("ecgstream_sink_flushes_total", "Transactions committed.")
FAILURES = Counter("ecgstream_sink_failures_total", "Flushes that the database did not take.")
DATABASE_AWAY = Gauge("ecgstream_sink_database_away", "1 while the sink waits for the database, else 0.")


def written(records: Iterable[Rows], blocks: int) -> None:
    """Count what a flush has written."""
    for rows in records:
        for table, more in rows.items():
            ROWS.labels(table.name).inc(len(more))
    BLOCKS.inc(blocks)
