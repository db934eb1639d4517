"""Metrics of the monitor."""

from prometheus_client import Counter, Gauge

ANSWERS = Counter("ecgstream_monitor_answers_total", "Answers by status.", ["status"])
LOGINS = Counter("ecgstream_monitor_logins_total", "Logins: right, wrong or not_looked_at.", ["outcome"])
UNNOTED = Counter(
    "ecgstream_monitor_unnoted_reads_total",
    "Reads that the audit log will never have: too many waited for the database.",
)
SESSIONS = Gauge("ecgstream_monitor_sessions", "Sessions that are open.")
VIEWERS = Gauge("ecgstream_monitor_viewers", "Walls that are open.")
FRAMES = Counter(
    "ecgstream_monitor_frames_total",
    "Signal frames for walls: sent, or lost by a slow line.",
    ["outcome"],
)
DROPPED = Counter(
    "ecgstream_monitor_viewers_dropped_total", "Walls sent away: stalled, or too many (full).", ["reason"]
)
SIGNAL_AGE = Gauge("ecgstream_monitor_signal_age_seconds", "Age of the newest signal; NaN: none has come.")

for _reason in ("stalled", "full"):  # so that the first one is an increase
    DROPPED.labels(_reason)
