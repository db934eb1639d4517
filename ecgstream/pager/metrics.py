"""What a pager counts and measures, for Prometheus."""

from prometheus_client import Counter, Gauge

CONDITIONS = Counter("ecgstream_pager_conditions_total", "Phases of alarm conditions read.")
BAD = Counter("ecgstream_pager_bad_records_total", "Records that could not be read, and were left out.")
FAILURES = Counter(
    "ecgstream_pager_failures_total", "Steps that Kafka did not take, and that were done again."
)
ALERTS = Counter("ecgstream_pager_alerts_total", "States of alerts written.", ["priority"])
OPEN = Gauge("ecgstream_pager_open_alerts", "Alerts that last, or wait for somebody to acknowledge them.")
NOTIFICATIONS = Counter(
    "ecgstream_pager_notifications_total",
    "Attempts to notify, by channel and by what became of them; reason: why one failed.",
    ["channel", "state", "reason"],
)
OLDEST_DUE_SECONDS = Gauge(
    "ecgstream_pager_oldest_due_seconds", "How long the oldest notification has been due, in s; 0: none is."
)
