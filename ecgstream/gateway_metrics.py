"""What a gateway counts and measures, for Prometheus."""

from prometheus_client import Counter, Gauge

from devices.shipper import Shipped
from schemas.records import GatewayStatus

BUNDLES = Counter("ecgstream_gateway_bundles_total", "Bundles that Kafka has acknowledged.")
BYTES = Counter("ecgstream_gateway_bytes_total", "Bytes of these.")
REFUSED = Counter("ecgstream_gateway_refused_total", "Packets and numbers refused.")
SPOOLED_RECORDS = Gauge("ecgstream_gateway_spooled_records", "Bundles that wait in the spool.")
SPOOLED_BYTES = Gauge("ecgstream_gateway_spooled_bytes", "Bytes of these.")
DISK_FREE_BYTES = Gauge("ecgstream_gateway_disk_free_bytes", "Free space where the spool lies.")

_shown: dict[Counter, int] = {}


def show(status: GatewayStatus, shipped: Shipped) -> None:
    """Set all of them to what the process has counted since its start."""
    for counter, count in ((BUNDLES, shipped.records), (BYTES, shipped.bytes), (REFUSED, status.refused)):
        counter.inc(count - _shown.get(counter, 0))
        _shown[counter] = count
    SPOOLED_RECORDS.set(status.spooled_records)
    SPOOLED_BYTES.set(status.spooled_bytes)
    DISK_FREE_BYTES.set(status.disk_free_bytes)
