"""What the sealer counts and measures, for Prometheus."""

from prometheus_client import Counter

SEALED = Counter("ecgstream_sealer_entries_total", "Entries put into the audit log's chain.")
SIGNED = Counter("ecgstream_sealer_heads_total", "Heads of the chain that were signed and copied to Kafka.")
FAILURES = Counter("ecgstream_sealer_failures_total", "Times that something was away.", ["reason"])
