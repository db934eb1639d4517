"""kafka-python clients as all services of the centre use them (the worker has Faust's own)."""

from typing import Any

from kafka import KafkaConsumer, KafkaProducer

from ecgstream.settings import Settings


def producer(settings: Settings) -> KafkaProducer:
    """Return an idempotent producer that waits for all replicas."""
    return KafkaProducer(
        bootstrap_servers=settings.kafka,
        acks="all",
        enable_idempotence=True,
        compression_type="zstd",
        linger_ms=5,
        max_request_size=1_048_576,
    )


def consumer(settings: Settings, group: str, **more: Any) -> KafkaConsumer:
    """Return a consumer of ``group`` that commits only when told to, and starts at the beginning."""
    return KafkaConsumer(
        bootstrap_servers=settings.kafka,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=int(settings.session_timeout_s * 1000),
        heartbeat_interval_ms=int(settings.session_timeout_s * 1000 / 4),
        max_partition_fetch_bytes=8 * 1_048_576,
        **more,
    )
