"""The live table: what each device does just now, read from Kafka as a monitor would."""

import math
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from kafka import KafkaConsumer, TopicPartition
from rich.table import Table
from rich.text import Text

from alerts.priority import MARKS
from ecgstream import clients
from ecgstream.settings import Settings
from schemas import codec, topics, wfdb
from schemas.batches import DeviceStatus, DeviceStatuses
from schemas.conditions import CATALOGUE, Code
from schemas.errors import BadRecordError
from schemas.records import Alert, AlertState, Priority

SHOWN_ALERTS = 3
STYLES = {Priority.HIGH: "bold white on red", Priority.MEDIUM: "black on yellow", Priority.LOW: "cyan"}


@dataclass(slots=True)
class Live:
    """The newest status of each device and its open alerts.

    Args:
        settings: where Kafka is.
        patients: device to pseudonym.
    """

    settings: Settings
    patients: Mapping[str, str]
    statuses: dict[str, DeviceStatus] = field(default_factory=dict)
    latency_s: dict[str, float] = field(default_factory=dict)
    alerts: dict[str, dict[str, Alert]] = field(default_factory=lambda: defaultdict(dict))

    def consumer(self) -> KafkaConsumer:
        """Return a consumer of statuses and alerts, at their end."""
        consumer = clients.reader(self.settings)
        followed = (topics.STATUS.name, topics.ALERTS.name)
        consumer.assign([TopicPartition(t, p) for t in followed for p in range(self.settings.partitions)])
        consumer.seek_to_end()
        return consumer

    def follow(self, consumer: KafkaConsumer, timeout_ms: int) -> None:
        """Take in what has arrived, waiting at most ``timeout_ms``."""
        found = consumer.poll(timeout_ms=timeout_ms, max_records=5000)
        now_ns = time.time_ns()
        for records in found.values():
            for record in records:
                try:
                    content = codec.decode(record.value or b"")  # empty: a tombstone
                except BadRecordError:
                    continue  # the services count these
                if isinstance(content, DeviceStatuses):
                    for status in content.rows():
                        self.statuses[status.device] = status
                        self.latency_s[status.device] = (now_ns - status.published_ns) / 1e9
                elif isinstance(content, Alert):
                    self.take(content)

    def take(self, alert: Alert) -> None:
        """Take in an alert's newest state."""
        if alert.state is AlertState.ENDED:
            self.alerts[alert.device].pop(alert.id, None)
        else:
            self.alerts[alert.device][alert.id] = alert

    def table(self, title: str, simulated: bool) -> Table:
        """Return the table as it stands."""
        caption = (
            "sim-… devices are SIMULATED, not patients" if simulated else "recordings, not live patients"
        )
        table = Table(title=title, caption=caption, expand=False)
        for name in ("Device", "Patient"):
            table.add_column(name, no_wrap=True)
        for name in ("HR /min", "Beat", "Rhythm", "Quality", "Latency s"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("Open alerts", min_width=30)
        for device, patient in self.patients.items():
            table.add_row(device, patient, *self._numbers(device), self._open(device))
        return table

    def _numbers(self, device: str) -> tuple[str, ...]:
        status = self.statuses.get(device)
        if status is None:
            return ("-",) * 5
        hr = "-" if math.isnan(status.hr_bpm) else f"{status.hr_bpm:.0f}"
        quality = "-" if math.isnan(status.quality) else f"{status.quality:.0%}"
        rhythm = wfdb.RHYTHMS[status.rhythm]
        return hr, status.beat or "-", rhythm, quality, f"{self.latency_s[device]:.2f}"

    def _open(self, device: str) -> Text:
        """Return the open alerts, highest priority first, at most three by name."""
        order = list(Priority)
        found = sorted(self.alerts[device].values(), key=lambda a: (order.index(a.priority), -a.onset_ns))
        shown: dict[str, Alert] = {}
        for alert in found:
            shown.setdefault(alert.condition, alert)
        lines = []
        for alert in list(shown.values())[:SHOWN_ALERTS]:
            text = CATALOGUE[Code[alert.condition]].text
            over = alert.state in (AlertState.LATCHED, AlertState.LATE)
            latched = " (over, not acknowledged)" if over else ""
            lines.append(Text(f"{MARKS[alert.priority]} {text}{latched}", STYLES[alert.priority]))
        if len(shown) > SHOWN_ALERTS:
            lines.append(Text(f"and {len(shown) - SHOWN_ALERTS} more"))
        return Text("\n").join(lines)
