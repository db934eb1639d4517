"""The alerts as they stand in Kafka, kept up to date by a thread; the database may be away."""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from ecgstream.member import end_offsets
from ecgstream.whole import records
from schemas import topics
from schemas.codec import decode_as
from schemas.errors import BadRecordError
from schemas.records import Alert

CURRENT_S = 10.0
"""For so long what was read holds as current after the broker was last heard of."""
_ASK_S = 2.0
_POLL_MS = 200
_RETRY_S = 1.0

log = structlog.get_logger()


class Board:
    """Follows the alerts' topic; any thread may look at it.

    Args:
        reader: makes a consumer without a group.
        partitions: of the topic.
    """

    def __init__(self, reader: Callable[[], KafkaConsumer], partitions: int) -> None:
        self._reader = reader
        self._sources = [TopicPartition(topics.ALERTS.name, number) for number in range(partitions)]
        self._alerts: dict[str, Alert] = {}
        self._heard_s: float | None = None
        self._lock = threading.Lock()

    def alert(self, id_: str) -> Alert | None:
        """Return an alert, None: it is not known, or ended so long ago that it is forgotten."""
        with self._lock:
            return self._alerts.get(id_)

    def alerts(self) -> list[Alert]:
        """Return all alerts that are known: those that are open, and those that ended a short while ago."""
        with self._lock:
            return list(self._alerts.values())

    @property
    def is_current(self) -> bool:
        """Whether what is shown is what Kafka holds."""
        return self._heard_s is not None and time.monotonic() - self._heard_s < CURRENT_S

    def run(self, stop: threading.Event) -> None:
        """Follow until ``stop`` is set."""
        while not stop.is_set():
            try:
                with closing(self._reader()) as reader:
                    self._load(reader)
                    while not stop.is_set():
                        self._follow(reader)
            except KafkaError as error:
                log.warning("alerts_not_followed", error=type(error).__name__)
                stop.wait(_RETRY_S)

    def _load(self, reader: KafkaConsumer) -> None:
        found: dict[str, Alert] = {}
        _take(found, (record for _, record in records(reader, self._sources)))
        with self._lock:
            self._alerts = found
        self._heard_s = time.monotonic()
        log.info("alerts_known", alerts=len(found))

    def _follow(self, reader: KafkaConsumer) -> None:
        came = reader.poll(timeout_ms=_POLL_MS)
        with self._lock:
            for found in came.values():
                _take(self._alerts, found)
        if self._heard_s is None or time.monotonic() - self._heard_s > _ASK_S:
            # A poll of a broker that is away says nothing; this raises.
            ends = end_offsets(reader, self._sources)
            if all(reader.position(source) >= ends[source] for source in self._sources):
                self._heard_s = time.monotonic()


def _take(alerts: dict[str, Alert], came: Iterable[Any]) -> None:
    for record in came:
        if record.value is None:
            alerts.pop(record.key.decode("utf-8", "replace"), None)
            continue
        try:
            alert = decode_as(Alert, record.value)
        except BadRecordError as error:
            log.warning("bad_record", topic=topics.ALERTS.name, error=type(error).__name__)
        else:
            alerts[alert.id] = alert
