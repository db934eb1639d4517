"""Bundles to Kafka: idempotent, acknowledged by all replicas, one record a bundle."""

import warnings
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from devices.errors import PublishError
from schemas.bundle import Bundle
from schemas.topics import INGEST, partition_of

with warnings.catch_warnings():
    # kafka-python 3.0 reads its protocol's tables by functions that Python 3.11 deprecates and 3.13 does not.
    warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
    from kafka import KafkaProducer
    from kafka.errors import KafkaError

PATIENCE_S = 300.0
_ANSWER_MS = 30_000
_LINGER_MS = 5
_MAX_REQUEST_BYTES = 1_048_576
_MAX_IN_FLIGHT_BYTES = 32 * _MAX_REQUEST_BYTES


@dataclass(slots=True)
class Sent:
    """What Kafka has acknowledged of a session of a device."""

    packets: int = 0
    first_seq: int = -1
    last_seq: int = -1


@dataclass(slots=True)
class _InFlight:
    bundle: Bundle
    size: int
    future: Any


class Publisher:
    """Sends bundles to the partition of their shard and counts what was acknowledged.

    Until there is a spool on disk, a gateway's patience is its memory: kafka-python retries for
    ``patience_s`` while up to 32 MB wait here, then ``publish`` blocks, and at last it raises
    ``PublishError``. Nothing is dropped in silence.

    ``security``: what more kafka-python must be told to come in at a closed broker.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        partitions: int,
        security: Mapping[str, Any] = MappingProxyType({}),
        topic: str = INGEST.name,
        patience_s: float = PATIENCE_S,
        producer: Any = None,
    ) -> None:
        self.sent: dict[tuple[str, int], Sent] = {}
        self.vitals = 0
        self.bundles = 0
        self.bytes = 0
        self._bootstrap = bootstrap
        self._security = security
        self._partitions = partitions
        self._topic = topic
        self._patience_s = patience_s
        self._in_flight: deque[_InFlight] = deque()
        self._waiting_bytes = 0
        self._failed = False
        self._producer = producer if producer is not None else self._connect()

    def _connect(self) -> Any:
        patience_ms = round(self._patience_s * 1000)
        try:
            return KafkaProducer(
                bootstrap_servers=self._bootstrap,
                **self._security,
                acks="all",
                enable_idempotence=True,
                compression_type="zstd",
                linger_ms=_LINGER_MS,
                max_request_size=_MAX_REQUEST_BYTES,
                max_block_ms=min(patience_ms, _ANSWER_MS),
                request_timeout_ms=min(patience_ms, _ANSWER_MS),
                delivery_timeout_ms=patience_ms + 2 * _LINGER_MS,  # must exceed linger and one request
            )
        except KafkaError as error:
            raise self._failure(error) from error

    def publish(self, bundles: Sequence[Bundle]) -> None:
        """Send; return at once while less than 32 MB wait for their acknowledgement.

        Raises:
            PublishError: an acknowledgement has not come within the patience.
        """
        for bundle in bundles:
            data = bundle.encode()
            try:
                future = self._producer.send(
                    self._topic, value=data, partition=partition_of(bundle.shard, self._partitions)
                )
            except KafkaError as error:
                raise self._failure(error) from error
            self._in_flight.append(_InFlight(bundle, len(data), future))
            self._waiting_bytes += len(data)
        while self._in_flight and (
            self._in_flight[0].future.is_done or self._waiting_bytes > _MAX_IN_FLIGHT_BYTES
        ):
            self._settle()

    def flush(self) -> None:
        """Wait until all that was published is acknowledged.

        Raises:
            PublishError: as ``publish``.
        """
        while self._in_flight:
            self._settle()

    def close(self) -> None:
        """Flush, unless it has failed already, and let go of the connection."""
        try:
            if not self._failed:
                self.flush()
        finally:
            if self._failed:
                # kafka-python's close waits for what cannot be sent; only its sender can give that up.
                self._producer._sender.force_close()
            self._producer.close(timeout=10)

    def _settle(self) -> None:
        """Wait for the oldest acknowledgement and count it."""
        oldest = self._in_flight[0]
        try:
            oldest.future.get(timeout=self._patience_s)
        except KafkaError as error:
            raise self._failure(error) from error
        self._in_flight.popleft()
        self._waiting_bytes -= oldest.size
        self._count(oldest)

    def _count(self, done: _InFlight) -> None:
        bundle = done.bundle
        self.bundles += 1
        self.bytes += done.size
        self.vitals += bundle.vital.code.size
        packet = bundle.packet
        for device, session, seq in zip(
            packet.device.tolist(), packet.session.tolist(), packet.seq.tolist(), strict=True
        ):
            sent = self.sent.setdefault((bundle.devices[device], session), Sent(0, seq, seq))
            sent.packets += 1
            sent.first_seq = min(sent.first_seq, seq)
            sent.last_seq = max(sent.last_seq, seq)

    def _failure(self, error: Exception) -> PublishError:
        self._failed = True
        waiting = sum(f.bundle.packet.seq.size for f in self._in_flight)
        return PublishError(
            f"Kafka at {self._bootstrap} has not taken a bundle ({type(error).__name__}: {error}); "
            f"{waiting} packets wait unacknowledged. Check that the broker runs and is reachable, and that "
            f"topic {self._topic} exists with {self._partitions} partitions; then play again"
        )
