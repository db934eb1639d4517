"""How many machines a number of devices needs, from what was measured: arithmetic, each rule with its reason.

What is measured comes from ``ecgstream bench`` (pipeline, sink, disk); what is chosen stands here.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from schemas import topics

SHARE = 0.5
"""Never more than half of what was measured: the other half catches up, or carries a neighbour."""
DISK_SHARE = 0.7
"""How full a disk may be by plan; the watch alarms while 15 % are left."""
PARTITIONS_A_WORKER = 4
"""Partitions cannot be changed afterwards: so many more workers can be added."""
MOST_PARTITIONS, FEWEST_PARTITIONS = 1024, 8
FLUSHES_S = 2.0
"""Records a second of a gateway: a flush every 500 ms."""
SNAPSHOT_BYTES = 2 * 8192
"""Of a device on a compacted topic: 8 kB at most (schemas), and as much again until it is compacted."""
BLOCK_S = 10.0
"""Signal of a lead in a row of traces."""
DAY_S = 86_400
GIGA = 1e9


@dataclass(frozen=True, slots=True)
class Measured:
    """What the benches have found.

    Args:
        worker: device-seconds of signal a second that one core processes.
        trend_rows_s, trace_rows_s: rows a second that the database takes from a sink, traces encoded already.
        encoded_rows_s: trace rows a second of a sink that encodes them, as it does.
        ingest_bytes_sample: bytes of a sample on the ingest topic, as Kafka keeps it.
        topic_bytes_s: bytes of a device-second on each other topic.
        trace_bytes_sample: bytes of a sample in the database.
        table_bytes_s, table_rows_s: bytes and rows of a device-second in each other table.
    """

    worker: float
    trend_rows_s: float
    trace_rows_s: float
    encoded_rows_s: float
    ingest_bytes_sample: float
    topic_bytes_s: Mapping[str, float]
    trace_bytes_sample: float
    table_bytes_s: Mapping[str, float]
    table_rows_s: Mapping[str, float]

    @classmethod
    def of(cls, benches: Mapping[str, Any]) -> "Measured":
        """Return what the benches' JSON says, all in one; of the pipeline's runs, that of most devices."""
        run = max(benches["runs"], key=lambda r: (r["devices"], r["gateways"]))
        rows = (benches[name] for name in ("trend_rows_s", "trace_rows_s", "trace_rows_s_with_encoding"))
        return cls(run["worker"], *rows, **benches["disk"])


@dataclass(frozen=True, slots=True)
class Site:
    """What is to be watched.

    Args:
        gateways: 0: one for every eight devices.
        keep_days: how long signal and findings are kept.
        replication: copies of every record; 1 where everything is one machine.
        broker_tb: disk of a broker.
    """

    name: str
    devices: int
    gateways: int = 0
    leads: int = 2
    rate_hz: float = 250.0
    keep_days: int = 365
    replication: int = 3
    broker_tb: float = 4.0

    @property
    def samples_s(self) -> float:
        """Samples a second of one device."""
        return self.leads * self.rate_hz


@dataclass(frozen=True, slots=True)
class Plan:
    """What it takes: of a centre, where several are needed, but for ``centres`` and ``devices``."""

    name: str
    devices: int
    centres: int
    partitions: int
    workers: int
    sinks: int
    brokers: int
    ingest_mb_s: float
    broker_gb: float
    signal_gb_day: float
    findings_gb_day: float
    database_tb: float
    lag_records: int


SITES = (
    Site("a ward, one machine", 20, replication=1),
    Site("a hospital", 200),
    Site("a city", 2_000),
    Site("a province", 10_000),
    Site("a country", 300_000),
)


def plan(site: Site, measured: Measured) -> Plan:
    """Return what a site needs."""
    centres = _centres(site, measured)
    devices = math.ceil(site.devices / centres)
    workers = _workers(devices, site, measured)
    kafka_bytes = _kept_bytes(devices, site, measured) * site.replication / DISK_SHARE
    brokers = max(site.replication, math.ceil(kafka_bytes / (site.broker_tb * 1e12)))
    day = devices * DAY_S
    signal = day * site.samples_s * measured.trace_bytes_sample
    findings = day * sum(measured.table_bytes_s.values())
    gateways = math.ceil((site.gateways or site.devices / 8) / centres)
    return Plan(
        name=site.name,
        devices=site.devices,
        centres=centres,
        partitions=_partitions(workers),
        workers=workers,
        sinks=_sinks(devices, site, measured),
        brokers=brokers,
        ingest_mb_s=round(devices * site.samples_s * measured.ingest_bytes_sample / 1e6, 2),
        broker_gb=math.ceil(kafka_bytes / brokers / GIGA),
        signal_gb_day=round(signal / GIGA, 1),
        findings_gb_day=round(findings / GIGA, 1),
        database_tb=round((signal + findings) * site.keep_days / DISK_SHARE / 1e12, 1),
        lag_records=math.ceil(60 * gateways * FLUSHES_S / workers),
    )


def _centres(site: Site, measured: Measured) -> int:
    """One database a centre: as many as are then half used, and as have partitions enough."""
    by_rows = _share(site.devices, site, measured, measured.trace_rows_s) / SHARE
    by_partitions = _workers(site.devices, site, measured) * PARTITIONS_A_WORKER / MOST_PARTITIONS
    return max(1, math.ceil(max(by_rows, by_partitions)))


def _workers(devices: int, site: Site, measured: Measured) -> int:
    """Two at least, so that one may be replaced; one where everything is one machine."""
    cost = site.samples_s / Site("", 0).samples_s  # measured with two leads at 250 Hz
    return max(1 if site.replication == 1 else 2, math.ceil(devices * cost / (SHARE * measured.worker)))


def _partitions(workers: int) -> int:
    wanted = max(FEWEST_PARTITIONS, workers * PARTITIONS_A_WORKER)
    return min(MOST_PARTITIONS, 1 << math.ceil(math.log2(wanted)))


def _sinks(devices: int, site: Site, measured: Measured) -> int:
    needed = math.ceil(_share(devices, site, measured, measured.encoded_rows_s) / SHARE)
    return max(1 if site.replication == 1 else 2, needed)


def _share(devices: int, site: Site, measured: Measured, trace_rows_s: float) -> float:
    """Return the share of its time that the rows of so many devices take, of whoever takes so many traces."""
    traces = devices * site.leads / BLOCK_S / trace_rows_s
    others = devices * sum(measured.table_rows_s.values()) / measured.trend_rows_s
    return traces + others


def _kept_bytes(devices: int, site: Site, measured: Measured) -> float:
    """Return the bytes of one copy of all that Kafka keeps."""
    return sum(kept.bytes for kept in kept_topics(devices, site, measured)) + devices * SNAPSHOT_BYTES


@dataclass(frozen=True, slots=True)
class Kept:
    """What a topic keeps, one copy."""

    topic: str
    days: float
    bytes: float


def kept_topics(devices: int, site: Site, measured: Measured) -> Iterable[Kept]:
    """Yield what each topic keeps whose records are deleted by age."""
    for topic in topics.ALL:
        if "retention.ms" not in topic.config:
            continue
        days = int(topic.config["retention.ms"]) / topics.DAY_MS
        rate = (
            site.samples_s * measured.ingest_bytes_sample
            if topic is topics.INGEST
            else measured.topic_bytes_s.get(topic.name, 0.0)
        )
        yield Kept(topic.name, days, devices * rate * days * DAY_S)


def as_json(plans: Iterable[Plan]) -> list[dict[str, Any]]:
    """Return plans as JSON takes them."""
    return [asdict(p) for p in plans]
