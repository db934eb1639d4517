"""What a watch counts and measures, for Prometheus."""

from prometheus_client import Counter, Gauge

ALARMS = Gauge("ecgstream_watch_alarms", "Alarms that are open.", ["code"])
WAITING = Gauge("ecgstream_watch_waiting_records", "Records that a group has not committed.", ["group"])
MEMBERS = Gauge("ecgstream_watch_group_members", "Members of a group.", ["group"])
PARTITION_WAITING = Gauge(
    "ecgstream_watch_partition_waiting_records",
    "Records of the ingest topic that no worker has committed.",
    ["partition"],
)
PAGES = Counter("ecgstream_watch_pages_total", "Attempts to tell something.", ["state", "reason"])
HEARTBEATS = Counter("ecgstream_watch_heartbeats_total", "Calls of the dead man's switch.", ["state"])
BLIND = Gauge("ecgstream_watch_blind", "1 while the watch cannot see or cannot tell, else 0.")
