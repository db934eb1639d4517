"""Metrics of the web."""

from prometheus_client import Counter

ANSWERS = Counter("ecgstream_web_answers_total", "Answers by status.", ["status"])
CODES = Counter(
    "ecgstream_web_codes_total", "Codes and keys: right, wrong, not_looked_at or unusable.", ["outcome"]
)
UNNOTED = Counter("ecgstream_web_unnoted_reads_total", "Links opened of which the audit log will never know.")
