"""The line to Kafka: an idempotent producer, its records acknowledged by all replicas, told of one by one.

A line that fails is closed and another one connected: kafka-python's producer cannot take back what it was
given, and is of no use after some errors. What was not acknowledged by then may or may not be in Kafka.
"""

import queue
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, NamedTuple

from devices.errors import LineError
from devices.reach import reach
from schemas.topics import Topic

with warnings.catch_warnings():
    # kafka-python 3.0 reads its protocol's tables by functions that Python 3.11 deprecates and 3.13 does not.
    warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
    from kafka import KafkaProducer
    from kafka.errors import KafkaError

_ANSWER_MS = 15_000
_DELIVERY_MS = 45_000
"""So long a record may take, over the broker's restarts and elections; then the line is connected anew."""
HUNG_S = _DELIVERY_MS / 1000 + 30.0
"""A line that by then has said nothing of a record never will: kafka-python's thread can hang for ever where
a network let nothing through in silence, also when it is mended."""
_CONNECT_MS = 5_000
_RECONNECT_MS = 1_000
_LINGER_MS = 5
_BATCH_BYTES = 65_536  # on 64 kbit/s no more than fits into an answer's time
_MAX_REQUEST_BYTES = 1_048_576
_CLOSE_S = 10


class Outcome(NamedTuple):
    """What became of what was sent as ``token``; an empty ``error``: Kafka has it."""

    token: int
    error: str


class Line:
    """A connection that was there a moment ago. Close it.

    Args:
        bootstrap: the broker's address.
        topics: those that are written.
        partitions: how many each of them has.
        security: what more kafka-python must be told to come in at a closed broker.
        wake: called from another thread whenever an outcome is to be had.
        reached: raises where nobody listens there; for tests, as ``make``, which makes the producer.

    Raises:
        LineError: Kafka is not there, or not as it must be; the message says why.
    """

    def __init__(
        self,
        bootstrap: str,
        topics: Sequence[Topic],
        partitions: int,
        *,
        security: Mapping[str, Any] = MappingProxyType({}),
        wake: Callable[[], None] = lambda: None,
        reached: Callable[[str, float], None] = reach,
        make: Callable[..., Any] = KafkaProducer,
    ) -> None:
        self._wake = wake
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        reached(bootstrap, _CONNECT_MS / 1000)
        try:
            self._producer = make(
                bootstrap_servers=bootstrap,
                **security,
                acks="all",
                enable_idempotence=True,
                compression_type="zstd",
                linger_ms=_LINGER_MS,
                batch_size=_BATCH_BYTES,
                max_request_size=_MAX_REQUEST_BYTES,
                max_block_ms=_CONNECT_MS,
                bootstrap_timeout_ms=_CONNECT_MS,
                request_timeout_ms=_ANSWER_MS,
                delivery_timeout_ms=_DELIVERY_MS,
                reconnect_backoff_max_ms=_RECONNECT_MS,
            )
        except KafkaError as error:
            raise LineError(f"no broker answers at {bootstrap} ({type(error).__name__})") from error
        try:
            for topic in topics:
                self._check(topic, partitions)
        except LineError:
            self.close(in_order=False)
            raise

    def _check(self, topic: Topic, partitions: int) -> None:
        try:
            found = self._producer.partitions_for(topic.name)
        except KafkaError as error:
            raise LineError(
                f"topic {topic.name} is not there, or not for us ({type(error).__name__})"
            ) from error
        if len(found) != partitions:
            raise LineError(f"topic {topic.name} has {len(found)} partitions, the settings say {partitions}")

    def send(
        self, topic: Topic, partition: int, value: bytes, token: int, *, key: bytes | None = None
    ) -> None:
        """Send a record; ``outcomes`` tells of it later, in the order of sending within a partition.

        Raises:
            LineError: it cannot be sent.
        """
        try:
            future = self._producer.send(topic.name, value=value, key=key, partition=partition)
        except (KafkaError, ValueError) as error:
            raise LineError(_said(error)) from error
        future.add_callback(lambda _: self._tell(Outcome(token, "")))
        future.add_errback(lambda error: self._tell(Outcome(token, _said(error))))

    def outcomes(self) -> list[Outcome]:
        """Return what has become known since."""
        found = []
        while True:
            try:
                found.append(self._outcomes.get_nowait())
            except queue.Empty:
                return found

    def close(self, *, in_order: bool) -> None:
        """Let go of the connection, with what is under way only where that is ``in_order``."""
        if not in_order:
            # kafka-python's close waits for what cannot be sent; only its sender can give that up.
            self._producer._sender.force_close()
        with suppress(KafkaError):  # its thread may hang: then it is left to itself
            self._producer.close(timeout=_CLOSE_S)

    def _tell(self, outcome: Outcome) -> None:
        self._outcomes.put(outcome)
        self._wake()


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
