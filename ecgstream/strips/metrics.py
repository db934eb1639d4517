"""Metrics of strips."""

from prometheus_client import Counter

STRIPS_LACKING = Counter(
    "ecgstream_strips_lacking_total",
    "Pages that went without the strip that their channel would have shown, by why.",
    ["reason"],
)
