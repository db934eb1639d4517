"""From a packet to the alert's row, in real time through a centre; and how soon a killed worker is back.

Gateways publish as in life. On top of what the ECG brings, devices fall silent electrically (asystole) by a
fixed plan. A row counts from the moment at which a reader of the database sees it.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from aiokafka import AIOKafkaProducer
from kafka import TopicPartition
from pydantic import SecretStr

from devices.bundler import FLUSH_S
from ecgstream import clients
from ecgstream.bench import kafka
from ecgstream.bench.database import new_database
from ecgstream.bench.load import FLUSHES_A_SECOND, NS, Load
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.bench.process import Measured, service
from ecgstream.centre import RESTART_PAUSE_S
from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from schemas import codec, topics
from schemas.batches import DeviceStatuses
from schemas.topics import partition_of

DEVICES, GATEWAYS = 3000, 20
WARM_S, MEASURED_S = 10, 40
ASYSTOLES_A_SECOND, ASYSTOLE_S = 5, 8
LIVE_S = 2.0
"""A partition is live while the newest status of its devices is no older."""
POLL_S = 0.05
READY_PATIENCE_S, BACK_PATIENCE_S = 300.0, 180.0
BARS = {"p99": 2.0, "back_s": 45.0}


def run(
    given: Settings, *, devices: int = DEVICES, gateways: int = GATEWAYS, measured_s: int = MEASURED_S
) -> dict[str, Any]:
    """Return the latency of alerts, and the time until a killed worker is live again, s; None: it was not.

    Args:
        given: where broker and database are; unnamed, embedded ones are started.
        devices: how many.
        gateways: on how many.
        measured_s: how long alerts are looked at.

    Raises:
        CannotMeasureError: a service does not start, or there are no alerts.
    """
    with ExitStack() as stack:
        settings = stack.enter_context(kafka.own_kafka(given))
        database = stack.enter_context(new_database(given.database.get_secret_value()))
        migrate(database)
        kafka.renew(settings)
        settings = settings.model_copy(update={"database": SecretStr(database)})
        services = [stack.enter_context(service(settings, name)) for name in ("pager", "sink")]
        with ExitStack() as of_worker:
            worker = of_worker.enter_context(service(settings, "worker"))
            _await_ready([*services, worker])
            stack.enter_context(gateways_of(settings, _load(devices, gateways, measured_s)))
            time.sleep(WARM_S)
            begun = worker.read()
            latencies = _alerts(database, measured_s)
            spent = worker.read()
            os.kill(worker.process.pid, signal.SIGKILL)
            killed_s = time.monotonic()
        time.sleep(RESTART_PAUSE_S)
        stack.enter_context(service(settings, "worker"))
        back_s = _live_again(settings, killed_s)
    return {
        "devices": devices,
        "gateways": gateways,
        "alerts": len(latencies),
        "p50": round(float(np.percentile(latencies, 50)), 3),
        "p99": round(float(np.percentile(latencies, 99)), 3),
        "worker_cores": round((spent.cpu_s - begun.cpu_s) / (spent.wall_s - begun.wall_s), 3),
        "back_s": back_s,
    }


def _load(devices: int, gateways: int, measured_s: int) -> Load:
    """Return a load whose devices fall silent by a fixed plan, each at most once."""
    random = np.random.default_rng(4)
    chosen = random.permutation(devices)[: measured_s * ASYSTOLES_A_SECOND]
    begins = random.integers(WARM_S, WARM_S + measured_s, chosen.size)
    silent = {d: range(b, b + ASYSTOLE_S) for d, b in zip(chosen.tolist(), begins.tolist(), strict=True)}
    return Load(devices, gateways, time.time_ns(), silent)


def _await_ready(services: list[Measured]) -> None:
    deadline = time.monotonic() + READY_PATIENCE_S
    while not all(one.is_ready() for one in services):
        for one in services:
            one.read()  # raises where it has ended
        if time.monotonic() > deadline:
            raise CannotMeasureError(f"services are not ready within {READY_PATIENCE_S:.0f} s")
        time.sleep(0.5)


@contextmanager
def gateways_of(settings: Settings, load: Load) -> Iterator[None]:
    """Publish in real time from a thread, until left."""
    stop = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_publish(settings, load, stop)), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


async def _publish(settings: Settings, load: Load, stop: threading.Event) -> None:
    producer = AIOKafkaProducer(**clients.connection(settings), acks="all", compression_type="zstd")
    await producer.start()
    began = time.monotonic()
    flush = 0
    try:
        while not stop.is_set():
            groups = load.groups(flush)
            for i, group in enumerate(groups):
                # A packet leaves when its second is over; gateways flush at times of their own.
                due = began + 1.0 + (flush + i / len(groups)) * FLUSH_S
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                bundle = load.bundle(group, flush // FLUSHES_A_SECOND, time.time_ns())
                partition = partition_of(bundle.shard, kafka.PARTITIONS)
                await producer.send(topics.INGEST.name, bundle.encode(), partition=partition)
            flush += 1
    finally:
        await producer.stop()


def _alerts(database: str, seconds: int) -> list[float]:
    """Return how old the deciding packets of new alerts are when their rows are seen."""
    found: list[float] = []
    with connect(database, autocommit=True) as reader:
        recent = "SELECT id, published_ns FROM ecg.alert WHERE recorded_at > now() - interval '1 minute'"
        seen = {row[0] for row in reader.execute("SELECT id FROM ecg.alert")}
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            new = [(alert, at_ns) for alert, at_ns in reader.execute(recent) if alert not in seen]
            now_ns = time.time_ns()
            found += [(now_ns - at_ns) / NS for _, at_ns in new]
            seen |= {alert for alert, _ in new}
            time.sleep(POLL_S)
    if not found:
        raise CannotMeasureError("no alert has reached the database")
    return found


def _live_again(settings: Settings, killed_s: float) -> float | None:
    """Return after what time every partition was live again, s; None where that takes too long."""
    reader = clients.reader(settings)
    try:
        reader.assign([TopicPartition(topics.STATUS.name, p) for p in range(kafka.PARTITIONS)])
        reader.seek_to_end()
        begun_ns = time.time_ns()
        deadline = time.monotonic() + BACK_PATIENCE_S
        newest = dict.fromkeys(range(kafka.PARTITIONS), 0)
        while min(newest.values()) < max(begun_ns, time.time_ns() - LIVE_S * NS):
            if time.monotonic() > deadline:
                return None
            for source, records in reader.poll(timeout_ms=200).items():
                for record in records:
                    batch = codec.decode_as(DeviceStatuses, record.value)
                    newest[source.partition] = max(newest[source.partition], int(batch.published_ns.max()))
        return round(time.monotonic() - killed_s, 1)
    finally:
        reader.close()
