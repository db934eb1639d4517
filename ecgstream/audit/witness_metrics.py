"""What the witness counts and measures, for Prometheus."""

from prometheus_client import Counter, Gauge

CARRIED = Counter(
    "ecgstream_witness_entries_total", "Entries that the server's log has made in the audit log."
)
UNREAD = Counter("ecgstream_witness_unread_lines_total", "Lines of pgaudit that could not be understood.")
SEEN = Gauge(
    "ecgstream_witness_seen_timestamp_seconds", "When a line of the witness' own was last found in the log."
)
FAILURES = Counter("ecgstream_witness_failures_total", "Times that something was away.", ["reason"])
