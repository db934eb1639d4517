"""What a gateway counts and measures, for Prometheus."""

from prometheus_client import Counter, Gauge

BUNDLES = Counter("ecgstream_gateway_bundles_total", "Bundles that Kafka has acknowledged.")
BYTES = Counter("ecgstream_gateway_bytes_total", "Bytes of these.")
REFUSED = Counter("ecgstream_gateway_refused_total", "Packets and numbers refused.")
SPOOLED_RECORDS = Gauge("ecgstream_gateway_spooled_records", "Bundles that wait in the spool.")
SPOOLED_BYTES = Gauge("ecgstream_gateway_spooled_bytes", "Bytes of these.")
DISK_FREE_BYTES = Gauge("ecgstream_gateway_disk_free_bytes", "Free space where the spool lies.")
