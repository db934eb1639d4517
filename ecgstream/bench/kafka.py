"""A Kafka of a bench's own: an embedded broker, or one that is named and holds nothing of ours."""

import asyncio
import logging
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from kafka.errors import KafkaError, UnknownTopicOrPartitionError

from ecgstream import clients
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.embedded.kafka import EmbeddedKafka
from ecgstream.settings import Settings
from ecgstream.topics import create_topics, describe
from schemas import topics
from schemas.topics import Topic

PARTITIONS = 8
GROUPS = ("ecgstream-worker", "pager", "sink")
GONE_PATIENCE_S = 120.0
_BATCH_BYTES = 1_048_576


@contextmanager
def own_kafka(given: Settings) -> Iterator[Settings]:
    """Give settings with an empty broker, the one that is named or one of our own; what is made is removed.

    Raises:
        CannotMeasureError: there is no broker, or the one that is named has topics of ours.
    """
    for library in ("aiokafka", "kafka"):  # they warn of topics that were made a moment ago
        logging.getLogger(library).setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        settings = given.model_copy(update={"partitions": PARTITIONS, "replication": 1})
        if settings.kafka:
            _must_be_empty(settings)
            stack.callback(_remove_groups, settings)
            stack.callback(remove, settings)
        else:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="ecgstream-bench-"))
            try:
                kafka = stack.enter_context(EmbeddedKafka(Path(directory)))
            except ServiceUnavailableError as error:
                raise CannotMeasureError(str(error)) from None
            settings = settings.model_copy(update={"kafka": kafka.bootstrap})
        yield settings


def _must_be_empty(settings: Settings) -> None:
    try:
        found = _present(settings, topics.ALL)
    except KafkaError as error:
        raise CannotMeasureError(f"Kafka at {settings.kafka}: {type(error).__name__}: {error}") from None
    if found:
        raise CannotMeasureError(
            f"Kafka at {settings.kafka} has {', '.join(sorted(found))}: a bench removes what it writes, "
            "so it takes an empty broker only"
        )


def _present(settings: Settings, wanted: Iterable[Topic]) -> list[str]:
    admin = clients.admin(settings)
    try:
        missing = UnknownTopicOrPartitionError.errno
        return [n for n, found in describe(admin, wanted).items() if found["error_code"] != missing]
    finally:
        admin.close()


def remove(settings: Settings, wanted: Sequence[Topic] = topics.ALL) -> None:
    """Remove topics; return when they are gone."""
    admin = clients.admin(settings)
    try:
        names = _present(settings, wanted)
        if names:
            admin.delete_topics(names)
    finally:
        admin.close()
    deadline = time.monotonic() + GONE_PATIENCE_S
    while left := _present(settings, wanted):
        if time.monotonic() > deadline:
            raise CannotMeasureError(f"Kafka at {settings.kafka} does not remove {', '.join(left)}")
        time.sleep(0.05)


def _remove_groups(settings: Settings) -> None:
    admin = clients.admin(settings)
    with suppress(KafkaError):  # of a service that was not started there is none
        admin.delete_groups(GROUPS)
    admin.close()


def renew(settings: Settings, *, keep: Sequence[Topic] = ()) -> None:
    """Make all topics empty but those to keep."""
    wanted = [topic for topic in topics.ALL if topic not in keep]
    remove(settings, wanted)
    create_topics(settings)


class Keyed(NamedTuple):
    """A record to be written; ``at_ms``: the log's time of it, now where it is not given."""

    partition: int
    value: bytes
    key: bytes | None = None
    at_ms: int | None = None


async def write(settings: Settings, topic: str, records: Iterable[Keyed], *, a_batch: int = 1) -> None:
    """Write records, at most so many a batch: one, as of many gateways, of which each makes its own."""
    producer = AIOKafkaProducer(
        **clients.connection(settings), acks="all", compression_type="zstd", max_batch_size=_BATCH_BYTES
    )
    await producer.start()
    open_: dict[int, BatchBuilder] = {}
    sent: dict[int, asyncio.Future[object]] = {}

    async def send(partition: int) -> None:
        sent[partition] = await producer.send_batch(open_.pop(partition), topic, partition=partition)

    try:
        for record in records:
            batch = open_.setdefault(record.partition, producer.create_batch())
            if batch.append(key=record.key, value=record.value, timestamp=record.at_ms) is None:
                await send(record.partition)
                batch = open_.setdefault(record.partition, producer.create_batch())
                batch.append(key=record.key, value=record.value, timestamp=record.at_ms)
            if batch.record_count() >= a_batch:
                await send(record.partition)
        for partition in list(open_):
            await send(partition)
        await asyncio.gather(*sent.values())
    finally:
        await producer.stop()
