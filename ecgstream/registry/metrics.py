"""What the teller counts, for Prometheus."""

from prometheus_client import Counter, Gauge

TOLD = Counter("ecgstream_registry_told_total", "Records told to gateways and workers.")
FAILURES = Counter("ecgstream_registry_failures_total", "Times that a server was away.", ["server"])
CONSULTATION_CALLS = Counter(
    "ecgstream_registry_consultation_calls_total", "Times that somebody was to be told of a case.", ["reason"]
)
CONSULTATIONS_OVERDUE = Gauge(
    "ecgstream_registry_consultations_overdue", "Cases whose time is over and that have no answer."
)
