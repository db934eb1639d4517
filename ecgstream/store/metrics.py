"""What a sink counts and measures, for Prometheus."""

from prometheus_client import Counter, Gauge

RECORDS = Counter("ecgstream_sink_records_total", "Records read.")
BAD = Counter(
    "ecgstream_sink_bad_records_total", "Records that could not be read or stored, and were left out."
)
ROWS = Counter("ecgstream_sink_rows_total", "Rows written, trace blocks apart.", ["table"])
BLOCKS = Counter("ecgstream_sink_trace_blocks_total", "Trace blocks written.")
FLUSHES = Counter("ecgstream_sink_flushes_total", "Transactions committed.")
FAILURES = Counter("ecgstream_sink_failures_total", "Flushes that the database did not take.")
DATABASE_AWAY = Gauge("ecgstream_sink_database_away", "1 while the sink waits for the database, else 0.")
