"""What the teller counts, for Prometheus."""

from prometheus_client import Counter

TOLD = Counter("ecgstream_registry_told_total", "Records told to gateways and workers.")
FAILURES = Counter("ecgstream_registry_failures_total", "Times that a server was away.", ["server"])
