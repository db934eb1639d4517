"""What a gateway counts and measures, for Prometheus."""

from prometheus_client import Counter, Gauge

from devices.shipper import Shipped
from schemas.records import GatewayStatus

BUNDLES = Counter("ecgstream_gateway_bundles_total", "Bundles that Kafka has acknowledged.")
BYTES = Counter("ecgstream_gateway_bytes_total", "Bytes of these.")
REFUSED = Counter("ecgstream_gateway_refused_total", "Packets and numbers refused.")
LOST_NUMBERS = Counter("ecgstream_gateway_lost_numbers_total", "Vital signs that are lost.")
LOST_WAVES = Counter(
    "ecgstream_gateway_lost_wave_seconds_total", "Signal that has lost waves other than ECG."
)
LOST_ECG = Counter("ecgstream_gateway_lost_ecg_seconds_total", "Signal that has lost its ECG.")
LOST_RECORDS = Counter("ecgstream_gateway_lost_records_total", "Bundles that the spool's disk has damaged.")
CLOCKS_OFF = Gauge("ecgstream_gateway_clocks_off", "Devices whose clocks are more than a second off.")
SPOOLED_RECORDS = Gauge("ecgstream_gateway_spooled_records", "Bundles that wait in the spool.")
SPOOLED_BYTES = Gauge("ecgstream_gateway_spooled_bytes", "Bytes of these.")
DISK_FREE_BYTES = Gauge("ecgstream_gateway_disk_free_bytes", "Free space where the spool lies.")

_shown: dict[Counter, float] = {}


def show(status: GatewayStatus, shipped: Shipped) -> None:
    """Set all of them to what the process has counted since its start; what is lost, over all restarts."""
    counts = {
        BUNDLES: shipped.records,
        BYTES: shipped.bytes,
        REFUSED: status.refused,
        LOST_NUMBERS: status.lost_numbers,
        LOST_WAVES: status.lost_wave_s,
        LOST_ECG: status.lost_ecg_s,
        LOST_RECORDS: status.lost_records,
    }
    for counter, count in counts.items():
        counter.inc(count - _shown.get(counter, 0))
        _shown[counter] = count
    CLOCKS_OFF.set(status.clocks_off)
    SPOOLED_RECORDS.set(status.spooled_records)
    SPOOLED_BYTES.set(status.spooled_bytes)
    DISK_FREE_BYTES.set(status.disk_free_bytes)
