"""A gateway's enrolments, kept up to date with their topic, and on disk for when the broker is away.

The topic is read anew from its beginning at every start and after every failure: it is small, and so nothing
depends on what was understood before. The file is for the time until then.
"""

import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from devices.enrolment import Change, Enrolments, change_of, pack, unpack
from devices.errors import CacheError, EnrolmentsUnknownError, LineError
from devices.reach import reach
from schemas.errors import BadRecordError
from schemas.topics import ENROLMENT

with warnings.catch_warnings():  # as in devices.publisher
    warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
    from kafka import KafkaConsumer, TopicPartition
    from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

PATIENCE_S = 20.0
"""How long a start waits for the broker before it takes the file."""
_POLL_MS = 500
_RETRY_S = 5.0
_SAVE_S = 60.0
"""A file that is not older than this says the same as the topic."""
_NS = 1_000_000_000
_log = logging.getLogger(__name__)


def _consumer(**config: Any) -> Any:
    """Make a consumer where a broker listens; raise ``KafkaError`` where none does."""
    patience_s = config["bootstrap_timeout_ms"] / 1000
    try:
        reach(config["bootstrap_servers"], patience_s)
    except LineError as error:
        raise KafkaConnectionError(str(error)) from error
    return KafkaConsumer(**config)


class Follower:
    """Knows the enrolments as long as it is entered, and follows them on a thread of its own.

    Args:
        bootstrap: the broker's address.
        cache: the file; its folder is made.
        security: what more kafka-python must be told to come in at a closed broker.
        patience_s: how long the broker may take.
        consumer: makes the consumer, for tests.
    """

    def __init__(
        self,
        bootstrap: str,
        cache: Path,
        *,
        security: Mapping[str, Any] = MappingProxyType({}),
        patience_s: float = PATIENCE_S,
        consumer: Callable[..., Any] = _consumer,
    ) -> None:
        self.enrolments = Enrolments()
        self._bootstrap = bootstrap
        self._cache = cache
        self._security = security
        self._patience_s = patience_s
        self._make_consumer = consumer
        self._consumer: Any = None
        self._saved_s = float("-inf")
        self._follows = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="enrolments", daemon=True)

    def load(self) -> None:
        """Learn what the topic says up to its present end, or else the file; part of entering.

        Raises:
            EnrolmentsUnknownError: the broker is away, and there is no file that can be used.
        """
        try:
            self._read_all()
        except KafkaError as error:
            self._let_go()
            why = type(error).__name__
            self.enrolments, as_of_ns = self._from_file(why)
            age_s = round((time.time_ns() - as_of_ns) / _NS)
            _log.warning(
                "the broker does not say which devices are enrolled (%s): a file that is %d s old says %d",
                why,
                age_s,
                len(self.enrolments),
            )

    def __enter__(self) -> "Follower":
        self.load()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                if self._consumer is None:
                    self._read_all()
                self._take(self._consumer.poll(timeout_ms=_POLL_MS))
                self._follows = True
            except KafkaError as error:
                if self._follows:  # once, however long it lasts
                    _log.warning("enrolments are not followed now (%s)", type(error).__name__)
                self._follows = False
                self._let_go()
                self._stop.wait(_RETRY_S)
        self._let_go()

    def _read_all(self) -> None:
        deadline = time.monotonic() + self._patience_s
        self._consumer = self._make_consumer(
            bootstrap_servers=self._bootstrap,
            **self._security,
            bootstrap_timeout_ms=round(self._patience_s * 1000),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        partitions = self._partitions()
        self._consumer.assign(partitions)
        ends = self._ends(partitions, deadline)
        self._consumer.seek_to_beginning(*partitions)
        changes: list[Change] = []
        while any(self._consumer.position(p) < ends[p] for p in partitions):
            if time.monotonic() > deadline:
                raise KafkaTimeoutError("the enrolments' topic could not be read to its end")
            changes += _changes(self._consumer.poll(timeout_ms=_POLL_MS))
        self.enrolments = Enrolments().changed(changes)
        self._save()

    def _partitions(self) -> list[TopicPartition]:
        numbers = self._consumer.partitions_for_topic(ENROLMENT.name)
        if not numbers:
            raise KafkaTimeoutError("the enrolments' topic is not there")
        return [TopicPartition(ENROLMENT.name, n) for n in sorted(numbers)]

    def _ends(self, partitions: list[TopicPartition], deadline: float) -> dict[TopicPartition, int]:
        """Return the offsets behind the last records.

        kafka-python fails with ``KeyError`` where it has not heard yet who leads a partition.
        """
        while True:
            try:
                return dict(self._consumer.end_offsets(partitions))
            except KeyError as error:
                if time.monotonic() > deadline:
                    raise KafkaTimeoutError(f"no leader of {error}") from error
                time.sleep(0.1)

    def _take(self, polled: Mapping[Any, Iterable[Any]]) -> None:
        changes = list(_changes(polled))
        if changes:
            self.enrolments = self.enrolments.changed(changes)
        if changes or time.monotonic() > self._saved_s + _SAVE_S:
            self._save()

    def _let_go(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def _save(self) -> None:
        try:
            _write(self._cache, pack(self.enrolments, time.time_ns()))
        except OSError as error:
            _log.error("enrolments are not kept in %s: %s", self._cache, error.strerror)
        self._saved_s = time.monotonic()

    def _from_file(self, why: str) -> tuple[Enrolments, int]:
        try:
            return unpack(self._cache.read_bytes())
        except (OSError, CacheError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise EnrolmentsUnknownError(
                f"which devices are enrolled is not known: the broker does not say it ({why}), "
                f"and neither does {self._cache} ({reason})"
            ) from error


def _changes(polled: Mapping[Any, Iterable[Any]]) -> Iterator[Change]:
    for records in polled.values():
        for record in records:
            try:
                yield change_of(record.key, record.value)
            except BadRecordError as error:
                _log.warning(
                    "an enrolment that cannot be read: partition %d, offset %d: %s",
                    record.partition,
                    record.offset,
                    error,
                )


def _write(path: Path, data: bytes) -> None:
    """Replace a file at once or not at all, also where the power fails; it is this user's alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
